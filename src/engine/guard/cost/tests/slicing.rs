//! Assumed lengths of lists, and operations that leave them undetermined.

use super::{cost, engine, estimate};
use crate::engine::testing::Upstream;
use crate::engine::{Engine, Limit, Mode, Settings};
use crate::graphql::ErrorCode;
use serde_json::{Value, json};

const LISTS: &str = r#"
type Query {
  a(first: Int, last: Int): [A!] @listSize(slicingArguments: ["first", "last"], assumedSize: 7)
    @call(source: "s", target: "/a")
  b(first: Int, last: Int = 4): [A!]
    @listSize(slicingArguments: ["first", "last"], requireOneSlicingArgument: false, assumedSize: 7)
    @call(source: "s", target: "/b")
  c(first: Int = 3): [A!] @listSize(slicingArguments: ["first"]) @call(source: "s", target: "/c")
  ids(ids: [ID!]!): [A!] @listSize(slicingArguments: ["ids"]) @call(source: "s", target: "/ids")
  search(by: Search): Page
    @listSize(slicingArguments: ["by.page.size"], sizedFields: ["items", "more.items"], requireOneSlicingArgument: false, assumedSize: 6)
    @call(source: "s", target: "/search")
  plain: [A!] @call(source: "s", target: "/plain")
  grid: [[A!]!] @listSize(assumedSize: 2) @call(source: "s", target: "/grid")
}
type A { id: ID! }
type Page { items: [A!] more: More rest: [A!] }
type More { items: [A!] }
input Search { word: String page: PageOf }
input PageOf { size: Int }
"#;

fn lists() -> Engine {
    engine(LISTS)
}

#[test]
fn a_list_is_as_long_as_the_largest_slicing_argument() {
    let lists = lists();
    for (query, expected) in [
        ("{ a(first: 2) { id } }", 2),
        ("{ a(last: 0) { id } }", 1),
        ("{ b(first: 2) { id } }", 4),
        ("{ b(first: 9) { id } }", 9),
        ("{ b(first: 9, last: 12) { id } }", 12),
        ("{ b(last: null) { id } }", 7),
        ("{ b(first: -1, last: null) { id } }", 7),
        ("{ c { id } }", 3),
        ("{ c(first: 5) { id } }", 5),
        ("{ ids(ids: [1, 2]) { id } }", 2),
        ("{ ids(ids: 1) { id } }", 1),
        ("{ plain { id } }", 10),
        ("{ grid { id } }", 20),
    ] {
        assert_eq!(cost(&lists, query), expected, "{query}");
    }
    let variable = "query($n: Int = 8) { c(first: $n) { id } }";
    assert_eq!(estimate(&lists, variable, json!({})).unwrap().0, 8);
    assert_eq!(estimate(&lists, variable, json!({ "n": 2 })).unwrap().0, 2);
    let absent = "query($n: Int) { c(first: $n) { id } }";
    assert_eq!(estimate(&lists, absent, json!({})).unwrap().0, 3, "the argument's default");
    let ids = "query($ids: [ID!]!) { ids(ids: $ids) { id } }";
    assert_eq!(estimate(&lists, ids, json!({ "ids": [1, 2, 3] })).unwrap().0, 3);
}

#[test]
fn a_field_may_size_lists_below_it() {
    let lists = lists();
    let query = |by: &str| {
        let declared = [("$by", "Search"), ("$page", "PageOf"), ("$n", "Int")]
            .map(
                |(name, ty)| {
                    if by.contains(name) { format!("{name}: {ty}") } else { String::new() }
                },
            )
            .concat();
        let declared = if declared.is_empty() { declared } else { format!("({declared})") };
        format!(
            "query Q{declared} {{ search{by} {{ items {{ id }} more {{ items {{ id }} }} rest {{ id }} }} }}"
        )
    };
    for (by, variables, size) in [
        ("", json!({}), 6),
        ("(by: { page: { size: 2 } })", json!({}), 2),
        ("(by: { page: { size: $n } })", json!({ "n": 3 }), 3),
        ("(by: { page: $page })", json!({ "page": { "size": 4 } }), 4),
        ("(by: $by)", json!({ "by": { "page": { "size": 5 } } }), 5),
        ("(by: $by)", json!({ "by": { "word": "x" } }), 6),
        ("(by: { word: \"x\" })", json!({}), 6),
    ] {
        let (cost, _) = estimate(&lists, &query(by), variables).unwrap();
        let given = match by {
            "" => 0,
            // Input objects cost 1 each.
            by if by.contains("page") => 2,
            _ if size == 5 => 2,
            _ => 1,
        };
        assert_eq!(cost, given + 1 + size + (1 + size) + 10, "{by}");
    }
}

#[test]
fn exactly_one_slicing_argument_is_required() {
    let lists = lists();
    let refused = Err(ErrorCode::CostInvalidSlicingArguments);
    for query in [
        "{ a { id } }",
        "{ a(first: null) { id } }",
        "{ a(first: 1, last: 1) { id } }",
        "query($n: Int) { a(first: $n) { id } }",
        "query($n: Int, $m: Int) { a(first: $n, last: $m) { id } }",
    ] {
        assert_eq!(estimate(&lists, query, json!({})), refused, "{query}");
    }
    let two = "query($n: Int, $m: Int) { a(first: $n, last: $m) { id } }";
    assert_eq!(estimate(&lists, two, json!({ "n": 2 })).unwrap().0, 2);
    assert_eq!(estimate(&lists, two, json!({ "n": 2, "m": 3 })), refused);
    let skipped = "query($x: Boolean!) { a @include(if: $x) { id } plain { id } }";
    assert_eq!(estimate(&lists, skipped, json!({ "x": false })).unwrap().0, 10);
    assert_eq!(estimate(&lists, skipped, json!({ "x": true })), refused);
}

#[test]
fn the_rule_has_the_mode_of_the_cost() {
    let graph = Upstream::new(|_| Ok(Value::Null)).graph(LISTS);
    for mode in [Mode::Measure, Mode::Off] {
        let mut settings = Settings::default();
        settings.limits.cost.limit = Limit::new(500_000, mode);
        let engine = Engine::new(std::sync::Arc::clone(&graph), settings);
        assert_eq!(cost(&engine, "{ a { id } }"), 7 + 1, "{mode:?}");
    }
}

#[test]
fn the_refusal_names_the_field_and_its_arguments() {
    let errors = lists().estimate("{ a { id } }", None, &serde_json::Map::new()).unwrap_err();
    let expected = "`Query.a` must be given exactly one of `first`, `last`, to know how long its list gets, and got none";
    assert_eq!(errors[0].message, expected);
}
