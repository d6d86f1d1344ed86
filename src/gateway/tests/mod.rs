//! The whole gateway over real sockets, with a source whose behavior tests control.

mod assembly;
mod batching;
mod bodies;
mod computed;
mod connections;
mod directives;
mod executor;
mod fake;
mod floods;
mod held;
mod ids;
mod life;
mod mistakes;
mod observed;
mod origins;
mod protocol;
mod registered;
mod secured;
mod shares;

use crate::edge::{self, Edge};
use crate::engine::{self, Engine};
use crate::graph::{Sdl, load_with_env};
use crate::identity::Identity;
use crate::problem::render;
use crate::source::Connector;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

const SDL: &str = r#"
type Query {
  hello(name: String): String @fake(source: "s", does: "answer")
  caller: String @fake(source: "s", does: "caller")
  wait: String @fake(source: "s", does: "wait")
  hang: String @fake(source: "s", does: "hang")
  panic: String @fake(source: "s", does: "panic")
  fail: String @fake(source: "s", does: "fail")
  large: String @fake(source: "s", does: "large")
  number: Int @fake(source: "s", does: "answer")
  secret: String @authenticated @fake(source: "s", does: "answer")
}
type Mutation { change: String @fake(source: "s", does: "answer") }
"#;

struct Running {
    address: SocketAddr,
    events: mpsc::UnboundedReceiver<&'static str>,
    release: Arc<Notify>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

fn engine(
    settings: engine::Settings,
) -> (Engine, mpsc::UnboundedReceiver<&'static str>, Arc<Notify>) {
    let (events, received) = mpsc::unbounded_channel();
    let fake = fake::Fake { events, release: Arc::default() };
    let release = Arc::clone(&fake.release);
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(fake)];
    let sdl = Sdl::from_texts([("test.graphql", SDL)]);
    let (graph, _) = load_with_env(&sdl, &connectors, &|_| None)
        .unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    (Engine::new(Arc::new(graph), settings), received, release)
}

/// Starts a gateway on a free port.
async fn start(settings: edge::Settings) -> Running {
    start_with(settings, engine::Settings::default()).await
}

async fn start_with(settings: edge::Settings, of_engine: engine::Settings) -> Running {
    let (engine, events, release) = engine(of_engine);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let exposition = super::telemetry::exposition();
    let edge = Edge::with_metrics(engine, Identity::default(), settings, exposition);
    let edge = edge.secured().unwrap();
    let server = tokio::spawn(async move {
        edge::serve(listener, edge, async { drop(stopped.await) }).await;
    });
    Running { address, events, release, stop, server }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn code(&self) -> String {
        let code = &self.json()["errors"][0]["extensions"]["code"];
        code.as_str().unwrap_or_else(|| panic!("no code: {self:?}")).to_owned()
    }
}

impl Running {
    /// Opens one connection, sends one request, and returns everything that comes back.
    async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_ref()).await.unwrap();
        read(&mut socket).await
    }

    async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let body = body.as_ref();
        let length = match body.len() {
            0 => String::new(),
            length => format!("content-length: {length}\r\n"),
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{length}{headers}\r\n"
        );
        self.raw([head.as_bytes(), body].concat()).await
    }

    async fn post(&self, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask("POST", "/graphql", &format!("content-type: application/json\r\n{headers}"), body)
            .await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "").await
    }

    /// Sends a request without waiting for its answer.
    async fn begin(&self, query: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(asking(query).as_bytes()).await.unwrap();
        socket
    }

    async fn event(&mut self, expected: &str) {
        assert_eq!(self.events.recv().await, Some(expected));
    }
}

fn asking(query: &str) -> String {
    let body = serde_json::json!({ "query": query }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn read(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).expect("answers are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Writes type, flags, stream and payload of a frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
