//! Picks the instance of the next attempt.
//!
//! All strategies draw instances by *weight*: the weight of its address times its share ([`Candidate::share`]). So an
//! instance that is in its slow start, or fails, is drawn less often, and one that is ejected or down is not drawn
//! while another is healthy. The strategies differ in when a drawn instance gives way to another one:
//!
//! - `p2c` draws two different instances, which balances nearly as well as comparing all and costs two draws. The first
//!   gives way if the second clearly has more room, or clearly answers sooner ([`gives_way`]).
//! - `least_in_flight` draws one instance, which gives way to the one with the most room.
//! - `round_robin` draws nothing: turns are interleaved by weight (nginx's smooth weighted round robin).
//!
//! Room is measured in calls in flight per unit of weight. A call counts as one whole, although the share of a light
//! instance at low concurrency is less than one call. So an instance gives way only if the other one, with this call
//! added, has at most as many calls in flight per weight as the first has without it. Shares then follow the weights,
//! with one call in flight and with hundreds. Pure, except for the turns of `round_robin`.

use super::health::Access;
use super::settings::Balance;
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::sync::{Mutex, PoisonError};

/// An instance as seen by the balancer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub access: Access,
    /// Part of its full share of calls: above 0, at most 1.
    pub share: f64,
    pub weight: u32,
    pub in_flight: u32,
}

/// Instances to choose from.
pub trait Candidates {
    fn len(&self) -> usize;

    /// Largest weight of all candidates.
    fn heaviest(&self) -> u32;

    fn look(&self, place: usize) -> Candidate;

    /// Returns whether the instance takes calls and most of its recent calls succeeded.
    fn is_healthy(&self, place: usize) -> bool;

    /// Average duration of an attempt, in seconds; `None` if there is no measurement. Called only for instances that
    /// are compared.
    fn latency(&self, place: usize) -> Option<f64>;

    /// Returns whether this call already tried the instance.
    fn is_tried(&self, place: usize) -> bool;
}

#[derive(Debug)]
pub struct Balancer {
    balance: Balance,
    /// Saved turns of each instance, by its index.
    turns: Mutex<SmallVec<[f64; FEW]>>,
}

/// Source of randomness: numbers from 0 (included) to 1 (excluded).
pub type Dice<'a> = &'a mut dyn FnMut() -> f64;

/// Up to this number of instances, each draw looks at all of them.
const FEW: usize = 8;

/// Number of draws among many instances before all of them are looked at.
const DRAWS: usize = 16;

/// Latencies that differ by less than this factor are equal: averages of equally fast instances differ by chance.
const CLEARLY: f64 = 1.25;

/// Two numbers that differ by less than this factor are equal.
const SLIGHTLY: f64 = 1.0 + 1e-9;

/// An instance that may be chosen.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    place: usize,
    weight: f64,
    in_flight: u32,
}

impl Weighted {
    /// Returns the calls in flight per unit of weight, with `more` calls added.
    fn load(&self, more: f64) -> f64 {
        (f64::from(self.in_flight) + more) / self.weight
    }

    /// Returns how much lighter it is than `other`, as a part of the weight of `other`; 0 if it is not lighter.
    fn lacks(&self, other: &Self) -> f64 {
        1.0 - (self.weight / other.weight).min(1.0)
    }

    /// Returns whether `other` has room for a call that was drawn for this instance.
    ///
    /// While few calls are in flight, the lighter of the two may exceed its share. The excess is the part of a call
    /// that it lacks in weight, because it would otherwise lose its draws whenever it is busy. In return, it takes over
    /// a call of the heavier instance somewhat later.
    fn has_less_room_than(&self, other: &Self) -> bool {
        let (lacks, other_lacks) = (self.lacks(other), other.lacks(self));
        if lacks <= 0.0 && other_lacks <= 0.0 {
            return self.load(0.0) >= other.load(1.0);
        }
        let of_self = self.load(-lacks / f64::from(self.in_flight.max(1)));
        let of_other = other.load(1.0 + other_lacks / 2.0 / f64::from(other.in_flight + 1));
        of_self > of_other * SLIGHTLY
    }
}

impl Balancer {
    #[must_use]
    pub fn new(balance: Balance) -> Self {
        Self { balance, turns: Mutex::default() }
    }

    /// Picks an instance that takes calls, preferably one that was not tried. Returns `None` if all are down.
    ///
    /// Ejections apply while an instance that is not ejected is healthy.
    pub fn pick(&self, candidates: &dyn Candidates, dice: Dice<'_>) -> Option<usize> {
        self.pick_untried(candidates, dice)
            .or_else(|| Filter::new(candidates, true).draw(None, dice).map(|choice| choice.place))
    }

    /// Picks an instance that takes calls and was not tried.
    pub fn pick_untried(&self, candidates: &dyn Candidates, dice: Dice<'_>) -> Option<usize> {
        let filter = Filter::new(candidates, false);
        let choice = match self.balance {
            _ if candidates.len() == 1 => filter.choice(0),
            Balance::P2c => filter.better_of_two(dice),
            Balance::RoundRobin => filter.in_turn(&self.turns),
            Balance::LeastInFlight => filter.least(dice),
        };
        choice.map(|choice| choice.place)
    }
}

struct Filter<'a> {
    candidates: &'a dyn Candidates,
    tried_too: bool,
    /// True if ejections apply. Computed when the first ejected instance is met, which is rare.
    ejects: OnceCell<bool>,
}

impl<'a> Filter<'a> {
    fn new(candidates: &'a dyn Candidates, tried_too: bool) -> Self {
        Self { candidates, tried_too, ejects: OnceCell::new() }
    }

