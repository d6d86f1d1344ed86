//! `limits.rate`: rate limits of callers, and `server.trusted_proxies`, on which their addresses depend.

use super::limits::mode as mode_of_limit;
use super::section::Section;
use super::shared;
use super::values::{self, Mistake, Read};
use super::yaml::{Kind, Node, Scalar};
use crate::engine::{Allowance, Fail, Mode, Rate, Refill, Store, Tier};
use crate::mapping::{Mapping, Span, Variable};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

/// Reads the rate limits; `None` without `limits.rate`, or if it is invalid.
pub(super) fn read(limits: &Section<'_>) -> Option<Rate> {
    let section = limits.section("rate")?;
    section.check_keys();
    let allowance = allowance(&section);
    let (mut mode, mut key) = (Mode::Enforce, default_key());
    section.read("mode", &mut mode, mode_of_limit);
    if let Some(node) = section.get("key") {
        key = elements(node).iter().filter_map(|node| expression(&section, node)).collect();
    }
    let tiers = section.list("tiers").iter().filter_map(tier).collect();
    let store = store(&section);
    Some(Rate { mode, key, allowance: allowance?, tiers, store: store? })
}

/// Returns the default key: the token's subject, or the address if there is no token.
fn default_key() -> Vec<Mapping> {
    let texts = ["$claims.sub", "$request.ip"];
    texts.iter().filter_map(|text| Mapping::parse(text).ok()).collect()
}

fn elements(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    }
}

fn tier(section: &Section<'_>) -> Option<Tier> {
    section.check_keys();
    let when = section.required("when").and_then(|node| expression(section, node));
    let allowance = allowance(section);
    let mut name = None;
    section.read("name", &mut name, |scalar| tier_name(scalar).map(Some));
    Some(Tier { name, when: when?, allowance: allowance? })
}

fn allowance(section: &Section<'_>) -> Option<Allowance> {
    let number = |node| section.scalar(node, values::positive);
    let capacity = section.required("capacity").and_then(number);
    let refill = section.required("refill").and_then(|node| section.scalar(node, refilled));
    // A whole number of YAML has 32 bits.
    Some(Allowance { capacity: u32::try_from(capacity?).ok()?, refill: refill? })
}

/// Parses `100`, `100/s`, `600/m`, `5000/h`.
fn refilled(scalar: &Scalar) -> Read<Refill> {
    let (amount, unit) = scalar.text.split_once('/').unwrap_or((&scalar.text, "s"));
    let per = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(no_refill()),
    };
    match amount.parse::<u32>() {
        Ok(amount) if amount > 0 => Ok(Refill { amount, per }),
        _ => Err(no_refill()),
    }
}

fn no_refill() -> Mistake {
    let help = "write a number and an interval, such as `100/s`, `600/m` or `5000/h`";
    Mistake { message: "this is not a rate".to_owned(), help: Some(help.to_owned()) }
}

/// Reads a tier's name. It is sent in header fields and used in metrics.
fn tier_name(scalar: &Scalar) -> Read<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let text = &scalar.text;
    if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.clone());
    }
    let help = Some("use letters, digits, `_` and `-`, at most 32 characters".to_owned());
    Err(Mistake { message: "this is not a valid name of a tier".to_owned(), help })
}

/// Reads a mapping over the caller. Every mistake is reported at its place in the file.
fn expression(section: &Section<'_>, node: &Node) -> Option<Mapping> {
    let text = section.scalar(node, |scalar| Ok(scalar.text.clone()))?;
    let say = |span: &Span, message: String, help: Option<String>| {
        let at = inside(section, node, &text, span);
        section.reading.problem("wrong-value", &at, Mistake { message, help });
    };
    let mapping = match Mapping::parse(&text) {
        Ok(mapping) => mapping,
        Err(errors) => {
            for error in errors {
                say(&error.span, error.message, error.help);
            }
            return None;
        }
    };
    let of_caller = |variable| {
        matches!(variable, Variable::Claims | Variable::RequestHeaders | Variable::RequestIp)
    };
    let references = mapping.references();
    let strange: Vec<_> = references.iter().filter(|found| !of_caller(found.variable)).collect();
    for found in &strange {
        say(
            &found.span,
            "this variable is not available here".to_owned(),
            Some(OF_CALLER.to_owned()),
        );
    }
    if references.is_empty() {
        say(
            &(0..text.len()),
            "this is the same for every caller".to_owned(),
            Some(OF_CALLER.to_owned()),
        );
        return None;
    }
    strange.is_empty().then_some(mapping)
}

const OF_CALLER: &str = "use `$claims`, `$request.headers` or `$request.ip`";

/// Returns the place of a part of a value, if the file contains the value literally.
fn inside(section: &Section<'_>, node: &Node, text: &str, span: &Span) -> Range<usize> {
    let written = section.reading.file.text.get(node.span.clone()).unwrap_or_default();
    match written.find(text) {
        Some(at) => node.span.start + at + span.start..node.span.start + at + span.end,
        None => node.span.clone(),
    }
}

/// Reads the store; `None` if it is invalid.
fn store(section: &Section<'_>) -> Option<Store> {
    let (mut fail, mut replicas) = (Fail::default(), 1);
    section.read("fail", &mut fail, failing);
    section.read("replicas", &mut replicas, |scalar| values::positive(scalar).map(|n| n as u32));
    if section.get("redis").is_none() {
        refuse_idle(section);
        return Some(Store::Memory);
    }
    shared::read(section).map(|server| Store::Redis { server, fail, replicas })
}

/// Refuses settings without an effect: they would mislead.
fn refuse_idle(section: &Section<'_>) {
    for key in ["fail", "replicas"] {
        let Some(node) = section.get(key) else { continue };
        let message = format!("`{key}` has no effect without `redis`");
        let help = Some("add `redis: { url: \"redis://…\" }`, or remove it".to_owned());
        section.reading.problem("wrong-value", &node.span, Mistake { message, help });
    }
}

fn failing(scalar: &Scalar) -> Read<Fail> {
    match scalar.text.as_str() {
        "open" => Ok(Fail::Open),
        "closed" => Ok(Fail::Closed),
        "local" => Ok(Fail::Local),
        _ => Err(Mistake {
            message: "this is not a valid behaviour without Redis".to_owned(),
            help: Some("write `open`, `closed` or `local`".to_owned()),
        }),
    }
}

/// Parses `10.0.0.0/8`, or one address.
pub(super) fn proxy(scalar: &Scalar) -> Read<IpNet> {
    let text = scalar.text.as_str();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let help = "write the addresses of your proxies, such as `10.1.2.3` or `10.1.0.0/16`";
    match network {
        Ok(network) if network.prefix_len() == 0 => Err(Mistake {
            message: "this trusts every host, so that clients can forge their address".to_owned(),
            help: Some(help.to_owned()),
        }),
        Ok(network) => Ok(network.trunc()),
        Err(_) => Err(Mistake {
            message: "this is neither an address nor a network".to_owned(),
            help: Some(help.to_owned()),
        }),
    }
}
