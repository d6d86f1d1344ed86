//! The storefront from outside, over its sockets.

mod behaviour;
mod files;
mod graph;
mod grpc;
mod rest;

use super::{Service, Settings, Storefront, start};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The storefront and an HTTP client.
struct Town {
    storefront: Storefront,
    client: Client<HttpConnector, Body>,
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl Town {
    async fn new() -> Self {
        let storefront = start(Settings::default()).await.unwrap();
        Self { storefront, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn ask(
        &self,
        service: Service,
        method: &str,
        target: &str,
        body: &str,
    ) -> Result<(u16, String, Bytes), Trouble> {
        let uri = format!("http://{}{target}", self.storefront.address(service));
        let request =
            http::Request::builder().method(method).uri(uri).body(Body::from(body.to_owned()))?;
        let (parts, body) = self.client.request(request).await?.into_parts();
        let kind = parts.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
        let (status, kind) = (parts.status.as_u16(), kind.to_owned());
        Ok((status, kind, body.collect().await?.to_bytes()))
    }

    async fn get(&self, service: Service, target: &str) -> (u16, Value) {
        self.send(service, "GET", target, "").await
    }

    async fn send(&self, service: Service, method: &str, target: &str, body: &str) -> (u16, Value) {
        let (status, kind, body) = self.ask(service, method, target, body).await.unwrap();
        if body.is_empty() {
            return (status, Value::Null);
        }
        assert_eq!(kind, "application/json");
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn asked(&self, service: Service, endpoint: &str) -> u64 {
        self.storefront.requests_of(service).endpoints[endpoint]
    }
}

/// Returns a field of every element of a list.
fn column(rows: &Value, name: &str) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect()
}
