//! The reply cache: replies are kept so that calls need not be repeated.
//!
//! The schema (`@cacheControl`), the configuration and the upstream's headers each limit what is cached and for how
//! long; the strictest one counts ([`freshness`]). The key is the whole rendered request, compared in full, and the
//! caller if the reply is for one caller only ([`identity`]). Only successful, readable replies to safe calls are
//! cached; mutations neither read nor write the cache. The cache sends no call by itself: `execute/reuse.rs` sends
//! them, and joins identical ones in flight.

mod answer;
mod clock;
mod control;
mod frame;
mod freshness;
mod identity;
mod kept;
mod memory;
mod metrics;
mod policy;
mod retry;
mod settings;
mod shared;
#[cfg(test)]
mod tests;

pub(super) use identity::{Identity, Partition};
pub(super) use kept::{Kept, Served};
pub(super) use policy::Reach;
pub use settings::{CacheSettings, SourceCache};

use crate::engine::execute::OwnedJudge;
use crate::graph::{Binding, BindingId, CacheHint, Graph};
use crate::graphql::Name;
use crate::shared::Redis;
use crate::source::{self, Caller, Request};
use clock::Clock;
use freshness::Use;
use hashbrown::HashSet;
use http::header::CACHE_CONTROL;
use memory::Memory;
use metrics::Lookup;
use policy::Policy;
use shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Result of a call whose reply may be cached.
pub(super) type Answer = Result<Served, source::Error>;

/// The reply cache of an engine.
pub(super) struct Replies {
    /// By binding; `None` if its replies may not be cached.
    policies: Vec<Option<Arc<Policy>>>,
    memory: Memory,
    shared: Option<Shared>,
    clock: Clock,
    /// Maximum size of a reply, in bytes.
    largest: u64,
    bypass: bool,
    refreshes: Arc<Semaphore>,
}

/// Lookup of one call.
#[derive(Clone)]
pub(super) struct Asked {
    policy: Arc<Policy>,
    request: Arc<Request>,
    /// The caller, if it can be identified.
    partition: Option<Partition>,
    /// The reply is known to be for this caller only, before it arrives.
    private: bool,
    /// Maximum age of a reply that the operation accepts.
    most: Option<Duration>,
    /// The client requires a reply that is not cached.
    anew: bool,
    /// Decides which replies are a success for this caller; `None` if all are.
    judge: Option<Arc<OwnedJudge>>,
}

/// Result of a lookup.
pub(super) enum Found {
    Served(Served),
    /// May be served, and has to be renewed.
    Stale(Served, Arc<Kept>),
    /// The call has to be made. The cached reply may be revalidated, or replace an error.
    Nothing(Option<Arc<Kept>>),
}

/// Returns `true` if some reply of the binding may be cached.
pub(super) fn may_keep(binding: &Binding, settings: &CacheSettings) -> bool {
    settings.enabled && Policy::of(binding, settings).is_some()
}

impl Replies {
    /// Creates the cache; `None` if nothing of this graph may be cached.
    pub fn new(graph: &Graph, settings: &CacheSettings) -> Option<Arc<Self>> {
        let mut policies: Vec<Option<Policy>> =
            graph.bindings.iter().map(|binding| Policy::of(binding, settings)).collect();
        // Bindings with equal calls share a cached reply.
        let reads = policies.iter().flatten().filter(|policy| policy.reads_headers);
        let reads: HashSet<Name> = reads.map(|policy| Name::clone(&policy.source)).collect();
        for policy in policies.iter_mut().flatten() {
            policy.reads_headers = reads.contains(&policy.source);
        }
        let policies: Vec<_> = policies.into_iter().map(|policy| policy.map(Arc::new)).collect();
        if !settings.enabled || policies.iter().all(Option::is_none) {
            return None;
        }
        Some(Arc::new(Self {
            policies,
            memory: Memory::new(settings.size),
            shared: settings.redis.clone().and_then(|redis| shared(redis, settings.entry)),
            clock: Clock::default(),
            largest: settings.entry,
            bypass: settings.bypass,
            refreshes: Arc::new(Semaphore::new(settings.refreshes)),
        }))
    }

    /// Returns the policy of a binding; `None` if its replies may not be cached.
    pub fn policy(&self, binding: BindingId) -> Option<&Arc<Policy>> {
        self.policies.get(binding.0 as usize)?.as_ref()
    }

    /// Returns the lookup for a call; `None` if its reply is neither cached nor to be cached. `hint` combines the cache
    /// hints of all types that the operation reads from the reply.
    pub fn ask(
        &self,
        binding: BindingId,
        hint: CacheHint,
        request: &Arc<Request>,
        caller: &Caller,
    ) -> Option<Asked> {
        let policy = self.policy(binding)?;
        let partition = Partition::of(caller);
        let credentials = [http::header::AUTHORIZATION, http::header::COOKIE];
        let sends = credentials.iter().any(|name| caller.headers.contains_key(name));
        let private = policy.private || hint.private || (policy.forwards_credentials && sends);
        if private && partition.is_none() {
            return None;
        }
        let wants = if self.bypass { Wants::of(caller) } else { Wants::default() };
        (!wants.no_store).then(|| Asked {
            policy: Arc::clone(policy),
            request: Arc::clone(request),
            partition,
            private,
            most: hint.max_age.map(|seconds| Duration::from_secs(seconds.into())),
            anew: wants.no_cache,
            judge: None,
        })
    }

