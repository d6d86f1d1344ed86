//! Operators' pages, on a separate address.
//!
//! There is no login: access to the address is access to the pages. So other websites must not reach it through a
//! visitor's browser. A request for another host name that resolves to this address (DNS rebinding) is refused, and so
//! is one that another page's script sends. The headers of a response keep browsers from framing it, from storing it,
//! and from loading anything else for it.

use super::reply;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};
use std::net::{IpAddr, SocketAddr};

const HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Wraps the routes: only requests for `localhost` or for the listening IP address are served.
pub(super) fn guarded(router: Router, scheme: &'static str, listen: SocketAddr) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| async move {
        let mut response = match refusal(&request, scheme, listen) {
            Some(refusal) => refusal,
            None => next.run(request).await,
        };
        for (name, value) in HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }))
}

fn refusal(request: &Request, scheme: &str, listen: SocketAddr) -> Option<Response> {
    let host = host(request);
    if !host.is_some_and(|host| is_own(host, listen)) {
        let text = format!("this is for {scheme}://{listen}, by its number or as localhost\n");
        return Some(reply::text(StatusCode::MISDIRECTED_REQUEST, text));
    }
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(by, from)| by == scheme && Some(from) == host)
    };
    if !request.headers().get_all(ORIGIN).iter().all(own) {
        return Some(reply::text(StatusCode::FORBIDDEN, "no other page may ask for this\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "here is only to be read\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    None
}

/// Returns the host that the client addresses.
fn host(request: &Request) -> Option<&str> {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(Authority::as_str).or(header)
}

/// Returns `true` for `localhost` and for IP addresses of this listener, which cannot be rebound by DNS.
fn is_own(host: &str, listen: SocketAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match number.parse::<IpAddr>() {
        Ok(ip) => {
            let (ip, own) = (ip.to_canonical(), listen.ip().to_canonical());
            ip.is_loopback() || ip == own || own.is_unspecified()
        }
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_its_own_and_localhost_are_answered_to() {
        let own = |listen: &str, host: &str| is_own(host, listen.parse().unwrap());
        for host in ["127.0.0.1:4099", "127.8.8.8", "localhost:4099", "LocalHost", "[::1]:4099"] {
            assert!(own("127.0.0.1:4099", host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "10.0.0.5:4099", "127.0.0.1.evil", "", "a b"]
        {
            assert!(!own("127.0.0.1:4099", host), "{host}");
        }
        assert!(own("10.0.0.5:4099", "10.0.0.5:4099") && !own("10.0.0.5:4099", "10.0.0.6:4099"));
        assert!(own("0.0.0.0:4099", "10.0.0.6:4099") && !own("0.0.0.0:4099", "evil.example"));
    }
}
