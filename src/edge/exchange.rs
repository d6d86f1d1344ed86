//! Access log and metrics of one request, from its head to the last byte of its response.
//!
//! A request ends when the response's body was handed to the connection in full, or was dropped because the client
//! disconnected. Either way it is reported once. The log line has method, path, status, operation, ids, bytes and time.
//! It never has query strings, headers or bodies, which may hold secrets.

use super::metrics::Metrics;
use super::trace::Ids;
use crate::engine::Document;
use axum::response::Response;
use http::Method;
use std::sync::Arc;
use std::time::Instant;

/// The operation, stored in a response's extensions for the log line.
#[derive(Clone)]
pub(super) struct Operation {
    /// Operation name of the request, as the client sent it.
    pub name: Option<String>,
    /// First 16 hexadecimal digits of the SHA-256 of the text, or the first 16 characters of a persisted document's id
    /// or hash.
    pub hash: String,
}

impl Operation {
    pub(super) fn of(name: Option<&String>, document: &Document) -> Self {
        let hash = match document {
            Document::Text(text) | Document::Hash { text: Some(text), .. } => {
                let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
                digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            }
            Document::Id(id) => id.trim_start_matches("sha256:").chars().take(16).collect(),
            Document::Hash { hash, text: None } => hash.chars().take(16).collect(),
        };
        Self { name: name.cloned(), hash }
    }
}

/// Returns `true` if the access log is enabled.
pub(super) fn is_read() -> bool {
    tracing::enabled!(target: "portcullis::access", tracing::Level::INFO)
}

pub(super) struct Exchange {
    metrics: Arc<Metrics>,
    started: Instant,
    /// `None` if the access log is disabled.
    line: Option<Line>,
    status: Option<u16>,
    sent: u64,
    whole: bool,
}

/// Parts of the log line that are known from the request.
struct Line {
    method: Method,
    path: String,
    ids: Ids,
    operation: Option<Operation>,
}

impl Exchange {
    pub(super) fn begin(
        metrics: &Arc<Metrics>,
        logged: bool,
        method: &Method,
        path: &str,
        ids: &Ids,
    ) -> Self {
        metrics.in_flight.increment(1);
        Self {
            metrics: Arc::clone(metrics),
            started: Instant::now(),
            line: (logged && is_read()).then(|| Line {
                method: method.clone(),
                path: path.to_owned(),
                ids: ids.clone(),
                operation: None,
            }),
            status: None,
            sent: 0,
            // The response to a HEAD has no body to wait for.
            whole: *method == Method::HEAD,
        }
    }

    /// Records the status of the response. Its body is still to be sent.
    pub(super) fn answered(&mut self, response: &mut Response) {
        self.status = Some(response.status().as_u16());
        if let Some(line) = &mut self.line {
            line.operation = response.extensions_mut().remove();
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Records that the body was sent in full.
    pub(super) fn complete(&mut self) {
        self.whole = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let time = self.started.elapsed();
        self.metrics.in_flight.decrement(1);
        let status = self.status.filter(|_| self.whole);
        self.metrics.ended(status, time, self.sent);
        let Some(line) = &self.line else { return };
        let said = if status.is_some() { "answered" } else { "the client went away" };
        tracing::info!(
            target: "portcullis::access",
            method = %line.method,
            path = %line.path,
            status = self.status,
            operation = line.operation.as_ref().and_then(|operation| operation.name.as_deref()),
            operation_hash = line.operation.as_ref().map(|operation| operation.hash.as_str()),
            request_id = line.ids.request.to_str().unwrap_or_default(),
            trace_id = %line.ids.trace,
            span_id = %line.ids.span,
            bytes = self.sent,
            ms = (time.as_secs_f64() * 1e6).round() / 1e3,
            "{said}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use serde_json::Value;
    use std::io;
    use std::sync::{Mutex, PoisonError};

    /// Captures log lines.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log line of an exchange on which `run` was called.
    fn line(run: impl FnOnce(&mut Exchange)) -> (Value, Ids) {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        let ids = Ids::take(&HeaderMap::new(), false, 0);
        tracing::subscriber::with_default(subscriber, || {
            let metrics = Metrics::none();
            let mut exchange = Exchange::begin(&metrics, true, &Method::POST, "/graphql", &ids);
            run(&mut exchange);
        });
        let bytes = kept.0.lock().unwrap().clone();
        (serde_json::from_slice(&bytes).expect("one line of JSON"), ids)
    }

    fn answer(exchange: &mut Exchange) {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        let operation = Operation::of(Some(&"A".to_owned()), &"query A { a }".into());
        response.extensions_mut().insert(operation);
        exchange.answered(&mut response);
    }

    #[test]
    fn the_line_has_everything_to_find_a_request_by() {
        let (line, ids) = line(|exchange| {
            answer(exchange);
            exchange.sent(10);
            exchange.sent(20);
            exchange.complete();
        });
        for (name, value) in [
            ("message", Value::from("answered")),
            ("method", "POST".into()),
            ("path", "/graphql".into()),
            ("status", 400.into()),
            ("operation", "A".into()),
            ("operation_hash", "7d0eedabb9661078".into()),
            ("request_id", ids.request.to_str().unwrap().into()),
            ("trace_id", ids.trace.as_str().into()),
            ("span_id", ids.span.as_str().into()),
            ("bytes", 30.into()),
        ] {
            assert_eq!(line[name], value, "{line}");
        }
        assert!(line["ms"].as_f64().is_some_and(|ms| ms >= 0.0));
    }

    #[test]
    fn a_client_that_went_away_is_told_apart() {
        let gone = "the client went away";
        let (before, _) = line(|_| {});
        assert_eq!((&before["message"], &before["status"]), (&gone.into(), &Value::Null));
        let (during, _) = line(|exchange| {
            answer(exchange);
            exchange.sent(10);
        });
        assert_eq!((&during["message"], &during["bytes"]), (&gone.into(), &10.into()));
    }
}
