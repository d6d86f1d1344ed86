//! CSRF protection: refuses requests that a website makes a browser send with the user's cookies or network access.
//!
//! A browser sends some requests to any server without a preflight: `GET`s, and `POST`s with one of the three
//! content types of forms, or with none. Everything else it sends across origins only after a preflight that this server
//! answers by its CORS rules. So a request is accepted
//!
//! 1. if it has one of the configured headers, with any value: no website can add it without a preflight;
//! 2. otherwise, if it is a `POST`, if its content type is none of the simple ones;
//! 3. and if the browser does not report another site as its sender, unless CORS lets that site read the answer.
//!
//! `Sec-Fetch-Site` is set by the browser and cannot be forged by a page. If it is present, it decides. It is absent from
//! old browsers, from plain HTTP to other machines, and from programs. Without it, `Origin` decides for a `GET`, on which
//! browsers send it only across origins. It does not decide for a `POST` with a declared content type, because such a request
//! has passed a preflight already, and a proxy that rewrites `Host` would make every page of our own look foreign.
//!
//! A `GET` with neither header is accepted. The published audit of GraphQL over HTTP asks for that, and every
//! program that sends plain `GET`s relies on it. It runs queries only, so it changes nothing, and no page without CORS
//! can read its answer. A page can still time an answer, from an old browser or over plain HTTP; `strict_get` prevents
//! that.

use super::Settings;
use super::negotiate::sends_simple;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Sender of a request, as far as the browser reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The user, a page of our own origin, or one that CORS allows.
    Welcome,
    /// Another site, by `Sec-Fetch-Site`.
    Foreign,
    /// Another origin, unless a proxy between the browser and us has rewritten `Host`.
    ForeignOrigin,
    /// Not a browser, or an old one.
    Unsaid,
}

/// Refuses a request that a website may have sent without the user's consent. The error is a sentence for the client.
pub(super) fn check(parts: &Parts, settings: &Settings) -> Result<(), &'static str> {
    let headers = &parts.headers;
    if settings.csrf.headers.iter().any(|name| headers.contains_key(name)) {
        return Ok(());
    }
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    if !reads && sends_simple(headers) {
        return Err(
            "a browser would send this for any website: its content type is one of forms, or \
                    missing; send `content-type: application/json`, or `x-portcullis-csrf: 1`",
        );
    }
    match sender(parts, settings) {
        Sender::Foreign => {}
        Sender::ForeignOrigin if reads => {}
        Sender::Unsaid if reads && settings.csrf.strict_get => {
            return Err("a GET must have a header that browsers do not send unasked, such as \
                        `x-portcullis-csrf: 1`");
        }
        _ => return Ok(()),
    }
    Err("the browser says that a page of another site sends this; list its origin under \
         `server.cors.origins`, or send `x-portcullis-csrf: 1`")
}

fn sender(parts: &Parts, settings: &Settings) -> Sender {
    let headers = &parts.headers;
    let origin = headers.get(ORIGIN);
    if origin.is_some_and(|origin| settings.cors.allows(origin)) {
        return Sender::Welcome;
    }
    match (headers.get(SEC_FETCH_SITE), origin) {
        (Some(site), _) if site == "same-origin" || site == "none" => Sender::Welcome,
        (Some(_), _) => Sender::Foreign,
        (None, Some(origin)) if is_own(origin, headers, &parts.uri) => Sender::Welcome,
        (None, Some(_)) => Sender::ForeignOrigin,
        (None, None) => Sender::Unsaid,
    }
}

/// Returns `true` if the origin's host is the requested host. The scheme is ignored: a proxy in front may have
/// terminated TLS.
fn is_own(origin: &HeaderValue, headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = host.or_else(|| uri.authority().map(Authority::as_str));
    let named = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    named.zip(asked).is_some_and(|((_, named), asked)| named.eq_ignore_ascii_case(asked))
}

#[cfg(test)]
mod tests {
    use super::super::{Cors, Csrf};
    use super::*;

