//! Reuse of identical safe calls: within a request, and in flight between requests.
//!
//! A call is identified by its rendered request, every forwarded header included, compared in full: callers whose
//! credentials go upstream never share. Between requests only calls under way are shared, never results.

use crate::source::{self, Reply, Request};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(super) type Answer = Result<Reply, source::Error>;
type SharedCall = Shared<BoxFuture<'static, Answer>>;

/// Calls under way, for all requests of an engine. As large as the number of calls under way, no larger.
#[derive(Default)]
pub(in crate::engine) struct InFlight {
    calls: Mutex<HashMap<Arc<Request>, WeakShared<BoxFuture<'static, Answer>>>>,
}

/// What one request may share.
pub(super) struct Reuse {
    between: Option<Arc<InFlight>>,
    /// `None` where no call can come up twice.
    within: Option<HashMap<Arc<Request>, SharedCall>>,
}

impl Reuse {
    pub fn new(between: Option<&Arc<InFlight>>, within: bool) -> Self {
        Self { between: between.cloned(), within: within.then(HashMap::new) }
    }

    /// Forgets what this request has read: a mutation has been made since.
    pub fn forget(&mut self) {
        if let Some(within) = &mut self.within {
            within.clear();
        }
    }

    /// The answer to a safe call: of one already made or under way, or of this one.
    pub fn call(
        &mut self,
        call: &dyn source::Call,
        request: Request,
        deadline: Instant,
    ) -> BoxFuture<'static, Answer> {
        if self.between.is_none() && self.within.is_none() {
            return call.send(Arc::new(request), deadline);
        }
        if let Some(known) = self.within.as_ref().and_then(|within| within.get(&request)) {
            return known.clone().boxed();
        }
        let request = Arc::new(request);
        // A call that this request's deadline would cut short must not be cut short for others.
        let whole = deadline >= Instant::now() + call.timeout();
        let shared = match &self.between {
            Some(between) if whole => between.join(call, &request, deadline),
            _ => call.send(Arc::clone(&request), deadline).shared(),
        };
        if let Some(within) = &mut self.within {
            within.insert(request, shared.clone());
        }
        shared.boxed()
    }
}

impl InFlight {
    fn join(
        self: &Arc<Self>,
        call: &dyn source::Call,
        request: &Arc<Request>,
        deadline: Instant,
    ) -> SharedCall {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = calls.get(request).and_then(WeakShared::upgrade) {
            return known;
        }
        let (between, key) = (Arc::clone(self), Arc::clone(request));
        let mut leave = Leave { between, request: key, answered: false };
        let answer = call.send(Arc::clone(request), deadline);
        let shared = async move {
            let answer = answer.await;
            leave.answered = true;
            drop(leave);
            answer
        }
        .boxed()
        .shared();
        if let Some(weak) = shared.downgrade() {
            calls.insert(Arc::clone(request), weak);
        }
        shared
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Takes a call off the list when it is answered, or when nobody waits for it any more.
struct Leave {
    between: Arc<InFlight>,
    request: Arc<Request>,
    answered: bool,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut calls = self.between.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call may have taken the place of one that was given up.
        let other = calls.get(&self.request).and_then(WeakShared::upgrade);
        if self.answered || other.is_none() {
            calls.remove(&self.request);
        }
        // Dropped last, and unlocked: it may be the other call's last holder, which comes here in turn.
        drop(calls);
        drop(other);
    }
}
