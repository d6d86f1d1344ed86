//! Queue of the calls that wait for a place, and how long they may wait.
//!
//! A queue that comes with a burst and drains is useful: its calls wait as long as they need. A standing queue, where
//! more calls arrive than leave, delays every call and helps none. While a queue stands, calls wait at most half of the
//! service's healthy latency, and a call that would wait longer is refused on arrival (K. Nichols and V. Jacobson,
//! "Controlling Queue Delay"). Operations are counted, not calls: all calls of one operation are one burst, however
//! many they are and however long it takes to make them. Time is an argument.

use hashbrown::HashMap;
use std::time::{Duration, Instant};

/// A queue that lasts no longer than this is a burst.
const BURST: Duration = Duration::from_millis(75);

/// Arrivals per departure, counted in operations, that mean overload: in each of two parts of a third of a burst's
/// time, or in each of two longer parts.
///
/// In both parts together, the surplus must exceed the calls that may be in flight. Clients that wait for an answer
/// before they send the next request bring as many as leave, apart from chance and from calls that a lowered limit
/// keeps waiting.
const QUICKLY: f64 = 1.25;
const SLOWLY: f64 = 1.05;
const LONG: Duration = Duration::from_secs(1);

/// A queue that forms this soon after a standing one belongs to the same overload.
const RELAPSE: Duration = Duration::from_secs(1);

/// Maximum wait if nothing else is known or set.
const LONGEST: Duration = Duration::from_secs(5);

/// Shortest maximum wait: no caller notices it.
const SHORTEST: Duration = Duration::from_millis(25);

/// State of the service that calls wait for.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Latency of a call without load, if known.
    pub healthy: Option<Duration>,
    /// Maximum number of calls in flight.
    pub limit: usize,
}

#[derive(Debug, Default)]
pub struct Queue {
    /// Set while calls wait.
    standing: Option<Standing>,
    /// Time at which the last standing queue became empty.
    stood: Option<Instant>,
    /// Waiting calls by operation. All calls of one operation have the same deadline.
    waiting: HashMap<Instant, u32>,
}

#[derive(Debug)]
struct Standing {
    since: Instant,
    /// Highest limit since the queue formed.
    limit: usize,
    short: Parts,
    long: Parts,
    /// More operations arrive than leave.
    is_overload: bool,
}

/// Operations that arrived and left in the current part of the queue's time, and in the two parts before.
#[derive(Debug)]
struct Parts {
    began: Instant,
    /// The first part contains the burst itself and does not count.
    is_first: bool,
    moves: [Moves; 3],
}

#[derive(Debug, Default, Clone, Copy)]
struct Moves {
    came: u32,
    went: u32,
}

impl Queue {
    /// Adds a call of the operation with this deadline.
    pub fn comes(&mut self, deadline: Instant, service: Service, now: Instant) {
        let lately = |stood: Instant| now.saturating_duration_since(stood) < RELAPSE;
        let is_overload = self.stood.is_some_and(lately);
        let standing = self.standing.get_or_insert_with(|| Standing::new(now, is_overload));
        standing.judge(service, now);
        let calls = self.waiting.entry(deadline).or_default();
        *calls += 1;
        if *calls == 1 {
            standing.short.moves[0].came += 1;
            standing.long.moves[0].came += 1;
        }
    }

    /// Removes a call of the operation with this deadline: it got its place.
    pub fn goes(&mut self, deadline: Instant, service: Service, now: Instant) {
        let was_last = self.leaves(deadline);
        if let Some(standing) = &mut self.standing {
            standing.judge(service, now);
            standing.short.moves[0].went += u32::from(was_last);
            standing.long.moves[0].went += u32::from(was_last);
        }
    }

    /// Removes a call of the operation with this deadline. Returns whether it was the operation's last.
    pub fn leaves(&mut self, deadline: Instant) -> bool {
        let Some(calls) = self.waiting.get_mut(&deadline) else { return false };
        *calls -= 1;
        let was_last = *calls == 0;
        if was_last {
            self.waiting.remove(&deadline);
        }
        was_last
    }

    /// Resets the queue: no call waits.
    pub fn clear(&mut self, now: Instant) {
        if self.is_overload() {
            self.stood = Some(now);
        }
        self.standing = None;
        self.waiting.clear();
    }

    #[must_use]
    pub fn is_overload(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.is_overload)
    }

    /// Returns the maximum wait of a call.
    #[must_use]
    pub fn age(&self, healthy: Option<Duration>) -> Duration {
        match healthy {
            Some(healthy) if self.is_overload() => (healthy / 2).max(SHORTEST),
            Some(healthy) => LONGEST.max(20 * healthy),
            None => Duration::MAX,
        }
    }
}

impl Standing {
    fn new(now: Instant, is_overload: bool) -> Self {
        Self { since: now, limit: 0, short: Parts::new(now), long: Parts::new(now), is_overload }
    }

    fn judge(&mut self, service: Service, now: Instant) {
        self.limit = self.limit.max(service.limit);
        let healthy = service.healthy.unwrap_or_default();
        let burst = BURST.max(healthy.mul_f64(1.5));
        let lasts = now.saturating_duration_since(self.since) >= burst;
        let grows = self.short.grow(burst / 3, QUICKLY, self.limit, now);
        let grows_slowly = self.long.grow(LONG.max(10 * healthy), SLOWLY, self.limit, now);
        self.is_overload |= (lasts && grows) || grows_slowly;
    }
}

impl Parts {
    fn new(now: Instant) -> Self {
        Self { began: now, is_first: true, moves: [Moves::default(); 3] }
    }

    /// Returns whether, in each of the last two parts of this length, more than `times` as many operations arrived as
    /// left, and the surplus of both together exceeded `limit`.
    fn grow(&mut self, length: Duration, times: f64, limit: usize, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.began);
        if age >= length {
            let [last, before, _] = self.moves;
            let none = Moves::default();
            let is_counted = age < 2 * length && !self.is_first;
            self.moves = if is_counted { [none, last, before] } else { [none; 3] };
            (self.began, self.is_first) = (now, false);
        }
        let over = &self.moves[1..];
        let grew = |Moves { came, went }: &Moves| f64::from(*came) > times * f64::from(*went);
        let more: u32 = over.iter().map(|part| part.came.saturating_sub(part.went)).sum();
        // If nothing leaves, the service is silent, not full.
        let is_silent = over.iter().all(|part| part.went == 0);
        over.iter().all(grew) && !is_silent && more as usize > limit
    }
}
