//! Answers of a failing service, over HTTP and over gRPC.

use super::settings::Failure;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;

/// Marks a response that must not be sent: the connection closes instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

/// Header of a gRPC message of 300 MB (gRPC over HTTP/2, "Length-Prefixed-Message").
const FRAME: [u8; 5] = [0, 0x11, 0xe1, 0xa3, 0x00];
const CHUNK: usize = 1_000_000;
const CHUNKS: usize = 300;

pub(super) fn over_http(failure: Failure) -> Response<Body> {
    match failure {
        Failure::Status(status) => {
            let mut response = reply("application/json", r#"{"error":"told to fail"}"#);
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response
        }
        Failure::Half => reply("application/json", r#"{"rows":[{"id":1,"#),
        Failure::Huge => huge("application/json", b"[\""),
        other => over_both(other),
    }
}

pub(super) fn over_grpc(failure: Failure) -> Response<Body> {
    match failure {
        Failure::Status(status) => {
            let why = "told to fail";
            let status = match status {
                400 => tonic::Status::invalid_argument(why),
                401 => tonic::Status::unauthenticated(why),
                403 => tonic::Status::permission_denied(why),
                404 => tonic::Status::not_found(why),
                429 => tonic::Status::resource_exhausted(why),
                502..=504 => tonic::Status::unavailable(why),
                _ => tonic::Status::internal(why),
            };
            status.into_http()
        }
        Failure::Half => reply("application/grpc", Bytes::from_static(&FRAME)),
        Failure::Huge => huge("application/grpc", &FRAME),
        other => over_both(other),
    }
}

fn over_both(failure: Failure) -> Response<Body> {
    if failure == Failure::Html {
        return reply("text/html", "<!doctype html><h1>Please sign in</h1>");
    }
    let mut response = reply("text/plain", "");
    response.extensions_mut().insert(HangUp);
    response
}

fn huge(kind: &'static str, start: &'static [u8]) -> Response<Body> {
    let rest = Bytes::from(vec![b'a'; CHUNK]);
    let chunks = std::iter::once(Bytes::from_static(start))
        .chain(std::iter::repeat_n(rest, CHUNKS))
        .map(Ok::<_, Infallible>);
    reply(kind, Body::from_stream(stream::iter(chunks)))
}

fn reply(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
