//! Services behind Unix sockets, over REST and gRPC.

use crate::support::PATIENCE;
use crate::support::gateway::Shop;
use portcullis::demo::Service;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::Notify;

const QUERY: &str =
    r#"{"query":"{ user(id: 1) { name orders(first: 1) { lines { product { name } } } } }"}"#;

/// Forwards what arrives on the socket, and notifies about each connection.
fn bridge(path: &Path, shop: &Shop, service: Service) -> Arc<Notify> {
    let connected = Arc::new(Notify::new());
    let notify = Arc::clone(&connected);
    let (listener, target) = (UnixListener::bind(path).unwrap(), shop.storefront.address(service));
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            notify.notify_one();
            let mut there = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
            });
        }
    });
    connected
}

async fn ask(shop: &Shop) -> Value {
    shop.http.post(&shop.gateway.url, &[], QUERY).await.json()
}

#[tokio::test]
async fn sockets_are_called_and_those_that_appear_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let url = |name: &str| format!("unix://{}", path(name).display());
    let shop = Shop::with(|config| {
        config
            .replace("${USERS_URL:-http://127.0.0.1:4101}", &url("users.sock"))
            .replace("${PRODUCTS_URL:-http://127.0.0.1:4102}", &url("products.sock"))
            .replace("introspection: true", "introspection: true\n  expose_upstream_errors: true")
    })
    .await;
    let answer = ask(&shop).await;
    let error = &answer["errors"][0]["extensions"];
    assert_eq!(error["code"], "UPSTREAM_UNAVAILABLE", "{answer}");
    let detail = error["detail"].as_str().unwrap_or_default();
    let missing = format!("there is no socket `{}`", path("users.sock").display());
    assert!(detail.contains(&missing), "{answer}");
    assert!(detail.contains(&format!("GET {}:/users/1", url("users.sock"))), "{answer}");
    let checked = bridge(&path("users.sock"), &shop, Service::Users);
    let _ = bridge(&path("products.sock"), &shop, Service::Products);
    // No call is made meanwhile: the connection is a check.
    checked.notified().await;
    let start = Instant::now();
    let answer = loop {
        let answer = ask(&shop).await;
        if answer.get("errors").is_none() {
            break answer;
        }
        assert!(start.elapsed() < PATIENCE, "{answer}");
        tokio::task::yield_now().await;
    };
    let user = &answer["data"]["user"];
    assert!(user["name"].is_string(), "{answer}");
    assert!(user["orders"][0]["lines"][0]["product"]["name"].is_string(), "{answer}");
}
