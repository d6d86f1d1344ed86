//! What is counted of documents.

use metrics::counter;

/// Documents that were asked for by id or hash, by where they were found: `manifest`, `memory`, `redis`, `nowhere`.
pub(super) fn document(from: &'static str) {
    counter!("portcullis_documents_by_id_total", "from" => from).increment(1);
}

/// Documents that were sent and are in no manifest, by what became of them: `logged`, `refused`.
pub(super) fn untrusted(outcome: &'static str) {
    counter!("portcullis_untrusted_documents_total", "outcome" => outcome).increment(1);
}
