//! A Consul agent on a real socket: the used part of its HTTP API, healthy or not.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

type Body = BoxBody<Bytes, std::io::Error>;
type Reply = Response<Body>;

/// Behavior of the agent.
#[derive(Debug, Clone, Default)]
pub enum Mood {
    #[default]
    Well,
    Says(u16, &'static str),
    Redirects,
    /// Never.
    Hangs,
    /// With the beginning of a body.
    Stalls,
    /// Closes the connection in the middle of a body.
    Breaks,
    /// With a body that has no end.
    Endless,
    /// Correctly, but without ever waiting, and with this index.
    AtOnce(Option<&'static str>),
    /// Like an agent whose token may see nothing.
    Filters,
}

#[derive(Debug, Clone, Default)]
struct State {
    mood: Mood,
    index: u64,
    /// Entries of the health API.
    instances: Vec<Value>,
    /// Bodies of registrations, by ID.
    registered: BTreeMap<String, Value>,
    /// Required in every request.
    token: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub at: Instant,
    /// Method, path and query.
    pub what: String,
    pub token: Option<String>,
}

/// Stops when dropped, and closes its connections.
pub struct Agent {
    pub address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    asked: Arc<watch::Sender<Vec<Asked>>>,
    server: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Builds an instance as in the health API. `checks` is the worst status of its checks.
pub fn instance(address: &str, port: u16, checks: &str, tags: &[&str]) -> Value {
    json!({
        "Node": { "ID": "1", "Node": "node", "Address": "10.9.9.9", "Datacenter": "dc1",
            "TaggedAddresses": null, "Meta": { "zone": "of-node" }, "CreateIndex": 1 },
        "Service": { "ID": format!("users-{port}"), "Service": "users", "Tags": tags, "Address": address,
            "Meta": null, "Port": port, "Weights": { "Passing": 1, "Warning": 1 } },
        "Checks": [{ "Node": "node", "CheckID": "service:users", "Status": checks }],
    })
}

impl Agent {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State { index: 10, ..State::default() }));
        let asked = Arc::new(watch::Sender::new(Vec::new()));
        let server = tokio::spawn(serve(listener, Arc::clone(&state), Arc::clone(&asked)));
        Self { address, state, asked, server }
    }

    pub fn uri(&self) -> Uri {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// Replaces the list, as after a change.
    pub fn list(&self, instances: &[Value]) {
        self.state.send_modify(|state| {
            state.instances = instances.to_vec();
            state.index += 1;
        });
    }

    /// Sets the index, as after another change or a restored snapshot.
    pub fn set_index(&self, index: u64) {
        self.state.send_modify(|state| state.index = index);
    }

    pub fn turn(&self, mood: Mood) {
        self.state.send_modify(|state| state.mood = mood);
    }

    pub fn want_token(&self, token: &'static str) {
        self.state.send_modify(|state| state.token = Some(token));
    }

    pub fn registered(&self) -> BTreeMap<String, Value> {
        self.state.borrow().registered.clone()
    }

    pub fn forget_all(&self) {
        self.state.send_modify(|state| state.registered.clear());
    }

    /// Waits until `is_so` holds for the registrations.
    pub async fn until_registered(&self, is_so: impl Fn(&BTreeMap<String, Value>) -> bool) {
        let mut state = self.state.subscribe();
        super::within(state.wait_for(|state| is_so(&state.registered))).await.unwrap();
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Waits until this many requests have arrived.
    pub async fn until_asked(&self, times: usize) -> Asked {
        let mut asked = self.asked.subscribe();
        let seen = super::within(asked.wait_for(|asked| asked.len() >= times)).await;
        seen.unwrap()[times - 1].clone()
    }
}

async fn serve(
    listener: TcpListener,
    state: Arc<watch::Sender<State>>,
    asked: Arc<watch::Sender<Vec<Asked>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (state, asked) = (Arc::clone(&state), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let (state, asked) = (Arc::clone(&state), Arc::clone(&asked));
            async move { Ok::<_, Infallible>(answer(request, &state, &asked).await) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    state: &watch::Sender<State>,
    asked: &watch::Sender<Vec<Asked>>,
) -> Reply {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let token = head.headers.get("x-consul-token").map(|it| it.to_str().unwrap().to_owned());
    let what = format!("{} {}", head.method, head.uri);
    asked.send_modify(|asked| asked.push(Asked { at: Instant::now(), what, token: token.clone() }));
    wait_for_change(&head.uri, state).await;
    let now = state.borrow().clone();
    if let Some(reply) = unwell(&now.mood).await {
        return reply;
    }
    if now.token.is_some_and(|wanted| token.as_deref() != Some(wanted)) {
        return text(403, "Permission denied: token with AccessorID '0' lacks permission");
    }
    let path = head.uri.path();
    match (&head.method, path.strip_prefix("/v1/agent/service/")) {
        (&Method::GET, None) if path == "/v1/health/service/users" => listed(&head.uri, &now),
        (&Method::GET, Some(id)) => match now.registered.get(id) {
            Some(body) => text(200, body.to_string()),
            None => text(404, format!("unknown service ID: {id}")),
        },
        (&Method::PUT, Some("register")) => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let id = body["ID"].as_str().unwrap().to_owned();
            state.send_modify(|state| drop(state.registered.insert(id, body)));
            text(200, "")
        }
        (&Method::PUT, Some(path)) if path.starts_with("deregister/") => {
            let id = path.trim_start_matches("deregister/");
            let mut was_there = false;
            state.send_modify(|state| was_there = state.registered.remove(id).is_some());
            if was_there { text(200, "") } else { text(404, "Unknown service ID") }
        }
        _ => text(404, "no such path"),
    }
}

fn parameters<'a>(uri: &'a Uri, wanted: &str) -> Vec<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value).collect()
}

