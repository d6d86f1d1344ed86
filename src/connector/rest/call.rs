//! One `@rest` binding: renders the request, sends it, and maps the reply.

use super::RestSource;
use super::body::RequestBody;
use super::query::{self, Parameter};
use super::refusal::Inspection;
use super::reply::{ReplyReading, redirected};
use super::stream;
use crate::connector::failure::{Attempts, Meaning};
use crate::connector::headers::{self, Headers};
use crate::connector::texts::{Text, scope};
use crate::connector::tokens::{Tokens, authorized};
use crate::graphql::Name;
use crate::mapping::{Failure, Mapping};
use crate::memory::Held;
use crate::problem::Problem;
use crate::source::{
    Body, Call, Error, ErrorKind, Inputs, MAX_MAPPED_ERROR, Placed, Replies, Reply, ReplyRules,
    Request, Returned, Validators, excerpt,
};
use crate::upstream::http::{HttpClient, HttpReply};
use crate::upstream::{self, Attempt, Fault, Repeat, Terms};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use http::header::{HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, RETRY_AFTER};
use http::uri::{PathAndQuery, Uri};
use http::{Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Status of a service that does not accept the caller's credentials.
const UNAUTHORIZED: u16 = StatusCode::UNAUTHORIZED.as_u16();

pub(super) type Header = (HeaderName, HeaderValue);

/// IETF draft, "The Idempotency-Key HTTP Header Field".
const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) struct RestCall {
    pub(super) source: Arc<RestSource>,
    pub(super) verb: &'static str,
    pub(super) target: Target,
    pub(super) query: Vec<Parameter>,
    pub(super) headers: Headers,
    /// Media type of the body, unless the binding or the source sets it.
    pub(super) media_type: Option<Header>,
    pub(super) body: Option<RequestBody>,
    pub(super) select: Option<Mapping>,
    pub(super) rules: ReplyRules,
    pub(super) reading: Arc<ReplyReading>,
    pub(super) references: Vec<Placed>,
    pub(super) warnings: Vec<Problem>,
    pub(super) constant: Arc<Constant>,
    /// Tokens of the source, unless the binding sets credentials itself.
    pub(super) tokens: Option<Arc<Tokens>>,
    /// The reply is a stream of events.
    pub(super) streams: bool,
    /// Condition under which the call may be repeated, unless the request has an idempotency key.
    pub(super) repeat: Repeat,
}

/// Sent with every call, but ignored in comparisons of calls.
pub(super) struct Constant {
    pub(super) headers: Vec<Header>,
    pub(super) query: query::OfSource,
}

/// Path and query to which a call's parameters are added.
pub(super) struct Target {
    base_path: String,
    text: Text<String>,
}

