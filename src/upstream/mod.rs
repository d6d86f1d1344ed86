//! Between a call and the wire: the instances behind a source, and how an attempt at one is driven.
//!
//! [`Upstream::call`] is the one seam. A protocol hands it a closure that makes one attempt against one [`Instance`];
//! everything that is decided around attempts is decided here, so that all protocols are treated alike:
//!
//! | question | who answers it |
//! |---|---|
//! | who exists | `discovery` says it, `members` keeps it |
//! | who is well | `health`, of each instance: ejection and slow start |
//! | who is next | `balancer` |
//! | is the source there at all | `breaker` |
//! | may it be called once more | `retry`, and its `budget` |
//! | is there room | `bulkhead` |
//!
//! Each of these is a small state machine without IO, and time is an argument. It knows no protocol and never reads a
//! request. Imports nothing of ours.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "shares, averages and quantiles of counts, none of them negative or near the limits of a number"
)]

pub mod aging;
mod attempt;
mod balancer;
mod breaker;
mod bulkhead;
pub mod discovery;
mod failure;
mod health;
pub mod http;
mod latency;
mod members;
mod metrics;
mod recent;
mod resolver;
mod retry;
mod settings;
mod site;
pub mod status;
mod tls;
mod watch;
mod window;

pub use attempt::{Attempt, Instance};
pub use breaker::Position;
pub use failure::{Failure, Fault, Repeat, Verdict};
pub use settings::{Balance, Breaker, Concurrency, Ejection, Retry, Settings};
pub use site::{Instances, Site};
pub use tls::Tls;
pub use watch::Watched;

use self::attempt::{End, Trial};
use self::bulkhead::Bulkhead;
use self::discovery::{Address, Found};
use self::latency::Quantiles;
use self::members::{Member, Members};
use self::metrics::{OfSource, Outcome};
use self::recent::Recent;
use self::retry::budget::Budget;
use futures_util::future::{Either, select};
use smallvec::SmallVec;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch as watched};

/// The time, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What a call allows.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// When whoever asked stops waiting.
    pub deadline: Instant,
    pub repeat: Repeat,
}

/// The instances behind one source.
pub struct Upstream<C> {
    source: Arc<str>,
    settings: Settings,
    site: Site,
    trouble: Option<String>,
    members: Members<C>,
    bulkhead: Bulkhead,
    metrics: OfSource,
    /// Of the source as a whole.
    state: Mutex<State>,
    /// The breaker has opened.
    opened: Notify,
    /// It has been said who there is.
    found: watched::Sender<bool>,
}

struct State {
    breaker: breaker::Breaker,
    budget: Budget,
    latency: Quantiles,
    recent: Recent,
}

/// Where a call was tried.
type Tried = SmallVec<[Address; 2]>;

impl<C> Upstream<C> {
    /// `connect` makes what the protocol needs to call a URL, over connections that go to another address if one is given;
    /// or says why it cannot, in one lowercase sentence. Calls nobody. Instances that are found are those that
    /// [`Upstream::update`] says.
    #[must_use]
    pub fn new(
        source: impl Into<Arc<str>>,
        settings: Settings,
        site: Site,
        connect: impl Fn(&::http::Uri, Option<Address>) -> Result<C, String> + Send + Sync + 'static,
    ) -> Self {
        let now = now();
        let state = State {
            breaker: breaker::Breaker::new(settings.breaker, now),
            budget: Budget::new(&settings.retry, now),
            latency: Quantiles::new(now),
            recent: Recent::default(),
        };
        let (source, at) = (source.into(), site.clone());
        let connect = Box::new(move |address: &Address| {
            let uri = at.uri(address)?;
            Ok(Instance { connection: connect(&uri, at.detour(address))?, uri })
        });
        let metrics = OfSource::new(&source);
        let bulkhead = Bulkhead::new(settings.concurrency, &metrics);
        let trouble = site.example().and_then(|address| connect(&address)).err();
        let upstream = Self {
            trouble,
            members: Members::new(Arc::clone(&source), settings.clone(), connect, now),
            bulkhead,
            metrics,
            source,
            settings,
            site,
            state: Mutex::new(state),
            opened: Notify::new(),
            found: watched::Sender::new(false),
        };
        if let Instances::Fixed(addresses) = &upstream.site.instances {
            upstream.members.update(Found { addresses: addresses.clone(), error: None }, now);
            upstream.metrics.found(addresses.len(), false);
            upstream.found.send_replace(true);
        }
        upstream
    }

