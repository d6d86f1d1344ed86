//! Clock of the reply cache: the process's own clock, which tests advance by hand.

#[cfg(test)]
use std::time::Duration;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Clock {
    #[cfg(test)]
    ahead: std::sync::Mutex<Duration>,
}

impl Clock {
    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "tests have a clock of their own")]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    #[cfg(test)]
    pub fn now(&self) -> Instant {
        Instant::now() + *self.ahead.lock().unwrap()
    }

    #[cfg(test)]
    pub fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap() += by;
    }
}
