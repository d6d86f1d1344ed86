//! Metrics of persisted documents.

use metrics::counter;

/// Counts documents that were requested by id or hash, by where they were found: `manifest`, `memory`, `redis`,
/// `nowhere`.
pub(super) fn document(from: &'static str) {
    counter!("portcullis_documents_by_id_total", "from" => from).increment(1);
}

/// Counts documents that were sent and are in no manifest, by outcome: `logged`, `refused`.
pub(super) fn untrusted(outcome: &'static str) {
    counter!("portcullis_untrusted_documents_total", "outcome" => outcome).increment(1);
}
