//! Valid schemas, and the graphs that they give.

use super::super::{Batch, BatchReply, LookupArguments, LookupElement};
use super::{graph, load, load_files, warnings};
use std::sync::Arc;
use std::time::Duration;

/// The joins of the storefront.
pub(super) const SHOP: &str = r#"
type Query {
  user(id: ID!): User @lookup @rest(source: "users", GET: "/users/{$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup @internal
    @rest(source: "users", GET: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 50 })
  product(sku: ID!, shop: ID! @is(field: "shop.id")): Product @lookup
    @rest(source: "products", GET: "/shops/{$args.shop}/products/{$args.sku}", select: "sku: code shop { id } name")
  productsByKey(keys: [ProductKey!]! @is(field: "shop { id } sku")): [Product]! @lookup @internal
    @rest(source: "products", POST: "/find", body: "keys: $args.keys", select: "$.rows { sku shop { id } shopId: shop.id name }", batch: { key: "shopId sku", waitMs: 5 })
  orders(first: Int! = 10): [Order!]! @listSize(slicingArguments: ["first"])
    @rest(source: "orders", GET: "/orders?limit={$args.first}")
}
input ProductKey { shopId: ID! sku: ID! }
"A person."
type User @key(fields: "id") {
  id: ID!
  name: String!
  region: String
  orders(first: Int! = 5): [Order!]!
    @rest(source: "orders", GET: "/orders?users={$batch.id->joinNotNull(',')}&n={$args.first}",
      select: "$.rows { id total: total_cents userId: user_id lines { quantity } buyer: { id: user_id } }",
      batch: { reply: GROUP_BY, key: "userId", max: 20 })
  discount(region: String @require(field: "region")): Int
    @rest(source: "users", GET: "/discounts/{$this.id}?region={$args.region}&env={$env.REGION}")
}
type Shop { id: ID! }
type Product @key(fields: "sku shop { id }") { sku: ID! shop: Shop! name: String! }
type Order { id: ID! total: Int! buyer: User! @provides(fields: "name") lines: [Line!]! }
type Line { quantity: Int! }
"#;

#[test]
fn a_shop_becomes_a_graph() {
    let graph = graph(SHOP);
    let orders = graph.binding(graph.field("User", "orders").unwrap().binding.unwrap());
    assert_eq!(&*orders.coordinate, "User.orders");
    assert_eq!(
        orders.batch,
        Some(Batch {
            reply: BatchReply::GroupBy,
            key: vec!["userId".into()],
            asked: vec![vec!["id".into()]],
            max: 20,
            wait: Duration::ZERO,
        })
    );
    assert_eq!(super::super::words::print(&orders.parent), "id");
    let discount = graph.field("User", "discount").unwrap();
    assert_eq!(discount.requires, [("region".into(), vec!["region".into()])]);
    assert_eq!(graph.env["REGION"], "eu");
    assert_eq!(
        super::super::words::print(&graph.field("Order", "buyer").unwrap().provides),
        "name"
    );
    let size = graph.field("Query", "orders").unwrap().list_size.clone().unwrap();
    assert_eq!(size.slicing_arguments, [vec![crate::graphql::Name::from("first")]]);
}

#[test]
fn lookups_come_in_schema_order_with_their_arguments() {
    let graph = graph(SHOP);
    let fields: Vec<&str> = graph.lookups.iter().map(|lookup| &*lookup.field).collect();
    assert_eq!(fields, ["user", "usersById", "product", "productsByKey"]);
    assert_eq!(
        graph.lookups[1].arguments,
        LookupArguments::Many {
            argument: "ids".into(),
            element: LookupElement::Scalar(vec!["id".into()])
        }
    );
    assert_eq!(
        graph.lookups[2].arguments,
        LookupArguments::One(vec![
            ("sku".into(), vec!["sku".into()]),
            ("shop".into(), vec!["shop".into(), "id".into()]),
        ])
    );
    assert_eq!(
        graph.lookups[3].arguments,
        LookupArguments::Many {
            argument: "keys".into(),
            element: LookupElement::Object(vec![
                ("shopId".into(), vec!["shop".into(), "id".into()]),
                ("sku".into(), vec!["sku".into()]),
            ])
        }
    );
    let batch = graph.binding(graph.lookups[3].binding).batch.as_ref().unwrap();
    assert_eq!(batch.key, [Arc::from("shopId"), Arc::from("sku")]);
    assert_eq!(batch.asked, [vec![Arc::from("shop"), Arc::from("id")], vec![Arc::from("sku")]]);
    assert_eq!(batch.wait, Duration::from_millis(5));
    assert_eq!(graph.lookups_of("User").count(), 2);
}

