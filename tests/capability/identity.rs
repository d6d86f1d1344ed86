//! The storefront authenticates callers, and only by a token.

use crate::support::gateway::Shop;
use crate::support::websocket::{Said, Socket};
use portcullis::demo::{AUDIENCE, ISSUER, Issuer, PEOPLE, Service};
use serde_json::{Value, json};
use std::time::SystemTime;

const ME: &str = r#"{"query":"{ me { id name orders(first: 1) { buyer { id } } } }"}"#;

/// Starts a shop that trusts this issuer.
async fn shop(issuer: &Issuer) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("jwks.json");
    std::fs::write(&keys, issuer.jwks()).unwrap();
    let auth = format!(
        "auth:\n  providers:\n    - issuer: {ISSUER}\n      audience: {AUDIENCE}\n      jwks_file: {}\n",
        keys.display()
    );
    (Shop::with(|config| format!("{config}{auth}")).await, folder)
}

async fn ask(shop: &Shop, headers: &[(&str, &str)]) -> Value {
    shop.http.post(&shop.gateway.url, headers, ME).await.json()
}

#[tokio::test]
async fn me_is_whoever_the_token_says() {
    let issuer = Issuer::new();
    let (shop, _folder) = shop(&issuer).await;
    for person in PEOPLE {
        let bearer = format!("Bearer {}", issuer.token(person, SystemTime::now()));
        let answer = ask(&shop, &[("authorization", &bearer)]).await;
        let id = person.id.to_string();
        assert!(answer.get("errors").is_none(), "{answer}");
        assert_eq!(answer["data"]["me"]["id"], json!(id));
        assert_eq!(answer["data"]["me"]["orders"][0]["buyer"]["id"], json!(id));
    }
    assert_eq!(shop.calls(Service::Users, "GET /users/{id}"), 2, "each is asked for once");
}

#[tokio::test]
async fn a_socket_has_one_token_with_its_request_or_with_its_beginning() {
    const PROTOCOL: &str = "graphql-transport-ws";
    let issuer = Issuer::new();
    let (shop, _folder) = shop(&issuer).await;
    let bearer = format!("Bearer {}", issuer.token(PEOPLE[1], SystemTime::now()));
    let header = [("authorization", bearer.as_str())];
    let token = json!({ "authorization": bearer });
    let bad = json!({ "authorization": format!("{bearer}x") });
    for (headers, payload, id) in [
        (&header[..], json!({}), Some("2")),
        (&[], token.clone(), Some("2")),
        (&[], json!({ "headers": token }), Some("2")),
        (&header, token, None),
        (&[], bad, None),
    ] {
        let mut socket = Socket::open(&shop.gateway.url, PROTOCOL, headers).await.unwrap();
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        let Some(id) = id else {
            assert_eq!(socket.next().await, Said::Close(4403), "{payload}");
            continue;
        };
        assert_eq!(socket.message().await.0, "connection_ack", "{payload}");
        socket.subscribe("q", "{ me { id } }").await;
        assert_eq!(socket.message().await.2["data"]["me"]["id"], id, "{payload}");
    }
    let refused = Socket::open(&shop.gateway.url, PROTOCOL, &[("authorization", "Bearer x")]).await;
    assert_eq!(refused.err(), Some(401));
}

#[tokio::test]
async fn everyone_sees_their_own_address_only() {
    let issuer = Issuer::new();
    let (shop, _folder) = shop(&issuer).await;
    let query = r#"{"query":"{ users(first: 2) { id email } }"}"#;
    let emails = async |headers: &[(&str, &str)]| {
        let answer = shop.http.post(&shop.gateway.url, headers, query).await.json();
        let users = answer["data"]["users"].as_array().unwrap();
        let seen: Vec<_> = users.iter().map(|user| user["email"].is_string()).collect();
        (seen, answer["errors"].as_array().map_or(0, Vec::len))
    };
    for (person, expected) in PEOPLE.into_iter().zip([[true, false], [false, true]]) {
        let bearer = format!("Bearer {}", issuer.token(person, SystemTime::now()));
        assert_eq!(emails(&[("authorization", &bearer)]).await, (expected.to_vec(), 1));
    }
    assert_eq!(emails(&[]).await, (vec![false, false], 2));
}

#[tokio::test]
async fn nobody_has_no_me_and_nothing_is_asked() {
    let (shop, _folder) = shop(&Issuer::new()).await;
    let answer = ask(&shop, &[]).await;
    assert_eq!(answer["data"]["me"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHORIZED_FIELD_OR_TYPE");
    let stranger = format!("Bearer {}", Issuer::new().token(PEOPLE[0], SystemTime::now()));
    let answer = ask(&shop, &[("authorization", &stranger)]).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(shop.total_calls(), 0);
}

/// The storefront's own configuration has no identity provider; it serves all the same.
#[tokio::test]
async fn a_shop_without_a_provider_knows_nobody() {
    let shop = Shop::start().await;
    let bearer = format!("Bearer {}", Issuer::new().token(PEOPLE[0], SystemTime::now()));
    let answer = ask(&shop, &[("authorization", &bearer)]).await;
    assert_eq!(answer["data"]["me"], Value::Null);
    assert_eq!(shop.total_calls(), 0);
}
