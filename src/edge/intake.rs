//! Memory limit of one connection's requests: bodies as they arrive, and the data parsed from them, for as long as it
//! is needed.
//!
//! `limits.body` bounds one request. This bounds all requests in flight on a connection, over the streams of HTTP/2 or
//! the operations of a WebSocket. A request that exceeds it is refused and does not wait: a waiting stream would hold
//! the flow-control window that the others need.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Minimum budget of one connection, in bytes. It is larger if a single body may be larger.
const LEAST: usize = 8 << 20;

/// Granularity of the count, in bytes.
const UNIT: usize = 1 << 10;

/// Number of copies of a request's bytes while it runs.
const RUNNING: usize = 3;

/// Message for the client when the budget is exhausted.
pub(super) const EXHAUSTED: &str =
    "the requests in flight on this connection hold too many bytes; send this one again later";

/// The memory budget of one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    units: Arc<Semaphore>,
    /// Size of the budget, in bytes.
    bytes: usize,
}

/// Bytes held by one request; returned to the budget on drop.
#[derive(Debug)]
pub(super) struct Taken {
    intake: Intake,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// The connection's budget is exhausted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Intake {
    /// Creates a budget for bodies of at most `body` bytes.
    pub(super) fn new(body: usize) -> Self {
        let units = body.max(LEAST).div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), bytes: units.saturating_mul(UNIT) }
    }

    /// Returns a request that holds nothing yet.
    pub(super) fn begin(&self) -> Taken {
        Taken { intake: self.clone(), permit: None, bytes: 0 }
    }
}

impl Taken {
    /// Counts the bytes of a running request with their copies: the parsed request, and the requests of its calls. A
    /// request that is alone on its connection always fits.
    pub(super) fn add_running(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.add(bytes.saturating_mul(RUNNING).min(self.intake.bytes))
    }

    /// Counts more bytes.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let before = self.bytes.div_ceil(UNIT);
        let after = self.bytes.saturating_add(bytes).div_ceil(UNIT);
        let units = u32::try_from(after - before).map_err(|_| Exhausted)?;
        let permit = Arc::clone(&self.intake.units).try_acquire_many_owned(units);
        let permit = permit.map_err(|_| Exhausted)?;
        self.bytes = self.bytes.saturating_add(bytes);
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_connection_share_its_bytes() {
        let intake = Intake::new(1 << 20);
        let mut held: Vec<_> = (0..8).map(|_| intake.begin()).collect();
        for taken in &mut held {
            for _ in 0..1_024 {
                assert_eq!(taken.add(1_024), Ok(()));
            }
        }
        let mut next = intake.begin();
        assert_eq!(next.add(1), Err(Exhausted));
        held.pop();
        assert_eq!(next.add(1 << 20), Ok(()));
    }

    #[test]
    fn one_body_may_always_be_as_large_as_it_may() {
        let mut taken = Intake::new(100 << 20).begin();
        assert_eq!(taken.add(100 << 20), Ok(()));
        assert_eq!(taken.add(1), Err(Exhausted));
        assert_eq!(Intake::new(usize::MAX).begin().add(1 << 30), Ok(()));
        let intake = Intake::new(5 << 20);
        let mut first = intake.begin();
        assert_eq!(first.add_running(5 << 20), Ok(()));
        assert_eq!(intake.begin().add_running(1), Err(Exhausted));
    }

    #[test]
    fn requests_that_run_count_with_their_copies() {
        let intake = Intake::new(1 << 20);
        let mut held: Vec<_> = (0..100).map(|_| intake.begin()).collect();
        let running = held.iter_mut().filter_map(|taken| taken.add_running(900_000).ok());
        assert_eq!(running.count(), 3);
    }
}
