//! Random rules and operations: without a scope, a caller gets the same response with the refused fields nulled, and
//! causes the calls of the operation without those fields.

use super::*;
use crate::engine::Settings;
use crate::engine::testing::Random;
use std::fmt::Write;

/// Type, field, type of the field, binding, and the field of the same object that its call needs.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const FIELDS: &[Row] = &[
    ("Query", "users", "[User!]", r#"@call(source: "u", target: "/users")"#, ""),
    ("Query", "posts", "[Post!]!", r#"@call(source: "p", target: "/posts")"#, ""),
    ("Query", "search", "[Found]", r#"@call(source: "p", target: "/search")"#, ""),
    ("Query", "node", "Node", r#"@call(source: "p", target: "/node")"#, ""),
    ("User", "id", "ID!", "", ""),
    ("User", "name", "String", "", ""),
    ("User", "email", "String!", "", ""),
    ("User", "orders", "[Order!]", r#"@call(source: "o", target: "/of?ids={$batch.id->joinNotNull(',')}", batch: { reply: POSITIONAL })"#, ""),
    ("User", "hello", "String!", r#"@call(source: "u", target: "/hello/{$this.email}")"#, "email"),
    ("User", "best", "User", "", ""),
    ("User", "inner", "Inner", "", ""),
    ("Inner", "x", "Int!", "", ""),
    ("Inner", "deep", "Int", r#"@call(source: "d", target: "/deep/{$this.x}")"#, "x"),
    ("Inner", "owner", "User!", "", ""),
    ("Post", "id", "ID!", "", ""),
    ("Post", "text", "String!", "", ""),
    ("Post", "author", "User", "", ""),
    ("Order", "id", "ID!", "", ""),
    ("Order", "total", "Int!", "", ""),
    ("Order", "buyer", "User!", "", ""),
];

const TYPES: [&str; 4] = ["User", "Inner", "Post", "Order"];

const REST: &str = r#"
extend type Query {
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup @internal
    @call(source: "u", target: "/usersById?ids={$args.ids->joinNotNull(',')}", batch: { max: 50 })
}
union Found = User | Post
interface Node { id: ID! }
"#;

fn possible(ty: &str) -> &'static [&'static str] {
    match ty {
        "Found" | "Node" => &["User", "Post"],
        "User" => &["User"],
        "Inner" => &["Inner"],
        "Post" => &["Post"],
        _ => &["Order"],
    }
}

fn inner(ty: &str) -> &str {
    ty.trim_matches(['[', ']', '!'])
}

/// The field that the caller without the scope may not see.
#[derive(Default)]
struct Hidden {
    fields: Vec<(&'static str, &'static str)>,
    types: Vec<&'static str>,
}

impl Hidden {
    fn new(random: &mut Random) -> Self {
        let mut hidden = Self::default();
        for (ty, field, ..) in FIELDS.iter().filter(|row| row.1 != "id") {
            if random.below(5) == 0 {
                hidden.fields.push((ty, field));
            }
        }
        hidden.types.extend(TYPES.iter().filter(|_| random.below(10) == 0));
        hidden
    }

    fn sdl(&self) -> String {
        const RULE: &str = r#"@requiresScopes(scopes: [["x"]])"#;
        let mut sdl = REST.to_owned();
        for ty in ["Query"].iter().chain(&TYPES) {
            let rule = if self.types.contains(ty) { RULE } else { "" };
            let (implements, key) = match *ty {
                "User" => ("implements Node", "@key(fields: \"id\")"),
                "Post" => ("implements Node", ""),
                _ => ("", ""),
            };
            let _ = writeln!(sdl, "type {ty} {implements} {key} {rule} {{");
            for (_, field, of, binding, _) in FIELDS.iter().filter(|row| row.0 == *ty) {
                let rule = if self.fields.contains(&(*ty, *field)) { RULE } else { "" };
                let _ = writeln!(sdl, "  {field}: {of} {rule} {binding}");
            }
            sdl.push_str("}\n");
        }
        sdl
    }

    fn hides(&self, row: &Row) -> bool {
        let hidden = |field| self.fields.contains(&(row.0, field));
        hidden(row.1) || hidden(row.4) || self.types.contains(&inner(row.2))
    }
}

/// A selected field, for objects of the type that has it.
struct Selected {
    key: String,
    row: &'static Row,
    below: Vec<Selected>,
}

fn select(random: &mut Random, ty: &str, depth: usize, keys: &mut usize) -> Vec<Selected> {
    let mut selected = Vec::new();
    for ty in if ty == "Query" { &["Query"][..] } else { possible(ty) } {
        let rows: Vec<&Row> = FIELDS.iter().filter(|row| row.0 == *ty).collect();
        for _ in 0..=random.below(3) {
            let row = *random.pick(&rows);
            let is_leaf =
                !TYPES.contains(&inner(row.2)) && !matches!(inner(row.2), "Found" | "Node");
            if depth == 0 && !is_leaf {
                continue;
            }
            *keys += 1;
            let key = format!("k{keys}");
            let below =
                if is_leaf { Vec::new() } else { select(random, inner(row.2), depth - 1, keys) };
            selected.push(Selected { key, row, below });
        }
    }
    selected
}

/// Prints the operation. Without the hidden field, if it is given.
fn print(selected: &[Selected], without: Option<&Hidden>, random: &mut Random) -> String {
    let mut text = "__typename".to_owned();
    for Selected { key, row, below } in selected {
        let hidden = |hidden: &Hidden| hidden.hides(row) || hidden.types.contains(&row.0);
        if without.is_some_and(hidden) {
            continue;
        }
        let is_leaf = !TYPES.contains(&inner(row.2)) && !matches!(inner(row.2), "Found" | "Node");
        let below = if is_leaf {
            String::new()
        } else {
            format!(" {{ {} }}", print(below, without, random))
        };
        let field = format!("{key}: {}{below}", row.1);
        let _ = match random.below(2) {
            0 if row.0 == "Query" => write!(text, " {field}"),
            _ => write!(text, " ... on {} {{ {field} }}", row.0),
        };
    }
    text
}

/// Returns the response with everything hidden as null; `None` if the null bubbles up to the parent.
fn hide(hidden: &Hidden, of: &str, value: &Value, below: &[Selected]) -> Option<Value> {
    if let Some(nullable) = of.strip_suffix('!') {
        return hide(hidden, nullable, value, below).filter(|value| !value.is_null());
    }
    let inside = of.strip_prefix('[').and_then(|of| of.strip_suffix(']'));
    Some(match (value, inside) {
        (Value::Array(elements), Some(of)) => {
            let all = elements.iter().map(|element| hide(hidden, of, element, below));
            all.collect::<Option<Vec<_>>>().map_or(Value::Null, Value::Array)
        }
        (Value::Object(object), _) => {
            let ty = object["__typename"].as_str().unwrap();
            let refused = TYPES.iter().any(|known| *known == ty && hidden.types.contains(known));
            let fields = object.iter().map(|(key, value)| {
                let selected = below.iter().find(|selected| selected.key == *key);
                let Some(Selected { row, below, .. }) = selected else {
                    return Some((key.clone(), value.clone()));
                };
                let value = if hidden.hides(row) { &Value::Null } else { value };
                Some((key.clone(), hide(hidden, row.2, value, below)?))
            });
            let fields = fields.collect::<Option<serde_json::Map<_, _>>>();
            fields.filter(|_| !refused).map_or(Value::Null, Value::Object)
        }
        (other, _) => other.clone(),
    })
}

fn reply(target: &str) -> Value {
    let user = |id: &str| {
        json!({
            "__typename": "User", "id": id, "name": (id != "2").then_some("n"), "email": format!("e{id}"),
            "best": { "id": "9" }, "inner": { "x": id.len(), "owner": { "id": "8" } },
        })
    };
    let post = |id: u8, author: &str| json!({ "__typename": "Post", "id": id.to_string(), "text": "t", "author": { "id": author } });
    match target.split('?').next().unwrap_or_default() {
        "/users" => json!([user("1"), user("2")]),
        "/usersById" => ids(target).iter().map(|id| user(id)).collect(),
        "/posts" => json!([post(1, "1"), post(2, "3")]),
        "/search" => json!([user("4"), post(3, "1"), null, post(4, "5")]),
        "/node" => user("6"),
        "/of" => {
            let orders = |id: &String| json!([{ "id": format!("o{id}"), "total": 1, "buyer": { "id": id } }]);
            ids(target).iter().map(orders).collect()
        }
        text if text.starts_with("/deep") => json!(7),
        text => json!(text),
    }
}

#[tokio::test]
async fn a_refused_operation_is_the_permitted_one_with_holes() {
    let mut compared = 0;
    for seed in 0..150 {
        let mut random = Random(seed);
        let hidden = Hidden::new(&mut random);
        let upstream = Upstream::new(|target| Ok(reply(target)));
        let mut settings = Settings::default();
        settings.limits.aliases = 1_000.into();
        let engine = Engine::new(upstream.graph(&hidden.sdl()), settings);
        for _ in 0..4 {
            let selected = select(&mut random, "Query", 3, &mut 0);
            let query = format!("{{ {} }}", print(&selected, None, &mut random));
            let pruned = format!("{{ {} }}", print(&selected, Some(&hidden), &mut random));
            let whole = run_on(&engine, &upstream, request_as(&query, scoped("x"))).await;
            assert!(whole.errors.is_empty(), "{query}\n{:?}", whole.errors);
            let mut less = run_on(&engine, &upstream, request_as(&pruned, scoped("x"))).await;
            let mut found = run_on(&engine, &upstream, request_as(&query, Value::Null)).await;
            let expected = hide(&hidden, "Query", &whole.data, &selected).unwrap_or_default();
            let context = format!("seed {seed}\n{}\n{query}\n{pruned}", hidden.sdl());
            assert_eq!(found.data, expected, "{context}");
            // The data that a request already holds depends on the whole plan, not on the caller.
            let plan =
                engine.explain(&pruned, None, &serde_json::Map::new(), None).unwrap().to_string();
            if !plan.contains("that an earlier fetch brought whole") {
                found.asked.sort();
                less.asked.sort();
                assert_eq!(found.asked, less.asked, "{context}");
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}
