//! Runs a plan: one task drives all its fetches.
//!
//! A fetch starts when everything that it requires is in the store. Its objects are collected, and their keys are
//! de-duplicated and grouped into calls. Each reply is read into the store when it arrives, and placed by key. A failed
//! call leaves holes where its results belong, and nowhere else. There is no timer, no task per field and no lock in
//! here.

mod ask;
mod batch;
mod call;
mod check;
mod collect;
mod compute;
mod hold;
mod judge;
mod keys;
mod loader;
mod place;
mod reuse;
mod share;
#[cfg(test)]
mod tests;

pub(super) use call::deadline_of;
pub(super) use judge::OwnedJudge;
pub(super) use loader::Loaders;
pub(super) use reuse::Pool;
pub use share::Share;

use super::plan::{FetchId, QueryPlan};
use super::response::{MissingKeys, RowId, Store};
use crate::graph::Graph;
use crate::memory::Charge;
use crate::source::{self, Caller, Reply, ReturnedHeaders};
use call::{Call, Pending, Waiting};
use compute::Computing;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use keys::Keys;
use reuse::Reuse;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum number of calls of one request in flight; more wait in a queue.
const CALLS_AT_ONCE: usize = 256;

/// Calls keep the deadline themselves, and report best which one was late. This long after it, all remaining calls are
/// cancelled.
const GRACE: Duration = Duration::from_millis(100);

/// Inputs of one request's execution.
pub(super) struct Snapshot<'a> {
    pub graph: &'a Arc<Graph>,
    pub plan: &'a QueryPlan,
    pub variables: &'a Map<String, Value>,
    pub conditions: &'a [bool],
    pub caller: &'a Arc<Caller>,
    pub deadline: Instant,
    pub pool: &'a Pool,
    pub loaders: &'a Loaders,
    /// Only a query shares calls in flight with other requests: a mutation's reads must see its writes, and data for an
    /// event must not be older than the event.
    pub is_query: bool,
    /// Clients get details of upstream errors.
    pub expose_upstream_errors: bool,
}

/// An event of a subscription's source. It replaces the reply of the root field's call, which is not made then.
pub(super) struct Event {
    pub fetch: FetchId,
    /// Arguments of the root field.
    pub arguments: Value,
    pub answer: Result<Reply, source::Error>,
}

/// Runs a plan to its end. Dropping the future cancels every call.
pub(super) async fn execute(snapshot: Snapshot<'_>, event: Option<Event>) -> Outcome {
    let mut late = pin!(tokio::time::sleep_until((snapshot.deadline + GRACE).into()));
    let mut run = Run::new(snapshot);
    if let Some(event) = event {
        run.receive(event);
    }
    run.start_ready();
    loop {
        tokio::select! {
            biased;
            finished = run.pending.next() => match finished {
                Some(finished) => run.finish_call(finished),
                None => break,
            },
            () = &mut late, if !run.late => run.give_up(),
        }
        run.start_ready();
    }
    run.settle_checks();
    Outcome {
        store: run.store,
        root: run.root,
        calls: run.sent,
        bytes: run.bytes,
        _charge: run.charge,
        share: run.share,
        returned: run.returned,
        missing: run.missing,
    }
}

/// Numbers of calls that are charged or reported.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    /// Calls made, including splits of refused batches and calls shared with other requests. A call whose reply the
    /// request or the reply cache already has is not made.
    pub made: usize,
    /// Calls that repeat the parts of a refused batch: caused by a source, not by the client.
    pub splits: usize,
    /// Calls of mutations: of fields at the root, and in namespaces.
    pub mutations: usize,
}

impl Calls {
    /// Returns the number of calls that the client is charged for.
    pub fn charged(self) -> usize {
        self.made.saturating_sub(self.splits)
    }
}

/// Result of an execution: the filled store.
pub(super) struct Outcome {
    pub store: Store,
    pub root: RowId,
    pub calls: Calls,
    /// Bytes of all replies: a good initial capacity for the response.
    pub bytes: usize,
    /// Accounts for the bytes of the replies in the store.
    _charge: Charge,
    /// Limits on caching the response.
    pub share: Share,
    /// Headers of the services that the client receives.
    pub returned: ReturnedHeaders,
    /// Keys that mappings read from replies; `None` in production.
    pub missing: Option<Box<MissingKeys>>,
}

