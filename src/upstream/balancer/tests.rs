//! How often each instance is picked, and which are never picked.

use super::*;
use proptest::prelude::*;

mod shares;

/// Everything that a balancer may read of an instance.
#[derive(Debug, Clone, Copy)]
struct Seen {
    access: Access,
    healthy: bool,
    share: f64,
    weight: u32,
    in_flight: u32,
    latency: Option<f64>,
}

struct Several(Vec<Seen>, Vec<usize>);

impl Candidates for Several {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn heaviest(&self) -> u32 {
        self.0.iter().map(|look| look.weight).max().unwrap_or(1)
    }

    fn look(&self, place: usize) -> Candidate {
        let Seen { access, share, weight, in_flight, .. } = self.0[place];
        Candidate { access, share, weight, in_flight }
    }

    fn is_healthy(&self, place: usize) -> bool {
        self.0[place].access == Access::Up && self.0[place].healthy
    }

    fn latency(&self, place: usize) -> Option<f64> {
        self.0[place].latency
    }

    fn is_tried(&self, place: usize) -> bool {
        self.1.contains(&place)
    }
}

const ALL: [Balance; 3] = [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight];

const WELL: Seen =
    Seen { access: Access::Up, healthy: true, share: 1.0, weight: 1, in_flight: 0, latency: None };
const EJECTED: Seen = Seen { access: Access::Ejected, ..WELL };
const DOWN: Seen = Seen { access: Access::Down, ..WELL };

fn latency(seconds: f64) -> Seen {
    Seen { latency: Some(seconds), ..WELL }
}

/// Counts how often each instance is picked in 10,000 picks.
fn counts(balance: Balance, looks: Vec<Seen>) -> Vec<usize> {
    let balancer = Balancer::new(balance);
    let mut random = fastrand::Rng::with_seed(7);
    let mut counts = vec![0; looks.len()];
    let some = Several(looks, Vec::new());
    for _ in 0..10_000 {
        counts[balancer.pick(&some, &mut || random.f64()).expect("one takes calls")] += 1;
    }
    counts
}

#[track_caller]
fn near(counts: &[usize], expected: &[usize]) {
    for (count, expected) in counts.iter().zip(expected) {
        assert!(count.abs_diff(*expected) < 300, "{counts:?}, not {expected:?}");
    }
}

#[test]
fn alike_instances_are_chosen_alike() {
    for balance in ALL {
        near(&counts(balance, vec![WELL; 4]), &[2500; 4]);
        near(&counts(balance, vec![WELL; 20]), &[500; 20]);
    }
}

#[test]
fn of_two_the_one_that_answers_sooner_is_chosen() {
    let counts = counts(Balance::P2c, vec![latency(0.01), latency(0.01), latency(0.02)]);
    near(&counts, &[5000, 5000, 0]);
}

#[test]
fn latencies_that_differ_by_chance_are_equal() {
    let heavy = Seen { weight: 9, ..latency(0.012) };
    near(&counts(Balance::P2c, vec![latency(0.01), heavy]), &[1000, 9000]);
}

#[test]
fn a_light_one_does_not_take_over_because_it_is_faster() {
    let heavy = Seen { weight: 9, ..latency(0.02) };
    near(&counts(Balance::P2c, vec![latency(0.01), heavy]), &[1000, 9000]);
    let hanging = Seen { in_flight: 1, ..Seen { weight: 9, ..latency(1.0) } };
    near(&counts(Balance::P2c, vec![latency(0.01), hanging]), &[10_000, 0]);
}

#[test]
fn calls_in_flight_make_it_slower() {
    for balance in [Balance::P2c, Balance::LeastInFlight] {
        let busy = Seen { in_flight: 1, ..latency(0.01) };
        near(&counts(balance, vec![busy, latency(0.01)]), &[0, 10_000]);
    }
    let busy = Seen { in_flight: 3, ..latency(0.01) };
    near(&counts(Balance::P2c, vec![busy, latency(0.03)]), &[0, 10_000]);
    let idle = Seen { in_flight: 1, ..latency(0.03) };
    near(&counts(Balance::P2c, vec![busy, idle]), &[10_000, 0]);
}

#[test]
fn one_of_which_nothing_is_known_is_not_preferred() {
    near(&counts(Balance::P2c, vec![latency(0.01), WELL]), &[5000, 5000]);
}

