//! The plan as text, for people: what is fetched from where, what waits for what, and what a call looks like, without
//! making one. What only a reply can tell stands in braces.

use super::{
    Asking, BatchRule, CheckId, Fetch, KeyPart, KeysAs, Permit, QueryPlan, Required, Target,
    Wanted, evaluate_all,
};
use crate::graph::{BatchReply, Graph};
use crate::graphql::Name;
use crate::mapping::Mapping;
use crate::source::{Caller, Inputs};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Marks around the name of a value that a reply will provide, in characters that neither URLs nor forms encode.
const OPEN: &str = "-_.";
const CLOSE: &str = "._-";

pub(in crate::engine) fn explain(
    graph: &Graph,
    plan: &QueryPlan,
    variables: &Map<String, Value>,
) -> String {
    let conditions = plan.conditions.evaluate(variables, |_, _| true);
    let mut text = String::new();
    let (mut bound, mut fetches) = (0_u64, 0_u64);
    for (index, fetch) in plan.fetches.iter().enumerate() {
        let made = conditions[fetch.condition as usize];
        if fetch.computed.is_some() {
            describe(&mut text, graph, plan, fetch, index);
            let text_of = graph.binding(fetch.binding).call.select().map_or("", Mapping::text);
            for line in text_of.trim().lines() {
                let _ = writeln!(text, "     | {line}");
            }
            continue;
        }
        fetches += 1;
        let calls = if made { fetch.fan_out(variables) } else { 0 };
        bound = bound.saturating_add(calls);
        describe(&mut text, graph, plan, fetch, index);
        if made {
            let _ = writeln!(text, "     at most {}", plural(calls, "call"));
        } else {
            let _ = writeln!(text, "     not made with these variables");
        }
        for line in call(graph, fetch, variables).lines() {
            let _ = writeln!(text, "     | {line}");
        }
    }
    let rounds = rounds(plan, &conditions);
    let _ = writeln!(
        text,
        "{} in {}, at most {} upstream",
        plural(fetches, "fetch"),
        plural(rounds, "sequential round"),
        plural(bound, "call"),
    );
    text
}

fn describe(text: &mut String, graph: &Graph, plan: &QueryPlan, fetch: &Fetch, index: usize) {
    let source = graph.binding(fetch.binding).call.source();
    let (number, field) = (index + 1, &fetch.coordinate);
    let grouped = if fetch.computed.is_some() {
        let _ = writeln!(text, "{number:>3}. {field} is computed, without a call");
        String::new()
    } else {
        let _ = writeln!(text, "{number:>3}. {field} from {source}");
        grouped(&fetch.asking)
    };
    if !fetch.place.keys.is_empty() {
        let _ = writeln!(text, "     for {}{grouped}", fetch.place.keys.join("."));
    }
    if !fetch.depends_on.is_empty() {
        let numbers: Vec<_> = fetch.depends_on.iter().map(|id| (id.0 + 1).to_string()).collect();
        let _ = writeln!(text, "     waits for {}", numbers.join(", "));
    }
    if let Some(condition) = plan.conditions.describe(fetch.condition, &graph.guards) {
        let _ = writeln!(text, "     only if {condition}");
    }
    if !fetch.permits.is_empty() {
        let rules = fetch.permits.iter().map(|permit| rules(graph, plan, permit));
        let _ = writeln!(
            text,
            "     only for objects with {}",
            rules.collect::<Vec<_>>().join(", or with ")
        );
    }
    if !fetch.held.is_empty() {
        let _ = writeln!(text, "     not asked for entities that an earlier fetch brought whole");
    }
    if let Target::Entity(slots) = &fetch.target {
        let _ = writeln!(text, "     a lookup: adds {}", plural(slots.len() as u64, "field"));
    }
}

fn rules(graph: &Graph, plan: &QueryPlan, permit: &Permit) -> String {
    let rule = |check: &CheckId| graph.guards.get(plan.check(*check).guard).to_string();
    permit.checks.iter().map(rule).collect::<Vec<_>>().join(" and ")
}

fn grouped(asking: &Asking) -> String {
    match asking {
        Asking::PerObject => ", one call for each object".into(),
        Asking::PerKey { .. } => ", one call for each distinct key".into(),
        Asking::Batch { rule, .. } | Asking::Given { rule, .. } => batched(rule),
    }
}

fn batched(rule: &BatchRule) -> String {
    let reply = match rule.reply {
        BatchReply::ByKey => "BY_KEY",
        BatchReply::Positional => "POSITIONAL",
        BatchReply::Map => "MAP",
        BatchReply::GroupBy => "GROUP_BY",
    };
    let wait = if rule.wait.is_zero() {
        String::new()
    } else {
        format!(", waits {} ms for keys of other requests", rule.wait.as_millis())
    };
    format!(", one call for each {} distinct keys ({reply}){wait}", rule.max)
}

/// The longest chain of fetches that are made.
fn rounds(plan: &QueryPlan, conditions: &[bool]) -> u64 {
    let mut depth = vec![0_u64; plan.fetches.len()];
    for (index, fetch) in plan.fetches.iter().enumerate() {
        let before = fetch.depends_on.iter().map(|id| depth[id.0 as usize]).max().unwrap_or(0);
        let is_called = conditions[fetch.condition as usize] && fetch.computed.is_none();
        depth[index] = before + u64::from(is_called);
    }
    depth.into_iter().max().unwrap_or(0)
}

