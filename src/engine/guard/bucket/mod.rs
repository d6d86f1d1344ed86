//! How much a caller may ask: token buckets, debited by what an operation is estimated to cost before its first call,
//! and settled with what it did cost once it was written.
//!
//! A request has one [`Debit`]. It reserves the estimate, or refuses; after the run it is settled, which is never waited
//! for. A debit that is dropped on the way (the client hung up, the request panicked, the gateway died) has spent its
//! estimate: what ran until then is not known in time, and hanging up early must not be a way to ask for less. What was
//! refused before it came to its bucket costs the floor.

mod debit;
mod key;
mod level;
mod memory;
mod metrics;
mod remote;
mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use debit::{Debit, Throttle, ThrottleStatus};
pub use settings::{Allowance, Fail, Rate, Refill, Store, Tier};

use crate::engine::settings::Mode;
use key::Policies;

/// The buckets of all callers.
pub struct Buckets {
    mode: Mode,
    policies: Policies,
    store: store::Store,
}

impl Buckets {
    /// `None` where they are switched off. Does no IO.
    #[must_use]
    pub fn new(rate: &Rate) -> Option<Self> {
        (rate.mode != Mode::Off).then(|| Self {
            mode: rate.mode,
            policies: Policies::new(rate),
            store: store::Store::new(&rate.store),
        })
    }
}
