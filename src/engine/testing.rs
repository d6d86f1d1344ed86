//! Helpers of the engine's tests: an upstream that is a closure, which may be slow, refuse, or forward headers; engines
//! from SDL; and a small generator of random numbers.

use super::{Engine, Request, Response, Settings};
use crate::graph::{Graph, Sdl, load_with_env};
use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping, Scope, Template};
use crate::source::Validators;
use crate::source::fake::{Problem, render};
use crate::source::{
    self, BindingSpec, Call, Caller, Connector, ErrorKind, Inputs, Placed, Replies, Reply,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Answer = Result<Reply, source::Error>;
type Script = dyn Fn(source::Request) -> BoxFuture<'static, Answer> + Send + Sync;

/// A connector that speaks no protocol: `@call(source, target, forward, select, batch)`. `forward` names a header of
/// the caller to forward. With `stream: true` it opens the stream that [`Upstream::stream`] prepared. Clones share the
/// script and the record.
#[derive(Clone)]
pub(super) struct Upstream {
    script: Arc<Script>,
    sent: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    streams: Arc<Mutex<VecDeque<Result<Replies, source::Error>>>>,
}

impl Upstream {
    /// Answers at once, with JSON or a failure for each target.
    pub fn new(
        answer: impl Fn(&str) -> Result<Value, source::Error> + Send + Sync + 'static,
    ) -> Self {
        Self::slow(move |request| {
            let answer = answer(&request.target).map(|value| Reply::json(&value));
            futures_util::future::ready(answer)
        })
    }

    /// Answers when the future completes.
    pub fn slow<F: Future<Output = Answer> + Send + 'static>(
        answer: impl Fn(source::Request) -> F + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(move |request| answer(request).boxed());
        Self {
            script,
            sent: Arc::default(),
            open: Arc::default(),
            most: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// Sets the stream of the next subscription.
    pub fn stream(&self, stream: Result<Replies, source::Error>) {
        self.streams.lock().unwrap().push_back(stream);
    }

    /// Returns the targets sent since the start or the last call, in order.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    /// Returns the number of calls in flight.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Returns the maximum number of calls that were in flight at once.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub fn graph(&self, sdl: &str) -> Arc<Graph> {
        let connectors: Vec<Box<dyn Connector>> = vec![Box::new(self.clone())];
        match load_with_env(&Sdl::from_texts([("test.graphql", sdl)]), &connectors, &|_| None) {
            Ok((graph, _)) => Arc::new(graph),
            Err(problems) => panic!("{}", render(&problems, false)),
        }
    }

    pub fn engine(&self, sdl: &str) -> Engine {
        Engine::new(self.graph(sdl), Settings::default())
    }
}

/// Returns a request of an anonymous caller, with a long timeout.
pub(super) fn request(query: &str) -> Request {
    request_of(query, &[])
}

/// Returns a request of a caller that sends these headers.
pub(super) fn request_of(query: &str, headers: &[(&'static str, &'static str)]) -> Request {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let caller = Caller { headers: headers.collect(), ..Caller::default() };
    Request {
        document: query.into(),
        operation_name: None,
        variables: Map::new(),
        caller: Arc::new(caller),
        queries_only: false,
        deadline: Instant::now() + Duration::from_mins(1),
    }
}

pub(super) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("a response is JSON")
}

/// Returns a failure of this kind.
pub(super) fn failure(code: ErrorCode, kind: ErrorKind) -> source::Error {
    source::Error { kind, ..source::Error::new(code, "the upstream's own words") }
}

