//! The scopes of a token: `scope` as a text with spaces between (RFC 8693, section 4.2) or as a list, `scp`, `scopes`.

use crate::graphql::Name;
use serde_json::Value;

/// Where issuers put scopes.
const CLAIMS: [&str; 3] = ["scope", "scp", "scopes"];

/// The token has every scope of one of the lists.
pub(super) fn suffice(claims: &Value, any: &[Vec<Name>]) -> bool {
    // The load refuses an empty list, which would let everybody pass.
    any.iter().any(|all| !all.is_empty() && all.iter().all(|scope| has(claims, scope)))
}

fn has(claims: &Value, scope: &str) -> bool {
    CLAIMS.iter().any(|name| match claims.get(*name) {
        Some(Value::String(text)) => text.split(' ').any(|word| word == scope),
        Some(Value::Array(list)) => list.iter().any(|element| element == scope),
        _ => false,
    })
}
