//! The storefront's services fail in every way they can; the answer says which, and the rest stands.

use crate::support::client::Http;
use crate::support::gateway::Shop;
use crate::support::process::Process;
use portcullis::demo::{self, Failure, Service};
use serde_json::Value;

const FAILURES: [(Failure, &[&str]); 7] = [
    (Failure::Status(500), &["UPSTREAM_STATUS"]),
    (Failure::Status(503), &["UPSTREAM_STATUS", "UPSTREAM_UNAVAILABLE"]),
    (Failure::Hang, &["UPSTREAM_TIMEOUT"]),
    (Failure::Close, &["UPSTREAM_UNAVAILABLE"]),
    (Failure::Html, &["UPSTREAM_INVALID_REPLY"]),
    // Half a gRPC message is one whose announced length never comes.
    (Failure::Half, &["UPSTREAM_INVALID_REPLY", "UPSTREAM_TOO_LARGE"]),
    (Failure::Huge, &["UPSTREAM_TOO_LARGE"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_service_fails_in_every_way() {
    let quick = |config: &str| {
        let config = config.replace("{ rest: {", "{ timeout: 700ms, rest: {");
        config.replace("{ grpc: {", "{ timeout: 700ms, grpc: {")
    };
    let shop = Shop::with(quick).await;
    for service in Service::ALL {
        for (failure, codes) in FAILURES {
            shop.storefront.set_failure(service, Some(failure));
            let answer = shop.http.ask(&shop.gateway.url, demo::DASHBOARD).await;
            assert_eq!(answer.status, 200, "{service:?} {failure:?}");
            let answer = answer.json();
            complain(&answer, service, codes)
                .unwrap_or_else(|why| panic!("{service:?} {failure:?}: {why}\n{answer:#}"));
        }
        shop.storefront.set_failure(service, None);
        let answer = shop.http.ask(&shop.gateway.url, demo::DASHBOARD).await.json();
        assert!(answer.get("errors").is_none(), "{service:?} is well again: {answer:#}");
    }
}

/// What stands and what does not, when a service fails with one of these codes.
fn complain(answer: &Value, service: Service, codes: &[&str]) -> Result<(), String> {
    let errors = answer["errors"].as_array().ok_or("no errors")?;
    for error in errors {
        let extensions = &error["extensions"];
        let code = extensions["code"].as_str().unwrap_or("none");
        if !codes.contains(&code) {
            return Err(format!("{code} is none of {codes:?}"));
        }
        if extensions["source"] != service.name() {
            return Err(format!("the source is {}", extensions["source"]));
        }
        if !extensions["errorId"].is_string() || !error["path"].is_array() {
            return Err(format!("no errorId or no path: {error}"));
        }
    }
    let (user, recommended) = (&answer["data"]["user"], &answer["data"]["recommendedProducts"]);
    let length = |list: &Value| list.as_array().map(Vec::len);
    let product = &user["orders"][0]["lines"][0]["product"];
    // The failing service's own fields are null, and everything else is there.
    let expected = [
        ("user", user.is_null(), service == Service::Users),
        ("orders", length(&user["orders"]) != Some(5), service == Service::Orders),
        (
            "notifications",
            length(&user["notifications"]) != Some(10),
            service == Service::Notifications,
        ),
        ("products of orders", product.is_null(), service == Service::Products),
        ("recommended products", length(recommended) != Some(6), service == Service::Products),
    ];
    let needs_user = |what: &str| what != "user" && what != "recommended products";
    let needs_orders = |what: &str| what == "products of orders";
    for (what, gone, fails) in expected {
        let below = service == Service::Users && needs_user(what)
            || service == Service::Orders && needs_orders(what);
        if gone != (fails || below) {
            return Err(format!("{what}: {}", if gone { "gone" } else { "there" }));
        }
    }
    Ok(())
}

/// 300 MB of reply are not held: neither here nor anywhere in the process.
#[tokio::test]
async fn three_hundred_megabytes_are_not_read() {
    let mut process = Process::start(&["demo", "--port", "0", "--fail", "users=huge"]);
    let http = Http::new();
    let before = process.memory();
    for _ in 0..3 {
        let answer =
            http.ask(&process.url, "{ user(id: 1) { id } product(id: \"P-0001\") { id } }");
        let answer = answer.await.json();
        assert_eq!(answer["data"]["product"]["id"], "P-0001", "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_TOO_LARGE", "{answer}");
    }
    assert!(process.lives());
    let grown = process.memory().saturating_sub(before) >> 20;
    assert!(grown < 150, "{grown} MB more");
}
