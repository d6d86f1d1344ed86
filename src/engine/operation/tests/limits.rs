//! Each limit accepts exactly its value and refuses one more.

use super::{refusal, refusals};
use crate::engine::operation::limits::{Extent, extent};
use crate::engine::{Limits, Settings};
use crate::graphql::ErrorCode;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The text of `make` is accepted with exactly `limit` items, and refused for `setting` with one more.
fn at_and_past(settings: &Settings, limit: usize, setting: &str, make: impl Fn(usize) -> String) {
    assert_eq!(refusals(settings, &make(limit)), Vec::<String>::new(), "at {setting}");
    let past = refusals(settings, &make(limit + 1));
    assert!(
        past.iter().any(|line| line.starts_with("LIMIT_EXCEEDED") && line.contains(setting)),
        "past {setting}: {past:?}"
    );
}

fn settings(change: impl Fn(&mut Limits)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.limits);
    settings
}

/// Returns nested fields, `depth` levels in all.
fn nested(depth: usize) -> String {
    let inner = depth - 2;
    format!("{{ node(id: 1) {{ {} id {} }} }}", "next { ".repeat(inner), "}".repeat(inner))
}

#[test]
fn depth() {
    at_and_past(&Settings::default(), 15, "limits.depth", nested);
    let through_fragments = |depth: usize| {
        format!(
            "{{ node(id: 1) {{ ...F }} }} fragment F on Node {{ ... {{ {} id {} }} }}",
            "next { ".repeat(depth - 2),
            "}".repeat(depth - 2)
        )
    };
    at_and_past(&Settings::default(), 15, "limits.depth", through_fragments);
}

/// Returns a field under `count` aliases.
fn aliased(count: usize, field: &str) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "x{number}: {field} ");
        text
    })
}

#[test]
fn aliases() {
    let make = |count: usize| {
        let aliases = aliased(count, "id");
        format!("{{ node(id: 1) {{ {aliases} }} }}")
    };
    at_and_past(&Settings::default(), 30, "limits.aliases", make);
    // Spreading a fragment twice counts its aliases twice.
    let twice = |count: usize| {
        format!(
            "{{ p: node(id: 1) {{ ...F }} q: node(id: 2) {{ ...F }} }} fragment F on Node {{ {} }}",
            aliased(count, "id")
        )
    };
    assert_eq!(refusal(&twice(14)), None);
    assert_eq!(refusal(&twice(15)), Some(ErrorCode::LimitExceeded));
}

#[test]
fn root_fields() {
    let settings = settings(|limits| limits.aliases = 100.into());
    at_and_past(&settings, 20, "limits.root_fields", |count| {
        let fields = aliased(count - 1, "a");
        format!("{{ {fields} ... on Query {{ b }} }}")
    });
}

#[test]
fn directives() {
    at_and_past(&Settings::default(), 50, "limits.directives", |count| {
        format!("{{ node(id: 1) {{ {} }} }}", "id @include(if: true) ".repeat(count))
    });
    at_and_past(&Settings::default(), 50, "limits.directives", |count| {
        format!("{{ node(id: 1) {{ {} }} }}", "... @skip(if: false) { id } ".repeat(count))
    });
}

#[test]
fn tokens() {
    let settings = settings(|limits| (limits.tokens, limits.root_fields) = (40.into(), 100.into()));
    // White space, commas and comments are not tokens; braces are.
    let make = |count: usize| format!("{{ # {{ not a token\n {} }}", "a, ,\t".repeat(count));
    assert_eq!(refusals(&settings, &make(38)), Vec::<String>::new());
    let past = refusals(&settings, &make(39));
    assert!(past[0].starts_with("LIMIT_EXCEEDED") && past[0].contains("40 tokens"), "{past:?}");
}

#[test]
fn an_extent_counts_what_the_lexer_does() {
    let of = |text| {
        let Extent { nesting, tokens, .. } = extent(text, 1_000);
        (nesting, tokens)
    };
    assert_eq!(of("query Q($a: Int = -1.5e+3) { f(a: $a) { ...F } }"), (2, 23));
    assert_eq!(of("{ a(s: \"} { \\\" [\", b: \"\"\"[[ \\\"\"\" [\"\"\") }"), (2, 11));
    assert_eq!(of("{ a(s: \"not closed ((\n[[ x"), (4, 9));
    assert_eq!(of("# only {{{ a comment"), (0, 0));
}

#[test]
fn what_means_nothing_is_counted_too_and_counting_stops() {
    assert_eq!(extent("{ a, b  # c\n,\n d }", 1_000), Extent { nesting: 1, tokens: 5, ignored: 9 });
    assert_eq!(extent(&",".repeat(1_000), 10), Extent { nesting: 0, tokens: 0, ignored: 81 });
    assert_eq!(extent(&"a ".repeat(1_000), 10).tokens, 11);
    let settings = settings(|limits| limits.tokens = 10.into());
    let past = refusals(&settings, &format!("{{ a {} }}", ",".repeat(100)));
    assert!(past[0].contains("limits.tokens"), "{past:?}");
}

#[test]
fn selections_are_counted_with_fragments_expanded() {
    let settings = settings(|limits| limits.selections = 64.into());
    // Each level has two spreads; 2 + 4 + … doubles with each.
    let make = |levels: usize| doubling(levels);
    assert!(refusals(&settings, &make(4)).is_empty());
    let past = refusals(&settings, &make(6));
    assert!(past[0].contains("limits.selections"), "{past:?}");
    at_and_past(&settings, 63, "limits.selections", |count| {
        format!("{{ node(id: 1) {{ {} }} }}", "id ".repeat(count))
    });
}

/// Returns fragments that each spread the next one twice.
fn doubling(levels: usize) -> String {
    let mut text = String::from("{ node(id: 1) { ...F0 } } ");
    for level in 0..levels {
        let next = level + 1;
        let _ = write!(text, "fragment F{level} on Node {{ ...F{next} ...F{next} }} ");
    }
    text + &format!("fragment F{levels} on Node {{ id }}")
}

#[test]
fn fragments_that_double_thirty_times_are_refused_at_once() {
    for text in [
        doubling(30),
        doubling(30).replace("{ ...F", "{ next { ...F").replace("} fragment", "} } fragment"),
    ] {
        let start = Instant::now();
        let code = refusal(&text);
        let took = start.elapsed();
        assert!(
            matches!(code, Some(ErrorCode::LimitExceeded | ErrorCode::ParseFailed)),
            "{code:?}"
        );
        // A billion steps take longer than that on any machine, and thirty do not on a busy one.
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    assert_eq!(refusal(&doubling(30)), Some(ErrorCode::LimitExceeded));
}

#[test]
fn every_limit_that_is_exceeded_is_told() {
    let settings = settings(|limits| (limits.aliases, limits.depth) = (0.into(), 1.into()));
    let lines = refusals(&settings, "{ x: node(id: 1) { id } }");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn fragments_that_no_operation_uses_are_measured_too() {
    let text =
        format!("{{ a }} fragment F on Node {{ {} id {} }}", "next { ".repeat(20), "}".repeat(20));
    assert_eq!(refusal(&text), Some(ErrorCode::LimitExceeded));
}

#[test]
fn operations_beside_the_one_asked_for_are_measured_too() {
    let text = format!("query A {{ a }} query B {}", nested(30));
    assert_eq!(refusal(&text), Some(ErrorCode::LimitExceeded));
}