#[test]
fn weights_are_shares() {
    for balance in ALL {
        near(&counts(balance, vec![WELL, Seen { weight: 3, ..WELL }]), &[2500, 7500]);
        near(&counts(balance, vec![WELL, Seen { weight: 99, ..WELL }]), &[100, 9900]);
    }
    let busy = Seen { in_flight: 3, weight: 3, ..WELL };
    let least = counts(Balance::LeastInFlight, vec![Seen { in_flight: 2, ..WELL }, busy]);
    assert_eq!(least, [0, 10_000], "three for one");
}

#[test]
fn turns_are_interleaved() {
    let balancer = Balancer::new(Balance::RoundRobin);
    let some = Several(vec![Seen { weight: 3, ..WELL }, WELL, WELL], Vec::new());
    let turns: Vec<_> = (0..5).filter_map(|_| balancer.pick(&some, &mut || 0.5)).collect();
    assert_eq!(turns, [0, 1, 0, 2, 0]);
}

#[test]
fn one_in_its_slow_start_gets_little() {
    for balance in ALL {
        near(&counts(balance, vec![WELL, Seen { share: 0.1, ..WELL }]), &[9091, 909]);
    }
}

#[test]
fn one_that_is_down_is_never_chosen() {
    for balance in ALL {
        assert_eq!(counts(balance, vec![DOWN, WELL, DOWN]), [0, 10_000, 0]);
        let none = Several(vec![DOWN; 3], Vec::new());
        assert_eq!(Balancer::new(balance).pick(&none, &mut || 0.5), None);
    }
}

#[test]
fn ejections_hold_while_one_is_healthy() {
    for balance in ALL {
        assert_eq!(counts(balance, vec![WELL, EJECTED, EJECTED]), [10_000, 0, 0]);
        let failing = Seen { healthy: false, share: 0.001, ..WELL };
        let failing = counts(balance, vec![failing, EJECTED, EJECTED]);
        near(&failing, &[0, 5000, 5000]);
    }
}

#[test]
fn one_healthy_instance_is_found_among_many_that_fail() {
    for balance in ALL {
        let mut looks = vec![Seen { share: 1e-3, healthy: false, ..WELL }; 99];
        looks.push(WELL);
        assert!(counts(balance, looks)[99] > 9_000 - 300);
    }
}

#[test]
fn none_is_chosen_of_none() {
    for balance in ALL {
        let none = Several(Vec::new(), Vec::new());
        assert_eq!(Balancer::new(balance).pick(&none, &mut || 0.5), None);
    }
}

fn looks() -> impl Strategy<Value = Vec<Seen>> {
    let access = prop_oneof![Just(Access::Up), Just(Access::Ejected), Just(Access::Down)];
    let (share, latency) = (1e-6..=1.0, proptest::option::of(0.0..10.0));
    let look = (access, any::<bool>(), share, 1_u32..100, 0_u32..50, latency);
    let look = look.prop_map(|(access, healthy, share, weight, in_flight, latency)| Seen {
        access,
        healthy,
        share,
        weight,
        in_flight,
        latency,
    });
    proptest::collection::vec(look, 1..40)
}

proptest! {
    /// For any state of the instances: one that is down is never picked; an ejected one is not picked while another is
    /// healthy; one that was tried is not picked while an untried one takes calls.
    #[test]
    fn never_one_that_takes_no_calls(
        looks in looks(),
        tried in proptest::collection::vec(0_usize..40, 0..6),
        seed in any::<u64>(),
    ) {
        let healthy = looks.iter().any(|look| look.access == Access::Up && look.healthy);
        let is_open = |place: &usize| match looks[*place].access {
            Access::Up => true,
            Access::Ejected => !healthy,
            Access::Down => false,
        };
        let open: Vec<usize> = (0..looks.len()).filter(is_open).collect();
        let untried: Vec<usize> =
            open.iter().copied().filter(|place| !tried.contains(place)).collect();
        let some = Several(looks.clone(), tried.clone());
        let mut random = fastrand::Rng::with_seed(seed);
        for balance in ALL {
            let balancer = Balancer::new(balance);
            for _ in 0..20 {
                let chosen = balancer.pick(&some, &mut || random.f64());
                prop_assert_eq!(chosen.is_none(), open.is_empty());
                let Some(chosen) = chosen else { continue };
                prop_assert!(is_open(&chosen), "{:?} chose {}", balance, chosen);
                prop_assert!(untried.is_empty() || untried.contains(&chosen));
            }
        }
    }
}
