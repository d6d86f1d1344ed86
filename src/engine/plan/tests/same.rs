//! A mapping that is compiled into the reader of replies means what evaluating it means: over random mappings and
//! random replies, the response is the same whether the gateway maps the reply or the source has mapped it already.

use crate::engine::response::Nothing;
use crate::engine::testing::{Random, Upstream, body, request};
use crate::mapping::{Mapping, Scope};
use serde_json::{Map, Value};

const ROUNDS: u64 = 400;

const TYPES: &str = "
type T0 { s: String n: Int any: Any t: T1 ts: [T1] size: Int }
type T1 { s: String n: Int any: Any t: T2 ts: [T2] size: Int }
type T2 { s: String n: Int any: Any size: Int }
scalar Any";

const QUERY: &str = "{ x { s n any t { ...T1 } ts { ...T1 } } }
fragment T1 on T1 { s n any t { ...T2 } ts { ...T2 } }
fragment T2 on T2 { s n any }";

const KEYS: [&str; 8] = ["a", "b", "c", "s", "n", "any", "t", "ts"];

fn json(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 14 }) {
        0 => Value::Null,
        1 => random.below(100).into(),
        2 => "text\n".into(),
        3 => true.into(),
        4 => 1.5.into(),
        5 => "1".into(),
        6 => number("123456789012345678901234567890"),
        7 => number("-0.12345678901234567890123e-7"),
        8 | 9 => (0..random.below(3)).map(|_| json(random, depth - 1)).collect(),
        _ => object(random, depth),
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}

fn object(random: &mut Random, depth: usize) -> Value {
    let fields: Map<String, Value> = (0..random.below(7))
        .map(|_| ((*random.pick(&KEYS)).to_owned(), json(random, depth - 1)))
        .collect();
    fields.into()
}

fn path(random: &mut Random) -> String {
    let keys = [*random.pick(&KEYS), *random.pick(&KEYS), *random.pick(&KEYS)];
    let start = if random.below(3) == 0 { "$." } else { "" };
    format!("{start}{}", keys[..=random.below(3).min(random.below(3))].join("."))
}

/// The fields of `T{level}`, each from somewhere.
fn fields(random: &mut Random, level: usize) -> String {
    let mut fields = Vec::new();
    let mut leaves = vec!["s", "n", "any"];
    if random.below(4) == 0 {
        // Two leaves from an object of their own, joined to this one.
        let (one, other) = (leaves.remove(random.below(3)), leaves.remove(random.below(2)));
        let (from, one, other) = (path(random), leaf(random, one), leaf(random, other));
        let dollar = if from.starts_with('$') { "" } else { "$." };
        fields.push(format!("{dollar}{from} {{ {one} {other} }}"));
    }
    fields.extend(leaves.into_iter().map(|name| leaf(random, name)));
    if level < 2 {
        let mut names = vec!["t", "ts"];
        if random.below(8) == 0 {
            names.pop();
            let (from, inner) = (path(random), fields_of(random, level));
            let dollar = if from.starts_with('$') { "" } else { "$." };
            fields.push(format!("{dollar}{from} {{ ts: a {{ {inner} }} }}"));
        }
        for name in names {
            let from = path(random);
            let mut inner = || fields_of(random, level);
            let field = match from.len() % 5 {
                // One object is refused where a list is due.
                0 if name == "t" => format!("{name}: {{ {} }}", inner()),
                1 => format!("{name}: $ {{ {} }}", inner()),
                2 => format!("{name}: {from}"),
                _ => format!("{name}: {from} {{ {} }}", inner()),
            };
            fields.push(field);
        }
    }
    // No reply has it, and no reader can follow it: what it stands beside is evaluated.
    fields.push("size: $->size".to_owned());
    fields.join(" ")
}

fn fields_of(random: &mut Random, level: usize) -> String {
    fields(random, level + 1)
}

fn leaf(random: &mut Random, name: &str) -> String {
    match random.below(if name == "any" { 14 } else { 12 }) {
        0 => name.to_owned(),
        1 => format!("{name}: $({})", if name == "s" { "\"word\"" } else { "7" }),
        2 => format!("{name}: {} ?? {}", path(random), path(random)),
        12 => format!("{name}: {} {{ s n }}", path(random)),
        13 => format!("{name}: {{ one: {} many: ts {{ a b }} }}", path(random)),
        _ => format!("{name}: {}", path(random)),
    }
}

fn mapping(random: &mut Random) -> String {
    let fields = fields(random, 0);
    match random.below(4) {
        0 => format!("$.{} {{ {fields} }}", random.pick(&KEYS)),
        1 => format!("$.{}->first {{ {fields} }}", random.pick(&KEYS)),
        _ => fields,
    }
}

