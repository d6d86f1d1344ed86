//! Maps failures of the upstream layer to errors of the engine, and to the outcome of a mutation.

use crate::graphql::ErrorCode;
use crate::source::{Error, ErrorKind, MutationOutcome, RefusedReply};
use crate::upstream::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// gRPC's status of a call that the service itself timed out; not a status of HTTP.
const DEADLINE_EXCEEDED: u16 = tonic::Code::DeadlineExceeded as u16;

/// The meaning of a status number of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Error code for clients. Only [`ErrorCode::UpstreamStatus`] carries the status number.
    pub code: ErrorCode,
    pub kind: ErrorKind,
    /// The service reports that it did not execute the call.
    pub is_refusal: bool,
}

/// Attempts of one call: whether any of them may have been processed, although the last one was not, and the latest
/// refusal of the service.
#[derive(Default)]
pub(super) struct Attempts {
    is_doubtful: AtomicBool,
    refusal: Mutex<Option<Arc<RefusedReply>>>,
    /// The call, if developers see it.
    shown: Option<String>,
}

impl Attempts {
    /// Runs one attempt. If it is dropped before its end, it may have been processed.
    pub async fn run<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
        meaning: fn(u16) -> Meaning,
    ) -> Result<T, Failure> {
        let mut doubt = Doubt { is_doubtful: &self.is_doubtful, is_settled: false };
        let outcome = attempt.await;
        doubt.is_settled = match &outcome {
            Ok(_) => true,
            Err(failure) => outcome_of(failure, meaning) != MutationOutcome::Unknown,
        };
        outcome
    }

    /// Creates attempts whose error begins with the call `shown`.
    pub fn showing(shown: Option<String>) -> Self {
        Self { shown, ..Self::default() }
    }

    /// Keeps the reply that refused an attempt.
    pub fn refused(&self, refusal: Option<RefusedReply>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal.map(Arc::new);
    }

    /// Returns the error of a call whose last attempt ended with `failure`.
    pub fn to_error(&self, failure: &Failure, meaning: fn(u16) -> Meaning) -> Error {
        let mut error = to_error(failure, meaning);
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.refusal = refusal.filter(|refusal| match failure {
            Failure::Status { number, .. } => *number == refusal.reply.status,
            Failure::Timeout(_) => refusal.reply.status == DEADLINE_EXCEEDED,
            _ => false,
        });
        if let Some(refusal) = error.refusal.as_ref().filter(|refusal| !refusal.excerpt.is_empty())
        {
            error.detail = format!("{}: {}", error.detail, refusal.excerpt);
        }
        if let Some(shown) = &self.shown {
            error.detail = format!("{shown}: {}", error.detail);
        }
        if self.is_doubtful.load(Ordering::Relaxed) {
            error.outcome = MutationOutcome::Unknown;
        }
        error
    }
}

struct Doubt<'a> {
    is_doubtful: &'a AtomicBool,
    is_settled: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.is_doubtful.store(true, Ordering::Relaxed);
        }
    }
}

pub(super) fn to_error(failure: &Failure, meaning: fn(u16) -> Meaning) -> Error {
    let code = match failure {
        Failure::Unreached(_)
        | Failure::Unprocessed(_)
        | Failure::Unavailable(_)
        | Failure::Reset(_) => ErrorCode::UpstreamUnavailable,
        Failure::Timeout(_) | Failure::Silent(_) => ErrorCode::UpstreamTimeout,
        Failure::TooLarge(_) => ErrorCode::UpstreamTooLarge,
        Failure::Invalid(_) => ErrorCode::UpstreamInvalidReply,
        Failure::Status { number, .. } => meaning(*number).code,
        Failure::NotSent(_) => ErrorCode::InvalidRequest,
        Failure::CircuitOpen(_) => ErrorCode::CircuitOpen,
        Failure::NoInstance(_) => ErrorCode::NoInstance,
        Failure::Overloaded(_) | Failure::Exhausted(_) | Failure::NoRoom => ErrorCode::Overloaded,
    };
    let mut error = Error::new(code, failure.to_string());
    error.outcome = outcome_of(failure, meaning);
    match failure {
        Failure::Status { number, .. } => {
            error.status = (code == ErrorCode::UpstreamStatus).then_some(*number);
            error.kind = meaning(*number).kind;
        }
        Failure::NoRoom => error.kind = ErrorKind::NoRoom,
        _ => {}
    }
    error
}