    fn ejects(&self) -> bool {
        *self.ejects.get_or_init(|| {
            (0..self.candidates.len()).any(|place| self.candidates.is_healthy(place))
        })
    }

    /// Returns the instance at an index, if it may be chosen.
    fn choice(&self, place: usize) -> Option<Weighted> {
        if !self.tried_too && self.candidates.is_tried(place) {
            return None;
        }
        let Candidate { access, share, weight, in_flight } = self.candidates.look(place);
        let is_open = match access {
            Access::Up => true,
            Access::Ejected => !self.ejects(),
            Access::Down => false,
        };
        is_open.then(|| Weighted { place, weight: share * f64::from(weight), in_flight })
    }

    fn choices(&self) -> impl Iterator<Item = Weighted> {
        (0..self.candidates.len()).filter_map(|place| self.choice(place))
    }

    /// Draws two instances and returns the first, unless it gives way to the second.
    fn better_of_two(&self, dice: Dice<'_>) -> Option<Weighted> {
        let (first, second) = if self.candidates.len() <= FEW {
            let few: SmallVec<[Weighted; FEW]> = self.choices().collect();
            let first = drawn(few.iter(), dice)?;
            let second = match &few[..] {
                [one, other] => Some(if one.place == first.place { *other } else { *one }),
                _ => drawn(few.iter().filter(|choice| choice.place != first.place), dice),
            };
            (first, second)
        } else {
            let first = self.draw(None, dice)?;
            (first, self.draw(Some(first.place), dice))
        };
        let Some(second) = second else { return Some(first) };
        let latency = |choice: Weighted| self.candidates.latency(choice.place);
        // If a latency is unknown, only the calls in flight can be compared.
        let latencies = latency(first).zip(latency(second)).unwrap_or((1.0, 1.0));
        Some(if gives_way(first, second, latencies) { second } else { first })
    }

    /// Draws an instance by weight, but not the one at `other`.
    ///
    /// Draws uniformly, and keeps the drawn instance with the probability of its weight divided by the heaviest one's.
    /// If that takes too many draws, all instances are looked at.
    fn draw(&self, other: Option<usize>, dice: Dice<'_>) -> Option<Weighted> {
        let len = self.candidates.len();
        let heaviest = f64::from(self.candidates.heaviest());
        if len > FEW {
            for _ in 0..DRAWS {
                let place = ((dice() * len as f64) as usize).min(len - 1);
                if other != Some(place)
                    && let Some(choice) = self.choice(place)
                    && choice.weight > dice() * heaviest
                {
                    return Some(choice);
                }
            }
        }
        let all: SmallVec<[Weighted; FEW]> =
            self.choices().filter(|choice| other != Some(choice.place)).collect();
        drawn(all.iter(), dice)
    }

    /// Returns the instance whose turn it is. Each saves up turns in proportion to its weight, and the one with the
    /// most is next.
    fn in_turn(&self, turns: &Mutex<SmallVec<[f64; FEW]>>) -> Option<Weighted> {
        let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() != self.candidates.len() {
            turns.clear();
            turns.resize(self.candidates.len(), 0.0);
        }
        let mut total = 0.0;
        let mut next: Option<Weighted> = None;
        for choice in self.choices() {
            turns[choice.place] += choice.weight;
            total += choice.weight;
            if next.is_none_or(|next| turns[choice.place] > turns[next.place]) {
                next = Some(choice);
            }
        }
        let next = next?;
        turns[next.place] -= total;
        Some(next)
    }

    /// Draws an instance by weight, and returns it unless it gives way to the one with the most room.
    fn least(&self, dice: Dice<'_>) -> Option<Weighted> {
        let all: SmallVec<[Weighted; FEW]> = self.choices().collect();
        let first = drawn(all.iter(), dice)?;
        let others = all.iter().filter(|choice| choice.place != first.place);
        let least = others.clone().map(|choice| choice.load(1.0)).fold(f64::INFINITY, f64::min);
        let least = drawn(others.filter(|choice| choice.load(1.0) <= least * SLIGHTLY), dice);
        Some(least.filter(|least| first.has_less_room_than(least)).unwrap_or(first))
    }
}

/// Draws an instance at random, by weight.
fn drawn<'a>(
    choices: impl Iterator<Item = &'a Weighted> + Clone,
    dice: Dice<'_>,
) -> Option<Weighted> {
    let total: f64 = choices.clone().map(|choice| choice.weight).sum();
    let mut left = dice() * total;
    let mut last = None;
    for choice in choices {
        last = Some(*choice);
        left -= choice.weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Returns whether a call that was drawn for `first` goes to `other` instead. `latencies` are those of both.
///
/// Among equally fast instances, `other` takes the call if it has room for it. Otherwise it takes the call if the call
/// ends sooner there. The estimate covers the call itself and the calls in flight beside it, by weight. An instance of
/// less weight counts as busier by what it lacks. So a light instance, such as a canary, does not take over the calls
/// of a heavier one just because it is somewhat faster.
fn gives_way(first: Weighted, other: Weighted, latencies: (f64, f64)) -> bool {
    let (of_first, of_other) = latencies;
    if of_first < of_other * CLEARLY && of_other < of_first * CLEARLY {
        return first.has_less_room_than(&other);
    }
    let mean = f64::midpoint(first.weight, other.weight);
    of_first * (1.0 + mean * first.load(0.0))
        > of_other * (1.0 + mean * other.load(other.lacks(&first)))
}

#[cfg(test)]
mod tests;
