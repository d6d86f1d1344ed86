//! Why a call gave no reply, and what that says: of the instance, and of trying again.

use crate::memory::{EXHAUSTED, Exhausted};
use std::time::Duration;

/// Why an attempt, or a call as a whole, gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection could be made: nothing was sent.
    #[error("unavailable: {0}")]
    Unreached(String),
    /// The request was not processed: the service closed the connection before it took the request, or refused the stream
    /// (HTTP/2 GOAWAY, `REFUSED_STREAM`).
    #[error("not processed: {0}")]
    Unprocessed(String),
    /// The connection broke before the reply was whole.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The service gave the call up before the reply was whole: it reset the stream, and the connection lives.
    #[error("unavailable: {0}")]
    Reset(String),
    /// The attempt's time, or the request's deadline, ran out.
    #[error("no reply within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// A stream of events said nothing for too long.
    #[error("no sound for {} ms", .0.as_millis())]
    Silent(Duration),
    /// Reading stopped there.
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
    /// The gateway has no room for the reply.
    #[error("{EXHAUSTED}")]
    NoRoom,
    /// An answer that is not of the protocol or of the promised form.
    #[error("invalid reply: {0}")]
    Invalid(String),
    /// The upstream answered, with a status that says no: HTTP's, or the number of gRPC's code.
    #[error("status {number}: {reason}")]
    Status {
        number: u16,
        reason: String,
        fault: Fault,
        /// How long the upstream asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The call could not be written for the wire; nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// No descriptor, port or memory of this machine was left for a connection; nothing was sent.
    #[error("not sent: {0}")]
    Exhausted(&'static str),
    /// The breaker is open; nothing was sent.
    #[error("the breaker is open for another {} ms", .0.as_millis())]
    CircuitOpen(Duration),
    /// Nobody to call; nothing was sent.
    #[error("no instance: {0}")]
    NoInstance(String),
    /// Too many calls are under way; nothing was sent.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
}

/// Whose fault a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Of the call: another instance would say the same.
    Call,
    /// Of all callers together: it has too much to do. HTTP 429, gRPC RESOURCE_EXHAUSTED.
    Load,
    /// Of the instance, which is not there for anybody. HTTP 502, 503, 504, gRPC UNAVAILABLE.
    Away,
    /// Of the instance, in answering this call. HTTP 500, gRPC INTERNAL.
    Broken,
    /// Of the instance, which does not count it: it may be asked again. gRPC UNAVAILABLE, where a source leaves it out of
    /// its failures.
    Excused,
}

/// How a call or an attempt ended, as far as the instance is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered, if only with a refusal.
    Success,
    /// It answered that it cannot.
    Failure,
    /// It sent a reply that is not of the protocol or of the promised form. Another instance may send a valid one.
    Unreadable,
    /// The connection broke while the call was in flight.
    Broken,
    /// It did not answer in time.
    Late,
    /// It accepts no connection.
    Refused,
    /// It accepts connections, and processes no call.
    Unprocessed,
    /// It accepted a call whose reply may begin late, and the reply has not begun.
    Unheard,
    /// Cancelled, or not sent for another reason: this says nothing about the instance.
    Nothing,
}

impl Verdict {
    /// The instance sent a reply.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Unreadable)
    }
}

/// After which failures a call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeat {
    /// Only with proof that nothing was sent.
    IfNotSent,
    /// Also where the instance says that it is away, or the connection to it broke.
    IfAway,
    /// Always: made twice is as good as made once.
    Always,
}

impl From<Exhausted> for Failure {
    fn from(_: Exhausted) -> Self {
        Self::NoRoom
    }
}

impl Failure {
    /// A status that is the call's own fault.
    #[must_use]
    pub fn status(number: u16, reason: impl Into<String>, fault: Fault) -> Self {
        Self::Status { number, reason: reason.into(), fault, retry_after: None }
    }

    /// What it says of whoever was called. Running out of time in less than `fair` accuses nobody: the request's deadline
    /// was near anyway.
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

    /// Is proof that the service did not process the call, although an instance was chosen for it: another instance, or
    /// another connection, may be tried without risk.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreached(_) | Self::Unprocessed(_))
    }

    /// What a call must allow to be made again after this; `None`: it never is.
    #[must_use]
    pub fn repeatable(&self) -> Option<Repeat> {
        match self {
            Self::Unreached(_) | Self::Unprocessed(_) | Self::Exhausted(_) => {
                Some(Repeat::IfNotSent)
            }
            Self::Unavailable(_)
            | Self::Reset(_)
            | Self::Status { fault: Fault::Away | Fault::Excused, .. } => Some(Repeat::IfAway),
            // Of one that has too much to do only if it says itself when it will have time.
            Self::Timeout(_)
            | Self::Invalid(_)
            | Self::Status { fault: Fault::Broken, .. }
            | Self::Status { fault: Fault::Load, retry_after: Some(_), .. } => Some(Repeat::Always),
            _ => None,
        }
    }

    /// How long the upstream asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
