//! One call: the objects that it is for, and its way from rendered request to result.

use super::judge::{Judge, OwnedJudge};
use super::loader::Part;
use super::reuse::Reused;
use super::{Event, FetchId, Run};
use crate::engine::plan::Fetch;
use crate::engine::replies::{Answer, Asked, Replies, Served};
use crate::engine::response::{RowId, Unreadable, Value, read_json, read_proto, read_without_body};
use crate::graph::Binding;
use crate::graphql::ErrorCode;
use crate::mapping::{Variable, Variables};
use crate::memory::EXHAUSTED;
use crate::source::{
    self, Body, ErrorKind, Inputs, MutationOutcome, Reply, Request, excerpt, headers_to_value,
};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, TryFutureExt};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub(super) struct Call {
    pub fetch: FetchId,
    pub what: What,
    /// Not answered yet.
    pub open: bool,
    /// Inputs that it was rendered from, if the mapping of the reply may use them.
    pub inputs: Option<Arc<Owned>>,
}

/// The objects or keys that a call is made for.
#[derive(Clone)]
pub(super) enum What {
    Object(RowId),
    Key(u32),
    /// Keys of a group.
    Keys {
        group: usize,
        keys: Vec<u32>,
    },
}

/// The values of [`Inputs`] that differ from call to call.
#[derive(Default)]
pub(in crate::engine) struct Owned {
    pub arguments: Json,
    pub this: Json,
    pub batch: Json,
}

/// A call that is rendered but not sent.
pub(super) struct Waiting {
    pub call: usize,
    pub request: Request,
}

/// A call in flight.
pub(super) struct Pending {
    call: usize,
    answer: Way,
}

enum Way {
    /// Taken when it is polled.
    Ready(Option<Answer>),
    Own(BoxFuture<'static, Answer>),
    Joined(BoxFuture<'static, Vec<(u32, Part)>>),
}

pub(super) enum Answered {
    Reply(Answer),
    /// From a batch shared with other requests: the result for each of our keys.
    Joined(Vec<(u32, Part)>),
}

impl Future for Pending {
    type Output = (usize, Answered);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.call;
        match &mut self.answer {
            Way::Ready(answer) => {
                let answer = answer.take().unwrap_or_else(|| Err(too_late()));
                Poll::Ready((call, Answered::Reply(answer)))
            }
            Way::Own(answer) => {
                answer.as_mut().poll(context).map(|answer| (call, Answered::Reply(answer)))
            }
            Way::Joined(answer) => {
                answer.as_mut().poll(context).map(|answer| (call, Answered::Joined(answer)))
            }
        }
    }
}

impl<'a> Run<'a> {
    /// Renders a call and queues it. If it cannot be rendered, leaves holes.
    pub(super) fn make(&mut self, id: FetchId, what: What, owned: Owned) {
        if self.calls.len() >= MOST_CALLS {
            return self.make_none(id, &what);
        }
        let fetch = self.snapshot.plan.fetch(id);
        let binding = self.snapshot.graph.binding(fetch.binding);
        let rendered = binding.call.render(&self.inputs(&owned));
        let inputs = fetch.evaluates.then(|| Arc::new(owned));
        self.calls.push(Call { fetch: id, what, open: false, inputs });
        let call = self.calls.len() - 1;
        self.fetches[id.0 as usize].calls += 1;
        match rendered {
            Ok(request) => self.waiting.push_back(Waiting { call, request }),
            Err(failure) => {
                let error = source::Error::new(ErrorCode::InvalidRequest, failure.to_string());
                self.fail(call, &error);
                self.fetches[id.0 as usize].calls -= 1;
            }
        }
    }

