//! The `batch` argument: joins many calls into one, and matches the parts of the reply to the keys.

use super::words::{Words, dotted, list_depth};
use super::{Batch, BatchReply, KeyPath};
use crate::graphql::Name;
use crate::problem::Problem;
use crate::source::{Argument, ArgumentValue};
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use std::time::Duration;

const MAX: std::ops::RangeInclusive<i64> = 1..=10_000;
const WAIT_MS: std::ops::RangeInclusive<i64> = 0..=1_000;

/// The field of a batch.
pub(super) struct Target<'a> {
    pub(super) schema: &'a Schema,
    /// Coordinate of the field, such as `User.orders`.
    pub(super) coordinate: String,
    pub(super) ty: &'a Type,
    pub(super) is_lookup: bool,
}

/// Reads the rule of a batch with the keys `asked`; `None` if it has errors.
pub(super) fn read(
    argument: &Argument,
    target: &Target<'_>,
    asked: Vec<KeyPath>,
    problems: &mut Vec<Problem>,
) -> Option<Batch> {
    let before = problems.len();
    let reply = match argument.field("reply").map(|reply| &reply.value) {
        Some(ArgumentValue::Enum(name)) => match &**name {
            "POSITIONAL" => BatchReply::Positional,
            "MAP" => BatchReply::Map,
            "GROUP_BY" => BatchReply::GroupBy,
            _ => BatchReply::ByKey,
        },
        _ => BatchReply::ByKey,
    };
    let max = number(argument, "max", 100, &MAX, problems);
    let wait = number(argument, "waitMs", 0, &WAIT_MS, problems);
    check_type(argument, target, reply, problems);
    let key = key(argument, reply, &asked, problems);
    check_rows(argument, target, reply, &key, &asked, problems);
    if problems.len() > before {
        return None;
    }
    let max = usize::try_from(max).ok()?;
    let wait = Duration::from_millis(u64::try_from(wait).ok()?);
    Some(Batch { reply, key, asked, max, wait })
}

fn number(
    argument: &Argument,
    name: &str,
    default: i64,
    range: &std::ops::RangeInclusive<i64>,
    problems: &mut Vec<Problem>,
) -> i64 {
    let Some(given) = argument.field(name) else { return default };
    let value = match given.value {
        ArgumentValue::Int(value) => value,
        ArgumentValue::Null => return default,
        _ => i64::MIN,
    };
    if !range.contains(&value) {
        let (low, high) = (range.start(), range.end());
        problems.push(
            Problem::error("invalid-batch", format!("`{name}` must be from {low} to {high}"))
                .at(given.place.clone()),
        );
    }
    value
}

/// Checks that the form of the reply fits the field's type.
fn check_type(
    argument: &Argument,
    target: &Target<'_>,
    reply: BatchReply,
    problems: &mut Vec<Problem>,
) {
    let place = argument.field("reply").unwrap_or(argument).place.clone();
    let mut refuse = |message: String, help: &str| {
        problems.push(Problem::error("invalid-batch", message).at(place.clone()).help(help));
    };
    let Target { coordinate, ty, .. } = target;
    let inner = ty.inner_named_type();
    let leaf = Words(target.schema).is_leaf(inner);
    let depth = list_depth(ty);
    if matches!(reply, BatchReply::ByKey | BatchReply::GroupBy) && leaf {
        refuse(
            format!(
                "`reply: BY_KEY`, the default, finds objects by their key, but `{coordinate}` is of type `{inner}`"
            ),
            "use `reply: MAP` if the service returns an object with a value for each key, or `reply: POSITIONAL` if it returns a list with one value for each key, in order",
        );
        return;
    }
    match reply {
        BatchReply::GroupBy if target.is_lookup => refuse(
            format!(
                "`{coordinate}` is a lookup, which returns one entity for each key, so `GROUP_BY` does not apply"
            ),
            "use `reply: BY_KEY`",
        ),
        BatchReply::GroupBy if depth != 1 => refuse(
            format!("`GROUP_BY` returns a list for each key, but `{coordinate}` is of type `{ty}`"),
            "change the field's type to a list, or use `reply: BY_KEY`",
        ),
        BatchReply::ByKey if !target.is_lookup && depth > 0 => refuse(
            format!(
                "`BY_KEY` returns one object for each key, but `{coordinate}` is of type `{ty}`"
            ),
            "use `reply: GROUP_BY` for flat rows, or `POSITIONAL` or `MAP` for a list of lists",
        ),
        _ => {}
    }
}

