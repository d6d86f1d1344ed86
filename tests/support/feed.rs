//! An upstream with streams of events that a test feeds, cuts and ends, and with users to join to them.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

pub struct Feed {
    pub address: SocketAddr,
    pushes: broadcast::Sender<Push>,
    count: watch::Receiver<Count>,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// Number of streams that are open now.
    pub open: usize,
    /// Number of streams ever opened.
    pub opened: usize,
    /// Number of calls for users.
    pub users: usize,
}

/// Sent on every open stream.
#[derive(Debug, Clone)]
enum Push {
    Text(Bytes),
    Cut,
    End,
}

#[derive(Debug, thiserror::Error)]
#[error("cut, as the test says")]
struct Cut;

type Answer = http::Response<UnsyncBoxBody<Bytes, Cut>>;

impl Feed {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, count) = watch::channel(Count::default());
        let (pushes, _) = broadcast::channel(1 << 10);
        let desk = Desk { count: Arc::new(sender), pushes: pushes.clone() };
        let server = tokio::spawn(accept(listener, desk));
        Self { address, pushes, count, server }
    }

    /// SDL over this upstream, which the configuration calls `feed`: `said` has messages of users.
    pub const SDL: &'static str = r#"
        type Query {
          user(id: ID!): User @lookup @rest(source: "feed", GET: "/users/{$args.id}")
          usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
            @rest(source: "feed", GET: "/users?ids={$args.ids->joinNotNull(',')}", batch: {})
        }
        type Mutation { rename(id: ID!): User @rest(source: "feed", POST: "/users/{$args.id}") }
        type Subscription {
          said(at: String! = "events"): Message
            @rest(source: "feed", GET: "/{$args.at}", stream: SSE, select: "text author: { id: by }")
        }
        type Message { text: String! author: User }
        type User @key(fields: "id") { id: ID! name: String }
    "#;

    /// Returns the configuration of a gateway over this upstream, with more lines for the source and for the top.
    pub fn config(&self, source: &str, top: &str) -> String {
        format!(
            "sources:\n  feed: {{ rest: {{ url: \"http://{}\" }}{source} }}\n{top}\n",
            self.address
        )
    }

    /// Sends bytes on every open stream.
    pub fn send(&self, text: impl Into<Bytes>) {
        let _ = self.pushes.send(Push::Text(text.into()));
    }

    /// Sends an event that user `by` said something.
    pub fn say(&self, text: &str, by: u64) {
        self.send(format!("data: {}\n\n", json!({ "text": text, "by": by })));
    }

    /// Breaks every stream in the middle.
    pub fn cut(&self) {
        let _ = self.pushes.send(Push::Cut);
    }

    /// Ends every stream regularly.
    pub fn end(&self) {
        let _ = self.pushes.send(Push::End);
    }

    pub async fn until(&self, holds: impl Fn(Count) -> bool) {
        let mut count = self.count.clone();
        let reached = count.wait_for(|count| holds(*count));
        let reached = tokio::time::timeout(super::PATIENCE, reached).await;
        assert!(reached.is_ok(), "waited in vain; the upstream has {:?}", *self.count.borrow());
    }

    pub fn count(&self) -> Count {
        *self.count.borrow()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Desk {
    count: Arc<watch::Sender<Count>>,
    pushes: broadcast::Sender<Push>,
}

/// One open stream.
struct Listener {
    pushes: broadcast::Receiver<Push>,
    count: Arc<watch::Sender<Count>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.count.send_modify(|count| count.open -= 1);
    }
}

async fn accept(listener: TcpListener, desk: Desk) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let desk = desk.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| desk.clone().answer(request));
            // Some tests need a client that disconnects.
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

impl Desk {
    async fn answer(self, request: http::Request<Incoming>) -> Result<Answer, Cut> {
        let target = request.uri().to_string().replace("%2C", ",");
        Ok(match target.as_str() {
            "/events" => self.events("text/event-stream"),
            "/charset" => self.events("Text/Event-Stream;charset=utf-8"),
            "/html" => self.events("text/html"),
            "/down" => whole(500, "{}"),
            "/over" => whole(204, ""),
            "/hang" => std::future::pending().await,
            other => match other.strip_prefix("/users") {
                Some(rest) => {
                    self.count.send_modify(|count| count.users += 1);
                    whole(200, &users(rest).to_string())
                }
                None => whole(404, "{}"),
            },
        })
    }

    fn events(self, content_type: &str) -> Answer {
        let listener = Listener { pushes: self.pushes.subscribe(), count: Arc::clone(&self.count) };
        self.count.send_modify(|count| {
            count.open += 1;
            count.opened += 1;
        });
        let frames = stream::unfold(Some(listener), |listener| async move {
            let mut listener = listener?;
            match listener.pushes.recv().await {
                Ok(Push::Text(text)) => Some((Ok(Frame::data(text)), Some(listener))),
                Ok(Push::Cut) => Some((Err(Cut), None)),
                Ok(Push::End) | Err(_) => None,
            }
        });
        let answer = http::Response::builder().header("content-type", content_type);
        answer.body(StreamBody::new(frames.boxed()).boxed_unsync()).expect("a head")
    }
}

fn whole(status: u16, body: &str) -> Answer {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never| match never {});
    let answer = http::Response::builder().status(status);
    answer.header("content-type", "application/json").body(body.boxed_unsync()).expect("a head")
}

/// Answers `?ids=1,2` or `/1`.
fn users(rest: &str) -> Value {
    let user = |id: &str| json!({ "id": id, "name": format!("n{id}") });
    match rest.strip_prefix("?ids=") {
        Some(ids) => ids.split(',').map(user).collect(),
        None => user(rest.trim_start_matches('/')),
    }
}
