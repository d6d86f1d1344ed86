//! One log line per request: method, path, status, operation name, time. Never query strings, headers or bodies, which
//! may hold secrets.

use axum::response::Response;
use http::Method;
use std::time::Instant;

/// Left on a response for the line.
#[derive(Clone)]
pub(super) struct OperationName(pub String);

/// The line of one request. Written when it is done, or, where the client went away first, when it is dropped.
pub(super) struct Line {
    method: Method,
    path: String,
    started: Instant,
    written: bool,
}

impl Line {
    /// `None` where nobody would read it.
    pub(super) fn begin(method: &Method, path: &str) -> Option<Self> {
        tracing::enabled!(target: "portcullis::access", tracing::Level::INFO).then(|| Self {
            method: method.clone(),
            path: path.to_owned(),
            started: Instant::now(),
            written: false,
        })
    }

    pub(super) fn end(mut self, response: &Response) {
        self.written = true;
        let operation = response.extensions().get::<OperationName>();
        tracing::info!(
            target: "portcullis::access",
            method = %self.method,
            path = %self.path,
            status = response.status().as_u16(),
            operation = operation.map(|name| name.0.as_str()),
            ms = self.milliseconds(),
            "answered"
        );
    }

    fn milliseconds(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            tracing::info!(
                target: "portcullis::access",
                method = %self.method,
                path = %self.path,
                ms = self.milliseconds(),
                "the client went away"
            );
        }
    }
}