impl Target {
    pub(super) fn new(base_path: &str, text: Text<String>) -> Self {
        let text = match text {
            Text::Fixed(text) => Text::Fixed(format!("{base_path}{text}")),
            template @ Text::Template(_) => template,
        };
        Self { base_path: base_path.to_owned(), text }
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<String, Failure> {
        match &self.text {
            Text::Fixed(target) => Ok(target.clone()),
            Text::Template(template) => {
                let mut target = template.render_url(&scope(inputs))?;
                if !self.base_path.is_empty() {
                    target.insert_str(0, &self.base_path);
                }
                Ok(target)
            }
        }
    }
}

impl Call for RestCall {
    fn source(&self) -> &Name {
        &self.source.settings.name
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn rules(&self) -> &ReplyRules {
        &self.rules
    }

    fn sends_json(&self) -> bool {
        self.body.as_ref().is_some_and(RequestBody::is_json)
    }

    fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Returns false if the source returns cookies: a cookie belongs to the client whose call it came with.
    fn reusable(&self) -> bool {
        let settings = &self.source.settings;
        settings.reuse && settings.returned.cookies.is_empty()
    }

    fn returned(&self) -> &Returned {
        &self.source.settings.returned
    }

    fn forwards(&self) -> &[HeaderName] {
        self.headers.forwarded()
    }

    fn sends_claims(&self) -> bool {
        self.headers.sends_claims()
    }

    fn config(&self) -> &Value {
        &self.source.settings.config.value
    }

    fn shown_config(&self, mark: &dyn Fn(&str) -> Value) -> Value {
        self.source.settings.config.shown(mark)
    }

    fn timeout(&self) -> Duration {
        self.source.settings.upstream.timeout
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure> {
        let own = &self.source.settings.config.value;
        let config = if inputs.config.is_null() { own } else { inputs.config };
        let inputs = &Inputs { config, ..*inputs };
        let mut target = self.target.render(inputs)?;
        query::append(&self.query, inputs, &mut target)?;
        let body = match &self.body {
            Some(body) => body.render(inputs)?,
            None => None,
        };
        let media_type = self.media_type.as_ref().filter(|_| body.is_some());
        Ok(Request {
            source: self.source.settings.name.clone(),
            verb: self.verb,
            target,
            headers: self.headers.render(inputs, media_type)?,
            body: body.unwrap_or_default(),
            reading: self.reading.number() | self.inspection().number() << 16,
            trace: inputs.caller.trace.clone(),
        })
    }

    fn send(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.ask(request, None, deadline)
    }

    fn revalidate(
        &self,
        request: Arc<Request>,
        validators: &Validators,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.ask(request, condition(self.verb, validators), deadline)
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn subscribe(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Replies, Error>> {
        let asking = self.asking(request, None, deadline);
        authorized(self.tokens.as_ref(), deadline, UNAUTHORIZED, asking, Asking::open)
    }

    fn describe(&self, request: &Request) -> String {
        let address = self.source.upstream.site().shown();
        let target = self.constant.query.shown_in(&request.target);
        let mut text = format!("{} {address}{target}", request.verb);
        let written_by = |(name, value): &&Header| {
            *name != CONTENT_TYPE || value.as_bytes() != b"application/json"
        };
        let shown: Vec<Header> = request.headers.iter().filter(written_by).cloned().collect();
        headers::describe(&shown, self.tokens.is_some(), &mut text);
        if !request.body.is_empty() {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&request.body));
        }
        text
    }
}

impl RestCall {
    fn repeat(&self, request: &Request) -> Repeat {
        let has_key = || request.headers.iter().any(|(name, _)| name == IDEMPOTENCY_KEY);
        if self.repeat < Repeat::Always && has_key() { Repeat::Always } else { self.repeat }
    }

    fn inspection(&self) -> Inspection {
        let settings = &self.source.settings;
        Inspection::new(&self.rules, settings.upstream.max_reply)
    }

    /// Returns the call for a problem that developers see.
    fn shown(&self, request: &Request) -> Option<String> {
        let address = self.source.upstream.site().shown();
        let target = || self.constant.query.shown_in(&request.target);
        let shown = || format!("{} {address}{}", request.verb, target());
        self.source.settings.shows_replies.then(shown)
    }

    /// Sends the call. `condition` makes it a conditional request, which checks whether a cached reply is still valid.
    fn ask(
        &self,
        request: Arc<Request>,
        condition: Option<Header>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        let asking = self.asking(request, condition, deadline);
        authorized(self.tokens.as_ref(), deadline, UNAUTHORIZED, asking, Asking::run)
    }

    fn asking(
        &self,
        request: Arc<Request>,
        condition: Option<Header>,
        deadline: Instant,
    ) -> Asking {
        Asking {
            source: Arc::clone(&self.source),
            constant: Arc::clone(&self.constant),
            reading: Arc::clone(&self.reading),
            condition,
            terms: Terms { deadline, repeat: self.repeat(&request) },
            inspection: self.inspection(),
            shown: self.shown(&request),
            request,
        }
    }
}

/// A request that is sent again if its token is refused.
#[derive(Clone)]
struct Asking {
    source: Arc<RestSource>,
    constant: Arc<Constant>,
    reading: Arc<ReplyReading>,
    request: Arc<Request>,
    condition: Option<Header>,
    terms: Terms,
    inspection: Inspection,
    /// The call, for developers.
    shown: Option<String>,
}

impl Asking {
    fn run(self, token: Option<HeaderValue>) -> BoxFuture<'static, Result<Reply, Error>> {
        async move {
            let attempts = Attempts::showing(self.shown);
            let told = self.source.settings.deadline_header.as_ref();
            let more = More { condition: self.condition, ..More::with_token(token) };
            self.source
                .upstream
                .call(self.terms, |attempt| {
                    let (request, constant) =
                        (Arc::clone(&self.request), Arc::clone(&self.constant));
                    let deadline = told.map(|name| (name.clone(), milliseconds(attempt.left())));
                    let more = More { deadline, ..more.clone() };
                    // A large future, which would be moved with the call.
                    let reading = (Arc::clone(&self.reading), self.inspection);
                    let attempt = exchange(attempt, request, constant, more, reading, &attempts);
                    attempts.run(Box::pin(attempt), meaning_of)
                })
                .await
                .map_err(|failure| attempts.to_error(&failure, meaning_of))
        }
        .boxed()
    }

    /// Opens a stream of replies.
    fn open(self, token: Option<HeaderValue>) -> BoxFuture<'static, Result<Replies, Error>> {
        async move {
            let attempts = Attempts::showing(self.shown);
            let (upstream, more) = (&self.source.upstream, More::with_token(token));
            let opening = upstream.call(self.terms, |attempt| {
                let (request, constant) = (Arc::clone(&self.request), Arc::clone(&self.constant));
                let inspected = (self.inspection, &attempts);
                // A large future, which would be moved with the call.
                Box::pin(stream::open(attempt, request, constant, more.clone(), inspected))
            });
            let reply = opening.await.map_err(|failure| attempts.to_error(&failure, meaning_of))?;
            Ok(stream::replies(reply, upstream.settings(), meaning_of))
        }
        .boxed()
    }
}

/// Headers that an attempt adds to its request. They replace headers of the same name. If there is a token, a request
/// has no `authorization` of its own.
#[derive(Clone, Default)]
pub(super) struct More {
    condition: Option<Header>,
    deadline: Option<Header>,
    token: Option<Header>,
}

impl More {
    fn with_token(token: Option<HeaderValue>) -> Self {
        let token = token.map(|token| (AUTHORIZATION, token));
        Self { token, ..Self::default() }
    }
}

/// Formats milliseconds: at least one, because services may read 0 as "no limit".
fn milliseconds(left: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1))
}

