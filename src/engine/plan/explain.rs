//! The plan for people and machines: what is fetched from where, what waits for what, and what a call looks like, without
//! making one. What only a reply can tell stands in braces.

use super::{
    Asking, BatchRule, CheckId, Fetch, KeyPart, KeysAs, Permit, QueryPlan, Required, Target,
    Wanted, evaluate_all,
};
use crate::graph::{BatchReply, Graph};
use crate::graphql::Name;
use crate::mapping::Mapping;
use crate::source::{Caller, Inputs};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::{self, Display, Formatter};

/// Marks around the name of a value that a reply will provide, in characters that neither URLs nor forms encode.
const OPEN: &str = "-_.";
const CLOSE: &str = "._-";

/// Aliases of a batch that the text names.
const MAX_ALIASES: usize = 10;

/// As docs/cli.md describes its JSON; the text is for people.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedPlan {
    fetches: Vec<ExplainedFetch>,
    /// Length of the longest chain of fetches that wait for each other.
    sequential_rounds: u64,
    /// Maximum number of calls to sources.
    max_calls: u64,
    /// Rules on the caller were evaluated.
    #[serde(skip)]
    knows_caller: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedFetch {
    /// From 1.
    id: usize,
    /// Such as `User.orders`.
    field: String,
    /// Absent for a field that is computed without a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The mapping of such a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    computed: Option<String>,
    /// Path of the objects that it is made for; absent at the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<String>,
    /// Response keys of the aliases at the root that share the call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// Absent at the root without aliases, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    grouping: Option<Grouping>,
    waits_for: Vec<usize>,
    /// Of variables and rules on the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    /// Rules on the objects; one of them has to hold.
    object_rules: Vec<String>,
    /// Entities that an earlier fetch brought whole are left out.
    skips_complete_entities: bool,
    /// Number of fields that it adds to entities, for a lookup.
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup_fields: Option<usize>,
    is_made: bool,
    max_calls: u64,
    /// The rendered call, secrets masked; absent for a field that is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// Objects of one call.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum Grouping {
    Object,
    Key,
    /// Keys for which a fetch before brought no object.
    UnansweredKey,
    Batch {
        max: u64,
        reply: &'static str,
        wait_ms: u64,
    },
}

/// `caller`: who asks; without one, rules hold, and calls are rendered without claims.
pub(in crate::engine) fn explain(
    graph: &Graph,
    plan: &QueryPlan,
    variables: &Map<String, Value>,
    conditions: &[bool],
    caller: Option<&Caller>,
) -> ExplainedPlan {
    let nobody = Caller::default();
    let mut max_calls = 0_u64;
    let mut one = |(index, fetch): (usize, &Fetch)| {
        let is_made = conditions[fetch.condition as usize];
        let is_call = fetch.computed.is_none();
        let calls = if is_made && is_call { fetch.fan_out(variables) } else { 0 };
        max_calls = max_calls.saturating_add(calls);
        let request = is_call.then(|| call(graph, fetch, variables, caller.unwrap_or(&nobody)));
        ExplainedFetch {
            is_made,
            max_calls: calls,
            request,
            ..described(graph, plan, fetch, index)
        }
    };
    let fetches = plan.fetches.iter().enumerate().map(&mut one).collect();
    let sequential_rounds = rounds(plan, conditions);
    ExplainedPlan { fetches, sequential_rounds, max_calls, knows_caller: caller.is_some() }
}

fn described(graph: &Graph, plan: &QueryPlan, fetch: &Fetch, index: usize) -> ExplainedFetch {
    let keys = &fetch.place.keys;
    let call = &graph.binding(fetch.binding).call;
    let is_call = fetch.computed.is_none();
    let aliases = aliases(&fetch.asking);
    let text = || call.select().map_or("", Mapping::text).trim().to_owned();
    ExplainedFetch {
        id: index + 1,
        field: fetch.coordinate.to_string(),
        source: is_call.then(|| call.source().to_string()),
        computed: (!is_call).then(text),
        objects: (!keys.is_empty()).then(|| keys.join(".")),
        grouping: (is_call && !(keys.is_empty() && aliases.is_empty()))
            .then(|| Grouping::of(&fetch.asking)),
        aliases,
        waits_for: fetch.depends_on.iter().map(|id| id.0 as usize + 1).collect(),
        condition: plan.conditions.describe(fetch.condition, &graph.guards),
        object_rules: fetch.permits.iter().map(|permit| rules(graph, plan, permit)).collect(),
        skips_complete_entities: !fetch.held.is_empty(),
        lookup_fields: match &fetch.target {
            Target::Entity(slots) => Some(slots.len()),
            Target::Slot(_) => None,
        },
        is_made: false,
        max_calls: 0,
        request: None,
    }
}

