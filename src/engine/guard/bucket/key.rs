//! Keys of buckets: the caller's name, from the configured expressions, and its tier.
//!
//! A name may be a secret (an API key) and may be long, so it is hashed at once: the stores hold only its SHA-256, and
//! so does Redis. The hash includes the expression that the name came from, so that a caller cannot use another's
//! bucket by sending its subject as an API key. A hash does not protect names that can be guessed, such as addresses.
//! Redis must not be open to strangers anyway.

use super::level::Flow;
use super::settings::Rate;
use crate::mapping::{Expr, ExprKind, Mapping, Scope, Variable};
use crate::source::{Caller, Inputs};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Key of one caller's bucket in its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// The tiers, and the expressions that name callers.
pub struct Policies {
    names: Vec<Name>,
    tiers: Vec<(Mapping, Arc<Policy>)>,
    default: Arc<Policy>,
}

/// Limits of the callers of one tier.
#[derive(Debug)]
pub struct Policy {
    /// Name of the tier, or `default`.
    pub name: Arc<str>,
    pub flow: Flow,
}

/// An expression, with fast paths for the most common ones.
enum Name {
    Header(Box<str>),
    Ip,
    Other(Mapping),
}

/// Stands for the expression in the shared key of all callers without a name.
const NAMELESS: u32 = u32::MAX;

impl Key {
    fn of(policy: &str, expression: u32, name: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [policy.as_bytes(), b"\0", &expression.to_be_bytes(), name] {
            context.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }

    /// Returns the shard that it belongs to, of `of` shards.
    #[must_use]
    pub fn shard(&self, of: usize) -> usize {
        usize::from(self.0[0]) % of
    }

    /// Returns the key in Redis: `rate:` and 43 letters.
    #[must_use]
    pub fn name(&self) -> String {
        use base64::Engine as _;
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0);
        format!("rate:{hash}")
    }
}

impl Policies {
    #[must_use]
    pub fn new(rate: &Rate) -> Self {
        let policy = |name: String, flow| Arc::new(Policy { name: name.into(), flow });
        let tier = |(number, tier): (usize, &super::settings::Tier)| {
            let name = tier.name.clone().unwrap_or_else(|| format!("tier-{}", number + 1));
            (tier.when.clone(), policy(name, tier.allowance.flow()))
        };
        Self {
            names: rate.key.iter().map(Name::new).collect(),
            tiers: rate.tiers.iter().enumerate().map(tier).collect(),
            default: policy("default".to_owned(), rate.allowance.flow()),
        }
    }

    /// Returns the key of the caller's bucket, and its tier.
    #[must_use]
    pub fn find(&self, caller: &Caller) -> (Key, &Arc<Policy>) {
        let holds = |when: &Mapping| evaluate(when, caller) == Value::Bool(true);
        let tier = self.tiers.iter().find(|(when, _)| holds(when));
        let policy = tier.map_or(&self.default, |(_, policy)| policy);
        for (number, name) in (0..).zip(&self.names) {
            if let Some(name) = name.of(caller) {
                return (Key::of(&policy.name, number, name.as_bytes()), policy);
            }
        }
        (Key::of(&policy.name, NAMELESS, b""), policy)
    }
}

impl Name {
    fn new(mapping: &Mapping) -> Self {
        match &mapping.expr().kind {
            ExprKind::Variable(Variable::RequestIp) => Self::Ip,
            ExprKind::Key { of, name, .. } if is_headers(of) => Self::Header(name.clone()),
            _ => Self::Other(mapping.clone()),
        }
    }

    /// Returns the caller's name; `None` for null, an empty text, and an expression that fails for this caller.
    fn of<'a>(&self, caller: &'a Caller) -> Option<Cow<'a, str>> {
        let name = match self {
            Self::Ip => Cow::Owned(network(caller.ip?).to_string()),
            Self::Header(name) => header(caller, name)?,
            Self::Other(mapping) => match evaluate(mapping, caller) {
                Value::Null => return None,
                Value::String(text) => Cow::Owned(text),
                other => Cow::Owned(other.to_string()),
            },
        };
        (!name.is_empty()).then_some(name)
    }
}

fn is_headers(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Variable(Variable::RequestHeaders))
}

/// Like [`crate::source::headers_to_value`], for a single header.
fn header<'a>(caller: &'a Caller, name: &str) -> Option<Cow<'a, str>> {
    let mut values = caller.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = values.next()?;
    let joined = values.fold(Cow::Borrowed(first), |joined, value| joined + ", " + value);
    Some(joined)
}

/// Returns the address that counts as one caller: for IPv6 the first 64 bits, because the caller can choose the rest.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Evaluates an expression. Yields null if a method does not apply to its value.
fn evaluate(mapping: &Mapping, caller: &Caller) -> Value {
    let nothing = &Value::Null;
    let inputs = Inputs {
        args: nothing,
        this: nothing,
        batch: nothing,
        caller,
        env: nothing,
        config: nothing,
    };
    mapping.evaluate(&Scope { current: nothing, variables: &inputs }).unwrap_or_default()
}
