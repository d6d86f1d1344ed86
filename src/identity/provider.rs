//! A provider: the rules for its tokens, and its keys, refreshed in the background.
//!
//! Each provider has one task, its keeper, and only that task fetches keys. Requests with an unknown `kid` wake it and
//! wait together for the outcome. While it rests after a fetch, they do not wait, so that clients cannot make the
//! gateway flood a provider. If a fetch fails, the previous keys stay in use.

use super::fetch::{Fetcher, NoKeys, read_file};
use super::key_set::KeySet;
use super::token::Token;
use super::verified::Verified;
use super::{KeySource, ProviderSettings, Refused, claims, metrics};
use crate::upstream::Proxies;
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Wait after the first failed fetch. Doubled with each further one, up to the interval between two successful ones.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Provider {
    settings: ProviderSettings,
    issuer: Arc<str>,
    keys: watch::Receiver<Keys>,
    /// Generation of the key set. Separate, so that verified tokens need not read the keys.
    generation: AtomicU64,
    /// A request wants newer keys.
    wanted: Notify,
}

/// State that the keeper publishes.
#[derive(Debug, Clone, Default)]
struct Keys {
    set: Arc<KeySet>,
    /// Number of earlier sets: other keys have another number.
    generation: u64,
    /// Fetches that ended, successful or not.
    attempts: u64,
    rests_until: Option<Instant>,
}

/// Fetches a provider's keys.
pub(super) struct Keeper {
    provider: Arc<Provider>,
    fetcher: Fetcher,
    keys: watch::Sender<Keys>,
    failures: u32,
}

/// Keeps keys fresh until it is dropped.
pub struct Keeping(JoinSet<()>);

/// Opens a provider and its keeper, unless its keys never change. Keys from files and inline keys are available at
/// once.
pub(super) fn open(
    settings: &ProviderSettings,
    proxies: &Proxies,
) -> Result<(Arc<Provider>, Option<Keeper>), String> {
    let set = match &settings.keys {
        KeySource::Url { .. } => KeySet::default(),
        KeySource::File(path) => {
            read_file(path).map_err(|error| format!("`{}`: {error}", path.display()))?
        }
        KeySource::Given(text) => KeySet::parse(text.as_bytes()).map_err(|e| e.to_string())?,
    };
    let fetcher = Fetcher::new(&settings.keys, settings.timeout, proxies)?;
    let (sender, keys) = watch::channel(Keys { set: Arc::new(set), ..Keys::default() });
    let provider = Arc::new(Provider {
        issuer: settings.issuer.as_str().into(),
        settings: settings.clone(),
        keys,
        generation: AtomicU64::new(0),
        wanted: Notify::new(),
    });
    let keeper = fetcher.map(|fetcher| Keeper {
        provider: Arc::clone(&provider),
        fetcher,
        keys: sender,
        failures: 0,
    });
    Ok((provider, keeper))
}

