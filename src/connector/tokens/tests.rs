//! Tokens over a paused clock, and over a real endpoint.

use super::*;
use crate::connector::credentials::{ClientStyle, Secret};
use crate::connector::testing::{
    Answer, Asked, Server, answer, answer_json, in_an_hour, read_asked,
};
use crate::upstream::{Proxies, Proxy};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

const UNAUTHORIZED: u16 = 401;
const LIFE: Duration = Duration::from_mins(5);

/// Numbered tokens, each granted when there is a permit for it.
struct Script {
    asked: AtomicU64,
    permits: Semaphore,
    fails: AtomicU64,
}

impl Script {
    fn tokens(permits: usize) -> (Arc<Self>, Arc<Tokens>) {
        let script = Self { asked: 0.into(), permits: Semaphore::new(permits), fails: 0.into() };
        let script = Arc::new(script);
        let issuing = Arc::clone(&script);
        let tokens = Tokens::issued_by(&"users".into(), move || {
            let script = Arc::clone(&issuing);
            async move { script.grant().await }.boxed()
        });
        (script, tokens)
    }

    async fn grant(&self) -> Result<Granted, NoToken> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.permits.acquire().await.expect("it is open").forget();
        if self.fails.load(Ordering::SeqCst) > 0 {
            self.fails.fetch_sub(1, Ordering::SeqCst);
            return Err(NoToken::new("down"));
        }
        let header = HeaderValue::from_str(&format!("Bearer {number}")).expect("a header");
        Ok(Granted { header, life: Some(LIFE) })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Returns the token that a call sends.
async fn sent(tokens: &Arc<Tokens>) -> Result<String, Error> {
    tokens.call(in_an_hour(), UNAUTHORIZED, |header| answered(&header).boxed()).await
}

fn answered(header: &HeaderValue) -> std::future::Ready<Result<String, Error>> {
    std::future::ready(Ok(header.to_str().expect("text").to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_and_renewed_before_it_expires() {
    let (script, tokens) = Script::tokens(9);
    for _ in 0..3 {
        assert_eq!(sent(&tokens).await.unwrap(), "Bearer 1");
    }
    tokio::time::advance(Duration::from_secs(269)).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 1");
    assert_eq!(script.asked(), 1);
    // Renewed by another call meanwhile.
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 1");
    renewed(&tokens).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 2");
    // Expired: the call waits.
    tokio::time::advance(LIFE).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 3");
    assert_eq!(script.asked(), 3);
}

/// Waits until the renewal in flight has ended.
async fn renewed(tokens: &Arc<Tokens>) {
    let renewal = tokens.state().renewal.clone();
    if let Some(renewal) = renewal {
        let _ = renewal.await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_for_a_token_serves_all_calls_also_if_the_first_is_given_up() {
    let (script, tokens) = Script::tokens(0);
    assert!(sent(&tokens).now_or_never().is_none(), "given up");
    let calls = futures_util::future::join_all((0..20).map(|_| sent(&tokens)));
    let open = async { script.permits.add_permits(1) };
    let (calls, ()) = tokio::join!(calls, open);
    assert!(calls.into_iter().all(|call| call.unwrap() == "Bearer 1"));
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_token_ends_with_its_deadline_and_nothing_is_sent() {
    let (_script, tokens) = Script::tokens(0);
    let deadline = std::time::Instant::now() + Duration::from_millis(50);
    let call = tokens.call(deadline, UNAUTHORIZED, |header| answered(&header).boxed());
    let error = call.await.unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::UpstreamTimeout, MutationOutcome::NotSent));
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_endpoint_is_left_alone_for_a_moment() {
    let (script, tokens) = Script::tokens(9);
    script.fails.store(1, Ordering::SeqCst);
    for _ in 0..5 {
        let error = sent(&tokens).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UpstreamUnavailable);
        assert_eq!(error.detail, "down");
        assert_eq!(error.outcome, MutationOutcome::NotSent);
    }
    assert_eq!(script.asked(), 1);
    tokio::time::advance(PAUSE).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 2");
}

#[tokio::test(start_paused = true)]
async fn a_good_token_serves_while_renewals_fail() {
    let (script, tokens) = Script::tokens(9);
    sent(&tokens).await.unwrap();
    tokio::time::advance(Duration::from_secs(270)).await;
    script.fails.store(1, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(sent(&tokens).await.unwrap(), "Bearer 1");
        renewed(&tokens).await;
    }
    assert_eq!(script.asked(), 2);
    tokio::time::advance(LONG_PAUSE).await;
    sent(&tokens).await.unwrap();
    renewed(&tokens).await;
    assert_eq!(sent(&tokens).await.unwrap(), "Bearer 3");
}

/// Calls a service that accepts only these tokens. Returns the outcome and what was sent.
async fn call_of(tokens: &Arc<Tokens>, good: &'static [&'static str]) -> (bool, Vec<String>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let call = tokens.call(in_an_hour(), UNAUTHORIZED, move |header| {
        let token = header.to_str().expect("text").to_owned();
        let is_good = good.contains(&token.as_str());
        seen.lock().unwrap().push(token);
        let mut error = Error::new(ErrorCode::UpstreamStatus, "401");
        error.status = Some(UNAUTHORIZED);
        error.outcome = MutationOutcome::Refused;
        std::future::ready(if is_good { Ok(()) } else { Err(error) }).boxed()
    });
    let is_answered = call.await.is_ok();
    let sent = sent.lock().unwrap().clone();
    (is_answered, sent)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_replaced_once() {
    let (script, tokens) = Script::tokens(99);
    let sent = |all: &[&str]| all.iter().map(|token| format!("Bearer {token}")).collect::<Vec<_>>();
    assert_eq!(call_of(&tokens, &["Bearer 1"]).await, (true, sent(&["1"])));
    assert_eq!(call_of(&tokens, &["Bearer 2"]).await, (true, sent(&["1", "2"])));
    assert_eq!(call_of(&tokens, &["Bearer 3"]).await, (true, sent(&["2", "3"])));
    // If a service refuses every token, tokens are not renewed with every call.
    assert_eq!(call_of(&tokens, &[]).await, (false, sent(&["3", "4"])));
    assert_eq!(call_of(&tokens, &[]).await, (false, sent(&["4"])));
    assert_eq!(script.asked(), 4);
    tokio::time::advance(IN_VAIN).await;
    assert_eq!(call_of(&tokens, &["Bearer 5"]).await, (true, sent(&["4", "5"])));
}

fn client(server: &Server, style: ClientStyle) -> ClientCredentials {
    ClientCredentials {
        token_url: format!("{}t?tenant=1", server.url()).parse().expect("a URL"),
        id: "gate:way".to_owned(),
        secret: Secret("ge heim".to_owned()),
        scope: Some("a b".to_owned()),
        audience: Some("shop".to_owned()),
        style,
        proxies: Proxies::default(),
    }
}

/// Returns the outcome with an endpoint that answers like this.
async fn ask<F, A>(style: ClientStyle, respond: F) -> Result<String, Error>
where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let server = Server::start(respond).await;
    let client = client(&server, style);
    let tokens = Tokens::new(&"users".into(), &client, Duration::from_secs(5)).expect("an address");
    let outcome = sent(&tokens).await;
    drop(tokens);
    server.stop().await;
    outcome
}

/// Answers with a token that contains the request.
async fn echo(asked: Asked) -> Answer {
    let (parts, body) = read_asked(asked).await;
    let authorization = parts.headers.get("authorization");
    let authorization = authorization.map_or("-", |value| value.to_str().expect("text"));
    let told = format!("{} {} {authorization} {}", parts.method, parts.uri, body.escape_ascii());
    answer_json(
        &json!({ "access_token": told.replace(' ', "|"), "token_type": "bearer", "expires_in": "300" }),
    )
}

#[tokio::test]
async fn the_client_is_told_in_a_header_or_in_the_body() {
    let basic = STANDARD.encode("gate%3Away:ge+heim");
    assert_eq!(
        ask(ClientStyle::Basic, echo).await.unwrap(),
        format!(
            "Bearer POST|/t?tenant=1|Basic|{basic}|grant_type=client_credentials&scope=a+b&audience=shop"
        )
    );
    assert_eq!(
        ask(ClientStyle::Post, echo).await.unwrap(),
        "Bearer POST|/t?tenant=1|-|grant_type=client_credentials&scope=a+b&audience=shop\
         &client_id=gate%3Away&client_secret=ge+heim"
    );
}

#[tokio::test]
async fn answers_without_a_token_say_what_to_do() {
    let table: &[(u16, Value, &str)] = &[
        (
            401,
            json!({ "error": "invalid_client" }),
            "status 401 (invalid_client); check `client_id`, `client_secret`",
        ),
        (400, json!({ "error": "invalid_scope" }), "status 400 (invalid_scope); check `scope`"),
        (400, json!({ "error": "unauthorized_client" }), "must allow this client the grant"),
        (400, json!({ "error": "ge heim <b>" }), "status 400"),
        (404, json!(null), "status 404; check `token_url`"),
        (302, json!(null), "a redirect, which is not followed"),
        (200, json!({ "token": "x" }), "has no `access_token`"),
        (200, json!({ "access_token": "x", "token_type": "mac" }), "`token_type` is not `Bearer`"),
        (200, json!({ "access_token": "x y" }), "cannot be sent in a header"),
        (503, json!(null), "status 503"),
    ];
    for (status, body, said) in table {
        let (status, text) = (*status, body.to_string());
        let outcome = ask(ClientStyle::Basic, move |_| {
            let answer = answer(status, &[("content-type", "application/json")], text.clone());
            std::future::ready(answer)
        });
        let error = outcome.await.unwrap_err();
        assert!(error.detail.contains(said), "{error}");
        assert!(error.detail.starts_with("no token from http://127.0.0.1:"), "{error}");
        assert!(!error.detail.contains("tenant") && !error.detail.contains("heim"), "{error}");
    }
}

#[tokio::test]
async fn a_token_endpoint_is_asked_through_the_proxy() {
    for refuses in [false, true] {
        let proxy = Server::start(move |asked| async move {
            if refuses { answer(407, &[], "") } else { echo(asked).await }
        })
        .await;
        let url = format!("http://me:hush@{}", proxy.address);
        let client = ClientCredentials {
            token_url: "http://id.invalid/t".parse().expect("a URL"),
            proxies: Proxies::always(Proxy::parse(&url).expect("a proxy")),
            ..client(&proxy, ClientStyle::Basic)
        };
        let tokens = Tokens::new(&"users".into(), &client, Duration::from_secs(5)).expect("a URL");
        let outcome = sent(&tokens).await.map_err(|error| error.detail);
        match outcome {
            Ok(token) => assert!(token.starts_with("Bearer POST|http://id.invalid/t|"), "{token}"),
            Err(detail) => {
                assert!(refuses && detail.contains("asks for other credentials"), "{detail}");
                assert!(detail.starts_with("no token from http://id.invalid/t: "), "{detail}");
                assert!(!detail.contains("hush"), "{detail}");
            }
        }
        drop(tokens);
        proxy.stop().await;
    }
}
