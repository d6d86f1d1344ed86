//! A source without a network. The SDL controls its behavior: answer, wait, hang, fail or panic.

use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping};
use crate::memory::Held;
use crate::problem::Problem;
use crate::source::{
    BindingSpec, Body, Call, Connector, Error, Inputs, Operation, Placed, Reply, Request,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// Bytes of a large reply.
pub(super) const LARGE: usize = 300 << 10;

#[derive(Clone)]
pub(super) struct Fake {
    pub events: mpsc::UnboundedSender<&'static str>,
    pub release: Arc<Notify>,
}

struct FakeCall {
    fake: Fake,
    source: Name,
    does: &'static str,
}

/// Reports when it is dropped before its work is done.
struct Work(Option<mpsc::UnboundedSender<&'static str>>);

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(events) = &self.0 {
            let _ = events.send("cancelled");
        }
    }
}

impl Connector for Fake {
    fn directive(&self) -> &'static str {
        "fake"
    }

    fn definition(&self) -> &'static str {
        "directive @fake(source: String!, does: String!) on FIELD_DEFINITION"
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        assert!(matches!(spec.operation, Operation::Query | Operation::Mutation));
        let text = spec.argument("does").and_then(|argument| argument.text()).unwrap();
        let does = ["answer", "caller", "wait", "hang", "fail", "panic", "large"];
        let does = does.into_iter().find(|known| *known == text).expect("something it can do");
        Ok(Arc::new(FakeCall { fake: self.clone(), source: spec.source.clone(), does }))
    }
}

impl Call for FakeCall {
    fn source(&self) -> &Name {
        &self.source
    }

    fn references(&self) -> &[Placed] {
        &[]
    }

    fn select(&self) -> Option<&Mapping> {
        None
    }

    fn timeout(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure> {
        let tenant = inputs.caller.headers.get("x-tenant").map(|value| value.to_str().unwrap());
        let target = match self.does {
            "caller" => format!("{tenant:?} {:?}", inputs.caller.ip),
            other => other.to_owned(),
        };
        Ok(Request {
            source: self.source.clone(),
            verb: "fake",
            target,
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            reading: 0,
            trace: inputs.caller.trace.clone(),
        })
    }

    fn send(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        let (fake, does) = (self.fake.clone(), self.does);
        Box::pin(async move {
            let _ = fake.events.send("called");
            let mut work = Work(Some(fake.events.clone()));
            match does {
                "wait" => fake.release.notified().await,
                "hang" => {
                    tokio::time::sleep_until(deadline.into()).await;
                    work.0 = None;
                    return Err(Error::new(ErrorCode::DeadlineExceeded, "as told"));
                }
                "fail" => {
                    work.0 = None;
                    return Err(Error::new(ErrorCode::UpstreamUnavailable, "as told"));
                }
                "panic" => panic!("as told"),
                _ => {}
            }
            work.0 = None;
            let text = if does == "large" { "x".repeat(LARGE) } else { request.target.clone() };
            let body = serde_json::Value::from(text).to_string();
            let (body, headers) = (Body::Json(body.into()), Arc::default());
            Ok(Reply { body, status: 200, headers, held: Held::default() })
        })
    }

    fn describe(&self, _: &Request) -> String {
        self.does.to_owned()
    }
}