    /// Fails a call past the limit: one hole, and one line in the log, for all such calls of a fetch.
    fn make_none(&mut self, id: FetchId, what: &What) {
        let hole = self.fetches[id.0 as usize].too_many.unwrap_or_else(|| {
            let detail = format!("the request makes more than {MOST_CALLS} calls");
            let error = source::Error::new(ErrorCode::LimitExceeded, detail);
            self.hole(self.snapshot.plan.fetch(id), &error)
        });
        self.fetches[id.0 as usize].too_many = Some(hole);
        self.fill(id, what, hole);
    }

    fn inputs<'o>(&'o self, owned: &'o Owned) -> Inputs<'o> {
        Inputs {
            args: &owned.arguments,
            this: &owned.this,
            batch: &owned.batch,
            caller: self.snapshot.caller,
            env: &self.snapshot.graph.env,
            config: &Json::Null,
        }
    }

    pub(super) fn send(&mut self, waiting: Waiting) {
        self.calls[waiting.call].open = true;
        if self.late {
            let error = source::Error { outcome: MutationOutcome::NotSent, ..too_late() };
            return self.finish_call((waiting.call, Answered::Reply(Err(error))));
        }
        let fetch = self.snapshot.plan.fetch(self.calls[waiting.call].fetch);
        let binding = self.snapshot.graph.binding(fetch.binding);
        let (call, timeout) = (&binding.call, binding.timeout);
        let request = Arc::new(waiting.request);
        let deadline = deadline_of(binding, self.snapshot.deadline);
        if !(fetch.safe || self.snapshot.is_query) {
            self.sent.mutations += 1;
        }
        let reused = if !(fetch.safe && call.reusable()) {
            Reused::Coming(call.send(request, deadline).map_ok(Served::once).boxed())
        } else if let Some((replies, asked)) = self.ask_replies(fetch, &request) {
            self.share.tell_apart(asked.reach());
            let asked = asked.judged(self.owned_judge(waiting.call));
            self.reuse.kept(self.snapshot.pool, replies, call, asked, (deadline, timeout))
        } else {
            self.reuse.call(&**call, request, (deadline, timeout))
        };
        self.sent.made += usize::from(matches!(reused, Reused::Coming(_)));
        let answer = match reused {
            Reused::Ready(answer) => Way::Ready(Some(answer)),
            Reused::Known(answer) | Reused::Coming(answer) => Way::Own(answer),
        };
        self.pending.push(Pending { call: waiting.call, answer });
    }

    /// Returns the call's lookup in the reply cache, if its reply may be cached. Only for queries: see
    /// [`Snapshot::is_query`](super::Snapshot).
    pub(super) fn ask_replies(
        &self,
        fetch: &Fetch,
        request: &Arc<Request>,
    ) -> Option<(&'a Arc<Replies>, Asked)> {
        let snapshot = &self.snapshot;
        let replies = snapshot.pool.replies.as_ref().filter(|_| snapshot.is_query)?;
        let asked = replies.ask(fetch.binding, fetch.cache, request, snapshot.caller)?;
        Some((replies, asked))
    }

    /// Adds a call whose keys are sent together with those of other requests.
    pub(super) fn send_joined(
        &mut self,
        id: FetchId,
        what: What,
        answer: BoxFuture<'static, Vec<(u32, Part)>>,
    ) {
        self.calls.push(Call { fetch: id, what, open: true, inputs: None });
        self.fetches[id.0 as usize].calls += 1;
        self.sent.made += 1;
        let call = self.calls.len() - 1;
        self.pending.push(Pending { call, answer: Way::Joined(answer) });
    }

    /// Uses an event as the result of a call; ignores it if the field is not selected.
    pub(super) fn receive(&mut self, event: Event) {
        let Event { fetch: id, arguments, answer } = event;
        self.ready.retain(|ready| *ready != id);
        if !self.snapshot.conditions[self.snapshot.plan.fetch(id).condition as usize] {
            return self.done(id);
        }
        let inputs = Some(Arc::new(Owned { arguments, ..Owned::default() }));
        let what = What::Object(self.root);
        self.calls.push(Call { fetch: id, what, open: false, inputs });
        self.fetches[id.0 as usize].calls += 1;
        self.finish_call((self.calls.len() - 1, Answered::Reply(answer.map(Served::once))));
    }

