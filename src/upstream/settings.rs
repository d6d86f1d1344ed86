//! Settings of the upstream layer. Every default is safe to keep.

use super::proxy::Proxies;
use super::tls::Tls;
use crate::memory::Memory;
use std::time::Duration;

/// Settings of a source's calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Time limit of one attempt. Default: 5 s.
    pub timeout: Duration,
    /// Time limit for opening a connection: name, TCP, tunnel and TLS. Default: 1 s.
    pub connect_timeout: Duration,
    /// Maximum size of a reply, in bytes after inflation. Default: 8 MiB.
    pub max_reply: usize,
    /// Counts the bytes of replies.
    pub memory: Memory,
    /// Time for which an idle connection is kept. Default: 90 s.
    pub keep_alive: Duration,
    /// Maximum age of a connection, give or take a tenth, so that new addresses of a name are seen. Default: 5 min.
    pub max_age: Duration,
    /// Maximum silence of a stream of events. Default: 5 min.
    pub stream_idle: Duration,
    /// Load balancing strategy. Default: `P2c`.
    pub balance: Balance,
    /// Time until an instance that is new, or was ejected, gets its full share. Default: 10 s.
    pub slow_start: Duration,
    /// Zone whose instances are preferred; `None`: all are equal.
    pub zone: Option<String>,
    pub ejection: Ejection,
    pub breaker: Breaker,
    pub retry: Retry,
    /// Sends a second attempt to another instance if the first takes longer than 95 of 100 do. Default: false.
    pub hedge: bool,
    /// HTTP/2 only, also without TLS.
    pub http2: bool,
    /// TLS settings for `https` instances.
    pub tls: Tls,
    /// Proxies between the gateway and the instances.
    pub proxies: Proxies,
    pub concurrency: Concurrency,
}

/// Load balancing among healthy instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Draws one by weight, unless a second one has room for the call or answers clearly sooner (M. Mitzenmacher, "The
    /// Power of Two Choices in Randomized Load Balancing").
    P2c,
    /// One after another, in proportion to their weights.
    RoundRobin,
    /// Draws one by weight, unless the one with the fewest calls in flight per weight has room for the call.
    LeastInFlight,
}

/// Outlier ejection: when an instance gets no calls for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ejection {
    /// Failures in a row until an instance is ejected; 0 disables ejection. Default: 5.
    pub failures: u32,
    /// Duration of an ejection, multiplied by the number of recent ejections, up to ten. Default: 30 s.
    pub time: Duration,
    /// Share of a source's instances that may be ejected at once, 0 to 1. An instance that fails everything may be
    /// ejected beyond it while another is healthy. Default: 0.5.
    pub max: f64,
}

/// Circuit breaker: when a source as a whole gets no calls for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    /// Share of the calls in the window that must have failed, 0 to 1. More than 1 disables the breaker.
    /// Default: 0.5.
    pub failures: f64,
    /// Minimum number of calls in the window. Default: 20.
    pub calls: u32,
    /// Period over which calls are counted. Default: 10 s.
    pub window: Duration,
    /// Interval at which one call passes an open breaker, to check whether the source is available. Default: 2 s.
    pub open: Duration,
}

/// Retries of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Maximum number of attempts, the first included. Default: 3.
    pub attempts: u32,
    /// Retries per second, as a share of that second's calls, 0 to 1. Default: 0.1.
    pub budget: f64,
    /// Retries per second beside the share. Default: 3.
    pub free: u32,
    /// Retries beside both, once at the beginning of a fault. Default: 10.
    pub burst: u32,
    /// Maximum wait before the second attempt; doubled before each further one. Default: 25 ms.
    pub backoff: Duration,
    /// Limit of the doubled wait. Default: 1 s.
    pub max_backoff: Duration,
}

/// Limit of a source's concurrent calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Maximum number of calls in flight. Default: 256.
    pub max: usize,
    /// Maximum number of calls that wait for a place. Default: 1024.
    pub waiting: usize,
    /// Maximum wait. `None`: five seconds, or twenty times the latency of a healthy call if that is longer. If the
    /// service is overloaded: half of the latency of a healthy call, and at least 25 ms. While that latency is unknown:
    /// until the deadline.
    pub age: Option<Duration>,
    /// Lowers the limit below `max` while more calls in flight do not get answers sooner. Default: true.
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
