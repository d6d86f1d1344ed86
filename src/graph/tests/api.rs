//! The schema that clients see.

use super::{accepts::SHOP, graph};

#[test]
fn clients_see_nothing_of_bindings_and_internals() {
    let api = graph(SHOP).api_schema.to_string();
    assert_eq!(
        api,
        r#""""
Indicates exactly one field must be supplied and this field must not be `null`.
"""
directive @oneOf on INPUT_OBJECT

type Query {
  user(id: ID!): User
  product(sku: ID!, shop: ID!): Product
  orders(first: Int! = 10): [Order!]!
}

"""A person."""
type User {
  id: ID!
  name: String!
  region: String
  orders(first: Int! = 5): [Order!]!
  discount: Int
}

type Shop {
  id: ID!
}

type Product {
  sku: ID!
  shop: Shop!
  name: String!
}

type Order {
  id: ID!
  total: Int!
  buyer: User!
  lines: [Line!]!
}

type Line {
  quantity: Int!
}
"#
    );
}

#[test]
fn clients_see_descriptions_deprecations_and_their_own_directives() {
    let text = r#"
"Mine."
directive @mine(of: Note) on FIELD_DEFINITION
input Note { text: String }
scalar Money @specifiedBy(url: "https://example.com/money")
scalar Date @unchecked
"Of a shop."
type Query {
  "Old."
  a(
    "How many."
    n: Int @deprecated(reason: "no") = 1
  ): Money @deprecated(reason: "use b") @mine @rest(source: "users", GET: "/a?n={$args.n}")
  b: Kind @rest(source: "users", GET: "/b")
}
enum Kind { ONE TWO @deprecated }
extend enum Kind { THREE }
type Unused { x: Int }
"#;
    let api = graph(&text.replace(
        "n: Int @deprecated(reason: \"no\") = 1",
        "n: Int = 1 @deprecated(reason: \"no\")",
    ));
    let api = api.api_schema.to_string();
    for kept in [
        "\"\"\"Mine.\"\"\"\ndirective @mine(of: Note) on FIELD_DEFINITION",
        "input Note",
        "scalar Money @specifiedBy(url: \"https://example.com/money\")",
        "\"\"\"Of a shop.\"\"\"",
        "\"\"\"How many.\"\"\"",
        "n: Int = 1 @deprecated(reason: \"no\")",
        "Money @deprecated(reason: \"use b\") @mine",
        "TWO @deprecated\n  THREE",
        "type Unused",
        "scalar Date\n",
    ] {
        assert!(api.contains(kept), "no {kept} in\n{api}");
    }
    assert!(
        !api.contains("rest") && !api.contains("BatchRule") && !api.contains("extend"),
        "{api}"
    );
}

#[test]
fn types_that_only_hidden_parts_led_to_vanish() {
    let api = graph(
        r#"type Query { a: A @rest(source: "users", GET: "/a")
          secrets(ids: [Key!]! @is(field: "id")): [Secret]! @lookup @internal
            @rest(source: "users", POST: "/s", body: "ids: $args.ids", batch: {}) }
        input Key { id: ID! }
        type Secret @key(fields: "id") { id: ID! kind: Hidden }
        enum Hidden { X }
        type A { id: ID! b(unit: Unit @require(field: "unit")): Int @rest(source: "users", POST: "/b", body: "unit: $args.unit id: $this.id") unit: Unit }
        enum Unit { M }"#,
    )
    .api_schema
    .to_string();
    for gone in ["Key", "Secret", "Hidden"] {
        assert!(!api.contains(gone), "{api}");
    }
    assert!(api.contains("enum Unit") && api.contains("b: Int"), "{api}");
}

#[test]
fn roots_may_have_other_names() {
    let graph = graph(
        r#"schema { query: Q mutation: M }
        type Q { a: Int @rest(source: "users", GET: "/a") }
        type M { b: Int @rest(source: "users", POST: "/b") }"#,
    );
    assert!(graph.api_schema.to_string().starts_with("schema {\n  query: Q\n  mutation: M\n}"));
}
