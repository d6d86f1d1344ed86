//! Texts that try to break a parser: refused quickly and on a small stack.

use super::{any_length, prepare_with, refusal, refusals};
use crate::engine::{Limits, Settings};
use crate::graphql::ErrorCode;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const DEPTH: usize = 100_000;

/// Runs on half a mebibyte of stack, a quarter of a thread's default.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run);
    thread.unwrap().join().unwrap();
}

/// Runs on the default stack of a thread.
fn on_an_ordinary_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    thread.unwrap().join().unwrap();
}

fn around(before: &str, open: &str, middle: &str, close: &str, after: &str) -> String {
    [before, &open.repeat(DEPTH), middle, &close.repeat(DEPTH), after].concat()
}

#[test]
fn deep_texts_are_refused() {
    on_a_small_stack(|| {
        let generous = Settings {
            limits: Limits {
                depth: u64::MAX.into(),
                aliases: u64::MAX.into(),
                root_fields: u64::MAX.into(),
                directives: u64::MAX.into(),
                tokens: 50_000_000.into(),
                selections: u64::MAX.into(),
                ..Limits::default()
            },
            ..Settings::default()
        };
        let texts = [
            around("", "{ node(id: 1) ", "", "}", ""),
            around("", "{ next ", "", "", ""),
            around("{ find(list: ", "[", "1", "]", ") }"),
            around("{ find(list: ", "[", "", "", ""),
            around("{ find(by: ", "{ inner: ", "{}", "}", ") }"),
            around("{ find(any: ", "{ a: ", "", "", ""),
            around("query($v: ", "[", "Int", "]", ") { a }"),
            around("query($v: ", "[", "", "", ""),
            around("query($v: Int = ", "[", "", "]", ") { a }"),
            around("{ a", "(", "", ")", " }"),
            around("", "(", "", "", ""),
            around("{ a @include(if: ", "[", "true", "]", ") }"),
            around("", "{ ... ", "{ a }", "}", ""),
            around("", "{ ... @skip(if: false) ", "{ a }", "}", ""),
        ];
        for settings in [&Settings::default(), &generous] {
            for text in &texts {
                let start = Instant::now();
                let lines = refusals(settings, text);
                assert!(!lines.is_empty(), "accepted: {}", &text[..40]);
                assert!(start.elapsed() < Duration::from_secs(2), "slow: {}", &text[..40]);
            }
        }
    });
}

/// Returns texts that nest `depth` brackets of each kind.
fn nested(depth: usize) -> [String; 5] {
    let around = |before: &str, open: &str, middle: &str, close: &str, after: &str| {
        [before, &open.repeat(depth), middle, &close.repeat(depth), after].concat()
    };
    [
        around("{ node(id: 1) { ", "next { ", "id", "}", " } }"),
        around("{ find(any: ", "[", "1", "]", ") }"),
        around("{ find(any: ", "{ a: ", "1", "}", ") }"),
        around("{ find(by: ", "{ inner: ", "{ }", "}", ") }"),
        around("{ ", "... { ", "a", "}", " }"),
    ]
}

#[test]
fn what_nests_as_deep_as_allowed_fits_the_stack() {
    on_an_ordinary_stack(|| {
        let generous = Settings {
            limits: Limits { depth: 1_000.into(), aliases: 1_000.into(), ..Limits::default() },
            ..Settings::default()
        };
        for text in nested(60) {
            assert_eq!(refusals(&generous, &text), Vec::<String>::new(), "{}", &text[..30]);
        }
        // Some are refused by validation, some are not; none overflows.
        for text in nested(190) {
            let _ = refusals(&generous, &text);
        }
    });
}

#[test]
fn strings_and_comments_without_an_end_are_read_to_the_end() {
    let brackets = "[{(".repeat(DEPTH);
    for (before, after) in [
        ("{ a(x: \"", ""),
        ("{ a(x: \"\"\"", ""),
        ("{ a(x: \"", "\n"),
        ("{ a(x: \"\\", "\\"),
        ("{ a(x: \"\"\"\\\"\"\"", "\""),
        ("# ", ""),
    ] {
        let text = [before, &brackets, after].concat();
        let start = Instant::now();
        assert!(refusal(&text).is_some(), "accepted: {before}");
        assert!(start.elapsed() < Duration::from_secs(2), "slow: {before}");
    }
    // Brackets in comments and strings do not nest.
    assert_eq!(refusal(&format!("# {brackets}\n{{ a }}")), None);
    assert_eq!(refusal(&format!("{{ find(any: \"{brackets}\") }}")), None);
    assert_eq!(refusal(&format!("{{ find(any: \"\"\"{brackets}\"\"\") }}")), None);
    // A quote that could be mistaken for the end of a string must not hide brackets from the count.
    let hidden = format!("{{ find(any: \"\"\" \\\"\"\" \"\"\" list: {}", "[".repeat(DEPTH));
    assert_eq!(refusal(&hidden), Some(ErrorCode::LimitExceeded));
}

/// Returns fragments `F0` to `F{count - 1}`. Each spreads the next one, the last one contains `end`.
fn chain(count: usize, end: &str) -> String {
    let mut text = String::from("{ node(id: 1) { ...F0 } } ");
    for number in 0..count {
        let next = if number + 1 == count { end.to_owned() } else { format!("...F{}", number + 1) };
        let _ = write!(text, "fragment F{number} on Node {{ {next} }} ");
    }
    text
}

