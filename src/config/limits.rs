//! `limits`: limits of one request. A limit is a number, or a number with a mode: `{ max: 15, mode: measure }`.

use super::section::Section;
use super::values::{self, Mistake, Read};
use super::yaml::{Kind, Scalar};
use crate::edge;
use crate::engine::{CostLimit, Limit, Limits, Mode};

pub(super) fn read(section: &Section<'_>, edge: &mut edge::Settings, limits: &mut Limits) {
    section.check_keys();
    let mut body = Limit { max: edge.body_limit as u64, mode: edge.body_mode };
    read_limit(section, "body", &mut body, values::size);
    (edge.body_limit, edge.body_mode) = (body.max as usize, body.mode);
    read_limit(section, "depth", &mut limits.depth, at_least_one);
    read_limit(section, "aliases", &mut limits.aliases, number);
    read_limit(section, "root_fields", &mut limits.root_fields, at_least_one);
    read_limit(section, "directives", &mut limits.directives, number);
    read_limit(section, "document", &mut limits.document, values::size);
    read_limit(section, "tokens", &mut limits.tokens, at_least_one);
    read_limit(section, "selections", &mut limits.selections, at_least_one);
    read_limit(section, "variables", &mut limits.variables, number);
    read_limit(section, "response", &mut limits.response, values::size);
    section.read("reply_values", &mut limits.reply_values, at_least_one);
    read_limit(section, "list_size", &mut limits.list_size, number);
    read_limit(section, "fan_out", &mut limits.fan_out, at_least_one);
    if let Some(section) = section.section("cost") {
        read_cost(&section, &mut limits.cost);
    }
}

/// Reads the cost limits. If the section exists, costs are exposed unless `expose` is false.
fn read_cost(section: &Section<'_>, cost: &mut CostLimit) {
    section.check_keys();
    cost.expose = true;
    section.read("max", &mut cost.limit.max, at_least_one);
    section.read("mode", &mut cost.limit.mode, mode);
    section.read("expose", &mut cost.expose, values::boolean);
    section.read("call_weight", &mut cost.call_weight, number);
}

fn read_limit(
    section: &Section<'_>,
    key: &str,
    limit: &mut Limit,
    value: impl Fn(&Scalar) -> Read<u64>,
) {
    let Some(node) = section.get(key) else { return };
    if !matches!(node.kind, Kind::Mapping(_)) {
        return section.read(key, &mut limit.max, value);
    }
    if let Some(section) = section.section(key) {
        section.check_keys();
        section.read("max", &mut limit.max, value);
        section.read("mode", &mut limit.mode, mode);
    }
}

pub(super) fn mode(scalar: &Scalar) -> Read<Mode> {
    match scalar.text.as_str() {
        "enforce" => Ok(Mode::Enforce),
        "measure" => Ok(Mode::Measure),
        // YAML's own word for false.
        "off" => Ok(Mode::Off),
        _ => Err(Mistake {
            message: "this is not a mode of a limit".to_owned(),
            help: Some("write `enforce`, `measure` or `off`".to_owned()),
        }),
    }
}

fn number(scalar: &Scalar) -> Read<u64> {
    values::count(scalar).map(|number| number as u64)
}

fn at_least_one(scalar: &Scalar) -> Read<u64> {
    values::positive(scalar).map(|number| number as u64)
}