/// Reports rows that are grouped by their own identity: they would match a parent's key only by chance.
fn check_rows(
    argument: &Argument,
    target: &Target<'_>,
    reply: BatchReply,
    key: &[Name],
    asked: &[KeyPath],
    problems: &mut Vec<Problem>,
) {
    let row = target.ty.inner_named_type().as_str();
    let given = argument.field("key").filter(|key| key.text().is_some());
    let is_own = |name: &Name| match given {
        None => target.schema.type_field(row, name).is_ok(),
        Some(_) => is_identity(target.schema, row, name),
    };
    let ([key], [asked]) = (key, asked) else { return };
    if reply != BatchReply::GroupBy
        || target.is_lookup
        || list_depth(target.ty) != 1
        || !is_own(key)
    {
        return;
    }
    let parent = target.coordinate.split('.').next().unwrap_or_default();
    let message = format!(
        "rows are grouped by `{row}.{key}`, which is the key of the row itself, not of its `{parent}`"
    );
    let parent_key = format!("{}Id", lower_first(parent));
    let asked = dotted(asked);
    let help = format!(
        "map the row's field with the `{asked}` of its `{parent}` to another name, and use that as the key: `select: \"{parent_key}: …\"` and `key: \"{parent_key}\"`; the type `{row}` does not need this field"
    );
    let place = given.unwrap_or(argument).place.clone();
    problems.push(Problem::error("invalid-batch", message).at(place).help(help));
}

/// Returns `true` if the type has `@key(fields: "name")`.
fn is_identity(schema: &Schema, type_name: &str, name: &str) -> bool {
    let Some(found) = schema.types.get(type_name) else { return false };
    found.directives().get_all("key").any(|key| {
        let fields = key.specified_argument_by_name("fields").and_then(|fields| fields.as_str());
        fields.is_some_and(|fields| fields.trim() == name)
    })
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// Returns the names of the key in the result: the given ones, or the last names of `asked`.
fn key(
    argument: &Argument,
    reply: BatchReply,
    asked: &[KeyPath],
    problems: &mut Vec<Problem>,
) -> Vec<Name> {
    let given = argument.field("key").filter(|key| key.text().is_some());
    let place = given.unwrap_or(argument).place.clone();
    let mut refuse = |message: String, help: String| {
        problems.push(Problem::error("invalid-batch", message).at(place.clone()).help(help));
    };
    let by_name = matches!(reply, BatchReply::ByKey | BatchReply::GroupBy);
    if reply == BatchReply::Map && asked.len() > 1 {
        let names: Vec<String> = asked.iter().map(|path| dotted(path)).collect();
        refuse(
            format!(
                "`reply: MAP` supports one key field, but the call sends several: `{}`",
                names.join(" ")
            ),
            "use `reply: BY_KEY` for keys of several fields".to_owned(),
        );
    }
    let Some(text) = given.and_then(Argument::text) else {
        let key: Vec<Name> = asked.iter().filter_map(|path| path.last().cloned()).collect();
        let twice = key.iter().enumerate().find(|(at, name)| key[..*at].contains(name));
        if let Some((_, name)) = twice.filter(|_| by_name) {
            refuse(
                format!("two key fields of the call are called `{name}`"),
                "list the key fields of the reply, such as `key: \"orgId id\"`".to_owned(),
            );
        }
        return key;
    };
    let key: Vec<Name> = text.split_whitespace().map(Name::from).collect();
    if by_name && !asked.is_empty() && key.len() != asked.len() {
        let names: Vec<String> = asked.iter().map(|path| dotted(path)).collect();
        refuse(
            format!("`key` has {} field(s), but the call sends {}", key.len(), asked.len()),
            format!("list one field of the reply for each of `{}`, in this order", names.join(" ")),
        );
    }
    key
}