    fn check_with(settings: &Settings, method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/graphql");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, settings).is_ok()
    }

    fn shop() -> Settings {
        let origins = vec![HeaderValue::from_static("https://shop.example")];
        Settings { cors: Cors { origins, ..Cors::default() }, ..Settings::default() }
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    const PASS: (&str, &str) = ("apollo-require-preflight", "");
    const HOST: (&str, &str) = ("host", "api.example:8080");
    const OWN: (&str, &str) = ("origin", "http://api.example:8080");
    const SHOP: (&str, &str) = ("origin", "https://shop.example");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    const NULL: (&str, &str) = ("origin", "null");

    /// Tests every method, content type and `Sec-Fetch-Site`, without and with a header that needs a preflight.
    #[test]
    fn each_combination() {
        let sites = [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "nonsense")], false),
            (&[("sec-fetch-site", "cross-site"), EVIL], false),
            (&[("sec-fetch-site", "cross-site"), NULL], false),
            (&[("sec-fetch-site", "cross-site"), SHOP], true),
            (&[("sec-fetch-site", "same-site"), SHOP], true),
            (&[("sec-fetch-site", "same-origin"), OWN], true),
        ];
        let bodies = [
            ("GET", &[][..], true),
            ("HEAD", &[], true),
            ("POST", &[JSON], true),
            ("POST", &[], false),
            ("POST", &[FORM], false),
            ("POST", &[("content-type", "text/plain")], false),
            ("POST", &[("content-type", "multipart/form-data; boundary=b")], false),
            ("POST", &[("content-type", "application/graphql+json")], true),
        ];
        for (said, welcome) in sites {
            for (method, body, declared) in bodies {
                let mut headers = [said, body, &[HOST]].concat();
                let taken = check_with(&shop(), method, &headers);
                assert_eq!(taken, welcome && declared, "{method} {headers:?}");
                headers.push(PASS);
                assert!(check_with(&shop(), method, &headers), "{method} {headers:?}");
            }
        }
    }

    #[test]
    fn an_origin_alone_decides_for_get() {
        for (origin, get) in [(OWN, true), (SHOP, true), (EVIL, false), (NULL, false)] {
            assert_eq!(check_with(&shop(), "GET", &[origin, HOST]), get, "{origin:?}");
            assert!(check_with(&shop(), "POST", &[origin, HOST, JSON]), "{origin:?}");
            assert!(!check_with(&shop(), "POST", &[origin, HOST, FORM]), "{origin:?}");
        }
    }

    #[test]
    fn any_origin_is_welcome_where_cors_says_so() {
        let cors = Cors { origins: vec![HeaderValue::from_static("*")], ..Cors::default() };
        let open = Settings { cors, ..Settings::default() };
        assert!(check_with(&open, "GET", &[("sec-fetch-site", "cross-site"), EVIL]));
        // An image or a link: it has no origin, so no page could read the answer.
        assert!(!check_with(&open, "GET", &[("sec-fetch-site", "cross-site")]));
        assert!(!check_with(&open, "POST", &[EVIL, FORM]));
    }

    #[test]
    fn a_get_can_be_held_to_a_header() {
        let strict =
            Settings { csrf: Csrf { strict_get: true, ..Csrf::default() }, ..Settings::default() };
        assert!(!check_with(&strict, "GET", &[]));
        assert!(check_with(&strict, "GET", &[PASS]));
        assert!(check_with(&strict, "GET", &[("sec-fetch-site", "same-origin")]));
        assert!(check_with(&strict, "POST", &[JSON]));
    }

    #[test]
    fn the_headers_are_those_of_the_settings() {
        let csrf = Csrf { headers: vec![HeaderName::from_static("x-mine")], ..Csrf::default() };
        let mine = Settings { csrf, ..Settings::default() };
        assert!(check_with(&mine, "POST", &[("x-mine", "1")]));
        assert!(!check_with(&mine, "POST", &[PASS]));
    }
}
