//! Who is chosen how often; and who is never chosen.

use super::*;
use proptest::prelude::*;

/// All that a balancer may ask of an instance.
#[derive(Debug, Clone, Copy)]
struct Seen {
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

    fn weight(&self, place: usize) -> u32 {
        self.0[place].weight
    }

    fn look(&self, place: usize) -> Look {
        let Seen { share, weight, in_flight, .. } = self.0[place];
        Look { share, weight, in_flight }
    }

    fn latency(&self, place: usize) -> Option<f64> {
        self.0[place].latency
    }

    fn is_tried(&self, place: usize) -> bool {
        self.1.contains(&place)
    }
}

const WELL: Seen = Seen { share: 1.0, weight: 1, in_flight: 0, latency: None };
const EJECTED: Seen = Seen { share: 0.0, ..WELL };

fn latency(seconds: f64) -> Seen {
    Seen { latency: Some(seconds), ..WELL }
}

/// How often each is chosen of 10,000 times.
fn counts(balance: Balance, looks: Vec<Seen>) -> Vec<usize> {
    let balancer = Balancer::new(balance);
    let mut random = fastrand::Rng::with_seed(7);
    let mut counts = vec![0; looks.len()];
    let some = Several(looks, Vec::new());
    for _ in 0..10_000 {
        counts[balancer.pick(&some, &mut || random.f64()).expect("somebody")] += 1;
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
    for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight] {
        near(&counts(balance, vec![WELL; 4]), &[2500; 4]);
    }
}

#[test]
fn of_two_the_one_that_will_be_done_sooner_is_chosen() {
    let counts = counts(Balance::P2c, vec![latency(0.01), latency(0.01), latency(0.02)]);
    near(&counts, &[5000, 5000, 0]);
}

#[test]
fn calls_under_way_make_it_slower() {
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
    let heavy = Seen { weight: 3, ..WELL };
    for balance in [Balance::P2c, Balance::RoundRobin] {
        near(&counts(balance, vec![WELL, heavy]), &[2500, 7500]);
    }
    let busy = Seen { in_flight: 2, ..heavy };
    let least = counts(Balance::LeastInFlight, vec![Seen { in_flight: 1, ..WELL }, busy]);
    assert_eq!(least, [0, 10_000], "three for one");
}

#[test]
fn one_that_has_just_begun_gets_little() {
    let new = Seen { share: 0.1, ..WELL };
    for (balance, expected) in [(Balance::P2c, 909), (Balance::RoundRobin, 500)] {
        near(&counts(balance, vec![WELL, new]), &[10_000 - expected, expected]);
    }
}

#[test]
fn with_less_than_half_well_ejections_are_not_heeded() {
    near(&counts(Balance::P2c, vec![WELL, EJECTED, EJECTED]), &[3333; 3]);
    assert_eq!(counts(Balance::P2c, vec![WELL, EJECTED]), [10_000, 0]);
}

#[test]
fn somebody_is_found_among_many_that_hardly_count() {
    let mut looks = vec![Seen { share: 1e-9, ..WELL }; 99];
    looks.push(Seen { weight: 1000, share: 1e-9, ..WELL });
    let counts = counts(Balance::P2c, looks);
    assert_eq!(counts.iter().sum::<usize>(), 10_000);
}

#[test]
fn nobody_is_chosen_of_nobody() {
    for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight] {
        let nobody = Several(Vec::new(), Vec::new());
        assert_eq!(Balancer::new(balance).pick(&nobody, &mut || 0.5), None);
    }
}

fn looks() -> impl Strategy<Value = Vec<Seen>> {
    let share = prop_oneof![Just(0.0), Just(1.0), 0.01..1.0];
    let look = (share, 1_u32..100, 0_u32..50, proptest::option::of(0.0..10.0));
    let look = look.prop_map(|(share, weight, in_flight, latency)| Seen {
        share,
        weight,
        in_flight,
        latency,
    });
    proptest::collection::vec(look, 1..40)
}

proptest! {
    /// Whatever is known of them: one that is ejected is not chosen while another is well, unless less than half are;
    /// and one that was tried not while another is well that was not.
    #[test]
    fn never_an_ejected_one_while_another_is_well(
        looks in looks(),
        tried in proptest::collection::vec(0_usize..40, 0..6),
        seed in any::<u64>(),
    ) {
        let trusted = trusts(looks.iter().filter(|look| look.share > 0.0).count(), looks.len());
        let is_well = |place: &usize| looks[*place].share > 0.0 || !trusted;
        let untried: Vec<usize> =
            (0..looks.len()).filter(|place| !tried.contains(place)).filter(is_well).collect();
        let some = Several(looks.clone(), tried.clone());
        let mut random = fastrand::Rng::with_seed(seed);
        for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight] {
            let balancer = Balancer::new(balance);
            for _ in 0..20 {
                let chosen = balancer.pick(&some, &mut || random.f64()).expect("somebody");
                prop_assert!(is_well(&chosen), "{:?} chose {}", balance, chosen);
                prop_assert!(untried.is_empty() || untried.contains(&chosen));
            }
        }
    }
}
