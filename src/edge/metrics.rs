//! Metrics of the edge. Without a recorder in the process they cost nothing. This file does not know who reads them.

use metrics::{Counter, Gauge, Histogram, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Values of the label `status`: the outcomes of requests.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "cancelled"];

/// Metric handles, looked up once.
pub(super) struct Metrics {
    requests: [Counter; 6],
    seconds: Histogram,
    sent: Counter,
    pub received: Counter,
    pub in_flight: Gauge,
    connections: Gauge,
    pub refused: Counter,
    pub displaced: Counter,
    pub failed_handshakes: Counter,
}

impl Metrics {
    pub(super) fn new() -> Arc<Self> {
        describe();
        Arc::new(Self {
            requests: CLASSES.map(
                |class| metrics::counter!("portcullis_http_requests_total", "status" => class),
            ),
            seconds: metrics::histogram!("portcullis_http_request_duration_seconds"),
            sent: metrics::counter!("portcullis_http_sent_bytes_total"),
            received: metrics::counter!("portcullis_http_received_bytes_total"),
            in_flight: metrics::gauge!("portcullis_http_requests_in_flight"),
            connections: metrics::gauge!("portcullis_http_connections"),
            refused: metrics::counter!("portcullis_http_connections_refused_total"),
            displaced: metrics::counter!("portcullis_http_connections_displaced_total"),
            failed_handshakes: metrics::counter!("portcullis_http_failed_handshakes_total"),
        })
    }

    /// Returns metrics that count nothing, for an address that serves only probes.
    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self {
            requests: CLASSES.map(|_| Counter::noop()),
            seconds: Histogram::noop(),
            sent: Counter::noop(),
            received: Counter::noop(),
            in_flight: Gauge::noop(),
            connections: Gauge::noop(),
            refused: Counter::noop(),
            displaced: Counter::noop(),
            failed_handshakes: Counter::noop(),
        })
    }

    /// Counts an open connection until the returned guard is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.connections.increment(1);
        Open(Arc::clone(self))
    }

    /// Counts a finished request. `status` is `None` if its client disconnected first.
    pub(super) fn ended(&self, status: Option<u16>, time: Duration, sent: u64) {
        let class = match status {
            Some(status @ 100..600) => usize::from(status / 100) - 1,
            _ => CLASSES.len() - 1,
        };
        self.requests[class].increment(1);
        self.seconds.record(time);
        self.sent.increment(sent);
    }
}

pub(super) struct Open(Arc<Metrics>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.decrement(1);
    }
}

fn describe() {
    let counts = [
        ("portcullis_http_requests_total", "Requests answered in full, by class of status."),
        ("portcullis_http_connections_refused_total", "Connections of clients that had too many."),
        (
            "portcullis_http_connections_displaced_total",
            "Silent or idle connections closed to make room for others.",
        ),
        ("portcullis_http_failed_handshakes_total", "TLS handshakes that came to nothing."),
    ];
    for (name, text) in counts {
        metrics::describe_counter!(name, Unit::Count, text);
    }
    for (name, text) in [
        ("portcullis_http_sent_bytes_total", "Bytes of answers' bodies, compressed ones as sent."),
        ("portcullis_http_received_bytes_total", "Bytes read from clients, TLS taken off."),
    ] {
        metrics::describe_counter!(name, Unit::Bytes, text);
    }
    for (name, text) in [
        ("portcullis_http_requests_in_flight", "Requests whose answers are not sent in full."),
        ("portcullis_http_connections", "Open connections of clients."),
    ] {
        metrics::describe_gauge!(name, Unit::Count, text);
    }
    metrics::describe_histogram!(
        "portcullis_http_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to the last byte of its answer."
    );
}
