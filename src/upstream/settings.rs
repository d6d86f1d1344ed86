//! How the instances behind a source are treated. Every default is safe to leave alone.

use super::proxy::Proxies;
use super::tls::Tls;
use crate::memory::Memory;
use std::time::Duration;

/// How a source is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The time one attempt may take.
    pub timeout: Duration,
    /// The time a connection may take to be made.
    pub connect_timeout: Duration,
    /// The largest reply, in bytes after inflation.
    pub max_reply: usize,
    /// Counts the bytes of replies.
    pub memory: Memory,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long connections are used at all, so that a name's new addresses are seen; give or take a tenth.
    pub max_age: Duration,
    /// How long a stream of events may be silent.
    pub stream_idle: Duration,
    pub balance: Balance,
    /// How long an instance that is new, or was ejected, takes to come to its full share.
    pub slow_start: Duration,
    /// Instances in this zone are called first.
    pub zone: Option<String>,
    pub ejection: Ejection,
    pub breaker: Breaker,
    pub retry: Retry,
    /// A second attempt at another instance when the first takes longer than 95 of 100 do.
    pub hedge: bool,
    /// HTTP/2 only, also without TLS.
    pub http2: bool,
    /// Of `https` instances.
    pub tls: Tls,
    /// Between the gateway and the instances.
    pub proxies: Proxies,
    pub concurrency: Concurrency,
}

/// Which of the instances that are well is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// One drawn by weight, unless a second one has room for the call, or answers clearly sooner (M. Mitzenmacher, "The
    /// Power of Two Choices in Randomized Load Balancing").
    P2c,
    /// One after another, as often as its weight says.
    RoundRobin,
    /// One drawn by weight, unless the one with the fewest calls in flight for its weight has room for the call.
    LeastInFlight,
}

/// When an instance is left out for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ejection {
    /// Failures in a row; 0: none is ever ejected.
    pub failures: u32,
    /// For how long, times how often it was lately; at most ten times.
    pub time: Duration,
    /// Of a source's instances, the share that may be ejected at once, 0 to 1. One that fails everything may be ejected
    /// beyond it while another is healthy.
    pub max: f64,
}

/// When a source as a whole is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    /// Of the calls in the window, the share that must have failed, 0 to 1; more than 1: it never opens.
    pub failures: f64,
    /// With fewer calls than this in the window it does not open.
    pub calls: u32,
    pub window: Duration,
    /// While it is open, one call passes each so often, to see whether the source is back.
    pub open: Duration,
}

/// When a call is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Retries in each second, as a share of that second's calls, 0 to 1.
    pub budget: f64,
    /// Retries in each second beside the share.
    pub free: u32,
    /// Retries beside both, once at the beginning of a fault.
    pub burst: u32,
    /// The longest wait before the second try; twice as long before each further one.
    pub backoff: Duration,
    pub max_backoff: Duration,
}

/// Calls of a source at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    pub max: usize,
    /// Calls that may wait for their turn.
    pub waiting: usize,
    /// The longest wait. `None`: five seconds, or twenty times what a healthy call takes if that is longer; where the service
    /// is overloaded, half of what a healthy call takes, and at least 25 ms; while that is not known, until the deadline.
    pub age: Option<Duration>,
    /// Fewer than `max` while the service answers more no sooner.
    pub adapt: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            max_reply: 8 << 20,
            memory: Memory::default(),
            keep_alive: Duration::from_secs(90),
            max_age: Duration::from_mins(5),
            stream_idle: Duration::from_mins(5),
            balance: Balance::P2c,
            slow_start: Duration::from_secs(10),
            zone: None,
            ejection: Ejection::default(),
            breaker: Breaker::default(),
            retry: Retry::default(),
            hedge: false,
            http2: false,
            tls: Tls::default(),
            proxies: Proxies::default(),
            concurrency: Concurrency::default(),
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: 5, time: Duration::from_secs(30), max: 0.5 }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 0.5,
            calls: 20,
            window: Duration::from_secs(10),
            open: Duration::from_secs(2),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            budget: 0.1,
            free: 3,
            burst: 10,
            backoff: Duration::from_millis(25),
            max_backoff: Duration::from_secs(1),
        }
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { max: 256, waiting: 1024, age: None, adapt: true }
    }
}