    /// Looks the call up in memory. A shared reply takes precedence over one for this caller.
    pub fn look(&self, asked: &Asked) -> Found {
        let now = self.clock.now();
        if asked.anew {
            return Found::Nothing(None);
        }
        let mut found = None;
        if !asked.private {
            let identity = Identity::new(Arc::clone(&asked.request), None);
            found = self.memory.get(&identity);
        }
        if let (None, Some(partition)) = (&found, &asked.partition) {
            let identity = Identity::new(Arc::clone(&asked.request), Some(partition.clone()));
            found = self.memory.get(&identity);
        }
        let Some(kept) = found.filter(|kept| kept.is_of_use(now)) else {
            metrics::looked_up(&asked.policy.source, Lookup::Miss);
            return Found::Nothing(None);
        };
        let served = |left| Served { reply: kept.reply(), left, private: kept.private };
        match kept.lifetime.at(kept.age(now), asked.most) {
            Use::Serve(left) => {
                metrics::looked_up(&asked.policy.source, Lookup::Hit);
                Found::Served(served(left))
            }
            Use::ServeAndRefresh => {
                metrics::looked_up(&asked.policy.source, Lookup::Stale);
                Found::Stale(served(Duration::ZERO), kept)
            }
            Use::Ask { .. } => {
                metrics::looked_up(&asked.policy.source, Lookup::Miss);
                Found::Nothing(Some(kept))
            }
        }
    }

    /// Returns a permit to renew a stale reply in the background; `None` if a renewal failed a moment ago, or too many
    /// are in flight.
    pub fn may_refresh(&self, stale: &Kept) -> Option<OwnedSemaphorePermit> {
        let is_due = stale.retry.is_due(self.clock.now());
        is_due.then(|| Arc::clone(&self.refreshes).try_acquire_owned().ok())?
    }

    /// Records that an attempt to renew it ended. If it succeeded, another reply has replaced this one.
    pub fn tried_to_refresh(&self, stale: &Kept) {
        stale.retry.tried(self.clock.now());
    }

    #[cfg(test)]
    pub fn is_renewing(&self) -> bool {
        self.refreshes.available_permits() < CacheSettings::default().refreshes
    }

    #[cfg(test)]
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    #[cfg(test)]
    pub fn held(&self) -> (u64, u64) {
        self.memory.held()
    }
}

impl Asked {
    /// Returns the key by which identical calls in flight are joined. `stale` is the reply that they may revalidate.
    pub fn identity(&self, stale: Option<&Kept>) -> Identity {
        let private = self.private || stale.is_some_and(|stale| stale.private);
        let partition = self.partition.clone().filter(|_| private);
        Identity::new(Arc::clone(&self.request), partition)
    }

    /// Adds the success rules of the binding, which decide what may be cached.
    pub fn judged(self, judge: Option<Arc<OwnedJudge>>) -> Self {
        Self { judge, ..self }
    }

    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Returns the field of the binding.
    pub fn coordinate(&self) -> Name {
        Name::clone(&self.policy.coordinate)
    }

    /// Returns the parts of the caller's request that caches of clients must distinguish.
    pub fn reach(&self) -> &Reach {
        &self.policy.reach
    }

    /// Returns the caller, if it can be identified.
    pub fn partition(&self) -> Option<&Partition> {
        self.partition.as_ref()
    }

    pub fn wants_it_anew(&self) -> bool {
        self.anew
    }
}

/// Connects the second tier. Logs an invalid address, which loading the configuration would have refused, and returns
/// `None`.
fn shared(settings: crate::shared::Settings, largest: u64) -> Option<Shared> {
    match Redis::new(settings) {
        Ok(redis) => Some(Shared::new(redis, largest)),
        Err(reason) => {
            tracing::error!("replies are kept in memory only: {reason}");
            None
        }
    }
}

/// Requests of a client's own `Cache-Control` (RFC 9111, section 5.2.1).
#[derive(Default)]
struct Wants {
    no_cache: bool,
    no_store: bool,
}

impl Wants {
    fn of(caller: &Caller) -> Self {
        let mut wants = Self::default();
        let values = caller.headers.get_all(CACHE_CONTROL);
        for text in values.iter().filter_map(|value| value.to_str().ok()) {
            control::directives(text, |name, _| {
                wants.no_cache |= name.eq_ignore_ascii_case("no-cache");
                wants.no_store |= name.eq_ignore_ascii_case("no-store");
            });
        }
        wants
    }
}
