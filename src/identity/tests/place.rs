//! Places where a token may be, and that it is in only one.

use super::*;
use crate::identity::{OnMissing, TokenSettings};
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn with_cookie() -> TokenSettings {
    TokenSettings { cookie: Some("session".to_owned()), ..TokenSettings::default() }
}

#[test]
fn a_bearer_token_has_its_scheme_in_any_case() {
    let settings = TokenSettings::default();
    for value in ["Bearer t", "bearer t", "BEARER t", "Bearer   t"] {
        let headers = headers(&[("authorization", value)]);
        assert_eq!(settings.in_headers(&headers), Ok(Some("t")), "{value}");
    }
    for value in ["Basic dTpw", "Bearer", "t", "", "Bearert t", "Token t"] {
        let headers = headers(&[("authorization", value)]);
        assert_eq!(settings.in_headers(&headers), Err(Refused::Scheme), "{value}");
    }
    assert_eq!(settings.in_headers(&headers(&[("cookie", "session=t")])), Ok(None));
    assert_eq!(settings.in_headers(&HeaderMap::new()), Ok(None));
    let mut odd = HeaderMap::new();
    odd.insert("authorization", HeaderValue::from_bytes(b"Bearer \xff").unwrap());
    assert_eq!(settings.in_headers(&odd), Err(Refused::Malformed));
}

#[test]
fn two_tokens_are_none() {
    let two = [("authorization", "Bearer t"), ("authorization", "Bearer t")];
    assert_eq!(TokenSettings::default().in_headers(&headers(&two)), Err(Refused::Several));
    let settings = with_cookie();
    let both = [("authorization", "Bearer t"), ("cookie", "session=t")];
    assert_eq!(settings.in_headers(&headers(&both)), Err(Refused::Several));
    let cookies = [("cookie", "session=a; x=1; session=b")];
    assert_eq!(settings.in_headers(&headers(&cookies)), Err(Refused::Several));
    let lines = [("cookie", "session=a"), ("cookie", "session=b")];
    assert_eq!(settings.in_headers(&headers(&lines)), Err(Refused::Several));
}

#[test]
fn a_cookie_is_found_by_its_whole_name() {
    let settings = with_cookie();
    for (value, expected) in [
        ("session=t", Some("t")),
        ("a=1; session=t; b=2", Some("t")),
        ("a=1;session=t", Some("t")),
        ("xsession=t", None),
        ("session2=t", None),
        ("Session=t", None),
        ("session=", None),
        ("session", None),
        ("a=session=t", None),
    ] {
        assert_eq!(settings.in_headers(&headers(&[("cookie", value)])), Ok(expected), "{value}");
    }
    let mut odd = HeaderMap::new();
    odd.insert(COOKIE, HeaderValue::from_bytes(b"session=\xff").unwrap());
    assert_eq!(settings.in_headers(&odd), Ok(None));
}

#[test]
fn another_header_takes_the_place_of_authorization() {
    let settings = TokenSettings {
        header: HeaderName::from_static("x-access-token"),
        prefix: String::new(),
        cookie: None,
    };
    let found = headers(&[("x-access-token", "t"), ("authorization", "Basic dTpw")]);
    assert_eq!(settings.in_headers(&found), Ok(Some("t")));
}

#[test]
fn a_connection_init_says_it_like_a_header() {
    let settings = TokenSettings::default();
    for payload in [
        json!({ "Authorization": "Bearer t" }),
        json!({ "authorization": "bearer t", "x": 1 }),
        json!({ "headers": { "Authorization": "Bearer t" } }),
    ] {
        assert_eq!(settings.in_payload(&payload), Ok(Some("t")), "{payload}");
    }
    for payload in [json!(null), json!({}), json!([]), json!({ "authorization": null }), json!("t")]
    {
        assert_eq!(settings.in_payload(&payload), Ok(None), "{payload}");
    }
    for (payload, expected) in [
        (json!({ "Authorization": "Bearer t", "authorization": "Bearer u" }), Refused::Several),
        (
            json!({ "Authorization": "Bearer t", "headers": { "authorization": "Bearer t" } }),
            Refused::Several,
        ),
        (json!({ "Authorization": ["Bearer t"] }), Refused::Scheme),
        (json!({ "Authorization": "t" }), Refused::Scheme),
    ] {
        assert_eq!(settings.in_payload(&payload), Err(expected), "{payload}");
    }
}

#[tokio::test]
async fn nobody_may_be_refused() {
    let signer = Signer::eddsa();
    let settings = |on_missing| Settings {
        providers: vec![provider(ISSUER, &[signer.jwk("a")])],
        on_missing,
        ..Settings::default()
    };
    let open = Identity::new(&settings(OnMissing::Allow)).unwrap();
    assert_eq!(open.of_headers(&HeaderMap::new(), at(NOW)).await, Ok(None));
    assert_eq!(open.anonymous(), Ok(()));
    let closed = Identity::new(&settings(OnMissing::Refuse)).unwrap();
    assert_eq!(closed.anonymous(), Err(Refused::Missing));
    assert_eq!(Identity::default().anonymous(), Ok(()));
    let token = signer.token(&claims());
    let payload = json!({ "authorization": format!("Bearer {token}") });
    let verified = closed.of_init(&payload, false, at(NOW)).await.unwrap().unwrap();
    assert_eq!(verified.claims["sub"], "1");
    let bad = json!({ "authorization": format!("Bearer {token}x") });
    assert_eq!(closed.of_init(&bad, false, at(NOW)).await, Err(Refused::Malformed));
    assert_eq!(closed.of_init(&payload, true, at(NOW)).await, Err(Refused::Several));
}

#[tokio::test]
async fn without_providers_no_header_is_looked_at() {
    let identity = Identity::default();
    let found = identity.of_headers(&bearer("nonsense"), at(NOW)).await;
    assert_eq!(found, Ok(None));
}