    /// Cancels all calls in flight and sends no more: the deadline has passed.
    pub(super) fn give_up(&mut self) {
        self.late = true;
        self.pending = FuturesUnordered::new();
        for call in 0..self.calls.len() {
            if self.calls[call].open {
                self.finish_call((call, Answered::Reply(Err(too_late()))));
            }
        }
    }

    pub(super) fn finish_call(&mut self, (call, answered): (usize, Answered)) {
        self.calls[call].open = false;
        let id = self.calls[call].fetch;
        match answered {
            Answered::Reply(answer) => self.answered(call, answer),
            Answered::Joined(parts) => self.place_joined(call, parts),
        }
        let state = &mut self.fetches[id.0 as usize];
        state.calls -= 1;
        if state.calls == 0 {
            self.done(id);
        }
    }

    fn answered(&mut self, call: usize, answer: Answer) {
        let fetch = self.snapshot.plan.fetch(self.calls[call].fetch);
        let answer = self.judged(call, fetch, answer);
        match answer {
            Ok(Served { reply, left, private }) => {
                self.share.meet(left, private);
                if self.charge.add(&reply.held).is_err() {
                    return self.fail(call, &no_room());
                }
                let binding = self.snapshot.graph.binding(fetch.binding);
                self.returned.take(binding.call.returned(), &reply.headers);
                self.look_for_keys(fetch, &reply.body);
                match self.read(call, fetch, &reply) {
                    Ok(value) => self.place(call, value),
                    Err(unreadable) => {
                        let error = self.unreadable(call, fetch, unreadable, &reply);
                        self.fail(call, &error);
                    }
                }
            }
            Err(error) => {
                self.share.meet(Duration::ZERO, false);
                if error.kind == ErrorKind::NotFound && fetch.nullable && self.is_single(call) {
                    let what = self.calls[call].what.clone();
                    self.fill(self.calls[call].fetch, &what, Value::Null);
                } else if !error.kind.is_refused() || !self.bisect(call) {
                    self.fail(call, &error);
                }
            }
        }
    }

    /// Applies the binding's rules to a result.
    fn judged(&self, call: usize, fetch: &Fetch, answer: Answer) -> Answer {
        let binding = self.snapshot.graph.binding(fetch.binding);
        if answer.is_ok() && binding.call.rules().is_success.is_none() {
            return answer;
        }
        let none = Owned::default();
        let owned = self.calls[call].inputs.as_deref().unwrap_or(&none);
        self.judge(fetch, owned).settle(answer)
    }

    fn judge<'j>(&'j self, fetch: &Fetch, owned: &'j Owned) -> Judge<'j> {
        let call = &*self.snapshot.graph.binding(fetch.binding).call;
        let inputs = Inputs { config: call.config(), ..self.inputs(owned) };
        Judge { call, inputs, most_values: self.snapshot.pool.most_values }
    }

    /// The same for a reply that may be cached; `None` if every reply that is a success for the protocol may be.
    fn owned_judge(&self, call: usize) -> Option<Arc<OwnedJudge>> {
        let fetch = self.snapshot.plan.fetch(self.calls[call].fetch);
        let graph = self.snapshot.graph;
        graph.binding(fetch.binding).call.rules().is_success.as_ref()?;
        Some(Arc::new(OwnedJudge {
            graph: Arc::clone(graph),
            binding: fetch.binding,
            inputs: self.calls[call].inputs.clone().unwrap_or_default(),
            caller: Arc::clone(self.snapshot.caller),
            most_values: self.snapshot.pool.most_values,
        }))
    }