/// The call as it will look.
fn call(graph: &Graph, fetch: &Fetch, variables: &Map<String, Value>) -> String {
    let binding = graph.binding(fetch.binding);
    // A protocol that takes only numbers for a key is shown one.
    let attempts = [mark as fn(&Name) -> Value, |_: &Name| json!(1)];
    let mut failure = None;
    for attempt in attempts {
        let (arguments, this, batch) = inputs(fetch, variables, attempt);
        let config = |name: &str| attempt(&format!("config.{name}").into());
        let inputs = Inputs {
            args: &arguments,
            this: &this,
            batch: &batch,
            caller: &Caller::default(),
            env: &env(graph, attempt),
            config: &binding.call.shown_config(&config),
        };
        match binding.call.render(&inputs) {
            Ok(request) => {
                let text = binding.call.describe(&request);
                return in_braces(&text);
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or_else(String::new, |failure| format!("cannot be made: {failure}"))
}

/// Replaces marks by braces. If a method cut a mark, an ellipsis stands for the missing part.
fn in_braces(text: &str) -> String {
    let is_named = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    let mut shown = String::with_capacity(text.len());
    let mut parts = text.split(OPEN);
    put_ends(&mut shown, parts.next().unwrap_or_default());
    for part in parts {
        let length = part.find(|letter| !is_named(letter)).unwrap_or(part.len());
        let (name, rest) = match part[..length].find(CLOSE) {
            Some(end) => (format!("{{{}}}", &part[..end]), &part[end + CLOSE.len()..]),
            None => {
                (format!("{{{}…}}", part[..length].trim_end_matches(['.', '_'])), &part[length..])
            }
        };
        shown.push_str(&name);
        put_ends(&mut shown, rest);
    }
    shown
}

/// Appends a text without the beginning of a mark. It may have the end of one whose beginning was cut.
fn put_ends(shown: &mut String, text: &str) {
    let is_named = |letter: char| letter.is_alphanumeric() || "_.".contains(letter);
    let mut rest = text;
    while let Some(end) = rest.find(CLOSE) {
        let name = rest[..end].trim_end_matches(is_named).len();
        let cut = rest[name..end].trim_start_matches(['.', '_']);
        shown.push_str(&format!("{}{{…{cut}}}", &rest[..name]));
        rest = &rest[end + CLOSE.len()..];
    }
    shown.push_str(rest);
}

fn mark(name: &Name) -> Value {
    format!("{OPEN}{name}{CLOSE}").into()
}

type Mark = fn(&Name) -> Value;

/// The environment's values are often secrets, so their names stand for them.
fn env(graph: &Graph, mark: Mark) -> Value {
    let names = graph.env.as_object().into_iter().flat_map(Map::keys);
    names.map(|name| (name.clone(), mark(&format!("env.{name}").into()))).collect()
}

fn inputs(fetch: &Fetch, variables: &Map<String, Value>, mark: Mark) -> (Value, Value, Value) {
    let mut arguments = evaluate_all(&fetch.arguments, variables);
    for Required { argument, part } in &fetch.required {
        arguments.insert(argument.to_string(), mark(&name_of(part)));
    }
    let mut batch = Value::Null;
    match &fetch.asking {
        Asking::PerObject | Asking::Given { .. } => {}
        Asking::PerKey { parts, arguments: names } => {
            for (name, part) in names.iter().zip(parts) {
                arguments.insert(name.to_string(), mark(&name_of(part)));
            }
        }
        Asking::Batch { keys: KeysAs::Parents, .. } => {
            batch = json!([parent(&fetch.parent, mark)]);
        }
        Asking::Batch { keys: KeysAs::Scalars(name), parts, .. } => {
            let list = parts.iter().map(|part| mark(&name_of(part))).collect();
            arguments.insert(name.to_string(), list);
        }
        Asking::Batch { keys: KeysAs::Objects(name, fields), parts, .. } => {
            let field =
                |(field, part): (&Name, &KeyPart)| (field.to_string(), mark(&name_of(part)));
            let object: Map<_, _> = fields.iter().zip(parts).map(field).collect();
            arguments.insert(name.to_string(), json!([object]));
        }
    }
    (arguments.into(), parent(&fetch.parent, mark), batch)
}

fn parent(wanted: &[Wanted], mark: Mark) -> Value {
    let field = |wanted: &Wanted| {
        let value = if wanted.fields.is_empty() {
            mark(&wanted.name)
        } else {
            parent(&wanted.fields, mark)
        };
        (wanted.name.to_string(), value)
    };
    Value::Object(wanted.iter().map(field).collect())
}

fn name_of(part: &KeyPart) -> Name {
    part.names.join(".").into()
}

fn plural(count: u64, noun: &str) -> String {
    let plural = if noun.ends_with("ch") { "es" } else { "s" };
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}{plural}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_braces_also_where_a_method_cut_them() {
        let mark = |name: &str| mark(&name.into()).as_str().unwrap_or_default().to_owned();
        let whole = mark("config.api_key");
        for (text, due) in [
            (format!("GET /{whole}/a?b={}", mark("id")), "GET /{config.api_key}/a?b={id}"),
            (format!("x={}&y=1", &whole[..10]), "x={config…}&y=1"),
            (format!("x={}", &whole[..9]), "x={config…}"),
            (format!("x={}", &whole[..whole.len() - 1]), "x={config.api_key…}"),
            (format!("x={}/y", &whole[5..]), "x={…nfig.api_key}/y"),
            (format!("x={}", &whole[1..]), "x={…config.api_key}"),
            (format!("{}{}", &whole[..10], mark("id")), "{config…}{id}"),
            ("a-b_c.d/e.".to_owned(), "a-b_c.d/e."),
        ] {
            assert_eq!(in_braces(&text), due, "{text}");
        }
        let is_kept = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        assert!(whole.chars().all(is_kept), "forms encode all else");
    }
}
