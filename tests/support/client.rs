//! A plain HTTP client: sends one request and returns the whole answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("status {}, not JSON ({error}): {}", self.status, self.text())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    pub async fn send(&self, request: http::Request<Full<Bytes>>) -> Answer {
        let target = format!("{} {}", request.method(), request.uri());
        let response = self.0.request(request).await;
        let response = response.unwrap_or_else(|error| panic!("{target}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Answer { status, headers, body }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(http::Request::get(url).body(Full::default()).expect("a URL")).await
    }

    /// Posts bytes unchanged, with `application/json` unless `headers` say otherwise.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = http::Request::post(url);
        let named = |name| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !named("content-type") {
            request = request.header("content-type", "application/json");
        }
        if !named("accept") {
            request = request.header("accept", "application/graphql-response+json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body.into())).expect("a URL and headers")).await
    }

    /// Sends a query without variables to a GraphQL endpoint.
    pub async fn ask(&self, url: &str, query: &str) -> Answer {
        self.post(url, &[], json!({ "query": query }).to_string()).await
    }
}