fn rules(graph: &Graph, plan: &QueryPlan, permit: &Permit) -> String {
    let rule = |check: &CheckId| graph.guards.get(plan.check(*check).guard).to_string();
    permit.checks.iter().map(rule).collect::<Vec<_>>().join(" and ")
}

impl Grouping {
    fn of(asking: &Asking) -> Self {
        match asking {
            Asking::PerObject => Self::Object,
            Asking::PerKey { .. } => Self::Key,
            Asking::Unanswered { .. } => Self::UnansweredKey,
            Asking::Batch { rule, .. } | Asking::Given { rule, .. } => Self::of_rule(rule),
        }
    }

    fn of_rule(rule: &BatchRule) -> Self {
        let reply = match rule.reply {
            BatchReply::ByKey => "BY_KEY",
            BatchReply::Positional => "POSITIONAL",
            BatchReply::Map => "MAP",
            BatchReply::GroupBy => "GROUP_BY",
        };
        let wait_ms = u64::try_from(rule.wait.as_millis()).unwrap_or(u64::MAX);
        Self::Batch { max: rule.max as u64, reply, wait_ms }
    }
}

impl Display for Grouping {
    fn fmt(&self, text: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object => text.write_str("one call for each object"),
            Self::Key => text.write_str("one call for each distinct key"),
            Self::UnansweredKey => {
                text.write_str("one call for each distinct key without an object")
            }
            Self::Batch { max, reply, wait_ms } => {
                write!(text, "one call for each {max} distinct keys ({reply})")?;
                match wait_ms {
                    0 => Ok(()),
                    _ => write!(text, ", waits {wait_ms} ms for keys of other requests"),
                }
            }
        }
    }
}

impl Display for ExplainedPlan {
    fn fmt(&self, text: &mut Formatter<'_>) -> fmt::Result {
        for fetch in &self.fetches {
            fetch.write(text, self.knows_caller)?;
        }
        let calls = self.fetches.iter().filter(|fetch| fetch.computed.is_none()).count();
        let fetches = plural(calls as u64, "fetch");
        let rounds = plural(self.sequential_rounds, "sequential round");
        let calls = plural(self.max_calls, "call");
        writeln!(text, "{fetches} in {rounds}, at most {calls} upstream")
    }
}

impl ExplainedFetch {
    fn write(&self, text: &mut Formatter<'_>, knows_caller: bool) -> fmt::Result {
        let (id, field) = (self.id, &self.field);
        match &self.source {
            Some(source) => writeln!(text, "{id:>3}. {field} from {source}")?,
            None => writeln!(text, "{id:>3}. {field} is computed, without a call")?,
        }
        match (&self.objects, &self.grouping) {
            (Some(objects), Some(grouping)) => writeln!(text, "     for {objects}, {grouping}")?,
            (Some(objects), None) => writeln!(text, "     for {objects}")?,
            (None, Some(grouping)) => {
                writeln!(text, "     for {}, {grouping}", listed(&self.aliases))?;
            }
            (None, None) => {}
        }
        if !self.waits_for.is_empty() {
            let numbers: Vec<_> = self.waits_for.iter().map(ToString::to_string).collect();
            writeln!(text, "     waits for {}", numbers.join(", "))?;
        }
        if let Some(condition) = &self.condition {
            writeln!(text, "     only if {condition}")?;
        }
        if !self.object_rules.is_empty() {
            let rules = self.object_rules.join(", or with ");
            writeln!(text, "     only for objects with {rules}")?;
        }
        if self.skips_complete_entities {
            writeln!(text, "     not asked for entities that an earlier fetch brought whole")?;
        }
        if let Some(fields) = self.lookup_fields {
            writeln!(text, "     a lookup: adds {}", plural(fields as u64, "field"))?;
        }
        match (self.is_made, knows_caller) {
            _ if self.computed.is_some() => {}
            (true, _) => writeln!(text, "     at most {}", plural(self.max_calls, "call"))?,
            (false, false) => writeln!(text, "     not made with these variables")?,
            (false, true) => writeln!(text, "     not made with these variables and claims")?,
        }
        let shown = self.request.as_ref().or(self.computed.as_ref());
        shown
            .iter()
            .flat_map(|shown| shown.lines())
            .try_for_each(|line| writeln!(text, "     | {line}"))
    }
}

fn aliases(asking: &Asking) -> Vec<String> {
    let (Asking::Given { aliases, .. } | Asking::Unanswered { aliases, .. }) = asking else {
        return Vec::new();
    };
    aliases.iter().flat_map(|alias| &alias.keys).map(ToString::to_string).collect()
}

/// The first of many names.
fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_ALIASES)].join(", ");
    let more = names.len().saturating_sub(MAX_ALIASES);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
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
fn call(graph: &Graph, fetch: &Fetch, variables: &Map<String, Value>, caller: &Caller) -> String {
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
            caller,
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
        Asking::PerObject | Asking::Given { .. } | Asking::Unanswered { .. } => {}
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
