//! The instances behind a source as they are now: who exists, as discovery says; who is well, as calls show.
//!
//! The set is swapped as a whole, so that choosing takes no lock. A call holds its instance until it is over, also one
//! that has left the set since. What is known of an instance stays with its host and port, whatever else changes.

use super::Instance;
use super::balancer::{Balancer, Candidates, Look};
use super::discovery::{Address, Found};
use super::failure::Verdict;
use super::health::{self, Health};
use super::metrics::OfInstance;
use super::settings::Settings;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Makes an instance of an address, or says why it cannot.
pub type Connect<C> = Box<dyn Fn(&Address) -> Result<Instance<C>, String> + Send + Sync>;

/// How often success rates are compared.
const COMPARED_EVERY: Duration = Duration::from_secs(10);

pub struct Members<C> {
    source: Arc<str>,
    settings: Settings,
    balancer: Balancer,
    connect: Connect<C>,
    set: ArcSwap<Set<C>>,
    /// Held while it is decided who is ejected, so that two decisions together do not exceed what is allowed.
    judging: Mutex<()>,
    born: Instant,
    /// Nanoseconds after `born`.
    next_comparison: AtomicU64,
}

/// Who exists.
pub struct Set<C> {
    pub all: Vec<Arc<Member<C>>>,
    /// Of the settings' zone; empty if none are, or all.
    local: Vec<Arc<Member<C>>>,
    /// Why there are no newer ones, or none.
    pub error: Option<String>,
    /// The largest weight.
    heaviest: u32,
}

/// One of them.
pub struct Member<C> {
    pub address: Address,
    pub instance: Arc<Instance<C>>,
    health: Arc<Mutex<Health>>,
    pub metrics: Arc<OfInstance>,
}