impl Provider {
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn scopes_claim(&self) -> Option<Arc<str>> {
        self.settings.scopes_claim.clone()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Verifies a token. The signature comes first, so that errors about claims are only shown to callers whose token
    /// is from the issuer.
    pub(super) fn verify(
        &self,
        token: &Token<'_>,
        index: usize,
        now: SystemTime,
    ) -> Result<Verified, Refused> {
        let ProviderSettings { algorithms, audience, leeway, scopes_claim, .. } = &self.settings;
        if !algorithms.contains(&token.algorithm) {
            return Err(Refused::Algorithm);
        }
        let (set, generation) = {
            let keys = self.keys.borrow();
            (Arc::clone(&keys.set), keys.generation)
        };
        check_signature(&set, token)?;
        let good = claims::times(&token.claims, *leeway)?;
        claims::check_times(&good, now)?;
        claims::check_audience(&token.claims, audience)?;
        let claims = Value::Object(token.claims.clone());
        let scopes_claim = scopes_claim.clone();
        Ok(Verified { claims, scopes_claim, good, provider: index, generation })
    }

    /// Waits for this many changes of the keys.
    #[cfg(test)]
    pub(super) async fn changed(&self, times: u64) {
        let mut keys = self.keys.clone();
        keys.wait_for(|keys| keys.generation >= times).await.expect("a keeper");
    }

    /// Requests one more fetch of the keys, unless there was one just before. Returns true if the keys have changed.
    pub(super) async fn look_again(&self) -> bool {
        let mut keys = self.keys.clone();
        let before = keys.borrow_and_update().clone();
        if before.rests_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.wanted.notify_one();
        let fetched = keys.wait_for(|keys| keys.attempts > before.attempts);
        let time = self.settings.timeout.saturating_mul(2);
        match tokio::time::timeout(time, fetched).await {
            Ok(Ok(keys)) => keys.generation != before.generation,
            // It takes too long, or the keeper has ended.
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

fn check_signature(set: &KeySet, token: &Token<'_>) -> Result<(), Refused> {
    if set.is_empty() {
        return Err(Refused::NoKeys);
    }
    let mut refused = Refused::UnknownKey;
    for key in set.candidates(token.algorithm, token.key_id.as_deref()) {
        if token.algorithm.verify(&key.material, token.message, &token.signature) {
            return Ok(());
        }
        refused = Refused::Signature;
    }
    Err(refused)
}

impl Keeping {
    /// Lets every keeper fetch once, concurrently. Then each runs by itself.
    pub(super) async fn begin(mut keepers: Vec<Keeper>) -> Self {
        join_all(keepers.iter_mut().map(Keeper::refresh)).await;
        let mut tasks = JoinSet::new();
        for keeper in keepers {
            tasks.spawn(keeper.run());
        }
        Self(tasks)
    }

    /// Returns the number of providers that are kept fresh.
    #[must_use]
    pub fn providers(&self) -> usize {
        self.0.len()
    }
}

impl Keeper {
    async fn run(mut self) {
        let mut next = Instant::now() + self.wait();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.provider.wanted.notified() => {
                    let rests_until = self.keys.borrow().rests_until;
                    if rests_until.is_some_and(|until| Instant::now() < until) {
                        continue;
                    }
                }
            }
            self.refresh().await;
            next = Instant::now() + self.wait();
        }
    }

    /// Returns the time until the next fetch.
    fn wait(&self) -> Duration {
        let refresh = self.provider.settings.refresh;
        match self.failures {
            0 => refresh,
            failures => refresh.min(RETRY.saturating_mul(1 << (failures - 1).min(16))),
        }
    }

    async fn refresh(&mut self) {
        let ProviderSettings { timeout, rest, .. } = self.provider.settings;
        let outcome = self.fetcher.fetch(timeout).await;
        match &outcome {
            Ok(set) => self.report_keys(set),
            Err(error) => self.report_failure(error),
        }
        let provider = &self.provider;
        self.keys.send_modify(|keys| {
            keys.attempts += 1;
            keys.rests_until = Some(Instant::now() + rest);
            if let Ok(set) = outcome
                && set != *keys.set
            {
                keys.set = Arc::new(set);
                keys.generation += 1;
                // Under the lock: the new keys are never visible with the old number.
                provider.generation.store(keys.generation, Ordering::Release);
            }
        });
    }

    fn report_keys(&mut self, set: &KeySet) {
        self.failures = 0;
        metrics::fetched(&self.provider.issuer, "ok");
        if *set == *self.keys.borrow().set {
            return;
        }
        tracing::info!(
            issuer = &*self.provider.issuer,
            keys = set.len(),
            "the issuer has new keys"
        );
        for unfit in &set.unfit {
            tracing::warn!(
                issuer = &*self.provider.issuer,
                "the JWKS holds {unfit}; it is not used"
            );
        }
    }

    fn report_failure(&mut self, error: &NoKeys) {
        self.failures = self.failures.saturating_add(1);
        metrics::fetched(&self.provider.issuer, error.label());
        let serving = self.keys.borrow().set.len();
        tracing::warn!(
            issuer = &*self.provider.issuer,
            serving,
            "the issuer's keys cannot be read: {error}"
        );
    }
}