/// Returns the headers of a conditional request (RFC 9110, section 13.1). `if-modified-since` is used only without an
/// entity tag. Only `GET` is conditional.
fn condition(verb: &str, validators: &Validators) -> Option<Header> {
    match (&validators.etag, &validators.last_modified) {
        _ if verb != "GET" => None,
        (Some(etag), _) => Some((IF_NONE_MATCH, etag.clone())),
        (None, Some(date)) => Some((IF_MODIFIED_SINCE, date.clone())),
        (None, None) => None,
    }
}

async fn exchange(
    attempt: Attempt<HttpClient>,
    request: Arc<Request>,
    constant: Arc<Constant>,
    more: More,
    (reading, inspection): (Arc<ReplyReading>, Inspection),
    attempts: &Attempts,
) -> Result<Reply, upstream::Failure> {
    let asks_whether = more.condition.is_some();
    let reply = followed(&attempt, &request, &constant, more, reading.follow).await?;
    let status = reply.status;
    if status == StatusCode::NOT_MODIFIED && asks_whether {
        let headers = Arc::new(reply.headers.clone());
        reply.discard().await;
        let (body, held) = (Body::Json(Bytes::new()), Held::default());
        return Ok(Reply { body, status: status.as_u16(), headers, held });
    }
    if !status.is_success() {
        let refused = refused(status, &reply.headers);
        attempts.refused(inspection.read(reply).await);
        return Err(refused);
    }
    let (headers, body, held) = match reading.expect(&reply.headers) {
        Err(wrong) if !reply.is_empty() => no_json(reply, wrong, inspection).await?,
        _ => reply.read().await?,
    };
    let body = Body::Json(reading.body(&headers, body));
    Ok(Reply { body, status: status.as_u16(), headers: Arc::new(headers), held })
}

