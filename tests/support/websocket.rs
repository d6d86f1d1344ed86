//! A WebSocket client for GraphQL: it sends JSON, and receives JSON or the end.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub struct Socket(WebSocketStream<TcpStream>);

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Json(Value),
    /// The code of a close frame.
    Close(u16),
    /// The connection was closed without a close frame.
    Gone,
}

impl Socket {
    /// Opens a socket; the error is the status of a refusal.
    pub async fn open(url: &str, protocol: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().expect("a URL");
        let all = [("sec-websocket-protocol", protocol)].into_iter().chain(headers.iter().copied());
        for (name, value) in all.filter(|(_, value)| !value.is_empty()) {
            let name: http::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let address = request.uri().authority().expect("an address").to_string();
        let stream = TcpStream::connect(address).await.expect("a gateway");
        match client_async(request, stream).await {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["sec-websocket-protocol"], protocol);
                Ok(Self(socket))
            }
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a socket in the newer protocol, initialized.
    pub async fn begun(url: &str) -> Self {
        let mut socket = Self::open(url, "graphql-transport-ws", &[]).await.expect("a socket");
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await, Said::Json(json!({ "type": "connection_ack" })));
        socket
    }

    pub async fn send(&mut self, message: Value) {
        self.text(message.to_string()).await;
    }

    pub async fn text(&mut self, text: impl Into<String>) {
        // A closed socket reports that when it is read.
        let _ = self.0.send(Message::text(text.into())).await;
    }

    pub async fn binary(&mut self, bytes: &[u8]) {
        let _ = self.0.send(Message::binary(bytes.to_vec())).await;
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    /// Returns the next message, without heartbeats of either layer.
    pub async fn next(&mut self) -> Said {
        let said = tokio::time::timeout(super::PATIENCE, self.next_said()).await;
        said.expect("waited in vain for a message")
    }

    async fn next_said(&mut self) -> Said {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let json: Value = serde_json::from_str(text.as_str()).expect("JSON");
                    if json["type"] != "ka" {
                        return Said::Json(json);
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    return Said::Close(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Said::Gone,
            }
        }
    }

    /// Returns type, ID and payload of the next message of the protocol.
    pub async fn message(&mut self) -> (String, String, Value) {
        match self.next().await {
            Said::Json(json) => {
                let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
                (text("type"), text("id"), json["payload"].clone())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a ping of the WebSocket itself.
    pub async fn pinged(&mut self) {
        loop {
            match tokio::time::timeout(super::PATIENCE, self.0.next()).await {
                Ok(Some(Ok(Message::Ping(_)))) => return,
                Ok(Some(Ok(_))) => {}
                other => panic!("no ping: {other:?}"),
            }
        }
    }
}
