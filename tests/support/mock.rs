//! A scripted upstream that holds every reply of a round until all calls of the round have arrived.
//!
//! So a spec proves without a clock that the calls of one round are in flight together, and that a later round waits
//! for an earlier one. A call that is not in the script gets status 599 and fails the spec.

use super::exchange::{Answer, Call, Exchange};
use super::grpc;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Calls that a case expects at its upstream.
pub struct Script {
    pub exchanges: Vec<Exchange>,
    /// Calls of each round, as lines.
    pub rounds: Vec<Vec<String>>,
    pub pool: Option<DescriptorPool>,
}

pub struct Mock {
    pub address: SocketAddr,
    stage: Arc<Stage>,
    server: JoinHandle<()>,
}

struct Stage {
    script: Script,
    progress: Mutex<Progress>,
    /// Round whose calls are expected.
    round: watch::Sender<usize>,
}

#[derive(Default)]
struct Progress {
    /// Calls of the current round that have arrived, as indices into it.
    came: Vec<usize>,
    used: Vec<usize>,
    complaints: Vec<String>,
}

impl Mock {
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let progress = Mutex::new(Progress::default());
        let stage = Arc::new(Stage { script, progress, round: watch::channel(0).0 });
        let server = tokio::spawn(accept(listener, Arc::clone(&stage)));
        Self { address, stage, server }
    }

    /// Returns the differences from the script: unknown, unexpected and missing calls.
    pub fn complaints(&self) -> Vec<String> {
        let progress = self.stage.progress.lock().unwrap();
        let mut complaints = progress.complaints.clone();
        let current = *self.stage.round.borrow();
        for (number, round) in self.stage.script.rounds.iter().enumerate().skip(current) {
            for (index, line) in round.iter().enumerate() {
                if number > current || !progress.came.contains(&index) {
                    complaints.push(format!("never called, due in round {}: {line}", number + 1));
                }
            }
        }
        complaints
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let stage = Arc::clone(&stage);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&stage), request));
            let server = auto::Builder::new(TokioExecutor::new());
            // An error here is a client that disconnected, which some specs want.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the script closes this connection")]
struct Closed;

async fn serve(
    stage: Arc<Stage>,
    request: http::Request<Incoming>,
) -> Result<http::Response<BoxBody<Bytes, hyper::Error>>, Closed> {
    let method = stage.script.pool.as_ref().and_then(|p| grpc::method(p, request.uri().path()));
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let call = match &method {
        Some(method) => Call {
            line: format!("grpc {}", head.uri.path().trim_start_matches('/')),
            headers: head.headers,
            body: Some(grpc::read(method, &body)),
        },
        None => Call {
            line: format!("{} {}", head.method, head.uri.to_string().replace("%2C", ",")),
            headers: head.headers,
            body: json_body(&body),
        },
    };
    let answer = stage.answer(&call).await;
    if answer.hang {
        std::future::pending::<()>().await;
    }
    if answer.close {
        return Err(Closed);
    }
    Ok(match &method {
        Some(method) => grpc::respond(method, &answer),
        None => respond(&answer),
    })
}

fn json_body(body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    Some(serde_json::from_slice(body).unwrap_or_else(|_| text()))
}

fn respond(answer: &Answer) -> http::Response<BoxBody<Bytes, hyper::Error>> {
    let bytes = answer.bytes();
    let mut response = http::Response::builder().status(answer.status.unwrap_or(200));
    if !answer.headers.contains_key("content-type") {
        response = response.header("content-type", "application/json");
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value.as_str().expect("a header is a string"));
    }
    if !answer.cut {
        return response.body(Full::new(bytes).map_err(|e| match e {}).boxed()).expect("a head");
    }
    response = response.header("content-length", bytes.len() + 10);
    let frames = futures_util::stream::iter([Ok(Frame::data(bytes))]);
    response.body(BodyExt::boxed(StreamBody::new(frames))).expect("a head")
}

impl Stage {
    /// Records the call, waits until its round is complete, and returns the answer.
    async fn answer(&self, call: &Call) -> Answer {
        let (answer, round) = self.note(call);
        let mut current = self.round.subscribe();
        // The sender lives in `self`, so this ends only with the round.
        let _ = current.wait_for(|current| *current > round).await;
        answer
    }

    fn note(&self, call: &Call) -> (Answer, usize) {
        let mut progress = self.progress.lock().unwrap();
        let current = *self.round.borrow();
        let answer = progress.choose(&self.script.exchanges, call).unwrap_or_else(|| {
            progress.complaints.push(format!("no exchange answers {}", call.text()));
            Answer { status: Some(599), ..Answer::default() }
        });
        let round = self.script.rounds.get(current).map_or(&[][..], Vec::as_slice);
        let text = call.text();
        let due = |index: &usize| round[*index] == text && !progress.came.contains(index);
        let Some(index) = (0..round.len()).find(due) else {
            progress
                .complaints
                .push(format!("not due in round {}: {text}", current.saturating_add(1)));
            // A script that has failed already holds no reply.
            self.round.send_replace(usize::MAX);
            return (answer, 0);
        };
        progress.came.push(index);
        if progress.came.len() == round.len() {
            progress.came.clear();
            self.round.send_replace(current + 1);
        }
        (answer, current)
    }
}

impl Progress {
    /// Returns the first unused exchange for the call; after that, the last one repeatedly.
    fn choose(&mut self, exchanges: &[Exchange], call: &Call) -> Option<Answer> {
        let mut fitting = (0..exchanges.len()).filter(|index| exchanges[*index].answers(call));
        let first = fitting.next()?;
        let unused = |index: &usize| !self.used.contains(index);
        let index = if unused(&first) {
            first
        } else {
            let rest: Vec<usize> = fitting.collect();
            rest.iter().copied().find(|i| unused(i)).or(rest.last().copied()).unwrap_or(first)
        };
        self.used.push(index);
        Some(exchanges[index].reply.clone())
    }
}
