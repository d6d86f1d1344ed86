//! Metrics of tokens (valid, or invalid by reason) and of fetches of keys. No label comes from a client.

use super::Refused;
use metrics::counter;
use std::sync::Arc;

/// Counts a valid token; `known` if it had been verified before.
pub(super) fn verified(known: bool) {
    if known {
        counter!("portcullis_tokens_verified_total", "known" => "true").increment(1);
    } else {
        counter!("portcullis_tokens_verified_total", "known" => "false").increment(1);
    }
}

pub(super) fn refused(refused: &Refused) {
    counter!("portcullis_tokens_refused_total", "reason" => refused.label()).increment(1);
}

/// Counts a fetch of keys. Issuers are those of the configuration.
pub(super) fn fetched(issuer: &Arc<str>, outcome: &'static str) {
    let issuer = metrics::SharedString::from_shared(Arc::clone(issuer));
    counter!("portcullis_jwks_fetches_total", "issuer" => issuer, "outcome" => outcome)
        .increment(1);
}
