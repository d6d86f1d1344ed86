//! The current instances of a source: discovery lists them, calls and checks show which are healthy.
//!
//! The set is replaced as a whole, so that picking takes no lock. A call holds its instance until it ends, also if the
//! instance has left the set. The state of an instance is kept for its host and port, whatever else changes.

use super::Instance;
use super::balancer::{Balancer, Candidate, Candidates};
use super::discovery::{Address, Found};
use super::failure::Verdict;
use super::health::{self, Access, Consequence, Health};
use super::metrics::OfInstance;
use super::settings::Settings;
use arc_swap::ArcSwap;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Makes an instance of an address, or returns why that is not possible.
pub type Connect<C> = Box<dyn Fn(&Address) -> Result<Instance<C>, String> + Send + Sync>;

/// Members at which a call was tried, the latest one at the end.
pub type TriedMembers<C> = SmallVec<[Arc<Member<C>>; 2]>;

/// Interval at which success rates are compared.
const COMPARED_EVERY: Duration = Duration::from_secs(10);

pub struct Members<C> {
    source: Arc<str>,
    settings: Settings,
    balancer: Balancer,
    /// Balancer for instances in the settings' zone.
    local_balancer: Balancer,
    connect: Connect<C>,
    set: ArcSwap<Set<C>>,
    /// Held during decisions about ejections, so that two decisions together do not exceed the limit.
    judging: Mutex<()>,
    born: Instant,
    /// Nanoseconds after `born`.
    next_comparison: AtomicU64,
}

/// The current members.
pub struct Set<C> {
    pub all: Vec<Arc<Member<C>>>,
    /// Members in the settings' zone; empty if none or all are.
    local: Vec<Arc<Member<C>>>,
    /// Why the set is not newer, or why it is empty.
    pub error: Option<String>,
    /// Largest weight.
    heaviest: u32,
}

