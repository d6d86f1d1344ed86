//! A client that reads a stream of answers, block by block.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// One HTTP/2 connection for several answers at once.
pub struct Connection {
    url: String,
    send: http2::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub async fn open(url: &str) -> Self {
        let parsed: http::Uri = url.parse().expect("a URL");
        let authority = parsed.authority().expect("an address").as_str();
        let socket = TcpStream::connect(authority).await.expect("a gateway");
        let connection = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
        let (send, connection) = connection.expect("a gateway that speaks HTTP/2");
        // It ends with the last of its answers.
        tokio::spawn(connection);
        Self { url: url.to_owned(), send }
    }

    /// Like [`Listener::events`]; dropping it ends only that answer.
    pub async fn events(&mut self, query: &str) -> Listener {
        let request = post(&self.url, query, &[("accept", "text/event-stream")]);
        let answer = tokio::time::timeout(super::PATIENCE, self.send.send_request(request)).await;
        Listener::to(answer.expect("in time").expect("an answer"), "\n\n")
    }
}

fn post(url: &str, query: &str, headers: &[(&str, &str)]) -> http::Request<Full<Bytes>> {
    let mut request = http::Request::post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from(json!({ "query": query }).to_string()));
    request.body(body).expect("a URL and headers")
}

/// An open answer. Dropping it closes the connection.
pub struct Listener {
    pub head: http::response::Parts,
    body: Incoming,
    /// Received text that was not read yet.
    text: String,
    /// Separator between two blocks.
    between: &'static str,
}

impl Listener {
    /// Posts a query and expects a stream of events.
    pub async fn events(url: &str, query: &str) -> Self {
        Self::post(url, query, &[("accept", "text/event-stream")], "\n\n").await
    }

    /// Like [`Self::events`], as parts of a multipart body.
    pub async fn parts(url: &str, query: &str) -> Self {
        let accept = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0,application/json";
        Self::post(url, query, &[("accept", accept)], "\r\n--graphql").await
    }

    pub async fn post(
        url: &str,
        query: &str,
        headers: &[(&str, &str)],
        between: &'static str,
    ) -> Self {
        Self::send(post(url, query, headers), between).await
    }

    pub async fn send(request: http::Request<Full<Bytes>>, between: &'static str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = tokio::time::timeout(super::PATIENCE, client.request(request)).await;
        Self::to(answer.expect("in time").expect("an answer"), between)
    }

    fn to(answer: http::Response<Incoming>, between: &'static str) -> Self {
        let (head, body) = answer.into_parts();
        Self { head, body, text: String::new(), between }
    }

    /// Returns the next block; `None` at the end of the answer.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once(self.between) {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = tokio::time::timeout(super::PATIENCE, self.body.frame()).await;
            let frame = frame.expect("waited in vain for the next event")?;
            let data = frame.expect("an answer that is not broken").into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }

    /// Returns the next answer without heartbeats; `None` if the stream is complete.
    pub async fn answer(&mut self) -> Option<Value> {
        // Heartbeats keep arriving, whatever else does.
        let answer = tokio::time::timeout(super::PATIENCE, self.next_answer()).await;
        answer.expect("waited in vain for the next answer")
    }

    async fn next_answer(&mut self) -> Option<Value> {
        loop {
            let block = self.block().await?;
            let json = if self.between == "\n\n" {
                if block == "event: complete\ndata:" {
                    assert_eq!(self.block().await, None, "nothing after the end");
                    return None;
                }
                block.strip_prefix("event: next\ndata: ").map(str::to_owned)
            } else {
                let part = block.strip_prefix("\r\ncontent-type: application/json\r\n\r\n");
                part.filter(|part| *part != "{}").map(|part| {
                    let payload: Value = serde_json::from_str(part).expect("JSON");
                    payload["payload"].to_string()
                })
            };
            match json {
                Some(json) => return Some(serde_json::from_str(&json).expect("JSON")),
                None => {
                    assert!(block.is_empty() || block == ":" || block.ends_with("{}"), "{block}");
                }
            }
        }
    }

    /// Returns the codes of the next answer's errors.
    pub async fn codes(&mut self) -> Vec<String> {
        let answer = self.answer().await.expect("an answer");
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        let code = |error: &Value| error["extensions"]["code"].as_str().map(str::to_owned);
        errors.iter().map(|error| code(error).expect("a code")).collect()
    }
}
