//! A provider: what its tokens must be like, and its keys, kept fresh in the background.
//!
//! One task per provider, its keeper, is the only one that fetches: requests that meet an unknown `kid` wake it and wait
//! for the outcome together, and not at all while it rests, so that nobody can make the gateway hammer a provider.
//! Whatever goes wrong with a fetch, the keys of before go on serving.

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

/// After the first failed fetch; doubled with each further one, up to the time between two good ones.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Provider {
    settings: ProviderSettings,
    issuer: Arc<str>,
    keys: watch::Receiver<Keys>,
    /// Of the key set; apart, so that known tokens need not look at the keys.
    generation: AtomicU64,
    /// Somebody wants newer keys.
    wanted: Notify,
}

/// What the keeper tells.
#[derive(Debug, Clone, Default)]
struct Keys {
    set: Arc<KeySet>,
    /// How many sets there were before; other keys, other number.
    generation: u64,
    /// Fetches that came to an end, whichever.
    attempts: u64,
    rests_until: Option<Instant>,
}

/// Who fetches a provider's keys.
pub(super) struct Keeper {
    provider: Arc<Provider>,
    fetcher: Fetcher,
    keys: watch::Sender<Keys>,
    failures: u32,
}

/// Keys are kept fresh until this is dropped.
pub struct Keeping(JoinSet<()>);

/// A provider and, unless its keys never change, its keeper. Keys of files and given ones are there at once.
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

    /// Signature first, so that what claims say of a token is told to nobody who did not get it from the issuer.
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

    /// Waits for so many changes of the keys.
    #[cfg(test)]
    pub(super) async fn changed(&self, times: u64) {
        let mut keys = self.keys.clone();
        keys.wait_for(|keys| keys.generation >= times).await.expect("a keeper");
    }

    /// Has the keys fetched once more, unless that was done a moment ago. True if they are other ones now.
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
            // It takes too long, or there is no keeper any more.
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
    /// Every keeper fetches once, side by side; then each goes on by itself.
    pub(super) async fn begin(mut keepers: Vec<Keeper>) -> Self {
        join_all(keepers.iter_mut().map(Keeper::refresh)).await;
        let mut tasks = JoinSet::new();
        for keeper in keepers {
            tasks.spawn(keeper.run());
        }
        Self(tasks)
    }

    /// How many providers are looked after.
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

    /// Until the next fetch.
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
                // Within the lock: nobody sees the new keys under the old number.
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