#[test]
fn a_chain_of_fragments_is_followed_or_refused() {
    let plenty = Settings {
        limits: Limits { tokens: 1_000_000.into(), ..Limits::default() },
        ..Settings::default()
    };
    assert_eq!(refusals(&plenty, &chain(20, "id")), Vec::<String>::new());
    on_an_ordinary_stack(move || {
        for count in [600, 5_000] {
            let start = Instant::now();
            let found = refusals(&plenty, &chain(count, "id"));
            assert!(
                found.is_empty()
                    || found[0].starts_with("LIMIT")
                    || found[0].starts_with("GRAPHQL_VALIDATION"),
                "{found:?}"
            );
            assert!(start.elapsed() < Duration::from_secs(5), "{count}");
        }
    });
}

#[test]
fn fragments_that_come_back_to_themselves_are_invalid() {
    for text in
        [chain(1, "...F0"), chain(3, "...F0"), chain(3, "next { ...F0 }"), chain(150, "...F0")]
    {
        assert_eq!(refusal(&text), Some(ErrorCode::ValidationFailed), "{}", &text[..60]);
    }
    // Without an operation that uses them.
    let unused = "{ a } fragment F on Node { ...G } fragment G on Node { next { ...F } }";
    assert_eq!(refusal(unused), Some(ErrorCode::ValidationFailed));
}

#[test]
fn fields_that_might_conflict_are_compared_in_little_time() {
    let many = "id ".repeat(2_000);
    let spreads = "...F ...G ".repeat(500);
    for text in [
        format!("{{ node(id: 1) {{ {many} }} }}"),
        format!(
            "{{ node(id: 1) {{ {spreads} }} }} fragment F on Node {{ id }} fragment G on Node {{ id }}"
        ),
        format!("{{ {} }}", "node(id: 1) { next { id } } ".repeat(20)),
        format!("{{ node(id: 1) {{ {} }} }}", "next { next { id } } ".repeat(600)),
    ] {
        let start = Instant::now();
        let _ = refusal(&text);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{:?} for {}",
            start.elapsed(),
            &text[..60]
        );
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for text in [
        "",
        " ",
        "#",
        "{",
        "}",
        "{}",
        "query",
        "a",
        "\u{feff}",
        "\0",
        "{ a } }",
        "🦀",
        "{ 🦀 }",
        "fragment F on Node { id }",
        "type T { a: Int }",
    ] {
        assert!(refusal(text).is_some(), "accepted: {text:?}");
    }
}

/// Returns the CPU time of this thread, which other load on the machine does not affect.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number comes first"))
}

/// Returns a megabyte of `piece` between two texts.
fn megabyte(before: &str, piece: &str, after: &str) -> String {
    let count = (1 << 20) / piece.len();
    [before, &piece.repeat(count), after].concat()
}

#[test]
fn a_hostile_megabyte_is_refused_in_a_few_milliseconds() {
    // Unoptimised code takes about ten times as long.
    let most = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 });
    let numbered = |piece: &dyn Fn(usize) -> String| -> String { (0..60_000).map(piece).collect() };
    let texts = [
        ("fields", megabyte("{", "a ", "}")),
        ("aliases", format!("{{ {} }}", numbered(&|n| format!("x{n}: a ")))),
        ("directives", megabyte("{ a ", "@skip(if: false) ", "}")),
        ("arguments", megabyte("{ find(", "n: 1 ", ") }")),
        ("a list", megabyte("{ find(list: [", "1,", "]) }")),
        ("an object", megabyte("{ find(any: {", "a: 1 ", "}) }")),
        ("strings", megabyte("{ find(any: [", "\"x\" ", "]) }")),
        ("fragments", numbered(&|n| format!("fragment F{n} on Node {{ ...F{} ...F{0} }} ", n + 1))),
        ("operations", numbered(&|n| format!("query Q{n} {{ a }} "))),
        ("variables", format!("query({}) {{ a }}", numbered(&|n| format!("$v{n}: Int ")))),
        ("nesting", megabyte("", "{ next ", "")),
        ("lists in lists", megabyte("{ find(any: ", "[", "")),
        ("commas", megabyte("{ a ", ",", "}")),
        ("comments", megabyte("{ a ", "#\n", "}")),
        ("spread out", megabyte("{ a ", " ,", "}")),
        ("spreads", megabyte("{ ", "...{ a } ", "}")),
        ("signs", megabyte("", "!", "")),
        ("strings without end", megabyte("{ ", "\"\n", "")),
    ];
    let (usual, any_length) = (Settings::default(), any_length());
    let one_string = ("one string", megabyte("{ find(any: \"", "x", "\") }"));
    let cases =
        texts.iter().flat_map(|(name, text)| [(name, text, &usual), (name, text, &any_length)]);
    for (name, text, settings) in cases.chain([(&one_string.0, &one_string.1, &usual)]) {
        let refused = || prepare_with(settings, text).err().map(|errors| errors[0].code);
        assert_eq!(refused(), Some(ErrorCode::LimitExceeded), "{name}");
        // The clock advances in steps of some milliseconds.
        let start = cpu_time();
        for _ in 0..8 {
            let _ = refused();
        }
        let took = cpu_time().saturating_sub(start) / 8;
        assert!(took < most, "{took:?} for {name}");
    }
}