async fn response(select: Option<&str>, reply: &Value) -> Value {
    let select = select.map_or_else(String::new, |text| format!(", select: {text:?}"));
    let sdl =
        format!("type Query {{ x: T0 @call(source: \"s\", target: \"/x\"{select}) }} {TYPES}");
    let reply = reply.clone();
    let engine = Upstream::new(move |_| Ok(reply.clone())).engine(&sdl);
    let mut response = body(&engine.execute(request(QUERY)).await);
    let errors = response.get_mut("errors").and_then(Value::as_array_mut);
    for error in errors.into_iter().flatten() {
        error["extensions"]["errorId"].take();
    }
    response
}

#[tokio::test]
async fn picking_while_reading_is_evaluating_and_then_reading() {
    let mut compared = 0;
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let text = mapping(&mut random);
        let reply = object(&mut random, 4);
        let parsed = Mapping::parse(&text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let scope = Scope { current: &reply, variables: &Nothing };
        // Where `first` meets no list, the reply as a whole fails.
        let Ok(evaluated) = parsed.evaluate(&scope) else { continue };
        let mapped_here = response(Some(&text), &reply).await;
        let beforehand = response(None, &evaluated).await;
        assert_eq!(mapped_here, beforehand, "seed {seed}\n{text}\n{reply}\n{evaluated}");
        compared += 1;
    }
    assert!(compared > ROUNDS / 2, "only {compared} were compared");
}

/// A selection set; of a leaf, none.
#[derive(Default)]
struct Selections(Vec<(&'static str, Selections)>);

fn selection(random: &mut Random, level: usize) -> Selections {
    let mut selected = Vec::new();
    for name in ["s", "n", "any"] {
        if random.below(2) == 0 {
            selected.push((name, Selections::default()));
        }
    }
    for name in ["t", "ts"] {
        if level < 2 && random.below(2) == 0 {
            selected.push((name, selection(random, level + 1)));
        }
    }
    if selected.is_empty() {
        selected.push(("s", Selections::default()));
    }
    Selections(selected)
}

impl Selections {
    /// With `more` in the selection of each object.
    fn text(&self, more: &str) -> String {
        let field = |(name, below): &(&str, Self)| {
            if below.0.is_empty() {
                (*name).to_owned()
            } else {
                format!("{name} {}", below.text(more))
            }
        };
        format!("{{ {} {more} }}", self.0.iter().map(field).collect::<Vec<_>>().join(" "))
    }
}

/// The data, and the path and message of each error; without what `size` adds.
fn without_size(mut response: Value) -> (Value, Vec<(Value, Value)>) {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Object(fields) => {
                fields.shift_remove("size");
                fields.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    let errors = response.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let errors = errors.into_iter().map(|error| (error["path"].clone(), error["message"].clone()));
    let of_size = |path: &Value| {
        path.as_array().and_then(|path| path.last()).is_some_and(|last| last == "size")
    };
    let errors = errors.filter(|(path, _)| !of_size(path)).collect();
    strip(&mut response["data"]);
    (response["data"].take(), errors)
}

/// Replies to each mapping.
const REPLIES: usize = 10;

/// Reads the parts of ten thousand replies that are selected, each once as it is parsed and once by evaluation.
#[tokio::test]
async fn selecting_a_sibling_never_changes_a_value() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let text = mapping(&mut random);
        let replies: Vec<Value> = (0..REPLIES).map(|_| object(&mut random, 4)).collect();
        let sdl = format!(
            "type Query {{ x(i: Int!): T0 @call(source: \"s\", target: \"/{{$args.i}}\", select: {text:?}) }} {TYPES}"
        );
        let answers = replies.clone();
        let answer = move |target: &str| {
            let number: usize = target[1..].parse().expect("a number");
            Ok(answers[number].clone())
        };
        let engine = Upstream::new(answer).engine(&sdl);
        for (number, reply) in replies.iter().enumerate() {
            let selection = selection(&mut random, 0);
            let mut read = Vec::new();
            for more in ["", "size"] {
                let query = format!("{{ x(i: {number}) {} }}", selection.text(more));
                read.push(without_size(body(&engine.execute(request(&query)).await)));
            }
            let failed = |(_, errors): &(Value, Vec<(Value, Value)>)| {
                errors.iter().any(|(path, _)| path.as_array().is_some_and(|path| path.len() == 1))
            };
            // Where `first` meets no list, the reply as a whole fails.
            if text.contains("->first") && read.iter().any(failed) {
                continue;
            }
            assert_eq!(read[0], read[1], "seed {seed}\n{text}\n{reply}\n{}", selection.text(""));
        }
    }
}
