//! Tokens over HTTP: a good one is somebody, none is nobody, and a bad one is refused before anything is asked. What
//! makes a token bad is tested where tokens are read (`src/identity/tests/`).

use crate::support::client::{Answer, Http};
use crate::support::exchange::Exchange;
use crate::support::gateway::Gateway;
use crate::support::mock::{Mock, Script};
use portcullis::demo::{AUDIENCE, ISSUER, Issuer, PEOPLE};
use serde_json::json;
use std::time::{Duration, SystemTime};

const SCHEMA: &str = "type Query { me: String @rest(source: \"api\", GET: \"/me\") }\n\
    type Mutation { change: String @rest(source: \"api\", POST: \"/me\") }\n";
const ME: &str = r#"{"query":"{ me }"}"#;

struct Guarded {
    gateway: Gateway,
    mock: Mock,
    issuer: Issuer,
    http: Http,
    _folder: tempfile::TempDir,
}

impl Guarded {
    /// A gateway that believes a new issuer, over a service that is called with these `x-user-id`s, one after another.
    async fn start(auth: &str, calls: &[Option<&str>]) -> Self {
        let exchange = |id: Option<&str>| -> Exchange {
            serde_json::from_value(json!({
                "request": "GET /me",
                "headers": { "x-user-id": id },
                "reply": { "body": id.unwrap_or("nobody") },
            }))
            .unwrap()
        };
        let exchanges = calls.iter().copied().map(exchange).collect();
        let rounds = calls.iter().map(|_| vec!["GET /me".to_owned()]).collect();
        let mock = Mock::start(Script { exchanges, rounds, pool: None }).await;
        let (issuer, folder) = (Issuer::new(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("jwks.json"), issuer.jwks()).unwrap();
        let config = format!(
            "auth:\n  providers: [{{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks_file: jwks.json }}]\n{auth}\
             sources:\n  api:\n    rest: {{ url: \"http://{}\" }}\n    \
             headers: {{ forward: [x-user-id], claims: {{ x-user-id: sub }} }}\n",
            mock.address
        );
        let gateway = Gateway::start(folder.path(), SCHEMA, &config).await.unwrap();
        Self { gateway, mock, issuer, http: Http::new(), _folder: folder }
    }

    fn token(&self) -> String {
        self.issuer.token(PEOPLE[0], SystemTime::now())
    }

    async fn ask(&self, headers: &[(&str, &str)]) -> Answer {
        self.http.post(&self.gateway.url, headers, ME).await
    }

    async fn refused(&self, headers: &[(&str, &str)]) -> Answer {
        let answer = self.ask(headers).await;
        assert_refused(&answer);
        assert_eq!(answer.headers["www-authenticate"], r#"Bearer error="invalid_token""#);
        answer
    }
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text());
    let body = answer.json();
    assert!(body.get("data").is_none(), "{body}");
    let extensions = &body["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "UNAUTHENTICATED");
    assert!(extensions["errorId"].is_string(), "{body}");
}

#[tokio::test]
async fn a_good_token_is_somebody_and_none_is_nobody() {
    let gateway = Guarded::start("", &[Some("1"), Some("1"), None]).await;
    let bearer = format!("Bearer {}", gateway.token());
    // The second time it is known already; what a client says of itself counts in neither.
    for _ in 0..2 {
        let answer = gateway.ask(&[("authorization", &bearer), ("x-user-id", "2")]).await;
        assert_eq!(answer.json(), json!({ "data": { "me": "1" } }));
    }
    let answer = gateway.ask(&[("x-user-id", "2")]).await;
    assert_eq!(answer.json(), json!({ "data": { "me": "nobody" } }));
    assert_eq!(gateway.mock.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bad_token_is_refused_under_either_media_type_and_nothing_is_asked() {
    let gateway = Guarded::start("", &[]).await;
    let good = gateway.token();
    let other = format!("Bearer {}", Issuer::new().token(PEOPLE[0], SystemTime::now()));
    let expired = SystemTime::now() - Duration::from_hours(25);
    let expired = format!("Bearer {}", gateway.issuer.token(PEOPLE[0], expired));
    let endless = gateway.issuer.sign(&json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "1" }));
    let (endless, cut) =
        (format!("Bearer {endless}"), format!("Bearer {}", &good[..good.len() - 1]));
    let huge = format!("Bearer {}", "x".repeat(9_000));
    for value in
        [&*other, &*expired, &*endless, &*cut, &*huge, "Bearer", "Bearer x", "Basic dTpw", ""]
    {
        for media in ["application/json", "application/graphql-response+json"] {
            let answer = gateway.refused(&[("authorization", value), ("accept", media)]).await;
            assert!(answer.headers["content-type"].to_str().unwrap().starts_with(media));
            let said = answer.text();
            for told in ["expired", "signature", "issuer", "alg"] {
                assert!(!said.contains(told), "the reason is for the log: {said}");
            }
        }
    }
    assert_eq!(gateway.mock.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn two_tokens_are_refused_even_if_both_are_good() {
    let gateway = Guarded::start("  token: { cookie: session }\n", &[Some("1")]).await;
    let token = gateway.token();
    let (bearer, cookie) = (format!("Bearer {token}"), format!("a=1; session={token}"));
    gateway.refused(&[("authorization", &bearer), ("authorization", &bearer)]).await;
    gateway.refused(&[("authorization", &bearer), ("cookie", &cookie)]).await;
    gateway.refused(&[("cookie", &cookie), ("cookie", &cookie)]).await;
    let answer = gateway.ask(&[("cookie", &cookie)]).await;
    assert_eq!(answer.json()["data"]["me"], "1");
    assert_eq!(gateway.mock.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_is_refused_where_a_token_is_needed() {
    let gateway = Guarded::start("  on_missing_token: refuse\n", &[Some("1")]).await;
    let answer = gateway.ask(&[]).await;
    assert_refused(&answer);
    assert_eq!(answer.headers["www-authenticate"], "Bearer", "who sent nothing did nothing wrong");
    gateway.refused(&[("authorization", "Bearer x")]).await;
    let bearer = format!("Bearer {}", gateway.token());
    assert_eq!(gateway.ask(&[("authorization", &bearer)]).await.json()["data"]["me"], "1");
    let health = gateway.gateway.url.replace("/graphql", "/health");
    assert_eq!(gateway.http.get(&health).await.status, 200, "probes have no token");
}

#[tokio::test]
async fn another_header_may_hold_the_token() {
    let auth = "  token: { header: x-access-token }\n";
    let gateway = Guarded::start(auth, &[Some("1"), None]).await;
    let token = gateway.token();
    let basic = ("authorization", "Basic dTpw");
    let answer = gateway.ask(&[("x-access-token", &token), basic]).await;
    assert_eq!(answer.json()["data"]["me"], "1");
    gateway.refused(&[("x-access-token", "nonsense")]).await;
    gateway.refused(&[("x-access-token", &token), ("x-access-token", &token)]).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(gateway.ask(&[("authorization", &bearer)]).await.json()["data"]["me"], "nobody");
    assert_eq!(gateway.mock.complaints(), Vec::<String>::new());
}
