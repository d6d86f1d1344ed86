//! Steady load: requests are due at fixed intervals, whatever the others do, and the duration of each counts from when
//! it was due.

use super::figures::{quantile, shown};
use crate::upstream::http::sentence;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// Maximum number of requests in flight; further ones are not sent and count as lost. A gateway allows a thousand
/// connections per address.
const MOST_UNDER_WAY: usize = 900;

/// Client timeout; longer than the gateway's own request timeout.
const PATIENCE: Duration = Duration::from_secs(20);

/// Target, operation and rate of a load.
#[derive(Debug, Clone)]
pub struct Aim {
    /// Used in turn. If one refuses the connection, the next one is used, as with a load balancer.
    pub gateways: Vec<SocketAddr>,
    /// Source that is queried; `None`: the answer needs no source.
    pub source: Option<&'static str>,
    /// Requests per second.
    pub rate: u32,
    /// Calls per request.
    pub calls: usize,
    /// Sends the source's mutation instead of its query.
    pub is_mutation: bool,
}

impl Aim {
    /// Creates a load of one query per request.
    pub fn at(gateway: SocketAddr, source: &'static str, rate: u32) -> Self {
        let (gateways, source) = (vec![gateway], Some(source));
        Self { gateways, source, rate, calls: 1, is_mutation: false }
    }
}

/// A running load.
pub struct Load {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Shot>>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Shot {
    pub due: Instant,
    /// Duration since it was due.
    pub took: Duration,
    pub end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Data,
    /// The code of its first error.
    Error(String),
    /// There was no answer.
    Lost(String),
}

/// Finished requests.
#[derive(Debug, Clone)]
pub struct Shots(Vec<Shot>);

type Http = Client<HttpConnector, Full<Bytes>>;

impl Load {
    pub fn start(aim: Aim) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(fire(aim, stopped)) }
    }

    /// Stops the load. Returns when the last request has ended.
    pub async fn stop(self) -> Shots {
        let _ = self.stop.send(());
        Shots(self.task.await.unwrap_or_default())
    }
}

impl Shots {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the requests that were due in this period.
    pub fn due(&self, from: Instant, to: Instant) -> Self {
        Self(self.0.iter().filter(|it| it.due >= from && it.due < to).cloned().collect())
    }

    /// Returns the requests that were due before then.
    pub fn before(&self, to: Instant) -> Self {
        Self(self.0.iter().filter(|it| it.due < to).cloned().collect())
    }

    /// Returns the requests whose end satisfies `is_so`.
    pub fn ended(&self, is_so: impl Fn(&End) -> bool) -> Self {
        Self(self.0.iter().filter(|it| is_so(&it.end)).cloned().collect())
    }

    pub fn times(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().map(|it| it.took)
    }

    /// Returns the duration that `share` of them do not exceed.
    pub fn within(&self, share: f64) -> Duration {
        quantile(self.times(), share)
    }

    /// Number of requests without data, and a text about them: the first reason, and the times of the first and the
    /// last.
    pub fn failures(&self) -> (usize, String) {
        let failed = self.ended(|end| *end != End::Data);
        let mut text = format!("{} of {} requests failed", failed.len(), self.len());
        let start = self.0.iter().map(|shot| shot.due).min();
        if let (Some(start), Some(first), Some(last)) = (start, failed.0.first(), failed.0.last()) {
            let after = |shot: &Shot| shown(shot.due.duration_since(start));
            text.push_str(&format!(
                ", {:?}, due after {} to {}",
                first.end,
                after(first),
                after(last)
            ));
        }
        (failed.len(), text)
    }
}

async fn fire(aim: Aim, mut stopped: oneshot::Receiver<()>) -> Vec<Shot> {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    let mut shots = Vec::new();
    for number in 0_u32.. {
        let due = start + Duration::from_secs(1) * number / aim.rate;
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        while let Some(Ok(shot)) = under_way.try_join_next() {
            shots.push(shot);
        }
        if under_way.len() < MOST_UNDER_WAY {
            under_way.spawn(shoot(http.clone(), aim.clone(), number as usize, due));
        } else {
            let end = End::Lost("too many are in flight".to_owned());
            shots.push(Shot { due, took: Duration::ZERO, end });
        }
    }
    while let Some(Ok(shot)) = under_way.join_next().await {
        shots.push(shot);
    }
    shots
}

async fn shoot(http: Http, aim: Aim, number: usize, due: Instant) -> Shot {
    let end = match tokio::time::timeout(PATIENCE, ask(&http, &aim, number)).await {
        Ok(end) => end,
        Err(_) => End::Lost(format!("no answer in {} s", PATIENCE.as_secs())),
    };
    Shot { due, took: due.elapsed(), end }
}

async fn ask(http: &Http, aim: &Aim, number: usize) -> End {
    let body = Bytes::from(body(aim, number));
    let mut last = String::new();
    for turn in 0..aim.gateways.len() {
        let gateway = aim.gateways[(number + turn) % aim.gateways.len()];
        let request = http::Request::post(format!("http://{gateway}/graphql"))
            .header("content-type", "application/json")
            .body(Full::new(body.clone()));
        let Ok(request) = request else { return End::Lost("not a request".to_owned()) };
        match http.request(request).await {
            Ok(response) => match response.into_body().collect().await {
                Ok(body) => return end(&body.to_bytes()),
                Err(error) => return End::Lost(sentence(&error)),
            },
            Err(error) if error.is_connect() => last = sentence(&error),
            Err(error) => return End::Lost(sentence(&error)),
        }
    }
    End::Lost(last)
}

/// Builds the body of a request for this many items. Each body differs, so that no two calls are equal and shared.
pub fn body(aim: &Aim, number: usize) -> String {
    let Some(source) = aim.source else { return json!({ "query": "{ __typename }" }).to_string() };
    let (kind, prefix) = if aim.is_mutation { ("mutation", "change_") } else { ("query", "") };
    let (mut names, mut fields) = (String::new(), String::new());
    let mut variables = serde_json::Map::new();
    for call in 0..aim.calls {
        names.push_str(&format!("$i{call}: ID! "));
        fields.push_str(&format!("f{call}: {prefix}{source}(id: $i{call}) {{ id }} "));
        variables.insert(format!("i{call}"), (number * aim.calls + call).to_string().into());
    }
    let query = format!("{kind}({names}) {{ {fields}}}");
    json!({ "query": query, "variables": variables }).to_string()
}

fn end(body: &[u8]) -> End {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return End::Lost("an answer that is not JSON".to_owned());
    };
    match answer.pointer("/errors/0/extensions/code") {
        Some(code) => End::Error(code.as_str().unwrap_or_default().to_owned()),
        None if answer.get("errors").is_some() => End::Error("without a code".to_owned()),
        None => End::Data,
    }
}