/// Waits for a change, as a blocking query does.
async fn wait_for_change(uri: &Uri, state: &watch::Sender<State>) {
    let Some(index) = parameters(uri, "index").first().map(|index| index.parse::<u64>().unwrap())
    else {
        return;
    };
    let wait = parameters(uri, "wait")[0].strip_suffix("ms").unwrap().parse().unwrap();
    let mut states = state.subscribe();
    let changed = states.wait_for(|now| now.index != index || !matches!(now.mood, Mood::Well));
    let _ = tokio::time::timeout(Duration::from_millis(wait), changed).await;
}

fn listed(uri: &Uri, now: &State) -> Reply {
    if parameters(uri, "dc").first().is_some_and(|dc| *dc != "dc1") {
        return text(500, "No path to datacenter");
    }
    let filters = matches!(now.mood, Mood::Filters);
    let passing = parameters(uri, "passing") == ["true"];
    let tags = parameters(uri, "tag");
    let fits = |entry: &&Value| {
        let has = |tag: &&str| entry["Service"]["Tags"].as_array().unwrap().contains(&json!(tag));
        !filters && (!passing || entry["Checks"][0]["Status"] == "passing") && tags.iter().all(has)
    };
    let fitting: Vec<&Value> = now.instances.iter().filter(fits).collect();
    let index = match &now.mood {
        Mood::AtOnce(index) => index.map(str::to_owned),
        _ => Some(now.index.to_string()),
    };
    let mut reply = text(200, json!(fitting).to_string());
    if let Some(index) = index {
        reply.headers_mut().insert("x-consul-index", index.parse().unwrap());
    }
    let filtered = if filters { "true" } else { "false" };
    let name = "x-consul-results-filtered-by-acls";
    reply.headers_mut().insert(name, filtered.parse().unwrap());
    reply
}

async fn unwell(mood: &Mood) -> Option<Reply> {
    let part = || Ok(Bytes::from(vec![b' '; 64 << 10]));
    let body = match mood {
        Mood::Well | Mood::AtOnce(_) | Mood::Filters => return None,
        Mood::Says(status, said) => return Some(text(*status, *said)),
        Mood::Redirects => {
            let mut reply = text(301, "");
            reply.headers_mut().insert("location", "/ui/".parse().unwrap());
            return Some(reply);
        }
        Mood::Hangs => std::future::pending().await,
        Mood::Stalls => streamed(stream::iter([part()]).chain(stream::pending())),
        Mood::Breaks => streamed(stream::iter([part(), Err(std::io::Error::other("broken"))])),
        Mood::Endless => streamed(stream::repeat_with(part)),
    };
    Some(Response::new(body))
}

fn streamed(parts: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static) -> Body {
    BoxBody::new(StreamBody::new(parts.map_ok(Frame::data)))
}

fn text(status: u16, said: impl Into<String>) -> Reply {
    let mut reply = Response::new(Full::from(said.into()).map_err(|never| match never {}).boxed());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}
