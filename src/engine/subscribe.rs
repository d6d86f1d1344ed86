//! Subscriptions (GraphQL spec, section 6.2.3): the root field's call is a stream, and the rest of the plan runs once
//! for each of its events.
//!
//! A subscription is prepared and planned once. Events are handled one after another: the next one is requested once
//! the last response has been taken, so a slow client slows its source down and nothing is queued. Each event has a
//! request's timeout. It shares no call with earlier events, and none that was sent before it arrived: a reply from
//! then may not reflect it yet. Dropping the stream closes the call.
//!
//! Access rules that use an object are evaluated for every event, because each event has new objects. All others use
//! the claims, the request and the arguments, which stay the same for the whole subscription. They are evaluated with
//! its other conditions, before the call is opened. Claims are valid no longer than their token.

use super::execute::{Event, deadline_of};
use super::guard::Refusal;
use super::guard::bucket::Debit;
use super::plan::{FetchId, evaluate_all};
use super::{Asked, Engine, Request, Response};
use crate::graphql::{Error, ErrorCode};
use crate::source::{self, ErrorKind, Inputs, Replies};
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Result of an operation: a single response, or a stream of them.
pub enum Answers {
    /// Response of a query or mutation.
    One(Response),
    /// Responses of a subscription.
    Many(BoxStream<'static, Response>),
}

/// The fetch that the source's stream replaces: an operation that was validated has one root field.
const ROOT: FetchId = FetchId(0);

impl Engine {
    /// Runs one request of any kind. For a subscription, returns once the source has opened its stream. If that fails, the
    /// stream has one event with an error, and ends, as it does when the source closes it early later.
    ///
    /// # Errors
    /// If the operation is refused: the response of the refusal. It never ran.
    pub async fn subscribe(&self, request: Request) -> Result<Answers, Response> {
        let caller = Arc::clone(&request.caller);
        let mut debit = Debit::new(self.buckets.as_deref(), &caller);
        let account = &caller.account;
        match self.open(request, &mut debit).await {
            Ok(Answers::One(answer)) => Ok(Answers::One(answer.counted(account))),
            Ok(answers) => Ok(answers),
            Err(refusal) => Err(self.refuse(refusal, &mut debit).await.counted(account)),
        }
    }

    async fn open(&self, request: Request, debit: &mut Debit<'_>) -> Result<Answers, Refusal> {
        // A socket may outlive the token that it was opened with.
        if request.caller.expires.is_some_and(|at| at <= SystemTime::now()) {
            let message = "the token of this connection has expired; connect anew with another one";
            return Err(vec![Error::new(ErrorCode::Unauthenticated, message)].into());
        }
        let deadline = request.deadline;
        let asked = self.ask(request).await?;
        if !asked.operation.is_subscription {
            return Ok(Answers::One(self.answer_once(&asked, deadline, debit).await?));
        }
        asked.reserve(&self.settings.limits, debit).await?;
        let plan = &asked.operation.plan;
        let Some(root) = plan.fetches.first() else {
            let message = "a subscription has one field at its root";
            return Err(vec![Error::new(ErrorCode::ValidationFailed, message)].into());
        };
        let arguments = Value::Object(evaluate_all(&root.arguments, &asked.variables));
        let expires = asked.caller.expires.map(instant);
        let source = match self.listen(&asked, &arguments, deadline).await {
            Ok(source) => source,
            Err(error) => stream::iter([Err(error)]).boxed(),
        };
        let engine = self.clone();
        let listening = Listening { engine, asked, arguments, source, expires };
        let events = stream::unfold(Some(Box::new(listening)), |listening| async move {
            let mut listening = listening?;
            let (response, goes_on) = listening.next().await?;
            Some((response, goes_on.then_some(listening)))
        });
        Ok(Answers::Many(events.boxed()))
    }

    /// Opens the source's stream, unless the caller may not see it.
    async fn listen(
        &self,
        asked: &Asked,
        arguments: &Value,
        deadline: Instant,
    ) -> Result<Replies, source::Error> {
        let plan = &asked.operation.plan;
        let root = plan.fetch(ROOT);
        if !asked.conditions[root.condition as usize] {
            return Err(source::Error::new(ErrorCode::Internal, "not asked for"));
        }
        let binding = self.graph.binding(root.binding);
        let (call, deadline) = (&binding.call, deadline_of(binding, deadline));
        let inputs = Inputs {
            args: arguments,
            this: &Value::Null,
            batch: &Value::Null,
            caller: &asked.caller,
            env: &self.graph.env,
            config: &Value::Null,
        };
        let request = call.render(&inputs).map_err(|failure| {
            source::Error::new(ErrorCode::InvalidRequest, failure.to_string())
        })?;
        // A stream that could not be opened is an error, not null as for one object.
        let failed = |error: source::Error| match error.kind {
            ErrorKind::NotFound | ErrorKind::Refused => {
                source::Error { kind: ErrorKind::Failed, ..error }
            }
            ErrorKind::NoRoom | ErrorKind::Failed => error,
        };
        call.subscribe(Arc::new(request), deadline).await.map_err(failed)
    }
}

struct Listening {
    engine: Engine,
    asked: Asked,
    /// Arguments of the root field.
    arguments: Value,
    source: Replies,
    expires: Option<Instant>,
}

impl Listening {
    /// Returns the response to the next event, and `true` if there may be another one.
    async fn next(&mut self) -> Option<(Response, bool)> {
        let answer = tokio::select! {
            biased;
            () = expired(self.expires) => {
                let message = "the token of this subscription has expired";
                let error = Error::new(ErrorCode::Unauthenticated, message);
                return Some((Response::refuse(&[error]), false));
            }
            answer = self.source.next() => answer?,
        };
        let goes_on = answer.is_ok();
        let event = Event { fetch: ROOT, arguments: self.arguments.clone(), answer };
        let deadline = Instant::now() + self.engine.settings.timeout;
        let Self { engine, asked, .. } = self;
        let mut debit = Debit::new(engine.buckets.as_deref(), &asked.caller);
        let answer = engine.answer(asked, deadline, &[], Some(event), &mut debit).await;
        Some((answer.counted(&asked.caller.account), goes_on))
    }
}

async fn expired(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Converts calendar time to the clock of timers.
fn instant(time: SystemTime) -> Instant {
    Instant::now() + time.duration_since(SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