    /// Takes in who there is now. Calls under way stay where they are.
    pub fn update(&self, found: Found) {
        let before = self.members.update(found, now());
        self.found.send_replace(true);
        let (source, set) = (&*self.source, self.members.set());
        let instances = set.all.len();
        self.metrics.found(instances, set.error.is_some());
        match &set.error {
            Some(error) if before.error != set.error => {
                tracing::warn!(source, instances, error, "instances could not all be found");
            }
            _ if before.all.len() != instances => {
                tracing::info!(source, instances, "instances changed");
            }
            _ => {}
        }
    }

    /// Why instances cannot be called, wherever they are: the settings are wrong.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Calls an instance, as often and for as long as settings, budget and terms allow. Dropping the future drops the
    /// attempt.
    ///
    /// # Errors
    /// Of the last attempt; or why there was none.
    pub async fn call<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let counted = self.metrics.begin();
        let outcome = self.admitted(terms, attempt).await;
        counted.end(outcome.as_ref().err());
        outcome
    }

    /// A call that the breaker and the bulkhead let through, or what they say.
    async fn admitted<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        self.passes(now())?;
        let _place = self.bulkhead.enter(terms.deadline).await?;
        let admission = self.admit(now())?;
        let outcome = self.tries(terms, admission.is_probe(), &attempt).await;
        admission.settle(&outcome);
        outcome
    }

    async fn tries<T, A, F>(&self, terms: Terms, once: bool, attempt: &A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tried = Tried::new();
        let mut number = 0;
        loop {
            number += 1;
            let outcome = match self.hedge_after(terms, once) {
                None => self.try_one(terms, &mut tried, attempt)?.await,
                Some(wait) => Box::pin(self.try_two(terms, wait, &mut tried, attempt)).await,
            };
            let Err(failure) = &outcome else { return outcome };
            let wait = if once { None } else { self.wait(failure, number, terms) };
            let Some(wait) = wait else { return outcome };
            tokio::time::sleep(wait).await;
        }
    }

    /// An attempt at the instance whose turn it is.
    fn try_one<'a, T, A, F>(
        &'a self,
        terms: Terms,
        tried: &mut Tried,
        attempt: &A,
    ) -> Result<impl Future<Output = Result<T, Failure>> + use<'a, T, A, F, C>, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let now = now();
        let member = self.members.pick(tried, now).map_err(Failure::NoInstance)?;
        tried.push(member.address.clone());
        let until = terms.deadline.min(now + self.settings.timeout);
        let attempt = attempt(Attempt { instance: Arc::clone(&member.instance), until });
        Ok(Trial::begin(self, member, tried.len(), now).run(attempt, until))
    }

    /// An attempt, and another one if it has not come back after `wait`. The first answer counts.
    async fn try_two<T, A, F>(
        &self,
        terms: Terms,
        wait: Duration,
        tried: &mut Tried,
        attempt: &A,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let first = pin!(self.try_one(terms, tried, attempt)?);
        let first = match select(first, pin!(tokio::time::sleep(wait))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), first)) => first,
        };
        if !self.state().budget.spend(now()) {
            return first.await;
        }
        self.metrics.hedges.increment(1);
        let second = pin!(self.try_one(terms, tried, attempt)?);
        match select(first, second).await {
            Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    /// When another attempt is made beside the first; `None`: never.
    fn hedge_after(&self, terms: Terms, once: bool) -> Option<Duration> {
        let may = self.settings.hedge && !once && terms.repeat == Repeat::Always;
        may.then(|| self.state().latency.p95(now())).flatten()
    }

    /// How long to wait before a failed call is tried again; `None`: it is not.
    fn wait(&self, failure: &Failure, number: u32, terms: Terms) -> Option<Duration> {
        let now = now();
        let left = terms.deadline.saturating_duration_since(now);
        let mut state = self.state();
        let p50 = state.latency.at(0.5, now);
        let tried = retry::Tried { failure, number, repeat: terms.repeat, left, p50 };
        let wait = retry::wait(&self.settings.retry, &tried, fastrand::f64())?;
        let is_paid = state.budget.spend(now);
        let counter = if is_paid { &self.metrics.retries } else { &self.metrics.unpaid };
        counter.increment(1);
        is_paid.then_some(wait)
    }

    /// # Errors
    /// The breaker would refuse a call.
    fn passes(&self, now: Instant) -> Result<(), Failure> {
        self.state().breaker.refuses(now).map_or(Ok(()), |wait| Err(Failure::CircuitOpen(wait)))
    }

    fn admit(&self, now: Instant) -> Result<Admission<'_, C>, Failure> {
        let mut state = self.state();
        let before = state.breaker.position();
        let pass = state.breaker.admit(now).map_err(Failure::CircuitOpen)?;
        if pass.is_probe && before == Position::Open {
            self.metrics.turned(Position::HalfOpen);
        }
        state.budget.count(now);
        drop(state);
        Ok(Admission { upstream: self, pass: Some(pass) })
    }

    /// A try that began `took` ago is over.
    fn ended(&self, member: &Member<C>, end: &End<'_>, took: Duration, now: Instant) {
        self.members.end(member, end.verdict, took, now);
        member.metrics.attempted(end.outcome);
        if end.outcome != Outcome::Cancelled {
            self.metrics.seconds.record(took);
        }
        if end.verdict == Verdict::Success {
            self.state().latency.observe(took, now);
        }
        if let Some(failure) = end.failure {
            self.state().recent.add(member.address.authority(), failure.to_string(), now);
        }
    }

    /// A try that has had this long has had a fair chance: twice what 95 of 100 need.
    fn fair_time(&self) -> Duration {
        let p95 = self.state().latency.p95(now());
        p95.map_or(Duration::ZERO, |p95| (2 * p95).min(self.settings.timeout))
    }

    fn tell(&self, position: Position) {
        let source = &*self.source;
        match position {
            Position::Open => {
                tracing::warn!(source, "the breaker opens: calls are refused");
                self.opened.notify_one();
            }
            Position::HalfOpen => {}
            Position::Closed => tracing::info!(source, "the breaker closes: the source is back"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that the breaker let through. Dropped before it is settled, it says nothing.
struct Admission<'a, C> {
    upstream: &'a Upstream<C>,
    pass: Option<breaker::Pass>,
}

impl<C> Admission<'_, C> {
    fn is_probe(&self) -> bool {
        self.pass.is_some_and(|pass| pass.is_probe)
    }

    fn settle<T>(mut self, outcome: &Result<T, Failure>) {
        let verdict = match outcome {
            Ok(_) => Verdict::Success,
            Err(failure) => failure.verdict(|| self.upstream.fair_time()),
        };
        if verdict == Verdict::Nothing {
            return;
        }
        let Some(pass) = self.pass.take() else { return };
        let (well, now) = (verdict == Verdict::Success, now());
        let mut state = self.upstream.state();
        let turned = state.breaker.settle(pass, well, now);
        // While nobody else turns it.
        turned.inspect(|position| self.upstream.metrics.turned(*position));
        drop(state);
        if let Some(position) = turned {
            self.upstream.tell(position);
        }
    }
}

impl<C> Drop for Admission<'_, C> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass {
            self.upstream.state().breaker.forget(pass);
        }
    }
}

#[cfg(test)]
mod tests;