/// One instance of the set.
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
            local_balancer: Balancer::new(settings.balance),
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

    /// Replaces the set by what discovery found. Returns the previous set.
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

    /// Returns the known member at this address, or a new one.
    fn member(&self, before: &Set<C>, address: Address, now: Instant) -> Result<Member<C>, String> {
        if let Some(known) = before.all.iter().find(|known| known.address.is_same(&address)) {
            let (instance, health) = (Arc::clone(&known.instance), Arc::clone(&known.health));
            let metrics = Arc::clone(&known.metrics);
            return Ok(Member { address, instance, health, metrics });
        }
        let instance = Arc::new((self.connect)(&address)?);
        let health = Arc::new(Mutex::new(Health::new(!before.all.is_empty(), now)));
        let metrics = Arc::new(OfInstance::new(&self.source, address.shown()));
        Ok(Member { address, instance, health, metrics })
    }

    /// Picks the instance of the next attempt of a call that already tried `tried`.
    ///
    /// # Errors
    /// No instance is known; the error says why.
    pub fn pick(&self, tried: &TriedMembers<C>, now: Instant) -> Result<Arc<Member<C>>, String> {
        let set = self.set.load();
        let mut dice = fastrand::f64;
        let (slow_start, heaviest) = (self.settings.slow_start, set.heaviest);
        if !set.local.is_empty() {
            let near = Choices { members: &set.local, tried, heaviest, slow_start, now };
            // If most of its own zone is unhealthy, the others are as good.
            if near.healthy() * 2 >= set.local.len()
                && let Some(place) = self.local_balancer.pick_untried(&near, &mut dice)
            {
                return Ok(Arc::clone(&set.local[place]));
            }
        }
        let all = Choices { members: &set.all, tried, heaviest, slow_start, now };
        match self.balancer.pick(&all, &mut dice).or_else(|| all.latest_to_answer()) {
            Some(place) => Ok(Arc::clone(&set.all[place])),
            None => Err(set.error.clone().unwrap_or_else(|| "discovery found none".to_owned())),
        }
    }

    /// Picks the instance for a probe: the one called longest ago, preferably one that is not down.
    ///
    /// # Errors
    /// No instance is known; the error says why.
    pub fn pick_for_probe(
        &self,
        tried: &TriedMembers<C>,
        now: Instant,
    ) -> Result<Arc<Member<C>>, String> {
        let set = self.set.load();
        let order = |member: &&Arc<Member<C>>| {
            let mut health = member.health();
            let is_tried = tried.iter().any(|tried| tried.address.is_same(&member.address));
            (is_tried, health.access(now) == Access::Down, health.begun())
        };
        match set.all.iter().min_by_key(order) {
            Some(member) => Ok(Arc::clone(member)),
            None => Err(set.error.clone().unwrap_or_else(|| "discovery found none".to_owned())),
        }
    }

    /// Returns whether an untried instance takes calls.
    pub fn has_untried(&self, tried: &TriedMembers<C>, now: Instant) -> bool {
        let set = self.set.load();
        let (slow_start, heaviest) = (self.settings.slow_start, set.heaviest);
        let all = Choices { members: &set.all, tried, heaviest, slow_start, now };
        (0..all.len()).any(|place| {
            !all.is_tried(place) && set.all[place].health().access(now) != Access::Down
        })
    }

    /// Returns whether there is more than one instance.
    pub fn are_several(&self) -> bool {
        self.set.load().all.len() > 1
    }

    /// Returns whether an instance other than the last one tried has replied since.
    pub fn has_answered_since(&self, tried: &TriedMembers<C>, since: Instant) -> bool {
        let Some(last) = tried.last() else { return false };
        let set = self.set.load();
        let others = set.all.iter().filter(|member| !member.address.is_same(&last.address));
        let mut answers = others.filter_map(|member| member.health().answered());
        answers.any(|answered| answered > since)
    }

    /// Returns whether one of several instances takes calls and most of its recent calls succeeded. Always false for a
    /// single instance.
    pub fn has_healthy(&self, now: Instant) -> bool {
        let set = self.set.load();
        set.all.len() > 1 && set.all.iter().any(|member| member.health().is_healthy(now))
    }

    /// Records the end of an attempt that began `took` ago. Returns whether its instance went down.
    pub fn end(&self, member: &Member<C>, verdict: Verdict, took: Duration, now: Instant) -> bool {
        let consequence = member.health().end(verdict, took, &self.settings.ejection, now);
        match consequence {
            Consequence::Nothing => {}
            Consequence::Eject => self.eject(member, "failures in a row", now),
            Consequence::WentDown => {
                member.metrics.downs.increment(1);
                let (source, instance) = (&*self.source, member.address.shown());
                tracing::warn!(source, instance, "down: it accepts no connections");
            }
        }
        self.compare_when_due(now);
        consequence == Consequence::WentDown
    }

    fn compare_when_due(&self, now: Instant) {
        let time = now.saturating_duration_since(self.born).as_nanos() as u64;
        let due = self.next_comparison.load(Ordering::Relaxed);
        let next = time + COMPARED_EVERY.as_nanos() as u64;
        if time < due {
            return;
        }
        let order = Ordering::Relaxed;
        // Another call may have been first.
        if self.next_comparison.compare_exchange(due, next, order, order).is_ok() {
            self.compare(now);
        }
    }

    fn compare(&self, now: Instant) {
        let set = self.set.load();
        let slow_start = self.settings.slow_start;
        let rates: Vec<_> =
            set.all.iter().map(|member| member.health().take_rate(slow_start, now)).collect();
        if self.settings.ejection.failures == 0 {
            return;
        }
        for place in health::outliers(&rates) {
            self.eject(&set.all[place], "a success rate far below the others'", now);
        }
    }

    /// Ejects an instance, unless too many are ejected already. One that fails everything is ejected all the same while
    /// another is healthy: the limit protects instances that answer some calls.
    fn eject(&self, member: &Member<C>, reason: &str, now: Instant) {
        let _judging = self.judging.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = &self.settings.ejection;
        let set = self.set.load();
        let is_ejected = |other: &&Arc<Member<C>>| other.health().ejected_until(now).is_some();
        let ejected = set.all.iter().filter(is_ejected).count();
        if !health::may_eject(settings, ejected, set.all.len()) {
            let is_other = |other: &&Arc<Member<C>>| !other.address.is_same(&member.address);
            let mut others = set.all.iter().filter(is_other);
            let has_healthy = others.any(|other| other.health().is_healthy(now));
            if !has_healthy || !member.health().fails_all(settings) {
                return;
            }
        }
        let mut health = member.health();
        if health.access(now) == Access::Up {
            health.eject(settings, now);
            member.metrics.ejections.increment(1);
            let until = health.ejected_until(now).unwrap_or(now);
            let seconds = until.saturating_duration_since(now).as_secs();
            let (source, instance) = (&*self.source, member.address.shown());
            tracing::warn!(source, instance, seconds, "ejected: {reason}");
        }
    }
}

/// Members as seen by the balancer.
struct Choices<'a, C> {
    members: &'a [Arc<Member<C>>],
    tried: &'a TriedMembers<C>,
    heaviest: u32,
    slow_start: Duration,
    now: Instant,
}

impl<C> Choices<'_, C> {
    fn healthy(&self) -> usize {
        self.members.iter().filter(|member| member.health().is_healthy(self.now)).count()
    }

    /// If no instance takes calls: returns the one that answered last, preferably one that was not tried.
    fn latest_to_answer(&self) -> Option<usize> {
        let order = |place: &usize| {
            let answered = self.members[*place].health().answered();
            (!self.is_tried(*place), answered)
        };
        (0..self.len()).max_by_key(order)
    }
}

impl<C> Candidates for Choices<'_, C> {
    fn len(&self) -> usize {
        self.members.len()
    }

    fn heaviest(&self) -> u32 {
        self.heaviest
    }

    fn look(&self, place: usize) -> Candidate {
        let member = &self.members[place];
        let mut health = member.health();
        Candidate {
            access: health.access(self.now),
            share: health.share(self.slow_start, self.now),
            weight: member.address.weight,
            in_flight: health.in_flight(),
        }
    }

    fn is_healthy(&self, place: usize) -> bool {
        self.members[place].health().is_healthy(self.now)
    }

    fn latency(&self, place: usize) -> Option<f64> {
        self.members[place].health().latency(self.now)
    }

    fn is_tried(&self, place: usize) -> bool {
        let address = &self.members[place].address;
        self.tried.iter().any(|tried| tried.address.is_same(address))
    }
}
