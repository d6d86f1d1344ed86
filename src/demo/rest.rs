//! Shared by the REST services: how they parse a request, and how they report errors.
//!
//! Like many APIs that grew over time: numbers as IDs, comma-separated lists, errors as `{"error": …}`.

use super::desk::Desk;
use super::failing;
use super::rows::Full;
use super::settings::Failure;
use axum::Router;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use std::sync::Arc;

pub(super) type Answer = Result<Response, Refusal>;
pub(super) type Parsed = Result<Query<Params>, QueryRejection>;

/// Maximum size of a created entity, in bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;
const FIRST_MAX: usize = 500;

/// Every query parameter of every service.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    pub ids: Option<String>,
    pub user_ids: Option<String>,
    pub per_user: Option<String>,
    pub first: Option<String>,
    pub after: Option<String>,
    pub country: Option<String>,
    pub grams: Option<String>,
}

/// An ID as clients send it: `17` or `"17"`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Id(serde_json::Value);

/// Reasons to refuse a request.
pub(super) enum Refusal {
    Said(StatusCode, String),
    Failing(Failure),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(status, why) => {
                json(status, serde_json::json!({ "error": why }).to_string().into())
            }
            Self::Failing(failure) => failing::over_http(failure),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failing(failure)
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        let why = "no more can be created here; start the storefront again".to_owned();
        Self::Said(StatusCode::INSUFFICIENT_STORAGE, why)
    }
}

impl Id {
    pub(super) fn number(&self) -> Option<u32> {
        match &self.0 {
            serde_json::Value::Number(id) => id.as_u64()?.try_into().ok(),
            serde_json::Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

pub(super) fn json(status: StatusCode, text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

pub(super) fn found(row: Option<Bytes>, what: &str, id: &str) -> Answer {
    match row {
        Some(row) => Ok(json(StatusCode::OK, row)),
        None => Err(Refusal::Said(StatusCode::NOT_FOUND, format!("there is no {what} {id:?}"))),
    }
}

pub(super) fn bad(why: impl Into<String>) -> Refusal {
    Refusal::Said(StatusCode::BAD_REQUEST, why.into())
}

pub(super) fn unprocessable(why: impl Into<String>) -> Refusal {
    Refusal::Said(StatusCode::UNPROCESSABLE_ENTITY, why.into())
}

pub(super) fn params(parsed: Parsed) -> Result<Params, Refusal> {
    parsed.map(|Query(params)| params).map_err(|error| bad(error.body_text()))
}

/// Parses the value of a parameter.
pub(super) fn number<N: FromStr>(
    name: &str,
    text: Option<&str>,
    otherwise: N,
) -> Result<N, Refusal> {
    let Some(text) = text else { return Ok(otherwise) };
    text.parse().map_err(|_| bad(format!("`{name}` is not a number this service can use")))
}

/// Parses `first`, at most 500.
pub(super) fn page_size(params: &Params) -> Result<usize, Refusal> {
    let first = number("first", params.first.as_deref(), 20)?;
    if first > FIRST_MAX {
        return Err(bad(format!("`first` is {first}; {FIRST_MAX} is the most")));
    }
    Ok(first)
}

/// Parses comma-separated numbers: sorted, each once, so that clients cannot rely on the order of the reply.
pub(super) fn numbers(name: &str, text: &str, max: usize) -> Result<Vec<u32>, Refusal> {
    let mut numbers = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let number = part.trim().parse();
        numbers.push(number.map_err(|_| bad(format!("`{name}` holds {part:?}, not a number")))?);
        if numbers.len() > max {
            return Err(bad(format!("`{name}` holds more than {max}; ask in parts")));
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

pub(super) fn body<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(text).map_err(|error| bad(format!("the body is not right: {error}")))
}

/// Routes `GET /__requests` and `DELETE /__requests`: read and reset the counters. Not counted themselves.
pub(super) fn counters(desk: &Arc<Desk>) -> Router {
    let (read, reset) = (Arc::clone(desk), Arc::clone(desk));
    let read = move || async move {
        let text = serde_json::to_vec(&read.requests()).unwrap_or_default();
        json(StatusCode::OK, text.into())
    };
    let reset = move || async move {
        reset.reset();
        StatusCode::NO_CONTENT
    };
    Router::new().route("/__requests", get(read).delete(reset)).fallback(|| async {
        Refusal::Said(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned())
    })
}
