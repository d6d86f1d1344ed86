//! Reuse of identical safe calls: within a request, in flight between requests, and from the reply cache.
//!
//! A call is identified by its rendered request, including every forwarded header, compared in full: callers whose
//! credentials go upstream never share. Between requests only calls in flight are shared; their replies are kept only
//! as [`Replies`] allows. Every safe call passes here, including those of batches that wait.

use crate::engine::Settings;
use crate::engine::replies::{Answer, Asked, Found, Identity, Kept, Replies, Served};
use crate::graph::Graph;
use crate::source::{Call, Request};
use futures_util::future::{BoxFuture, Shared, WeakShared};
use futures_util::{FutureExt, TryFutureExt};
use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

type SharedCall = Shared<BoxFuture<'static, Answer>>;

/// A request, and the timeout of its field.
type TimedRequest = (Arc<Request>, Option<Duration>);

/// Calls in flight, for all requests of an engine. Calls are removed when they end, so it does not grow.
#[derive(Default)]
pub(in crate::engine) struct InFlight {
    calls: Mutex<HashMap<Identity, WeakShared<BoxFuture<'static, Answer>>>>,
}

/// Shared state of all requests' calls of an engine. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::engine) struct Pool {
    /// `None` if identical calls are not shared.
    pub in_flight: Option<Arc<InFlight>>,
    /// `None` if no reply may be cached.
    pub replies: Option<Arc<Replies>>,
    /// Maximum number of values of one reply while it is read.
    pub most_values: u64,
    /// In development, replies are checked for missing keys.
    pub shows_missing: bool,
}

/// A result, or a future of it.
pub(super) enum Reused {
    Ready(Answer),
    /// Result of a call that this request has already made.
    Known(BoxFuture<'static, Answer>),
    Coming(BoxFuture<'static, Answer>),
}

/// Reuse within one request, and with others.
pub(super) struct Reuse {
    between: Option<Arc<InFlight>>,
    /// `None` if no call can occur twice. Calls with timeouts of their own are shared by fields with the same timeout.
    within: Option<HashMap<TimedRequest, SharedCall>>,
}

impl Reuse {
    pub fn new(between: Option<&Arc<InFlight>>, within: bool) -> Self {
        Self { between: between.cloned(), within: within.then(HashMap::new) }
    }

    /// Forgets the calls of this request, because a mutation has been made since.
    pub fn forget(&mut self) {
        if let Some(within) = &mut self.within {
            within.clear();
        }
    }

    /// Returns the result of a safe call: of an identical one that was already made or is in flight, or of this one.
    pub fn call(
        &mut self,
        call: &dyn Call,
        request: Arc<Request>,
        (deadline, timeout): (Instant, Option<Duration>),
    ) -> Reused {
        if let Some(known) = self.known(&request, timeout) {
            return Reused::Known(known);
        }
        let send = || call.send(Arc::clone(&request), deadline).map_ok(Served::once);
        let shared = match &self.between {
            Some(between) if is_whole(call, deadline) => {
                between.join(&Identity::new(Arc::clone(&request), None), send)
            }
            _ if self.within.is_none() => return Reused::Coming(send().boxed()),
            _ => send().boxed().shared(),
        };
        Reused::Coming(self.remember(request, timeout, shared))
    }

    /// The same for a call whose reply may be cached.
    pub fn kept(
        &mut self,
        pool: &Pool,
        replies: &Arc<Replies>,
        call: &Arc<dyn Call>,
        asked: Asked,
        (deadline, timeout): (Instant, Option<Duration>),
    ) -> Reused {
        if let Some(known) = self.known(asked.request(), timeout) {
            return Reused::Known(known);
        }
        let request = Arc::clone(asked.request());
        match pool.look(replies, call, asked, deadline) {
            Looked::Served(served) => Reused::Ready(Ok(served)),
            Looked::Coming(shared) => Reused::Coming(self.remember(request, timeout, shared)),
        }
    }

    fn known(
        &self,
        request: &Arc<Request>,
        timeout: Option<Duration>,
    ) -> Option<BoxFuture<'static, Answer>> {
        let within = self.within.as_ref()?;
        within.get(&(Arc::clone(request), timeout)).map(|known| known.clone().boxed())
    }

    fn remember(
        &mut self,
        request: Arc<Request>,
        timeout: Option<Duration>,
        shared: SharedCall,
    ) -> BoxFuture<'static, Answer> {
        if let Some(within) = &mut self.within {
            within.insert((request, timeout), shared.clone());
        }
        shared.boxed()
    }
}

enum Looked {
    Served(Served),
    Coming(SharedCall),
}

