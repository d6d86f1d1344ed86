//! Random operations against replies of random lengths, none longer than declared: the actual cost never exceeds the
//! estimate, and the number of calls never exceeds the bound.

use crate::engine::testing::{Random, Upstream, ids, request};
use crate::engine::{Engine, Limit, Limits, Mode, Request, Settings};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

const SDL: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "s", target: "/users?one&ids={$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "s", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 3 })
  team(first: Int = 2): [User!] @listSize(slicingArguments: ["first"])
    @call(source: "s", target: "/team?n={$args.first}")
  page(by: By): Page
    @listSize(slicingArguments: ["by.size"], sizedFields: ["users", "more.users"], requireOneSlicingArgument: false, assumedSize: 2)
    @call(source: "s", target: "/page?n={$args.by.size}")
  nodes: [Node!] @listSize(assumedSize: 4) @call(source: "s", target: "/nodes")
  plain: [Item!] @call(source: "s", target: "/plain")
}
input By { size: Int @cost(weight: 2) }
type Page { users: [User!] more: More @cost(weight: 0) }
type More { users: [User!] }
interface Node { id: ID! }
type User implements Node @key(fields: "id") @cost(weight: 2) {
  id: ID!
  name: String
  tags: [String!] @listSize(assumedSize: 2) @cost(weight: 1)
  best: User
  friends(first: Int! = 1): [User!] @listSize(slicingArguments: ["first"])
    @call(source: "s", target: "/friends?of={$this.id}&n={$args.first}")
  score: Int @cost(weight: 3)
    @call(source: "s", target: "/scores?ids={$batch.id->joinNotNull(',')}", batch: { reply: MAP, max: 2 })
  items(first: Int = 2, label: String @require(field: "name")): [Item!] @listSize(slicingArguments: ["first"])
    @call(source: "s", target: "/items?ids={$batch.id->joinNotNull(',')}&n={$args.first}&l={$args.label}",
      batch: { reply: GROUP_BY, key: "owner", max: 2 })
}
type Item implements Node { id: ID! grid: [[Int!]!] @cost(weight: 1) owner: String next: Item }
"#;

/// Returns the number after `n=`.
fn size(target: &str) -> usize {
    let number = target.split_once("n=").and_then(|(_, rest)| rest.split('&').next()?.parse().ok());
    number.unwrap_or(2)
}

/// Returns the reply for a target, the same each time. Names differ, so that calls with a `label` differ too.
fn reply(target: &str) -> Value {
    let mut random = Random(target.bytes().map(u64::from).sum::<u64>() * 7_919);
    let id = |random: &mut Random| random.below(9).to_string();
    let user = |id: String, random: &mut Random| {
        let tags: Vec<_> = (0..random.below(3)).map(|n| n.to_string()).collect();
        let best = (random.below(3) > 0).then(|| json!({ "id": random.below(9).to_string() }));
        json!({ "id": id, "name": format!("n{id}"), "tags": tags, "best": best })
    };
    let item = |random: &mut Random| {
        let row = |random: &mut Random| vec![1; random.below(11)];
        let grid: Vec<_> = (0..random.below(11)).map(|_| row(random)).collect();
        json!({ "id": random.below(50).to_string(), "grid": grid, "next": (random.below(2) > 0).then(|| json!({ "id": "0" })) })
    };
    let users = |most: usize, random: &mut Random| -> Value {
        let count = random.below(most + 1);
        (0..count)
            .map(|_| {
                let id = id(random);
                user(id, random)
            })
            .collect()
    };
    match target.split('?').next().unwrap_or_default() {
        "/users" if target.contains("one") => user(ids(target)[0].clone(), &mut random),
        "/users" => ids(target).into_iter().map(|id| user(id, &mut random)).collect(),
        "/team" | "/friends" => users(size(target), &mut random),
        "/page" => {
            let most = size(target);
            json!({ "users": users(most, &mut random), "more": { "users": users(most, &mut random) } })
        }
        "/nodes" => (0..random.below(5))
            .map(|_| {
                let mut node = if random.below(2) > 0 {
                    user("1".into(), &mut random)
                } else {
                    item(&mut random)
                };
                let kind = if node.get("grid").is_some() { "Item" } else { "User" };
                node["__typename"] = kind.into();
                node
            })
            .collect(),
        "/plain" => (0..random.below(11)).map(|_| item(&mut random)).collect(),
        "/scores" => ids(target).into_iter().map(|id| (id, json!(1))).collect::<Map<_, _>>().into(),
        "/items" => ids(target)
            .into_iter()
            .flat_map(|owner| {
                let count = random.below(size(target) + 1);
                (0..count)
                    .map(|_| {
                        let mut item = item(&mut random);
                        item["owner"] = owner.clone().into();
                        item
                    })
                    .collect::<Vec<_>>()
            })
            .collect(),
        other => panic!("nobody answers {other}"),
    }
}