/// Returns the reply to a request, or to the target of at most `follow` redirects within its origin.
async fn followed(
    attempt: &Attempt<HttpClient>,
    request: &Arc<Request>,
    constant: &Constant,
    more: More,
    follow: u8,
) -> Result<HttpReply, upstream::Failure> {
    let instance = &attempt.instance;
    let mut request = Arc::clone(request);
    let mut left = follow;
    loop {
        let written = write(&instance.uri, &request, constant, more.clone())?;
        let reply = instance.connection.send_over(written, attempt.fresh).await?;
        if left == 0 {
            return Ok(reply);
        }
        let answer = (reply.status, &reply.headers);
        let Some(target) = redirected(&instance.uri, &request.target, answer) else {
            return Ok(reply);
        };
        reply.discard().await;
        left -= 1;
        request = Arc::new(Request { target, ..Request::clone(&request) });
    }
}

/// Handles a body of another media type: it is a reply only if it is empty.
async fn no_json(
    reply: HttpReply,
    wrong: String,
    inspection: Inspection,
) -> Result<(HeaderMap, Bytes, Held), upstream::Failure> {
    let shown = match reply.read_at_most(MAX_MAPPED_ERROR).await {
        Ok((headers, body, held)) if body.is_empty() => return Ok((headers, body, held)),
        Ok((_, body, _)) if inspection.shows_replies => format!("{wrong}: {}", excerpt(&body)),
        _ => wrong,
    };
    Err(upstream::Failure::Invalid(shown))
}

/// Returns the failure of an error status.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap) -> upstream::Failure {
    upstream::Failure::Status {
        number: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("not a standard status").to_owned(),
        fault: match status.as_u16() {
            429 => Fault::Load,
            502..=504 => Fault::Away,
            // The service does not support what the call requests.
            501 | 505 => Fault::Call,
            500.. => Fault::Broken,
            _ => Fault::Call,
        },
        retry_after: headers.get(RETRY_AFTER).and_then(retry_after),
    }
}

/// Parses `Retry-After` (RFC 9110, section 10.2.3).
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

pub(super) fn write(
    address: &Uri,
    request: &Request,
    constant: &Constant,
    more: More,
) -> Result<http::Request<Bytes>, upstream::Failure> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = address.scheme().cloned();
    parts.authority = address.authority().cloned();
    parts.path_and_query = Some(
        PathAndQuery::try_from(&*constant.query.added_to(&request.target))
            .map_err(|error| upstream::Failure::NotSent(error.to_string()))?,
    );
    let uri =
        Uri::from_parts(parts).map_err(|error| upstream::Failure::NotSent(error.to_string()))?;
    let mut headers = HeaderMap::with_capacity(constant.headers.len() + request.headers.len() + 4);
    for (name, value) in constant.headers.iter().chain(&request.headers) {
        headers.append(name.clone(), value.clone());
    }
    for (name, value) in [more.condition, more.deadline, more.token].into_iter().flatten() {
        headers.insert(name, value);
    }
    headers.extend(request.trace.headers().cloned());
    let method = method_of(request.verb);
    if request.body.is_empty() && matches!(request.verb, "POST" | "PUT" | "PATCH") {
        // RFC 9110 §8.6: a request whose method defines a meaning for a body announces that it has none.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut written = http::Request::new(request.body.clone());
    *written.method_mut() = method;
    *written.uri_mut() = uri;
    *written.headers_mut() = headers;
    Ok(written)
}

fn method_of(verb: &str) -> Method {
    match verb {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => Method::GET,
    }
}

fn meaning_of(status: u16) -> Meaning {
    let kind = match status {
        404 | 410 => ErrorKind::NotFound,
        400 | 409 | 413 | 414 | 422 | 431 => ErrorKind::Refused,
        _ => ErrorKind::Failed,
    };
    // 501 and 505 say that the service cannot do it. A redirect may follow an executed request (303), and any other 5xx
    // may have failed after execution.
    let is_refusal = matches!(status, 400..=499 | 501 | 505);
    Meaning { code: crate::graphql::ErrorCode::UpstreamStatus, kind, is_refusal }
}
