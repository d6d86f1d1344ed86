//! Representative operations and their plans.

use super::{explain, explain_with};
use insta::assert_snapshot;
use serde_json::{Map, Value};

const DASHBOARD: &str = "{
    user(id: 1) {
        name email
        orders(first: 5) { id status total { cents } lines { quantity product { id name } } }
    }
    products(first: 6) { id name }
}";

#[test]
fn a_dashboard() {
    assert_snapshot!(explain(DASHBOARD), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
      2. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         at most 1 call
         | call orders /orders?users={id}&first=5
      3. Query.productsById from products
         for user.orders.lines.product, one call for each 50 distinct keys (BY_KEY)
         waits for 2
         a lookup: adds 1 field
         at most 1 call
         | call products /products?ids={id}
      4. Query.products from products
         at most 1 call
         | call products /products?first=6
    4 fetches in 3 sequential rounds, at most 4 calls upstream
    costs 71: user: (1 + orders: 5 × (1 + total: 1 + lines: 5 × (1 + product: 1))) + products: 6 × 1 + 4 calls
    "#);
}

#[test]
fn what_is_selected_twice_is_fetched_once() {
    let query = "{ user(id: 1) { name } user(id: 1) { email address { city } } ...F }
        fragment F on Query { user(id: 1) { address { city } } }";
    assert_snapshot!(explain(query), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
    1 fetch in 1 sequential round, at most 1 call upstream
    costs 3: user: (1 + address: 1) + 1 call
    "#);
}

#[test]
fn aliases_with_equal_arguments_are_one_fetch() {
    assert_snapshot!(explain("{ a: user(id: 1) { name } b: user(id: \"1\") { email } }"), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
    1 fetch in 1 sequential round, at most 1 call upstream
    costs 3: a: 1 + b: 1 + 1 call
    "#);
}

#[test]
fn aliases_with_other_arguments_are_fetches_of_their_own() {
    assert_snapshot!(explain("{ user(id: 1) { a: orders(first: 1) { id } b: orders(first: 2) { id } c: orders(first: 1) { status } } }"), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
      2. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         at most 1 call
         | call orders /orders?users={id}&first=1
      3. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         at most 1 call
         | call orders /orders?users={id}&first=2
    3 fetches in 2 sequential rounds, at most 3 calls upstream
    costs 8: user: (1 + a: 1 × 1 + b: 2 × 1 + c: 1 × 1) + 3 calls
    "#);
}

#[test]
fn aliases_of_a_lookup_are_a_batch() {
    assert_snapshot!(explain("{ a: user(id: 1) { name } b: user(id: 2) { email } c: user(id: 1) { id } d: order(id: 1) { id } e: order(id: 2) { id } }"), @r#"
      1. Query.usersById from users
         for a, c, b, one call for each 100 distinct keys (BY_KEY)
         at most 1 call
         | call users /users?ids=1,2
      2. Query.user from users
         for a, c, b, one call for each distinct key without an object
         waits for 1
         at most 2 calls
         | call users /users/1
      3. Query.order from orders
         at most 1 call
         | call orders /orders/1
      4. Query.order from orders
         at most 1 call
         | call orders /orders/2
    4 fetches in 2 sequential rounds, at most 5 calls upstream
    costs 10: a: 1 + b: 1 + c: 1 + d: 1 + e: 1 + 5 calls
    "#);
}

#[test]
fn conditions_say_what_is_made() {
    let query = "query($orders: Boolean!, $hide: Boolean = false) {
        user(id: 1) { name @skip(if: $hide) orders @include(if: $orders) { id } }
        products(first: 1) @include(if: $orders) @skip(if: $hide) { id }
        nodes @include(if: false) { id }
    }";
    let with = |orders: bool| Map::from_iter([("orders".to_owned(), Value::Bool(orders))]);
    assert_snapshot!(explain_with(query, &with(true)), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
      2. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         only if $orders
         at most 1 call
         | call orders /orders?users={id}&first=10
      3. Query.products from products
         only if not $hide and $orders
         at most 1 call
         | call products /products?first=1
    3 fetches in 2 sequential rounds, at most 3 calls upstream
    costs 15: user: (1 + (if $orders: orders: 10 × 1)) + (if not $hide and $orders: products: 1 × 1) + 3 calls
    "#);
}

#[test]
fn conditions_say_what_is_not_made() {
    let query =
        "query($orders: Boolean!) { user(id: 1) { name orders @include(if: $orders) { id } } }";
    let variables = Map::from_iter([("orders".to_owned(), Value::Bool(false))]);
    assert_snapshot!(explain_with(query, &variables), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
      2. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         only if $orders
         not made with these variables
         | call orders /orders?users={id}&first=10
    2 fetches in 1 sequential round, at most 1 call upstream
    costs 2: user: (1 + (if $orders: orders: 10 × 1)) + 1 call
    "#);
}

#[test]
fn lookups_follow_one_another() {
    let query = "{ order(id: 1) { lines { product { shipping(country: \"FR\") } } } }";
    assert_snapshot!(explain(query), @r#"
      1. Query.order from orders
         at most 1 call
         | call orders /orders/1
      2. Query.productsById from products
         for order.lines.product, one call for each 50 distinct keys (BY_KEY)
         waits for 1
         a lookup: adds 1 field
         at most 1 call
         | call products /products?ids={id}
      3. Product.shipping from orders
         for order.lines.product, one call for each object
         waits for 1, 2
         at most 5 calls
         | call orders /shipping?to=FR&grams={weight}
    3 fetches in 3 sequential rounds, at most 7 calls upstream
    costs 18: order: (1 + lines: 5 × (1 + product: 1)) + 7 calls
    "#);
}

#[test]
fn what_the_request_will_hold_is_not_asked_for() {
    assert_snapshot!(explain("{ user(id: 1) { name orders(first: 2) { buyer { name } } } }"), @r#"
      1. Query.user from users
         at most 1 call
         | call users /users/1
      2. User.orders from orders
         for user, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         at most 1 call
         | call orders /orders?users={id}&first=2
      3. Query.usersById from users
         for user.orders.buyer, one call for each 100 distinct keys (BY_KEY)
         waits for 2
         not asked for entities that an earlier fetch brought whole
         a lookup: adds 1 field
         at most 1 call
         | call users /users?ids={id}
    3 fetches in 3 sequential rounds, at most 3 calls upstream
    costs 8: user: (1 + orders: 2 × (1 + buyer: 1)) + 3 calls
    "#);
}

#[test]
fn mutations_wait_for_one_another() {
    let query =
        "mutation { createUser(name: \"n\") { name orders(first: 1) { id } } drop(id: 1) { id } }";
    assert_snapshot!(explain(query), @r#"
      1. Mutation.createUser from users
         at most 1 call
         | call users /create/n
      2. Query.user from users
         for createUser, one call for each distinct key
         waits for 1
         a lookup: adds 1 field
         at most 1 call
         | call users /users/{id}
      3. User.orders from orders
         for createUser, one call for each 50 distinct keys (GROUP_BY)
         waits for 1
         at most 1 call
         | call orders /orders?users={id}&first=1
      4. Mutation.drop from users
         waits for 1, 2, 3
         at most 1 call
         | call users /drop/1
    4 fetches in 3 sequential rounds, at most 4 calls upstream
    costs 27: createUser: (10 + 1 + orders: 1 × 1) + drop: (10 + 1) + 4 calls
    "#);
}

#[test]
fn batches_by_map_and_by_position() {
    let query = "{ users(first: 120) { score } products(first: 30) { rank { place } } }";
    assert_snapshot!(explain(query), @r#"
      1. Query.users from users
         at most 1 call
         | call users /users?first=120
      2. User.score from scores
         for users, one call for each 50 distinct keys (MAP)
         waits for 1
         at most 3 calls
         | call scores /scores?ids={id}
      3. Query.products from products
         at most 1 call
         | call products /products?first=30
      4. Product.rank from ranks
         for products, one call for each 20 distinct keys (POSITIONAL)
         waits for 3
         at most 2 calls
         | call ranks /ranks?ids={id}
    4 fetches in 2 sequential rounds, at most 7 calls upstream
    costs 187: users: 120 × 1 + products: 30 × (1 + rank: 1) + 7 calls
    "#);
}

#[test]
fn objects_of_an_abstract_type_are_looked_up_by_what_they_are() {
    assert_snapshot!(explain("{ nodes { id __typename ... on User { name } ... on Order { status } } }"), @r#"
      1. Query.nodes from users
         at most 1 call
         | call users /nodes
      2. Query.usersById from users
         for nodes, one call for each 100 distinct keys (BY_KEY)
         waits for 1
         a lookup: adds 1 field
         at most 1 call
         | call users /users?ids={id}
      3. Query.order from orders
         for nodes, one call for each distinct key
         waits for 1
         a lookup: adds 1 field
         at most 10 calls
         | call orders /orders/{id}
    3 fetches in 2 sequential rounds, at most 12 calls upstream
    costs 22: nodes: 10 × 1 + 12 calls
    "#);
}

#[test]
fn nothing_is_fetched_for_a_typename() {
    assert_snapshot!(explain("{ __typename }"), @r#"
    0 fetches in 0 sequential rounds, at most 0 calls upstream
    costs 1: 0
    "#);
}

#[test]
fn an_operation_has_one_plan() {
    let queries = [
        DASHBOARD,
        "{ nodes { id ... on User { name email orders(first: 3) { lines { product { name weight rank { place } } } } } ... on Order { status buyer { name } } } }",
        "mutation { a: createUser(name: \"n\") { name score } b: drop(id: 1) { email score } }",
    ];
    for query in queries {
        let first = explain(query);
        assert!(!first.starts_with("refused"), "{first}");
        for _ in 0..20 {
            assert_eq!(explain(query), first);
        }
    }
}
