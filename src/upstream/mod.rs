//! The upstream layer, between a call and the wire: the instances of a source, and the attempts at them.
//!
//! [`Upstream::call`] is the only entry. A protocol passes a closure that makes one attempt at one [`Instance`]. All
//! decisions around attempts are made here, so that all protocols behave alike:
//!
//! | question | part |
//! |---|---|
//! | which instances exist | `discovery` finds them, `members` keeps them |
//! | which are healthy | `health` and `penalty`, of each instance; `watch` checks those that are down |
//! | which is next | `balancer` |
//! | is the source available at all | `breaker` |
//! | may the call be made once more | `drive` if it was not sent; otherwise `retry`, and its `budget` |
//! | is there room | `bulkhead` |
//!
//! Each of these is a small state machine without IO, and time is an argument. None depends on a protocol or reads a
//! request. Imports nothing of ours except `memory` and `overhead`.

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
pub mod connection;
pub mod discovery;
mod drive;
mod exhaustion;
mod failure;
mod health;
pub mod http;
mod inflate;
mod interim;
mod latency;
mod members;
mod metrics;
mod penalty;
mod proxy;
mod recent;
mod resolver;
mod retry;
mod settings;
mod site;
mod socket;
pub mod status;
mod tls;
mod watch;
mod window;

pub use attempt::{Attempt, Instance};
pub use breaker::Position;
pub use exhaustion::exhausted;
pub use failure::{Failure, Fault, Repeat, Verdict};
pub use proxy::{Exceptions, Proxies, Proxy};
pub use settings::{Balance, Breaker, Concurrency, Ejection, Retry, Settings};
pub use site::{Instances, Site};
pub use tls::Tls;
pub use watch::Watched;

use self::attempt::End;
use self::bulkhead::Bulkhead;
use self::discovery::{Address, Found};
use self::latency::Quantiles;
use self::members::{Member, Members};
use self::metrics::{OfSource, Outcome};
use self::recent::Recent;
use self::retry::budget::Budget;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch as watched};

/// Returns the current time, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Limits that a call sets.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Time at which the caller stops waiting.
    pub deadline: Instant,
    pub repeat: Repeat,
}

/// The instances of one source.
pub struct Upstream<C> {
    source: Arc<str>,
    settings: Settings,
    site: Site,
    trouble: Option<String>,
    members: Members<C>,
    bulkhead: Bulkhead,
    metrics: OfSource,
    /// State of the source as a whole.
    state: Mutex<State>,
    /// Notified when an instance goes down.
    went_down: Notify,
    reach: watch::Reach,
    /// True as soon as the instances are known.
    found: watched::Sender<bool>,
}

struct State {
    breaker: breaker::Breaker,
    budget: Budget,
    latency: Quantiles,
    recent: Recent,
}

impl<C> Upstream<C> {
    /// Creates an upstream. Sends nothing.
    ///
    /// `connect` makes what the protocol needs to call a URL, over connections that go to another address if one is
    /// given. If it cannot, it returns the reason in one lowercase sentence. Discovered instances are set by
    /// [`Upstream::update`].
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
        let bulkhead = Bulkhead::new(settings.concurrency, &metrics, now);
        let (proxies, https) = (settings.proxies.clone(), site.https);
        let reach = Box::new(move |address: Address, within| {
            let proxy = proxies.on_the_way(https, &address.host, address.port);
            let proxy = proxy.filter(|_| address.socket.is_none());
            watch::connects(proxy.map_or(address.clone(), |proxy| proxy.address.clone()), within)
        });
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
            went_down: Notify::new(),
            reach,
            found: watched::Sender::new(false),
        };
        if let Instances::Fixed(addresses) = &upstream.site.instances {
            upstream.members.update(Found { addresses: addresses.clone(), error: None }, now);
            upstream.metrics.found(addresses.len(), false);
            upstream.found.send_replace(true);
        }
        upstream
    }

    /// Replaces the instances. Calls in flight stay where they are.
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

    /// Returns why instances cannot be called at any address: the settings are invalid.
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

    /// Records the end of an attempt that began `took` ago.
    fn ended(&self, member: &Member<C>, end: &End<'_>, took: Duration, now: Instant) {
        if self.members.end(member, end.verdict, took, now) {
            self.went_down.notify_one();
        }
        member.metrics.attempted(end.outcome);
        if end.outcome != Outcome::Cancelled && end.verdict != Verdict::Unheard {
            self.metrics.seconds.record(took);
        }
        if end.verdict == Verdict::Success {
            self.state().latency.observe(took, now);
        }
        if let Some(failure) = end.failure {
            self.state().recent.add(member.address.shown(), failure.to_string(), now);
        }
    }

    /// Returns the verdict of an outcome on its instance. `has_begun` returns whether a reply has begun.
    fn verdict<T>(&self, outcome: &Result<T, Failure>, has_begun: fn(&T) -> bool) -> Verdict {
        match outcome {
            Ok(reply) if has_begun(reply) => Verdict::Success,
            Ok(_) => Verdict::Unheard,
            Err(failure) => failure.verdict(|| self.fair_time()),
        }
    }

    /// Returns the time after which an attempt had a fair chance: twice what 95 of 100 calls need.
    fn fair_time(&self) -> Duration {
        let p95 = self.state().latency.p95(now());
        p95.map_or(Duration::ZERO, |p95| (2 * p95).min(self.settings.timeout))
    }

    fn tell(&self, position: Position) {
        let source = &*self.source;
        match position {
            Position::Open => tracing::warn!(source, "the breaker opens: calls are refused"),
            Position::HalfOpen => {}
            Position::Closed => tracing::info!(source, "the breaker closes: the source is back"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
