//! Formulas: sums, products, merging, and printing.

use super::{cost, engine, estimate, shop};
use serde_json::json;

#[test]
fn a_formula_is_printed_with_its_variables() {
    let shop = shop("", "");
    let query = "query($n: Int, $x: Boolean!) {
        staff: team(first: $n) { orders(first: 2) @include(if: $x) { lines { product { name } } } }
    }";
    let (cost, formula) = estimate(&shop, query, json!({ "n": 4, "x": true })).unwrap();
    assert_eq!(cost, 4 * (1 + 2 * (1 + 3 * (1 + 1))));
    assert_eq!(formula, "staff: $n × (1 + (if $x: orders: 2 × (1 + lines: 3 × (1 + product: 1))))");
}

#[test]
fn a_long_formula_is_cut_off() {
    let shop = shop("", "");
    let fields: String = (0..30).map(|n| format!("f{n}: orders(first: {n}) {{ id }} ")).collect();
    let (_, formula) =
        estimate(&shop, &format!("{{ user(id: 1) {{ {fields} }} }}"), json!({})).unwrap();
    assert!(formula.ends_with('…') && formula.len() < 420, "{formula}");
}

#[test]
fn what_is_asked_twice_costs_once() {
    let shop = shop("", "");
    let both = "query($x: Boolean!) {
        user(id: 1) { orders(first: 4) @include(if: $x) { id } orders(first: 4) { lines { product { name } } } }
    }";
    for x in [true, false] {
        let (cost, _) = estimate(&shop, both, json!({ "x": x })).unwrap();
        assert_eq!(cost, 1 + 4 * (1 + 3 * 2), "{x}");
    }
    let either = "query($x: Boolean!) {
        user(id: 1) { orders(first: 4) @include(if: $x) { id } orders(first: 4) @skip(if: $x) { id buyer { id } } }
    }";
    assert_eq!(estimate(&shop, either, json!({ "x": true })).unwrap().0, 5);
    assert_eq!(estimate(&shop, either, json!({ "x": false })).unwrap().0, 9);
    assert_eq!(
        cost(&shop, "{ a: user(id: 1) { id } b: user(id: 1) { id } }"),
        2,
        "two keys are two"
    );
}

#[test]
fn sums_and_products_stop_at_the_largest_number() {
    let sdl = r#"
        type Query { a(n: Int): [A!] @listSize(slicingArguments: ["n"]) @cost(weight: 2147483647)
          @call(source: "s", target: "/a") }
        type A { a(n: Int): [A!] @listSize(slicingArguments: ["n"]) @allow(if: "$args.n->gt(0)") name: String }
    "#;
    let engine = engine(sdl);
    let nested =
        (0..8).fold("{ name }".to_owned(), |inner, _| format!("{{ a(n: 2147483647) {inner} }}"));
    let errors = engine.estimate(&nested, None, &serde_json::Map::new()).unwrap_err();
    assert!(errors[0].message.contains("18446744073709551615"), "{}", errors[0].message);
}

#[test]
fn an_abstract_type_costs_as_much_as_its_dearest_member() {
    let sdl = r#"
        type Query { all(n: Int!): [Node!] @listSize(slicingArguments: ["n"])
          @call(source: "s", target: "/all", select: "__typename: kind id parts name") }
        interface Node { id: ID! }
        type A implements Node @cost(weight: 4) { id: ID! name: String @cost(weight: 1) }
        type B implements Node { id: ID! parts: [Part!] @listSize(assumedSize: 5) }
        type Part { id: ID! }
    "#;
    let engine = engine(sdl);
    assert_eq!(cost(&engine, "{ all(n: 3) { id } }"), 12);
    assert_eq!(cost(&engine, "{ all(n: 3) { ... on A { name } } }"), 15);
    assert_eq!(cost(&engine, "{ all(n: 3) { ... on B { id } } }"), 12);
    assert_eq!(cost(&engine, "{ all(n: 3) { ... on A { name } ... on B { parts { id } } } }"), 18);
}

#[test]
fn the_same_field_may_cost_more_on_one_member() {
    let sdl = r#"
        type Query { all: [Node!] @listSize(assumedSize: 2)
          @call(source: "s", target: "/all", select: "__typename: kind id tags") }
        interface Node { id: ID! tags: [String!] @listSize(assumedSize: 3) }
        type A implements Node { id: ID! tags: [String!] @cost(weight: 1) }
        type B implements Node { id: ID! @cost(weight: 7) tags: [String!] @listSize(assumedSize: 9) @cost(weight: 1) }
    "#;
    let engine = engine(sdl);
    assert_eq!(cost(&engine, "{ all { id } }"), 2 * (1 + 7));
    assert_eq!(cost(&engine, "{ all { tags } }"), 2 * (1 + 9), "A has the size of the interface");
    assert_eq!(cost(&engine, "{ all { ... on A { tags } } }"), 2 * (1 + 3));
}

#[test]
fn what_is_given_costs_what_it_says() {
    let sdl = r#"
        type Query { find(by: Filter = { deep: true }, fast: Boolean = true @cost(weight: 9), all: [Filter!], mode: Mode, ids: [Int!] @cost(weight: 2)): Int
          @call(source: "s", target: "/find", select: "$.n") }
        input Filter { deep: Boolean @cost(weight: 5) words: [String!] @cost(weight: 2) next: Filter @cost(weight: 3) }
        enum Mode @cost(weight: 6) { A B }
    "#;
    let engine = engine(sdl);
    assert_eq!(cost(&engine, "{ find }"), 1, "an operation costs 1 at least, and defaults nothing");
    assert_eq!(cost(&engine, "{ find(fast: false) }"), 9);
    assert_eq!(cost(&engine, "{ find(mode: B) }"), 6);
    assert_eq!(cost(&engine, "{ find(ids: [1, 2, 3]) }"), 6);
    assert_eq!(cost(&engine, "{ find(by: {}) }"), 1);
    let query = "query($w: [String!], $f: Filter, $all: [Filter!]) {
        find(by: { deep: true, words: $w, next: $f }, all: $all)
    }";
    let given =
        json!({ "w": ["a", "b"], "f": { "next": { "deep": null } }, "all": [{}, { "words": [] }] });
    let (cost, formula) = estimate(&engine, query, given).unwrap();
    assert_eq!(cost, (1 + 5 + 2 * 2 + (3 + 3)) + 2);
    assert_eq!(formula, "find: cost of $w, $f, $all");
    assert_eq!(estimate(&engine, query, json!({})).unwrap().0, 6);
}
