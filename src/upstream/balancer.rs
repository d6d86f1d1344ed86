//! Which instance is called next.
//!
//! The default takes two at random and of these the one that will be done sooner: as good as asking all of them, at the
//! price of two. They are two different ones, so that one that hangs is chosen only where nobody else is left; of two
//! that are alike, the one that was drawn first, which is what weights are about. Instances are drawn by their weight
//! times their share ([`Look::share`]), so that one that has just begun is drawn seldom, and one that is ejected never
//! while another is well. Pure but for a turn that goes round.

use super::health::trusts;
use super::settings::Balance;
use std::cell::OnceCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the balancer sees of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Of calls, 0 to 1; 0: ejected.
    pub share: f64,
    pub weight: u32,
    pub in_flight: u32,
}

/// Instances to choose from.
pub trait Candidates {
    fn len(&self) -> usize;

    /// The largest weight of all.
    fn heaviest(&self) -> u32;

    fn weight(&self, place: usize) -> u32;

    fn look(&self, place: usize) -> Look;

    /// What a call takes, in seconds; `None` while nothing is known. Asked only of those that are compared.
    fn latency(&self, place: usize) -> Option<f64>;

    /// It was tried for this call already.
    fn is_tried(&self, place: usize) -> bool;
}

#[derive(Debug)]
pub struct Balancer {
    balance: Balance,
    turn: AtomicUsize,
}

/// A source of randomness: numbers from 0 to 1, without 1.
pub type Dice<'a> = &'a mut dyn FnMut() -> f64;

/// Draws by weight that are made before the first one that will do is taken.
const DRAWS: usize = 16;

impl Balancer {
    #[must_use]
    pub fn new(balance: Balance) -> Self {
        Self { balance, turn: AtomicUsize::new(0) }
    }

    /// The place of the next one: one that is well and was not tried, or one that is well, or any, in this order. `None`
    /// only if there is none at all.
    pub fn pick(&self, candidates: &dyn Candidates, dice: Dice<'_>) -> Option<usize> {
        self.pick_untried(candidates, dice)
            .or_else(|| Filter::new(candidates, true).scan(at(dice, candidates.len())))
    }

    /// One that was not tried, and is well unless ejections are not to be trusted.
    pub fn pick_untried(&self, candidates: &dyn Candidates, dice: Dice<'_>) -> Option<usize> {
        let filter = Filter::new(candidates, false);
        match self.balance {
            _ if candidates.len() < 2 => filter.scan(0),
            Balance::P2c => filter.better_of_two(dice),
            Balance::RoundRobin => filter.in_turn(self.turn.fetch_add(1, Ordering::Relaxed), dice),
            Balance::LeastInFlight => filter.least(at(dice, candidates.len())),
        }
    }
}

fn at(dice: Dice<'_>, len: usize) -> usize {
    ((dice() * len as f64) as usize).min(len.saturating_sub(1))
}

struct Filter<'a> {
    candidates: &'a dyn Candidates,
    tried_too: bool,
    /// Ejections are heeded. Found out when the first one is met, which is seldom.
    trusts: OnceCell<bool>,
}

impl<'a> Filter<'a> {
    fn new(candidates: &'a dyn Candidates, tried_too: bool) -> Self {
        Self { candidates, tried_too, trusts: OnceCell::new() }
    }

    fn trusts(&self) -> bool {
        *self.trusts.get_or_init(|| {
            let all = self.candidates.len();
            let well = (0..all).filter(|place| self.candidates.look(*place).share > 0.0).count();
            trusts(well, all)
        })
    }

    /// What the instance at a place may get of calls, as far as one may choose it.
    fn weight(&self, place: usize, look: &Look) -> f64 {
        if !self.tried_too && self.candidates.is_tried(place) {
            return 0.0;
        }
        let share = if look.share > 0.0 || self.trusts() { look.share } else { 1.0 };
        share * f64::from(look.weight)
    }

    /// The first that will do, from a place on.
    fn scan(&self, from: usize) -> Option<usize> {
        self.scan_but(None, from)
    }

    fn scan_but(&self, other: Option<usize>, from: usize) -> Option<usize> {
        let len = self.candidates.len();
        (0..len)
            .map(|step| (from + step) % len)
            .filter(|place| other != Some(*place))
            .find(|place| self.weight(*place, &self.candidates.look(*place)) > 0.0)
    }

    fn better_of_two(&self, dice: Dice<'_>) -> Option<usize> {
        let heaviest = f64::from(self.candidates.heaviest());
        let first = self.draw(heaviest, None, dice)?;
        let Some(second) = self.draw(heaviest, Some(first), dice) else { return Some(first) };
        let (a, b) = (self.candidates.look(first), self.candidates.look(second));
        // Of an instance whose latency is not known, only the calls under way can be compared.
        let (of_a, of_b) = (self.candidates.latency(first), self.candidates.latency(second));
        let known = of_a.zip(of_b).unwrap_or((1.0, 1.0));
        let cost = |look: Look, latency: f64| latency * f64::from(look.in_flight + 1);
        Some(if cost(b, known.1) < cost(a, known.0) { second } else { first })
    }

    /// One at random but for `other`, by weight: any, and kept as often as its weight is of the heaviest one's.
    fn draw(&self, heaviest: f64, other: Option<usize>, dice: Dice<'_>) -> Option<usize> {
        let len = self.candidates.len();
        for _ in 0..DRAWS {
            let place = at(dice, len);
            let weight = self.weight(place, &self.candidates.look(place));
            if other != Some(place) && weight > dice() * heaviest {
                return Some(place);
            }
        }
        self.scan_but(other, at(dice, len))
    }

    /// As many turns for each as its weight says.
    fn in_turn(&self, turn: usize, dice: Dice<'_>) -> Option<usize> {
        let len = self.candidates.len();
        let weight = |place: usize| self.candidates.weight(place) as usize;
        let total: usize = (0..len).map(weight).sum();
        let mut left = turn % total.max(1);
        let mut from = 0;
        while from + 1 < len && left >= weight(from) {
            left -= weight(from);
            from += 1;
        }
        let chosen = self.scan(from)?;
        // One in its slow start lets most of its turns pass.
        let share = self.candidates.look(chosen).share;
        if share < 1.0 && dice() >= share { self.scan(chosen + 1) } else { Some(chosen) }
    }

    fn least(&self, from: usize) -> Option<usize> {
        let len = self.candidates.len();
        let mut best: Option<(usize, f64)> = None;
        for place in (0..len).map(|step| (from + step) % len) {
            let look = self.candidates.look(place);
            let weight = self.weight(place, &look);
            let load = f64::from(look.in_flight + 1) / weight;
            if weight > 0.0 && best.is_none_or(|(_, least)| load < least) {
                best = Some((place, load));
            }
        }
        best.map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests;