    /// In development, finds keys that the mapping reads and the reply does not have.
    pub(super) fn look_for_keys(&mut self, fetch: &Fetch, body: &Body) {
        let Some(missing) = &mut self.missing else { return };
        let call = &*self.snapshot.graph.binding(fetch.binding).call;
        let (binding, most_values) = (fetch.binding, self.snapshot.pool.most_values);
        missing.look(binding, &fetch.coordinate, call, &fetch.shape, body, most_values);
    }

    fn unreadable(
        &self,
        call: usize,
        fetch: &Fetch,
        unreadable: Unreadable,
        reply: &Reply,
    ) -> source::Error {
        let mut error = source::Error::from(unreadable);
        let rules = self.snapshot.graph.binding(fetch.binding).call.rules();
        if let (true, Body::Json(body)) = (rules.shows_replies, &reply.body) {
            let none = Owned::default();
            let owned = self.calls[call].inputs.as_deref().unwrap_or(&none);
            let shown = self.judge(fetch, owned).shown();
            error.detail = format!("{shown}{}: {}", error.detail, excerpt(body));
        }
        error
    }

    fn read(&mut self, call: usize, fetch: &Fetch, reply: &Reply) -> Result<Value, Unreadable> {
        let binding = self.snapshot.graph.binding(fetch.binding);
        let none = Owned::default();
        let owned = self.calls[call].inputs.as_deref().unwrap_or(&none);
        let variables = ReplyVariables {
            inputs: Inputs {
                args: &owned.arguments,
                this: &owned.this,
                batch: &owned.batch,
                caller: self.snapshot.caller,
                env: &self.snapshot.graph.env,
                config: binding.call.config(),
            },
            reply,
        };
        match &reply.body {
            Body::Json(body) if body.trim_ascii().is_empty() => {
                match (&fetch.without_body, binding.call.select()) {
                    (Some(shape), Some(select)) => {
                        let mut budget = self.store.budget();
                        let store = &mut self.store;
                        read_without_body(store, &mut budget, select.expr(), shape, &variables)
                    }
                    _ => Ok(Value::Null),
                }
            }
            Body::Json(body) => {
                self.bytes += body.len();
                read_json(&mut self.store, body, &fetch.shape, &variables)
            }
            Body::Proto(body) => {
                self.bytes += body.len() * 2;
                let unknown = || Unreadable::Invalid("a reply of an unknown type".to_owned());
                let message = binding.call.message().ok_or_else(unknown)?;
                read_proto(&mut self.store, body, message, &fetch.shape, &variables)
            }
        }
    }
}

/// Returns the deadline of a call that is sent now: the request's, or an earlier one by `@timeout`.
pub(in crate::engine) fn deadline_of(binding: &Binding, of_request: Instant) -> Instant {
    binding.timeout.map_or(of_request, |timeout| of_request.min(Instant::now() + timeout))
}

/// Maximum number of calls of one request. A list of objects that need a call each can be as long as a reply.
const MOST_CALLS: usize = 10_000;

fn too_late() -> source::Error {
    source::Error::new(ErrorCode::UpstreamTimeout, "the request's deadline is over")
}

/// Returns the error of a reply that arrived while its client already held its share of memory.
fn no_room() -> source::Error {
    let error = source::Error::new(ErrorCode::Overloaded, EXHAUSTED);
    source::Error { outcome: MutationOutcome::Unknown, kind: ErrorKind::NoRoom, ..error }
}

/// Variables that a mapping of a reply may use.
pub(super) struct ReplyVariables<'a> {
    pub inputs: Inputs<'a>,
    pub reply: &'a Reply,
}

impl Variables for ReplyVariables<'_> {
    fn value(&self, variable: Variable) -> Cow<'_, Json> {
        match variable {
            Variable::Status => Cow::Owned(self.reply.status.into()),
            Variable::ResponseHeaders => Cow::Owned(headers_to_value(&self.reply.headers)),
            other => self.inputs.value(other),
        }
    }
}