struct Run<'a> {
    snapshot: Snapshot<'a>,
    store: Store,
    root: RowId,
    fetches: Vec<FetchState>,
    /// Fetches whose requirements are met.
    ready: Vec<FetchId>,
    calls: Vec<Call>,
    /// Calls that wait for others to finish.
    waiting: VecDeque<Waiting>,
    pending: FuturesUnordered<Pending>,
    reuse: Reuse,
    share: Share,
    returned: ReturnedHeaders,
    sent: Calls,
    bytes: usize,
    charge: Charge,
    computing: Computing,
    /// `None` in production: no keys are checked then.
    missing: Option<Box<MissingKeys>>,
    /// The deadline has passed: no more calls are sent.
    late: bool,
}

#[derive(Default)]
struct FetchState {
    /// Number of fetches that must be done before this one.
    waits_for: usize,
    /// Number of calls that must be done before this one is.
    calls: usize,
    /// Batches and lookups: one group for each set of arguments.
    groups: Vec<Group>,
    /// Hole of the calls past the request's limit.
    too_many: Option<super::response::Value>,
    /// Remaining splits of refused batches.
    splits: u32,
    /// A batch whose keys come from the client.
    given: Given,
}

/// Keys of calls with the same arguments.
struct Group {
    arguments: Value,
    keys: Keys,
}

/// The client's keys in their order, as numbers of keys (`None` for null), and the result of each key.
#[derive(Default)]
struct Given {
    asked: Vec<Option<u32>>,
    results: Vec<super::response::Value>,
}

impl<'a> Run<'a> {
    fn new(snapshot: Snapshot<'a>) -> Self {
        let plan = snapshot.plan;
        let mut store = Store::new(snapshot.pool.most_values);
        let root = store.row(plan.root_width);
        let computing = Computing::new(&store);
        let mut fetches = Vec::with_capacity(plan.fetches.len());
        let mut ready = Vec::new();
        for (index, fetch) in plan.fetches.iter().enumerate() {
            let waits_for = fetch.depends_on.len();
            if waits_for == 0 {
                ready.push(FetchId(index as u32));
            }
            fetches.push(FetchState { waits_for, ..FetchState::default() });
        }
        ready.reverse();
        let in_flight = snapshot.pool.in_flight.as_ref();
        let within = plan.repeats && in_flight.is_some();
        let reuse = Reuse::new(in_flight.filter(|_| snapshot.is_query), within);
        let charge = snapshot.caller.account.charge();
        let missing = snapshot.expose_upstream_errors.then(Box::default);
        Self {
            snapshot,
            store,
            root,
            fetches,
            ready,
            calls: Vec::new(),
            waiting: VecDeque::new(),
            pending: FuturesUnordered::new(),
            reuse,
            share: Share::default(),
            returned: ReturnedHeaders::default(),
            sent: Calls::default(),
            bytes: 0,
            charge,
            computing,
            missing,
            late: false,
        }
    }

    /// Starts every fetch that is ready, in plan order. A fetch that needs no call is done at once and may unblock
    /// others.
    fn start_ready(&mut self) {
        loop {
            self.ask_ready();
            self.send_waiting();
            // If no more calls can be sent, they end at once and may unblock others, too.
            if self.ready.is_empty() {
                break;
            }
        }
    }

    fn ask_ready(&mut self) {
        while let Some(id) = self.ready.pop() {
            let wanted = self.snapshot.conditions[self.snapshot.plan.fetch(id).condition as usize];
            if wanted {
                self.ask(id);
            }
            if self.fetches[id.0 as usize].calls == 0 {
                self.done(id);
            }
        }
    }

    fn send_waiting(&mut self) {
        while self.pending.len() < CALLS_AT_ONCE {
            let Some(waiting) = self.waiting.pop_front() else { break };
            self.send(waiting);
        }
    }

    fn done(&mut self, id: FetchId) {
        let plan = self.snapshot.plan;
        self.finish_given(id);
        if !plan.fetch(id).safe {
            self.reuse.forget();
        }
        for dependent in plan.fetch(id).dependents.iter().rev() {
            let state = &mut self.fetches[dependent.0 as usize];
            state.waits_for -= 1;
            if state.waits_for == 0 {
                self.ready.push(*dependent);
            }
        }
    }
}
