//! Rate limit by cost: token buckets, debited by an operation's estimated cost before its first call, and settled with
//! its actual cost once the answer is written.
//!
//! A request has one [`Debit`]. It reserves the estimate, or refuses the request. It is settled after the run, and
//! nothing waits for that. If a debit is dropped before that (the client disconnected, the request panicked, the
//! gateway crashed), the whole estimate is spent. The actual cost is not known in time, and disconnecting early must
//! not be cheaper. A request that was refused before its bucket was debited costs the minimum.

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
    /// Creates the buckets; `None` if the rate limit is off. Does no IO.
    #[must_use]
    pub fn new(rate: &Rate) -> Option<Self> {
        (rate.mode != Mode::Off).then(|| Self {
            mode: rate.mode,
            policies: Policies::new(rate),
            store: store::Store::new(&rate.store),
        })
    }
}