/// Writes a random selection set of a type.
fn selection(ty: &str, depth: usize, random: &mut Random, out: &mut String) {
    out.push_str("{ __typename ");
    for _ in 0..=random.below(4) {
        let condition = *random.pick(&["", "", "@include(if: $x)", "@skip(if: $y)"]);
        if random.below(5) == 0 {
            let on = if ty == "Node" { *random.pick(&["User", "Item"]) } else { ty };
            let _ = write!(out, "... on {on} {condition} ");
            selection(on, depth, random, out);
            continue;
        }
        let n = random.below(4);
        let fields: &[(String, &str)] = &match ty {
            "Query" => vec![
                (format!("user{n}: user(id: {n})"), "User"),
                (format!("by{n}: usersById(ids: [1, {n}, 2, 4])"), "User"),
                (format!("team{n}: team(first: {n})"), "User"),
                ("some: team(first: $n)".into(), "User"),
                ("team".into(), "User"),
                ("page".into(), "Page"),
                (format!("page{n}: page(by: {{ size: {n} }})"), "Page"),
                ("nodes".into(), "Node"),
                ("plain".into(), "Item"),
            ],
            "Page" => vec![("users".into(), "User"), ("more".into(), "More")],
            "More" => vec![("users".into(), "User")],
            "User" => vec![
                ("id".into(), ""),
                ("name".into(), ""),
                ("tags".into(), ""),
                ("score".into(), ""),
                ("best".into(), "User"),
                (format!("friends{n}: friends(first: {n})"), "User"),
                ("friends".into(), "User"),
                (format!("items{n}: items(first: {n})"), "Item"),
            ],
            "Item" => vec![("id".into(), ""), ("grid".into(), ""), ("next".into(), "Item")],
            _ => vec![("id".into(), "")],
        };
        let (field, inner) = random.pick(fields);
        if inner.is_empty() {
            let _ = write!(out, "{field} {condition} ");
        } else if depth > 0 {
            let _ = write!(out, "{field} {condition} ");
            selection(inner, depth - 1, random, out);
        }
    }
    out.push_str("} ");
}

#[tokio::test]
async fn no_operation_costs_or_calls_more_than_was_estimated() {
    let upstream = Upstream::new(|target| Ok(reply(target)));
    let mut settings = Settings::default();
    settings.limits.cost.limit = Limit::new(1, Mode::Off);
    settings.limits.cost.call_weight = 2;
    let Limits { depth, aliases, root_fields, directives, fan_out, .. } = &mut settings.limits;
    for limit in [depth, aliases, root_fields, directives, fan_out] {
        limit.mode = Mode::Off;
    }
    let engine = Engine::new(upstream.graph(SDL), settings);
    let (mut ran, mut called) = (0, 0);
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut query = String::from(
            "query($x: Boolean!, $y: Boolean!, $n: Int = 3) { __typename @include(if: $x) @skip(if: $y) \
             all: team(first: $n) { id } ... ",
        );
        selection("Query", 3, &mut random, &mut query);
        query.push('}');
        let mut variables = Map::new();
        variables.insert("x".into(), (random.below(2) > 0).into());
        variables.insert("y".into(), (random.below(2) > 0).into());
        if random.below(2) > 0 {
            variables.insert("n".into(), random.below(6).into());
        }
        let response = engine.execute(Request { variables, ..request(&query) }).await;
        let sent = upstream.take().len() as u64;
        // Some expand to too many selections.
        let Some(cost) = response.cost else { continue };
        ran += 1;
        called += sent;
        assert!(
            cost.actual_query_cost <= cost.requested_query_cost,
            "{cost:?} for {query}\n{}",
            String::from_utf8_lossy(&response.body)
        );
        let calls = cost.upstream_calls;
        assert!(calls.actual <= calls.bound && sent <= calls.actual, "{calls:?}, {sent}, {query}");
    }
    assert!(ran > 120 && called > 400, "{ran} operations made {called} calls");
}