impl Pool {
    /// Creates the pool. With `reuse` off, every call is made, and so nothing is cached.
    pub fn new(graph: &Graph, settings: &Settings) -> Self {
        let most_values = settings.limits.reply_values;
        let shows_missing = settings.expose_upstream_errors;
        if !settings.reuse {
            return Self { most_values, shows_missing, ..Self::default() };
        }
        let replies = Replies::new(graph, &settings.cache);
        Self { in_flight: Some(Arc::default()), replies, most_values, shows_missing }
    }

    /// Returns the result of a safe call, for a caller outside of a request.
    pub(super) async fn answer(
        &self,
        replies: &Arc<Replies>,
        call: &Arc<dyn Call>,
        asked: Asked,
        deadline: Instant,
    ) -> Answer {
        match self.look(replies, call, asked, deadline) {
            Looked::Served(served) => Ok(served),
            Looked::Coming(shared) => shared.await,
        }
    }

    fn look(
        &self,
        replies: &Arc<Replies>,
        call: &Arc<dyn Call>,
        asked: Asked,
        deadline: Instant,
    ) -> Looked {
        match replies.look(&asked) {
            Found::Served(served) => Looked::Served(served),
            Found::Stale(served, kept) => {
                self.refresh(replies, call, asked, kept);
                Looked::Served(served)
            }
            Found::Nothing(stale) => {
                let identity = asked.identity(stale.as_deref());
                let anew = asked.wants_it_anew();
                let fetch = || fetch(replies, call, asked, stale, deadline);
                Looked::Coming(match &self.in_flight {
                    Some(between) if is_whole(&**call, deadline) && !anew => {
                        between.join(&identity, fetch)
                    }
                    _ => fetch().boxed().shared(),
                })
            }
        }
    }

    /// Renews a stale reply in the background: one call for all requests that get the stale reply. It has a deadline of
    /// its own, and is not cancelled when requests end. After a failure the next attempt waits for a pause, and is not
    /// made by the next request that gets the reply.
    fn refresh(
        &self,
        replies: &Arc<Replies>,
        call: &Arc<dyn Call>,
        asked: Asked,
        stale: Arc<Kept>,
    ) {
        let Some(in_flight) = &self.in_flight else { return };
        let identity = asked.identity(Some(&stale));
        if in_flight.has(&identity) {
            return;
        }
        let Some(permit) = replies.may_refresh(&stale) else { return };
        let deadline = Instant::now() + call.timeout();
        let coordinate = asked.coordinate();
        let renewed = in_flight.join(&identity, || {
            let replies = Arc::clone(replies);
            let fetched = fetch(&replies, call, asked, Some(Arc::clone(&stale)), deadline);
            async move {
                let answer = fetched.await;
                // Before the call is removed from the list, so that no other one is started in between.
                replies.tried_to_refresh(&stale);
                answer
            }
        });
        tokio::spawn(async move {
            if let Err(error) = renewed.await {
                let source = &*identity.request.source;
                tracing::warn!(source, %coordinate, %error, "a stale reply could not be renewed");
            }
            drop(permit);
        });
    }
}

fn fetch(
    replies: &Arc<Replies>,
    call: &Arc<dyn Call>,
    asked: Asked,
    stale: Option<Arc<Kept>>,
    deadline: Instant,
) -> impl Future<Output = Answer> + Send + use<> {
    Arc::clone(replies).fetch(Arc::clone(call), asked, stale, deadline)
}

/// Returns `true` if the request's deadline does not shorten the call's timeout. If it does, the call is not shared, so
/// that it is not cut short for others.
fn is_whole(call: &dyn Call, deadline: Instant) -> bool {
    deadline >= Instant::now() + call.timeout()
}

impl InFlight {
    fn join<F>(self: &Arc<Self>, identity: &Identity, send: impl FnOnce() -> F) -> SharedCall
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = calls.get(identity).and_then(WeakShared::upgrade) {
            return known;
        }
        let (between, key) = (Arc::clone(self), identity.clone());
        let mut leave = Leave { between, identity: key, answered: false };
        let answer = send();
        let shared = async move {
            let answer = answer.await;
            leave.answered = true;
            drop(leave);
            answer
        }
        .boxed()
        .shared();
        if let Some(weak) = shared.downgrade() {
            calls.insert(identity.clone(), weak);
        }
        shared
    }

    fn has(&self, identity: &Identity) -> bool {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let known = calls.get(identity).and_then(WeakShared::upgrade);
        // Unlocked first: this may be the call's last holder, and dropping it removes the call from the list.
        drop(calls);
        known.is_some()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Removes a call from the list when it is answered, or when no request waits for it any more.
struct Leave {
    between: Arc<InFlight>,
    identity: Identity,
    answered: bool,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut calls = self.between.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call may have replaced one that was cancelled.
        let other = calls.get(&self.identity).and_then(WeakShared::upgrade);
        if self.answered || other.is_none() {
            calls.remove(&self.identity);
        }
        // Dropped last, and unlocked: it may be the other call's last holder, and dropping it locks the list, too.
        drop(calls);
        drop(other);
    }
}
