//! Implements async-graphql's `Executor` over the engine, so that transports written for it can serve the same engine.
//!
//! Plain HTTP requests do not pass here: they get the engine's bytes as they are, while here the bytes are parsed into
//! values again.

use super::graphql::guarded;
use crate::engine::{self, Answers, Document, Engine};
use crate::source::Caller;
use async_graphql::{Data, ServerError};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;

/// An engine as an executor. Cheap to clone. The caller is the `Arc<Caller>` in the request's or the session's data;
/// without one it is anonymous. All other data of a request is kept until its answers are dropped.
#[derive(Clone)]
pub struct Executor {
    engine: Engine,
}

impl Executor {
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    fn request(&self, request: async_graphql::Request, session: Option<&Data>) -> engine::Request {
        let of = |data: &Data| caller_of(data);
        let caller = of(&request.data).or_else(|| session.and_then(of)).unwrap_or_default();
        engine::Request {
            document: document(request.query, &request.extensions),
            operation_name: request.operation_name,
            variables: variables(request.variables),
            caller,
            queries_only: false,
            deadline: Instant::now() + self.engine.settings().timeout,
        }
    }
}

impl async_graphql::Executor for Executor {
    async fn execute(&self, request: async_graphql::Request) -> async_graphql::Response {
        let request = self.request(request, None);
        response(&self.engine.execute(request).await)
    }

    fn execute_stream(
        &self,
        mut request: async_graphql::Request,
        session_data: Option<Arc<Data>>,
    ) -> BoxStream<'static, async_graphql::Response> {
        let held = std::mem::take(&mut request.data);
        let asked = self.request(request, session_data.as_deref());
        let (engine, trace) = (self.engine.clone(), asked.caller.trace.clone());
        let answers = async move {
            match engine.subscribe(asked).await {
                Ok(Answers::Many(answers)) => answers,
                Ok(Answers::One(answer)) | Err(answer) => stream::iter([answer]).boxed(),
            }
        };
        guarded(stream::once(answers).flatten().boxed(), trace)
            .then(|answer| async move {
                // A stream that is always ready would starve the other streams of its connection.
                tokio::task::yield_now().await;
                answer
            })
            .map(move |answer| {
                let _ = &held;
                response(&answer)
            })
            .boxed()
    }
}

/// Returns the document of a request. Transports of async-graphql pass the text and the extensions, and an absent text
/// as an empty one.
fn document(text: String, extensions: &async_graphql::Extensions) -> Document {
    let hash = extensions.0.get("persistedQuery").and_then(|query| match query {
        async_graphql::Value::Object(members) => match members.get("sha256Hash") {
            Some(async_graphql::Value::String(hash)) => Some(hash.clone()),
            _ => None,
        },
        _ => None,
    });
    match hash {
        Some(hash) => Document::Hash { hash, text: Some(text).filter(|text| !text.is_empty()) },
        None => Document::Text(text),
    }
}

fn caller_of(data: &Data) -> Option<Arc<Caller>> {
    data.get(&std::any::TypeId::of::<Arc<Caller>>())?.downcast_ref::<Arc<Caller>>().cloned()
}

fn variables(variables: async_graphql::Variables) -> Map<String, Value> {
    // Numbers that a transport parsed from text are objects until they are converted to a JSON value.
    match variables.into_value().into_json().and_then(serde_json::from_value) {
        Ok(Value::Object(variables)) => variables,
        _ => Map::new(),
    }
}

/// Parses a response. Numbers keep their digits only if they pass through JSON values: parsed from text, they become
/// objects.
fn read(body: &[u8]) -> serde_json::Result<async_graphql::Response> {
    let mut whole: Value = serde_json::from_slice(body)?;
    let data = whole.get_mut("data").map(Value::take).unwrap_or_default();
    let mut read: async_graphql::Response = serde_json::from_value(whole)?;
    read.data = async_graphql::Value::from_json(data)?;
    Ok(read)
}

/// Parses the engine's bytes into a response.
fn response(response: &engine::Response) -> async_graphql::Response {
    read(&response.body).unwrap_or_else(|error| {
        tracing::error!("the engine's answer cannot be read: {error}");
        let message = "the gateway failed on this request";
        async_graphql::Response::from_errors(vec![ServerError::new(message, None)])
    })
}
