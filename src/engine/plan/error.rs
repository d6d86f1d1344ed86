//! Why an operation could not be planned.

use super::condition::TooMany;
use crate::graphql::ErrorCode;

/// Nothing of it depends on a request: the same operation fails the same way each time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::engine) enum PlanError {
    #[error("the operation has more than 64 variables in `@skip` and `@include`; use fewer")]
    TooManyVariables,
    #[error(
        "too many variables that may be null stand where null cannot (more than 64, or in more than 128 selections); \
         declare them with `!`"
    )]
    TooManyNullable,
    #[error(
        "the operation asks for more than 128 different rules on who may see what; select less"
    )]
    TooManyRules,
    #[error(
        "the operation needs fields and lookups that need each other, more than {0} one after the other"
    )]
    TooDeep(usize),
    #[error("the operation needs more planning than is allowed; select less at once")]
    TooLarge,
    #[error(
        "`{0}` cannot be had: no reply on the way to it holds it, and no lookup answers for it"
    )]
    Unreachable(String),
}

impl PlanError {
    /// What the client is told: that it asked for too much, or that the graph has a gap.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyVariables
            | Self::TooManyNullable
            | Self::TooManyRules
            | Self::TooDeep(_)
            | Self::TooLarge => ErrorCode::LimitExceeded,
            Self::Unreachable(_) => ErrorCode::Internal,
        }
    }
}

impl std::convert::From<TooMany> for PlanError {
    fn from(too_many: TooMany) -> Self {
        match too_many {
            TooMany::Variables => Self::TooManyVariables,
            TooMany::Nullable => Self::TooManyNullable,
            TooMany::Rules => Self::TooManyRules,
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, PlanError>;
