//! Scopes of a token: `scope` as a text separated by spaces (RFC 8693, section 4.2) or as a list, `scp`, `scopes`; or
//! the one claim that is configured for the issuer.

use crate::graphql::Name;
use crate::source::{Caller, claim};
use serde_json::Value;

/// Claims that may hold scopes.
const CLAIMS: [&str; 3] = ["scope", "scp", "scopes"];

/// Returns `true` if the caller's token has every scope of one of the lists.
pub(super) fn suffice(caller: &Caller, any: &[Vec<Name>]) -> bool {
    // The load refuses an empty list, which would let every caller pass.
    any.iter().any(|all| !all.is_empty() && all.iter().all(|scope| has(caller, scope)))
}

fn has(caller: &Caller, scope: &str) -> bool {
    let holds = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.split(' ').any(|word| word == scope),
        Some(Value::Array(list)) => list.iter().any(|element| element == scope),
        _ => false,
    };
    match &caller.scopes_claim {
        Some(path) => holds(claim(&caller.claims, path)),
        None => CLAIMS.iter().any(|name| holds(caller.claims.get(*name))),
    }
}
