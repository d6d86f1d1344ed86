//! Why a call gave no reply, and what that means for the instance and for retries.

use crate::memory::{EXHAUSTED, Exhausted};
use std::time::Duration;

/// Reason why an attempt, or a whole call, gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection could be opened; nothing was sent.
    #[error("unavailable: {0}")]
    Unreached(String),
    /// The request was not processed: the service closed the connection before it took the request, or refused the stream
    /// (HTTP/2 GOAWAY, `REFUSED_STREAM`).
    #[error("not processed: {0}")]
    Unprocessed(String),
    /// The connection broke before the reply was whole.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The service reset the stream before the reply was complete. The connection is still alive.
    #[error("unavailable: {0}")]
    Reset(String),
    /// The attempt's timeout, or the request's deadline, was exceeded.
    #[error("no reply within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// A stream of events was silent for too long.
    #[error("no sound for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The reply exceeds this number of bytes, where reading stopped.
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
    /// The gateway has no room for the reply.
    #[error("{EXHAUSTED}")]
    NoRoom,
    /// The reply violates the protocol, or does not have the promised form.
    #[error("invalid reply: {0}")]
    Invalid(String),
    /// The upstream answered with an error status: HTTP's, or the number of gRPC's code.
    #[error("status {number}: {reason}")]
    Status {
        number: u16,
        reason: String,
        fault: Fault,
        /// Time before which the upstream wants no further call.
        retry_after: Option<Duration>,
    },
    /// The call could not be encoded; nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// No file descriptors, ports or memory of this machine were left for a connection; nothing was sent.
    #[error("not sent: {0}")]
    Exhausted(&'static str),
    /// The breaker is open for this long; nothing was sent.
    #[error("the breaker is open for another {} ms", .0.as_millis())]
    CircuitOpen(Duration),
    /// No instance is known; nothing was sent.
    #[error("no instance: {0}")]
    NoInstance(String),
    /// Too many calls are in flight or waiting; nothing was sent.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
}

/// Cause of an error status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call itself: another instance would answer the same.
    Call,
    /// Too much load, by all callers together. HTTP 429, gRPC RESOURCE_EXHAUSTED.
    Load,
    /// The instance is unavailable for all callers. HTTP 502, 503, 504, gRPC UNAVAILABLE.
    Away,
    /// The instance failed at this call. HTTP 500, gRPC INTERNAL.
    Broken,
    /// The instance, but it does not count as a failure; the call may be retried. gRPC UNAVAILABLE, if the source
    /// excludes it from its failures.
    Excused,
}

/// Outcome of a call or an attempt, as far as it concerns the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered, perhaps with a refusal.
    Success,
    /// It answered with a failure of its own.
    Failure,
    /// It sent a reply that violates the protocol or does not have the promised form. Another instance may send a valid
    /// one.
    Unreadable,
    /// The connection broke while the call was in flight.
    Broken,
    /// It did not answer in time.
    Late,
    /// It accepts no connections.
    Refused,
    /// It accepts connections, but does not process calls.
    Unprocessed,
    /// It accepted a call whose reply may begin late, and the reply has not begun.
    Unheard,
    /// Cancelled, or not sent for another reason: this says nothing about the instance.
    Nothing,
}

impl Verdict {
    /// Returns whether the instance sent a reply.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Unreadable)
    }
}

/// Failures after which a call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeat {
    /// Only if it is proven that nothing was sent.
    IfNotSent,
    /// Also if the instance reports that it is unavailable, or the connection to it broke.
    IfAway,
    /// Always: the call is idempotent.
    Always,
}

impl From<Exhausted> for Failure {
    fn from(_: Exhausted) -> Self {
        Self::NoRoom
    }
}

impl Failure {
    /// Creates the failure of an error status.
    #[must_use]
    pub fn status(number: u16, reason: impl Into<String>, fault: Fault) -> Self {
        Self::Status { number, reason: reason.into(), fault, retry_after: None }
    }

    /// Returns what the failure says about the instance. A timeout after less than `fair` does not count against it:
    /// the request's deadline was near anyway.
    #[must_use]
    pub fn verdict(&self, fair: impl FnOnce() -> Duration) -> Verdict {
        match self {
            Self::Timeout(had) if *had < fair() => Verdict::Nothing,
            Self::Unreached(_) => Verdict::Refused,
            Self::Unprocessed(_) => Verdict::Unprocessed,
            Self::Unavailable(_) => Verdict::Broken,
            Self::Timeout(_) => Verdict::Late,
            Self::Reset(_) | Self::Status { fault: Fault::Away | Fault::Broken, .. } => {
                Verdict::Failure
            }
            Self::Invalid(_) => Verdict::Unreadable,
            Self::Status { .. } | Self::TooLarge(_) | Self::NoRoom => Verdict::Success,
            _ => Verdict::Nothing,
        }
    }

    /// Returns whether it is proven that the service did not process the call, although an instance was picked for it.
    /// Another instance, or another connection, may then be tried without risk.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreached(_) | Self::Unprocessed(_))
    }

    /// Returns what a call must allow to be made again after this failure; `None`: it is never repeated.
    #[must_use]
    pub fn repeatable(&self) -> Option<Repeat> {
        match self {
            Self::Unreached(_) | Self::Unprocessed(_) | Self::Exhausted(_) => {
                Some(Repeat::IfNotSent)
            }
            Self::Unavailable(_)
            | Self::Reset(_)
            | Self::Status { fault: Fault::Away | Fault::Excused, .. } => Some(Repeat::IfAway),
            // After overload only if the upstream reports when it has capacity.
            Self::Timeout(_)
            | Self::Invalid(_)
            | Self::Status { fault: Fault::Broken, .. }
            | Self::Status { fault: Fault::Load, retry_after: Some(_), .. } => Some(Repeat::Always),
            _ => None,
        }
    }

    /// Returns the time before which the upstream wants no further call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
