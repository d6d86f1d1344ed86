//! `/admin/upstreams`: the state of the instances of all sources, as JSON for machines and as a page for people, which
//! reloads itself without a script.
//!
//! It is read-only: nothing is set, reset or called from here. The edge decides who may access it.

mod page;
pub mod words;

use crate::source::secrets;
use crate::upstream::Watched;
use crate::upstream::status::Status;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

pub const PATH: &str = "/admin/upstreams";

const STYLE: &str = include_str!("admin/style.css");

/// State of all sources.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct View {
    /// Version of the gateway.
    pub version: String,
    /// Milliseconds since it started.
    pub up_ms: u64,
    pub sources: Vec<Status>,
}

/// Returns the routes over all sources of a gateway that starts now.
pub fn router(upstreams: Vec<Arc<dyn Watched>>) -> Router {
    let began = Instant::now();
    let upstreams: Arc<[Arc<dyn Watched>]> = upstreams.into();
    let answer = move |headers: HeaderMap| {
        let view = View::of(&upstreams, began, Instant::now());
        async move { answer(&view, &headers) }
    };
    Router::new()
        .route(PATH, get(answer))
        .route(page::STYLE_PATH, get(async || typed("text/css; charset=utf-8", STYLE.to_owned())))
        .fallback(async || {
            let mut response = typed("text/plain; charset=utf-8", format!("see {PATH}\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        })
}

impl View {
    fn of(upstreams: &[Arc<dyn Watched>], began: Instant, now: Instant) -> Self {
        let up = now.saturating_duration_since(began).as_millis();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            up_ms: u64::try_from(up).unwrap_or(u64::MAX),
            sources: upstreams.iter().map(|upstream| masked(upstream.status(now))).collect(),
        }
    }
}

/// Masks secrets in the status, which errors may quote.
fn masked(mut status: Status) -> Status {
    let errors = status.recent_errors.iter_mut().map(|recent| &mut recent.error);
    for text in errors.chain(&mut status.discovery_error) {
        *text = secrets::mask(text).into_owned();
    }
    status
}

fn answer(view: &View, headers: &HeaderMap) -> Response {
    let mut response = if wants_page(headers) {
        typed("text/html; charset=utf-8", page::page(view))
    } else {
        let mut json = serde_json::to_string(view).unwrap_or_default();
        json.push('\n');
        typed("application/json", json)
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Returns whether the client asks for HTML, as browsers do.
fn wants_page(headers: &HeaderMap) -> bool {
    let names = |media: &str| {
        let lists = headers.get_all(ACCEPT).iter().filter_map(|list| list.to_str().ok());
        lists.flat_map(|list| list.split(',')).any(|one| one.trim().starts_with(media))
    };
    names("text/html") && !names("application/json")
}

fn typed(content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
pub(crate) mod tests;
