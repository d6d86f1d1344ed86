//! Replies kept across time, so that a call need not be made again.
//!
//! What may be kept, and for how long, is the strictest of the schema (`@cacheControl`), the configuration and the
//! upstream's own headers ([`freshness`]). For whom is the whole rendered request, compared in full, and the caller
//! where the reply is for one caller only ([`identity`]). Only replies to safe calls that succeeded and can be read are
//! kept; mutations neither read nor write here. It starts no call by itself: calls come in, and are sent through
//! `execute/reuse.rs`, where identical ones under way are one.

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

/// What comes of a call that may have been spared.
pub(super) type Answer = Result<Served, source::Error>;

/// All kept replies of an engine.
pub(super) struct Replies {
    /// By binding; `None` where nothing may be kept.
    policies: Vec<Option<Arc<Policy>>>,
    memory: Memory,
    shared: Option<Shared>,
    clock: Clock,
    /// Bytes of the largest reply.
    largest: u64,
    bypass: bool,
    refreshes: Arc<Semaphore>,
}

/// One call whose reply may have been kept.
#[derive(Clone)]
pub(super) struct Asked {
    policy: Arc<Policy>,
    request: Arc<Request>,
    /// The caller, if it can be told from others.
    partition: Option<Partition>,
    /// Before any reply is seen, it is certain that the reply is for this caller only.
    private: bool,
    /// The oldest reply that the operation takes.
    most: Option<Duration>,
    /// The client wants an answer that is not a kept one.
    anew: bool,
    /// Tells the replies that are a success for this caller; `None`: all are.
    judge: Option<Arc<OwnedJudge>>,
}

/// What is there.
pub(super) enum Found {
    Served(Served),
    /// It serves, and has to be renewed.
    Stale(Served, Arc<Kept>),
    /// The call has to be made. The reply may still hold, or stand in for an error.
    Nothing(Option<Arc<Kept>>),
}

/// Some reply of the binding may be kept.
pub(super) fn may_keep(binding: &Binding, settings: &CacheSettings) -> bool {
    settings.enabled && Policy::of(binding, settings).is_some()
}

impl Replies {
    /// `None`: nothing of this graph may be kept, so nothing is looked for.
    pub fn new(graph: &Graph, settings: &CacheSettings) -> Option<Arc<Self>> {
        let mut policies: Vec<Option<Policy>> =
            graph.bindings.iter().map(|binding| Policy::of(binding, settings)).collect();
        // Bindings with equal calls share a kept reply.
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

    /// `None`: no reply of the binding may be kept.
    pub fn policy(&self, binding: BindingId) -> Option<&Arc<Policy>> {
        self.policies.get(binding.0 as usize)?.as_ref()
    }

    /// Puts a call as a question to the kept replies; `None`: they neither have nor take the answer. `hint` is what the
    /// types of all that the operation reads from the reply say.
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

    /// Looks in memory. A reply for everybody is found before one for this caller.
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

    /// Leave to renew one stale reply in the background; `None`: it was tried a moment ago, or too many are being renewed.
    pub fn may_refresh(&self, stale: &Kept) -> Option<OwnedSemaphorePermit> {
        let is_due = stale.retry.is_due(self.clock.now());
        is_due.then(|| Arc::clone(&self.refreshes).try_acquire_owned().ok())?
    }

    /// A try to renew it is over. If it succeeded, another one is kept in its place.
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
    /// By which calls under way are known to be the same; `stale` is what they may bring to life again.
    pub fn identity(&self, stale: Option<&Kept>) -> Identity {
        let private = self.private || stale.is_some_and(|stale| stale.private);
        let partition = self.partition.clone().filter(|_| private);
        Identity::new(Arc::clone(&self.request), partition)
    }

    /// With the rules of the binding, for what may be kept.
    pub fn judged(self, judge: Option<Arc<OwnedJudge>>) -> Self {
        Self { judge, ..self }
    }

    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The field of the binding.
    pub fn coordinate(&self) -> Name {
        Name::clone(&self.policy.coordinate)
    }

    /// What of the caller a client's own caches must tell apart.
    pub fn reach(&self) -> &Reach {
        &self.policy.reach
    }

    /// The caller, if it can be told from others.
    pub fn partition(&self) -> Option<&Partition> {
        self.partition.as_ref()
    }

    pub fn wants_it_anew(&self) -> bool {
        self.anew
    }
}

/// `None`, with a line in the log, for an address that reading the configuration would have refused.
fn shared(settings: crate::shared::Settings, largest: u64) -> Option<Shared> {
    match Redis::new(settings) {
        Ok(redis) => Some(Shared::new(redis, largest)),
        Err(reason) => {
            tracing::error!("replies are kept in memory only: {reason}");
            None
        }
    }
}

/// What a client's own `Cache-Control` asks for (RFC 9111, section 5.2.1).
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
