//! Meaningless texts: endless nesting, noise, truncation. None may panic or overflow the stack.

use super::*;
use serde_json::json;

fn parse_all(text: &str) -> [bool; 3] {
    let scope = Scope {
        current: &json!({ "a": [1, { "b": "c" }] }),
        variables: &Given(json!({ "args": { "a": [2] } })),
    };
    let parsed = Mapping::parse(text).map(|mapping| {
        let _ = mapping.evaluate(&scope);
        check_spans(text, mapping.references().into_iter().map(|reference| reference.span));
    });
    let url = Template::parse_url(text).map(|url| {
        let _ = url.render_url(&scope);
        check_spans(text, url.references().into_iter().map(|reference| reference.span));
    });
    let value = Template::parse_value(text, Position::Text).map(|value| {
        let _ = value.evaluate(&scope);
    });
    let results = [parsed, url, value];
    for result in &results {
        if let Err(errors) = result {
            assert!(!errors.is_empty(), "a refusal without a reason: {text}");
            check_spans(text, errors.iter().map(|error| error.span.clone()));
        }
    }
    results.map(|result| result.is_ok())
}

/// Checks that every span can be sliced out of the text.
fn check_spans(text: &str, spans: impl Iterator<Item = std::ops::Range<usize>>) {
    for span in spans {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text}");
    }
}

/// Nesting of every kind, in the thread of a test with its 2 MiB of stack.
#[test]
fn deep_nesting_is_a_mistake_and_no_overflow() {
    let openings = [
        "{",
        "a {",
        "a: {",
        "(",
        "$(",
        "$([",
        "[",
        "a->map(",
        "->map(",
        "a: $({a:",
        "/{$args.a->map(",
        "a.",
        "$.a ?? ",
    ];
    for opening in openings {
        for count in [65, 1_000, 100_000] {
            for before in ["", "a: ", "/", "/{", "$.x", "x: $([", "{"] {
                let text = before.to_owned() + &opening.repeat(count);
                let [mapping, url, value] = parse_all(&text);
                assert!(!mapping, "{before} {opening} {count}");
                assert!(!url || before != "/{", "{before} {opening} {count}");
                // Two braces are one in a value template, and brackets outside of braces are text.
                assert!(!value || before != "{" || opening == "{", "{before} {opening} {count}");
            }
        }
    }
}

#[test]
fn a_path_may_be_long_but_not_without_end() {
    let path = |steps: usize| format!("x: a{}", ".b".repeat(steps));
    assert!(Mapping::parse(&path(120)).is_ok());
    let errors = Mapping::parse(&path(200)).unwrap_err();
    assert!(errors[0].message.starts_with("this is nested too deeply"), "{errors:?}");
    for step in ["->first", "->slice(1)", "?.b", " ?? a"] {
        assert!(Mapping::parse(&format!("x: a{}", step.repeat(100))).is_ok(), "{step}");
        assert!(Mapping::parse(&format!("x: a{}", step.repeat(6_000))).is_err(), "{step}");
    }
}

#[test]
fn sixty_levels_are_enough_for_everybody() {
    let nested = |open: &str, inner: &str, close: &str, count| {
        format!("x: {}{inner}{}", open.repeat(count), close.repeat(count))
    };
    let forms =
        [("a { b: ", "c", "}"), ("{ b: ", "c", "}"), ("$(", "1", ")"), ("$.a->map(", "@", ")")];
    for (open, inner, close) in forms {
        let text = nested(open, inner, close, 60);
        assert!(Mapping::parse(&text).is_ok(), "{text}");
        mapping(&text)
            .evaluate(&Scope { current: &json!({ "a": [] }), variables: &Given(json!({})) })
            .unwrap();
        assert!(Mapping::parse(&nested(open, inner, close, 70)).is_err());
    }
}

/// The tallest tree that parses, with wide frames, is walked within a test's stack.
#[test]
fn the_tallest_tree_is_evaluated() {
    let mut current = json!(1);
    for _ in 0..120 {
        current = json!([{ "a": current }]);
    }
    let text = format!("x: {}c{}", "a { b: ".repeat(60), "}".repeat(60));
    assert!(select(&text, &current).is_ok());
    let text = format!("$.a{}", ".a".repeat(110));
    assert!(select(&text, &current).is_ok());
}

/// xorshift64*, so that failures are reproducible.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(wide).unwrap_or(0) % sides
    }
}

const PIECES: [&str; 62] = [
    "a",
    "b",
    "id",
    "$",
    "@",
    "$args",
    "$args.a",
    "$this",
    "$batch",
    "$request",
    ".headers",
    ".x-y",
    "$env",
    ".",
    "?.",
    "->",
    "?->",
    "?",
    "??",
    "first",
    "->first",
    "->map(",
    "->match(",
    "->joinNotNull(",
    "->slice(",
    "->size",
    "nope",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    ":",
    ",",
    " ",
    "\n",
    "#",
    "/",
    "//",
    "..",
    "%2e",
    "%",
    "&",
    "=",
    "\"",
    "'",
    "\\",
    "\\u00e9",
    "\\ud83d",
    "1",
    "-1.5",
    "1e5",
    "true",
    "null",
    "é",
    "\u{1f600}",
    "\0",
    "\r",
    ";",
];

#[test]
fn no_text_makes_the_parser_panic() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut parsed = [0; 3];
    for case in 0..20_000 {
        let length = 1 + dice.roll(24);
        let text: String = if case % 4 == 0 {
            let bytes: Vec<u8> = (0..length).map(|_| dice.roll(256) as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            (0..length).map(|_| PIECES[dice.roll(PIECES.len())]).collect()
        };
        let text = if case % 3 == 0 { format!("/{text}") } else { text };
        for (count, ok) in parsed.iter_mut().zip(parse_all(&text)) {
            *count += usize::from(ok);
        }
    }
    // The pieces form valid texts often enough for evaluation to be reached.
    assert!(parsed.iter().all(|count| *count > 100), "{parsed:?}");
}

/// Cutting valid texts anywhere reaches every "never closed".
#[test]
fn no_prefix_of_a_text_makes_the_parser_panic() {
    let texts = [
        "id \"odd key\" { a: b?.c->slice(1, 2) ?? $([1, {x: \"é\\u00e9\"}]) } $.p { q }",
        "/a/{$args.id->match([\"}\", 1], [@, '2'])}-x.json?ids={$batch.id->joinNotNull(',')}&n={$args.n}&é=%2f",
        "{{a}} {$request.headers.x-tenant ?? \"none\"} b",
    ];
    for text in texts {
        for end in 0..text.len() {
            if let Some(prefix) = text.get(..end) {
                parse_all(prefix);
            }
            if let Some(suffix) = text.get(end..) {
                parse_all(suffix);
            }
        }
    }
}