#[test]
fn a_lookup_with_optional_arguments_serves_each_key_they_cover() {
    let graph = graph(
        r#"type Query { user(id: ID, email: String, verbose: Boolean): User @lookup @rest(source: "users", GET: "/users?id={$args.id}") }
        type User @key(fields: "id") @key(fields: "email") { id: ID! email: String! }"#,
    );
    let one = |name: &str| LookupArguments::One(vec![(name.into(), vec![name.into()])]);
    let arguments: Vec<_> = graph.lookups.iter().map(|lookup| lookup.arguments.clone()).collect();
    assert_eq!(arguments, [one("id"), one("email")]);
}

#[test]
fn types_may_be_extended_in_other_files() {
    let (graph, problems) = load_files(&[
        ("b.graphql", "extend type User { nick: String } extend type Query { users: [User!]! @rest(source: \"users\", GET: \"/users\") }"),
        ("a.graphql", "type Query { user(id: ID!): User @rest(source: \"users\", GET: \"/users/{$args.id}\") } type User { id: ID! }"),
    ])
    .map_err(|problems| super::brief(&problems))
    .unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(graph.field("Query", "users").is_some());
    assert!(graph.field("User", "nick").is_some());
}

#[test]
fn every_graph_of_a_process_has_its_own_version() {
    let text = "type Query { a: Int @rest(source: \"users\", GET: \"/a\") }";
    assert_ne!(graph(text).version, graph(text).version);
}

#[test]
fn a_reply_without_select_fills_plain_objects_at_any_depth() {
    let text = r#"type Query { a: A @rest(source: "users", GET: "/a") }
        type A { b: [B!]! self: A } type B { c: C! } type C { d: Int! a: A }"#;
    assert_eq!(warnings(text), "");
}

#[test]
fn names_that_only_the_batch_needs_are_no_mistakes() {
    let text = r#"type Query { users: [User!]! @rest(source: "users", GET: "/users") }
        type User { id: ID! score: Score @rest(source: "users", GET: "/s?ids={$batch.id->joinNotNull(',')}", select: "userId: user points", batch: { key: "userId" }) }
        type Score { points: Int! }"#;
    assert_eq!(warnings(text), "");
}

#[test]
fn a_map_may_hold_scalars() {
    let text = r#"type Query { users: [User!]! @rest(source: "users", GET: "/users") }
        type User { id: ID! age: Int @rest(source: "users", GET: "/ages?ids={$batch.id->joinNotNull(',')}", batch: { reply: MAP }) }"#;
    let graph = graph(text);
    let age = graph.binding(graph.field("User", "age").unwrap().binding.unwrap());
    assert_eq!(age.batch.as_ref().unwrap().reply, BatchReply::Map);
}

#[test]
fn a_schema_of_five_megabytes_loads_in_bounded_time() {
    use std::fmt::Write;
    let mut text = "type Query {".to_owned();
    for n in 0..4_000 {
        let get = "/users/{$args.id}";
        let _ = writeln!(text, "u{n}(id: ID!): T{n} @rest(source: \"users\", GET: \"{get}\")");
    }
    text.push('}');
    let filler = "x".repeat(1_000);
    for n in 0..4_000 {
        let next = (n + 1) % 4_000;
        let _ = writeln!(text, "\"{filler}\" type T{n} {{ id: ID! next: T{next} }}");
    }
    assert!(text.len() > 4_000_000);
    let started = std::time::Instant::now();
    assert!(load(&text).is_ok());
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

#[test]
fn a_mangled_schema_is_refused_and_never_panics() {
    let mut state = 7_u64;
    let mut below = |end: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end
    };
    let words: Vec<&str> = SHOP.split_inclusive([' ', '\n', '(', '{', '"']).collect();
    for _ in 0..300 {
        let mut words = words.clone();
        for _ in 0..=below(3) {
            let (from, to) = (below(words.len()), below(words.len()));
            match below(3) {
                0 => drop(words.remove(from)),
                1 => words.swap(from, to),
                _ => words.insert(from, words[to]),
            }
        }
        if let Err(problems) = load(&words.concat()) {
            assert!(crate::problem::any_error(&problems));
            assert!(!crate::problem::render(&problems, true).is_empty());
        }
    }
}
