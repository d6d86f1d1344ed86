//! Shares of calls in a simulation with its own clock: a fixed number of calls in flight, each as long as its instance
//! takes.

use super::super::*;
use super::ALL;
use crate::upstream::failure::Verdict;
use crate::upstream::health::Health;
use crate::upstream::settings::Ejection;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

const SLOW_START: Duration = Duration::from_secs(10);

/// Mean duration of a call, in seconds.
const MEAN: f64 = 0.02;

/// Instances with their weights and their real health state.
struct Simulation {
    balancer: Balancer,
    random: RefCell<fastrand::Rng>,
    health: Vec<RefCell<Health>>,
    weights: Vec<u32>,
    /// Largest deviation of a duration from the mean, as a part of the mean.
    spread: f64,
    now: Instant,
    ends: BinaryHeap<Reverse<(Instant, usize, Duration)>>,
}

impl Simulation {
    fn new(balance: Balance, weights: &[u32], spread: f64) -> Self {
        let now = Instant::now();
        Self {
            balancer: Balancer::new(balance),
            random: RefCell::new(fastrand::Rng::with_seed(7)),
            health: weights.iter().map(|_| RefCell::new(Health::new(false, now))).collect(),
            weights: weights.to_vec(),
            spread,
            now,
            ends: BinaryHeap::new(),
        }
    }

    /// Returns the number of calls per instance while `lasts` holds, with `at_a_time` calls in flight.
    fn run(&mut self, at_a_time: usize, lasts: impl Fn(&Self, usize) -> bool) -> Vec<usize> {
        let mut counts = vec![0; self.weights.len()];
        for call in 0.. {
            if self.ends.len() == at_a_time {
                self.end();
            }
            if !lasts(self, call) {
                break;
            }
            counts[self.begin()] += 1;
        }
        counts
    }

    fn begin(&mut self) -> usize {
        let mut dice = || self.random.borrow_mut().f64();
        let place = self.balancer.pick(self, &mut dice).expect("all take calls");
        let took = Duration::from_secs_f64(MEAN * (1.0 + self.spread * (2.0 * dice() - 1.0)));
        self.health[place].borrow_mut().begin(self.now);
        self.ends.push(Reverse((self.now + took, place, took)));
        place
    }

    fn end(&mut self) {
        let Some(Reverse((now, place, took))) = self.ends.pop() else { return };
        self.now = now;
        let mut health = self.health[place].borrow_mut();
        health.end(Verdict::Success, took, &Ejection::default(), now);
    }
}

impl Candidates for Simulation {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn heaviest(&self) -> u32 {
        self.weights.iter().copied().max().unwrap_or(1)
    }

    fn look(&self, place: usize) -> Candidate {
        let mut health = self.health[place].borrow_mut();
        Candidate {
            access: health.access(self.now),
            share: health.share(SLOW_START, self.now),
            weight: self.weights[place],
            in_flight: health.in_flight(),
        }
    }

    fn is_healthy(&self, place: usize) -> bool {
        self.health[place].borrow_mut().is_healthy(self.now)
    }

    fn latency(&self, place: usize) -> Option<f64> {
        self.health[place].borrow().latency(self.now)
    }

    fn is_tried(&self, _: usize) -> bool {
        false
    }
}

fn points(counts: &[usize]) -> Vec<f64> {
    let all: usize = counts.iter().sum();
    counts.iter().map(|count| 100.0 * *count as f64 / all as f64).collect()
}

/// Within five percentage points, for each strategy and any number of calls in flight.
#[test]
fn shares_are_as_the_weights_say() {
    let mut wrong = Vec::new();
    let sets: [&[u32]; 6] = [&[1, 9], &[1, 1, 1], &[5, 3, 2], &[1, 99], &[1; 10], &[9, 1, 1, 1]];
    for balance in ALL {
        for weights in sets {
            for at_a_time in [1, 2, 3, 5, 8, 64, 200] {
                for spread in [0.01, 0.5] {
                    let mut simulation = Simulation::new(balance, weights, spread);
                    simulation.run(at_a_time, |_, call| call < 300);
                    let shares = points(&simulation.run(at_a_time, |_, call| call < 2_500));
                    let total = f64::from(weights.iter().sum::<u32>());
                    let off = shares.iter().zip(weights);
                    let off = off.map(|(share, weight)| share - 100.0 * f64::from(*weight) / total);
                    let most = off.fold(0.0, |most: f64, off| most.max(off.abs()));
                    if most >= 5.0 {
                        wrong.push(format!(
                            "{balance:?} {weights:?}, {at_a_time} at a time, spread {spread}: {shares:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A second instance gets a tenth of its share at first, and its full share when its slow start is over.
#[test]
fn a_slow_start_is_a_ramp() {
    for balance in ALL {
        for at_a_time in [1, 6, 64] {
            let mut simulation = Simulation::new(balance, &[1, 1], 0.3);
            simulation.run(at_a_time, |_, call| call < 500);
            while !simulation.ends.is_empty() {
                simulation.end();
            }
            let begin = simulation.now;
            simulation.health[1] = RefCell::new(Health::new(true, begin));
            let seconds: Vec<f64> = (1..=12)
                .map(|second| begin + Duration::from_secs(second))
                .map(|until| points(&simulation.run(at_a_time, |it, _| it.now < until))[1])
                .collect();
            for (second, share) in seconds.iter().enumerate() {
                let full = (0.1 + 0.9 * (second as f64 + 0.5) / 10.0).min(1.0);
                let wanted = 100.0 * full / (1.0 + full);
                let off = (share - wanted).abs();
                assert!(off < 15.0, "{balance:?} {at_a_time}: {seconds:?}");
            }
            let (first, last) = (seconds[0], seconds[11]);
            assert!(first < 22.0 && last > 40.0, "{balance:?} {at_a_time}: {seconds:?}");
        }
    }
}