fn outcome_of(failure: &Failure, meaning: fn(u16) -> Meaning) -> MutationOutcome {
    match failure {
        Failure::Status { number, .. } if meaning(*number).is_refusal => MutationOutcome::Refused,
        Failure::Status { .. }
        | Failure::Unavailable(_)
        | Failure::Reset(_)
        | Failure::Timeout(_)
        | Failure::Silent(_)
        | Failure::TooLarge(_)
        | Failure::NoRoom
        | Failure::Invalid(_) => MutationOutcome::Unknown,
        _ => MutationOutcome::NotSent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Fault;
    use futures_util::FutureExt;
    use std::future::{pending, ready};
    use std::time::Duration;

    fn meaning(status: u16) -> Meaning {
        let code = ErrorCode::UpstreamStatus;
        Meaning { code, kind: ErrorKind::Failed, is_refusal: status < 500 }
    }

    fn text() -> String {
        "why".to_owned()
    }

    fn failures() -> Vec<(Failure, MutationOutcome)> {
        use MutationOutcome::{NotSent, Refused, Unknown};
        let second = Duration::from_secs(1);
        vec![
            (Failure::Unreached(text()), NotSent),
            (Failure::Unprocessed(text()), NotSent),
            (Failure::NotSent(text()), NotSent),
            (Failure::CircuitOpen(second), NotSent),
            (Failure::NoInstance(text()), NotSent),
            (Failure::Overloaded("full"), NotSent),
            (Failure::status(400, text(), Fault::Call), Refused),
            (Failure::status(429, text(), Fault::Load), Refused),
            (Failure::status(500, text(), Fault::Broken), Unknown),
            (Failure::status(503, text(), Fault::Away), Unknown),
            (Failure::Unavailable(text()), Unknown),
            (Failure::Reset(text()), Unknown),
            (Failure::Timeout(second), Unknown),
            (Failure::Silent(second), Unknown),
            (Failure::TooLarge(1), Unknown),
            (Failure::NoRoom, Unknown),
            (Failure::Invalid(text()), Unknown),
        ]
    }

    #[test]
    fn each_failure_says_whether_a_mutation_took_effect() {
        for (failure, outcome) in failures() {
            let error = to_error(&failure, meaning);
            assert_eq!(error.outcome, outcome, "{failure:?}");
            assert_eq!(error.kind == ErrorKind::NoRoom, failure == Failure::NoRoom);
        }
    }

    #[tokio::test]
    async fn one_attempt_that_may_have_been_processed_makes_the_outcome_unknown() {
        for (first, known) in failures() {
            let attempts = Attempts::default();
            let first = attempts.run(ready(Err::<(), _>(first)), meaning);
            let first = first.await.expect_err("a failure");
            let last = attempts.run(ready(Err::<(), _>(Failure::Unreached(text()))), meaning).await;
            let error = attempts.to_error(&last.expect_err("a failure"), meaning);
            let expected = match known {
                MutationOutcome::Unknown => MutationOutcome::Unknown,
                _ => MutationOutcome::NotSent,
            };
            assert_eq!(error.outcome, expected, "{first:?}, then not reached");
        }
    }

    #[test]
    fn an_attempt_that_was_given_up_may_have_been_processed() {
        let attempts = Attempts::default();
        let given_up = attempts.run(pending::<Result<(), _>>(), meaning).now_or_never();
        assert!(given_up.is_none());
        let error = attempts.to_error(&Failure::Unreached(text()), meaning);
        assert_eq!(error.outcome, MutationOutcome::Unknown);
    }
}
