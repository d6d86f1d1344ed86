//! Shared by the connectors' tests: bindings written as SDL, callers, and loopback servers.

use super::{Protocol, SourceSettings};
use crate::problem::{Place, Problem, SourceFile};
use crate::source::{Argument, ArgumentValue, BindingSpec, Caller, Inputs, Operation};
use crate::upstream;
use apollo_compiler::Node;
use apollo_compiler::ast;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Returns the binding of `Query.it`, from a directive as users write it.
pub(super) fn binding(directive: &str) -> BindingSpec {
    bindings(&format!("type Query {{ it: Int {directive} }}")).remove(0)
}

/// Returns every binding of a text.
pub(super) fn bindings(sdl: &str) -> Vec<BindingSpec> {
    let file = Arc::new(SourceFile { name: "test.graphql".into(), text: sdl.to_owned() });
    let document = ast::Document::parse(sdl.to_owned(), "test.graphql").expect("valid SDL");
    let types = document.definitions.iter().filter_map(|definition| match definition {
        ast::Definition::ObjectTypeDefinition(object) => Some(object),
        _ => None,
    });
    let directives = types.flat_map(|object| &object.fields).flat_map(|f| f.directives.iter());
    directives.filter_map(|directive| read_binding(&file, directive)).collect()
}

fn read_binding(file: &Arc<SourceFile>, directive: &Node<ast::Directive>) -> Option<BindingSpec> {
    let arguments = directive.arguments.iter();
    let mut arguments: Vec<Argument> =
        arguments.map(|argument| read(file, &argument.name, &argument.value)).collect();
    let at = arguments.iter().position(|argument| &*argument.name == "source")?;
    let source = arguments.remove(at);
    Some(BindingSpec {
        coordinate: "Query.it".into(),
        source: source.text().expect("a string").into(),
        source_place: source.place,
        place: place(file, directive),
        operation: Operation::Query,
        leaf: Some("Int".into()),
        nullable: true,
        arguments,
    })
}

/// Returns the text of every block of this language on a page.
pub(super) fn examples<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let parts = page.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().expect("a first part")).collect()
}

fn read(file: &Arc<SourceFile>, name: &str, value: &Node<ast::Value>) -> Argument {
    let place = place(file, value);
    let value = match &**value {
        ast::Value::String(text) => {
            let span = place.span.start + 1..place.span.end - 1;
            let same = file.text.get(span.clone()) == Some(text.as_str());
            let content = same.then(|| Place::new(file, span));
            ArgumentValue::String { text: text.clone(), content }
        }
        ast::Value::Enum(name) => ArgumentValue::Enum(name.as_str().into()),
        ast::Value::Boolean(value) => ArgumentValue::Boolean(*value),
        ast::Value::List(elements) => {
            ArgumentValue::List(elements.iter().map(|value| read(file, "", value)).collect())
        }
        ast::Value::Object(fields) => ArgumentValue::Object(
            fields.iter().map(|(name, value)| read(file, name, value)).collect(),
        ),
        _ => ArgumentValue::Null,
    };
    Argument { name: name.into(), value, place }
}

fn place<T>(file: &Arc<SourceFile>, node: &Node<T>) -> Place {
    let location = node.location().expect("parsed from text");
    Place::new(file, location.offset()..location.end_offset())
}

/// Formats problems as `code: "the text it points at" message`.
pub(super) fn shown(problems: &[Problem]) -> Vec<String> {
    let show = |problem: &Problem| {
        let place = problem.place.as_ref().map(|place| &place.file.text[place.span.clone()]);
        format!("{}: {:?} {}", problem.code, place.unwrap_or("nowhere"), problem.message)
    };
    problems.iter().map(show).collect()
}

/// Creates inputs with these arguments, and nothing else.
pub(super) fn with_inputs<T>(args: &Value, caller: &Caller, ask: impl Fn(&Inputs<'_>) -> T) -> T {
    let null = Value::Null;
    let nothing = json!({});
    ask(&Inputs {
        args,
        this: &json!({ "id": "7", "org": { "id": 3 } }),
        batch: &null,
        caller,
        env: &nothing,
        config: &null,
    })
}

pub(super) fn caller(headers: &[(&str, &str)]) -> Caller {
    let mut caller = Caller { claims: json!({ "sub": "me" }), ..Caller::default() };
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().expect("a header name");
        caller.headers.append(name, value.parse().expect("a header value"));
    }
    caller
}

pub(super) fn settings(name: &str, protocol: Protocol) -> SourceSettings {
    SourceSettings { reuse: true, ..SourceSettings::new(name.into(), protocol) }
}

#[expect(clippy::needless_pass_by_value, reason = "tests make URLs for this alone")]
pub(super) fn site(url: http::Uri) -> upstream::Site {
    upstream::Site::at(&url).expect("an http URL")
}

pub(super) fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

pub(super) type Asked = http::Request<Incoming>;
pub(super) type Answer = http::Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    answer_with(status, headers, Full::new(body.into()))
}

pub(super) fn answer_with(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Answer {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.boxed_unsync()).expect("a response")
}

pub(super) fn answer_json(value: &Value) -> Answer {
    answer(200, &[("content-type", "application/json")], value.to_string())
}

/// Returns method, headers and so on, and the whole body.
pub(super) async fn read_asked(asked: Asked) -> (http::request::Parts, Bytes) {
    let (parts, body) = asked.into_parts();
    (parts, body.collect().await.expect("a body").to_bytes())
}

/// A server on a loopback port: HTTP/1.1, and HTTP/2 with prior knowledge.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start<F, A>(respond: F) -> Self
    where
        F: Fn(Asked) -> A + Clone + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self::start_at(([127, 0, 0, 1], 0).into(), respond).await
    }

    pub(super) async fn start_at<F, A>(address: SocketAddr, respond: F) -> Self
    where
        F: Fn(Asked) -> A + Clone + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, None, stopped, respond));
        Self { address, stop, task }
    }

    pub(super) async fn start_tls<F, A>(tls: rustls::ServerConfig, respond: F) -> Self
    where
        F: Fn(Asked) -> A + Clone + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let tls = Some(TlsAcceptor::from(Arc::new(tls)));
        let task = tokio::spawn(serve(listener, tls, stopped, respond));
        Self { address, stop, task }
    }

    /// Stops the server. Returns when every connection is closed.
    pub(super) async fn stop(self) {
        drop(self.stop);
        self.task.await.expect("no panic");
    }

    pub(super) fn url(&self) -> http::Uri {
        format!("http://{}", self.address).parse().expect("a URL")
    }
}

async fn serve<F, A>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopped: oneshot::Receiver<()>,
    respond: F,
) where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection").0,
            _ = &mut stopped => break,
        };
        let respond = respond.clone();
        let service = service_fn(move |asked| respond(asked).map(Ok::<_, Infallible>));
        let builder = auto::Builder::new(TokioExecutor::new());
        let Some(tls) = &tls else {
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            tokio::spawn(open.watch(connection));
            continue;
        };
        let handshake = tls.accept(stream);
        tokio::spawn(async move {
            if let Ok(stream) = handshake.await {
                // A client may break off.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}