impl<C> Member<C> {
    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Members<C> {
    pub fn new(source: Arc<str>, settings: Settings, connect: Connect<C>, now: Instant) -> Self {
        let error = Some("nobody has been asked yet who there is".to_owned());
        let empty = Set { all: Vec::new(), local: Vec::new(), error, heaviest: 1 };
        Self {
            source,
            balancer: Balancer::new(settings.balance),
            settings,
            connect,
            set: ArcSwap::from_pointee(empty),
            judging: Mutex::new(()),
            born: now,
            next_comparison: AtomicU64::new(COMPARED_EVERY.as_nanos() as u64),
        }
    }

    pub fn set(&self) -> Arc<Set<C>> {
        self.set.load_full()
    }

    /// Takes in what discovery found; returns what was known before.
    pub fn update(&self, found: Found, now: Instant) -> Arc<Set<C>> {
        let before = self.set();
        let (all, mistakes): (Vec<_>, Vec<_>) = found
            .addresses
            .into_iter()
            .map(|address| self.member(&before, address, now))
            .partition(Result::is_ok);
        let all: Vec<_> = all.into_iter().flatten().map(Arc::new).collect();
        let error = mistakes.into_iter().find_map(Result::err).or(found.error);
        let zone = self.settings.zone.as_deref();
        let is_local =
            |member: &&Arc<Member<C>>| zone.is_some() && member.address.zone.as_deref() == zone;
        let mut local: Vec<_> = all.iter().filter(is_local).cloned().collect();
        if local.len() == all.len() {
            local.clear();
        }
        let heaviest = all.iter().map(|member| member.address.weight).max().unwrap_or(1);
        self.set.store(Arc::new(Set { all, local, error, heaviest }));
        before
    }

    /// As it was known, if it was.
    fn member(&self, before: &Set<C>, address: Address, now: Instant) -> Result<Member<C>, String> {
        if let Some(known) = before.all.iter().find(|known| known.address.is_same(&address)) {
            let (instance, health) = (Arc::clone(&known.instance), Arc::clone(&known.health));
            let metrics = Arc::clone(&known.metrics);
            return Ok(Member { address, instance, health, metrics });
        }
        let instance = Arc::new((self.connect)(&address)?);
        let health = Arc::new(Mutex::new(Health::new(!before.all.is_empty(), now)));
        let metrics = Arc::new(OfInstance::new(&self.source, address.authority()));
        Ok(Member { address, instance, health, metrics })
    }

    /// Whom to call, for a call that was tried at these already.
    ///
    /// # Errors
    /// There is nobody: why.
    pub fn pick(&self, tried: &[Address], now: Instant) -> Result<Arc<Member<C>>, String> {
        let set = self.set.load();
        let mut dice = fastrand::f64;
        let (slow_start, heaviest) = (self.settings.slow_start, set.heaviest);
        if !set.local.is_empty() {
            let near = Choice { members: &set.local, tried, heaviest, slow_start, now };
            // With most of its own zone ill, the others are as good.
            if near.well() * 2 >= set.local.len()
                && let Some(place) = self.balancer.pick_untried(&near, &mut dice)
            {
                return Ok(Arc::clone(&set.local[place]));
            }
        }
        let all = Choice { members: &set.all, tried, heaviest, slow_start, now };
        match self.balancer.pick(&all, &mut dice) {
            Some(place) => Ok(Arc::clone(&set.all[place])),
            None => Err(set.error.clone().unwrap_or_else(|| "discovery found none".to_owned())),
        }
    }

    /// An attempt that began `took` ago is over.
    pub fn end(&self, member: &Member<C>, verdict: Verdict, took: Duration, now: Instant) {
        let is_failing = {
            let mut health = member.health();
            health.end(verdict, took, now);
            verdict == Verdict::Failure && health.is_failing(&self.settings.ejection)
        };
        if is_failing {
            self.eject(member, "failures in a row", now);
        }
        let time = now.saturating_duration_since(self.born).as_nanos() as u64;
        let due = self.next_comparison.load(Ordering::Relaxed);
        let next = time + COMPARED_EVERY.as_nanos() as u64;
        if time < due {
            return;
        }
        let order = Ordering::Relaxed;
        // Another call may have come first.
        if self.next_comparison.compare_exchange(due, next, order, order).is_ok() {
            self.compare(now);
        }
    }

    fn compare(&self, now: Instant) {
        let set = self.set.load();
        let rates: Vec<_> = set.all.iter().map(|member| member.health().take_rate(now)).collect();
        if self.settings.ejection.failures == 0 {
            return;
        }
        for place in health::outliers(&rates) {
            self.eject(&set.all[place], "a success rate far below the others'", now);
        }
    }

    /// Unless too many are ejected already.
    fn eject(&self, member: &Member<C>, reason: &str, now: Instant) {
        let _judging = self.judging.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = &self.settings.ejection;
        let set = self.set.load();
        let is_ejected = |member: &&Arc<Member<C>>| member.health().ejected_until(now).is_some();
        let ejected = set.all.iter().filter(is_ejected).count();
        if !health::may_eject(settings, ejected, set.all.len()) {
            return;
        }
        let mut health = member.health();
        if health.ejected_until(now).is_none() {
            health.eject(settings, now);
            member.metrics.ejections.increment(1);
            let until = health.ejected_until(now).unwrap_or(now);
            let seconds = until.saturating_duration_since(now).as_secs();
            let (source, instance) = (&*self.source, member.address.authority());
            tracing::warn!(source, instance, seconds, "ejected: {reason}");
        }
    }
}

/// Members as the balancer sees them.
struct Choice<'a, C> {
    members: &'a [Arc<Member<C>>],
    tried: &'a [Address],
    heaviest: u32,
    slow_start: Duration,
    now: Instant,
}

impl<C> Choice<'_, C> {
    fn well(&self) -> usize {
        (0..self.len()).filter(|place| self.look(*place).share > 0.0).count()
    }
}

impl<C> Candidates for Choice<'_, C> {
    fn len(&self) -> usize {
        self.members.len()
    }

    fn heaviest(&self) -> u32 {
        self.heaviest
    }

    fn weight(&self, place: usize) -> u32 {
        self.members[place].address.weight
    }

    fn look(&self, place: usize) -> Look {
        let member = &self.members[place];
        let mut health = member.health();
        Look {
            share: health.share(self.slow_start, self.now),
            weight: member.address.weight,
            in_flight: health.in_flight(),
        }
    }

    fn latency(&self, place: usize) -> Option<f64> {
        self.members[place].health().latency(self.now)
    }

    fn is_tried(&self, place: usize) -> bool {
        let address = &self.members[place].address;
        self.tried.iter().any(|tried| tried.is_same(address))
    }
}
