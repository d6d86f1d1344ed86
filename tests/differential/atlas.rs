//! The second graph: a service that answers with what it was sent, and the gateway over it.

use crate::support::process::Process;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

const SDL: &str = include_str!("atlas.graphql");
/// The header that says for which operation a call is made.
pub const NUMBER: &str = "x-operation";

/// Settings of a server under which no request fails because the machine is busy.
pub const CALM_SERVER: &str =
    "timeout: 5m, header_timeout: 5m, body_timeout: 5m, idle_timeout: 10m";
/// The same of a source.
pub const CALM: &str = "timeout: 5m, connect_timeout: 1m, breaker: { enabled: false }, ejection: { failures: 0 }, \
     concurrency: { adapt: false }";

/// Calls by the number of their operation.
type Calls = Arc<Mutex<HashMap<String, Vec<String>>>>;

pub struct Atlas {
    pub gateway: Process,
    calls: Calls,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl Atlas {
    /// `config` is added to the gateway's configuration.
    pub async fn start(config: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let calls = Calls::default();
        let server = tokio::spawn(accept(listener, Arc::clone(&calls)));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "schema: [schema.graphql]\nserver: {{ introspection: true, {CALM_SERVER} }}\nsources:\n  atlas: {{ rest: {{ url: \
             \"http://{address}\" }}, headers: {{ forward: [{NUMBER}] }}, {CALM} }}\n{config}"
        );
        let gateway = Process::serve(folder.path(), SDL, &config, &[]);
        Self { gateway, calls, server, _folder: folder }
    }

    /// The calls made for an operation, in their order.
    pub fn take(&self, number: &str) -> Vec<String> {
        self.calls.lock().unwrap().remove(number).unwrap_or_default()
    }
}

impl Drop for Atlas {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, calls: Calls) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let calls = Arc::clone(&calls);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&calls), request));
            // An error here is a gateway that went away.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn serve(
    calls: Calls,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (method, target) = (head.method.as_str(), head.uri.to_string());
    let body: Option<Value> =
        (!body.is_empty()).then(|| sorted(serde_json::from_slice(&body).expect("JSON")));
    let number = head.headers.get(NUMBER).and_then(|value| value.to_str().ok()).unwrap_or("none");
    let call = match &body {
        Some(body) => format!("{method} {target} {body}"),
        None => format!("{method} {target}"),
    };
    calls.lock().unwrap().entry(number.to_owned()).or_default().push(call);
    let reply = reply(method, &target, body.as_ref()).to_string();
    let (kind, text) = if target == "/ticks" {
        ("text/event-stream", format!("data: {reply}\n\n"))
    } else {
        ("application/json", reply)
    };
    let response = http::Response::builder().header("content-type", kind);
    Ok(response.body(Full::new(Bytes::from(text))).expect("a head"))
}

fn reply(method: &str, target: &str, body: Option<&Value>) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| -> String {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value);
        percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()
    };
    match (method, path) {
        ("GET", "/title") => {
            json!({ "title": format!("{} {}", parameter("style"), parameter("id")) })
        }
        ("GET", "/items") => {
            let count: i64 = parameter("first").parse().expect("a number");
            let kinds = parameter("kinds");
            let kinds: Vec<&str> = kinds.split(',').collect();
            let count = usize::try_from(count.clamp(0, 4)).expect("a few");
            (0..count)
                .map(|index| item(kinds[index % kinds.len()] != "DISC", &index.to_string()))
                .collect()
        }
        ("GET", "/search") => json!([item(true, "1"), null, item(false, "2"),
            { "__typename": "Note", "text": "n", "color": "GREEN", "at": "2026-01-01T00:00:00Z" }]),
        ("GET", path) => {
            let id = path.rsplit('/').next().unwrap_or_default();
            let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned();
            item(id.encode_utf16().count().is_multiple_of(2), &id)
        }
        _ => json!({ "method": method, "target": target, "body": body }),
    }
}

fn item(book: bool, id: &str) -> Value {
    if book {
        let place = format!("p{id}");
        return json!({ "__typename": "Book", "id": id, "place": place, "pages": 100, "related": null });
    }
    let related = [item(true, &format!("{id}r"))];
    let tracks = json!([["a", null], []]);
    json!({ "__typename": "Disc", "id": id, "minutes": 1.5, "tracks": tracks, "related": related })
}

/// The same JSON with its keys in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.into_iter().collect()
        }
        other => other,
    }
}