/// Returns the ids of a target such as `/users?ids=1,2`.
pub(super) fn ids(target: &str) -> Vec<String> {
    let list = target.split_once("ids=").map_or("", |(_, list)| list);
    let list = list.split('&').next().unwrap_or_default().replace("%2C", ",");
    list.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

struct Bound {
    upstream: Upstream,
    source: Name,
    target: Template,
    forward: Option<HeaderName>,
    select: Option<Mapping>,
    references: Vec<Placed>,
    streams: bool,
}

impl Connector for Upstream {
    fn directive(&self) -> &'static str {
        "call"
    }

    fn definition(&self) -> &'static str {
        "directive @call(source: String!, target: String!, forward: String, select: String, \
         batch: BatchRule, stream: Boolean) on FIELD_DEFINITION"
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let text = |name: &str| spec.argument(name).and_then(|argument| argument.text());
        let problems = |name: &str, errors: Vec<crate::mapping::ParseError>| -> Vec<Problem> {
            let argument = spec.argument(name).expect("it was parsed");
            errors.into_iter().map(|error| argument.problem("call", error)).collect()
        };
        let target = Template::parse_url(text("target").expect("it is required"))
            .map_err(|errors| problems("target", errors))?;
        let select = match text("select") {
            Some(text) => Some(Mapping::parse(text).map_err(|errors| problems("select", errors))?),
            None => None,
        };
        let place = spec.argument("target").expect("it is required").place.clone();
        let placed = |reference| Placed { place: place.clone(), reference };
        let references = target.references().into_iter().map(placed).collect();
        let forward = text("forward").map(|name| name.parse().expect("a header's name"));
        let (upstream, source) = (self.clone(), spec.source.clone());
        let streams = spec.argument("stream").and_then(source::Argument::boolean) == Some(true);
        Ok(Arc::new(Bound { upstream, source, target, forward, select, references, streams }))
    }
}

impl Call for Bound {
    fn source(&self) -> &Name {
        &self.source
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn forwards(&self) -> &[HeaderName] {
        self.forward.as_slice()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<source::Request, Failure> {
        let forwarded = self
            .forward
            .iter()
            .filter_map(|name| Some((name.clone(), inputs.caller.headers.get(name)?.clone())));
        Ok(source::Request {
            source: self.source.clone(),
            verb: "call",
            target: self.target.render_url(&Scope { current: &Value::Null, variables: inputs })?,
            headers: forwarded.collect(),
            body: bytes::Bytes::new(),
            reading: 0,
            trace: inputs.caller.trace.clone(),
        })
    }

    fn send(&self, request: Arc<source::Request>, _: Instant) -> BoxFuture<'static, Answer> {
        let upstream = self.upstream.clone();
        async move {
            let under_way = UnderWay::new(&upstream);
            upstream.sent.lock().unwrap().push(request.target.clone());
            let answer = (upstream.script)(source::Request::clone(&request)).await;
            drop(under_way);
            answer
        }
        .boxed()
    }

    fn revalidate(
        &self,
        request: Arc<source::Request>,
        validators: &Validators,
        deadline: Instant,
    ) -> BoxFuture<'static, Answer> {
        let mut request = source::Request::clone(&request);
        let etag = validators.etag.clone().map(|etag| (http::header::IF_NONE_MATCH, etag));
        let date = validators.last_modified.clone();
        let date = date.map(|date| (http::header::IF_MODIFIED_SINCE, date));
        request.headers.extend(etag.into_iter().chain(date));
        self.send(Arc::new(request), deadline)
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn subscribe(
        &self,
        request: Arc<source::Request>,
        _: Instant,
    ) -> BoxFuture<'static, Result<Replies, source::Error>> {
        self.upstream.sent.lock().unwrap().push(format!("stream {}", request.target));
        let stream = self.upstream.streams.lock().unwrap().pop_front();
        futures_util::future::ready(stream.expect("a test prepares its streams")).boxed()
    }

    fn describe(&self, request: &source::Request) -> String {
        format!("call {} {}", request.source, request.target)
    }
}

/// Counts a call while it is in flight, including dropped ones.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(upstream: &Upstream) -> Self {
        let open = upstream.open.fetch_add(1, Ordering::SeqCst) + 1;
        upstream.most.fetch_max(open, Ordering::SeqCst);
        Self(Arc::clone(&upstream.open))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Pseudorandom numbers that are the same every time (SplitMix64).
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which must not be zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
