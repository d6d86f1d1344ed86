//! The one table of error codes: what stands in `extensions.code`, and the HTTP status of a refusal.

/// Stable and documented; never renamed once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    // Refusals: the operation never ran.
    BadRequest,
    ParseFailed,
    ValidationFailed,
    OperationNotFound,
    BadVariables,
    LimitExceeded,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
    IntrospectionDisabled,
    // Field errors: the operation ran, with a hole at a path.
    NullInNonNull,
    InvalidValue,
    InvalidRequest,
    UpstreamUnavailable,
    UpstreamTimeout,
    UpstreamStatus,
    UpstreamInvalidReply,
    UpstreamTooLarge,
    CircuitOpen,
    NoInstance,
    Overloaded,
    // Either.
    DeadlineExceeded,
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of the page that explains them (`docs/errors.md`).
    pub const ALL: [Self; 24] = [
        Self::BadRequest,
        Self::ParseFailed,
        Self::ValidationFailed,
        Self::OperationNotFound,
        Self::BadVariables,
        Self::LimitExceeded,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IntrospectionDisabled,
        Self::NullInNonNull,
        Self::InvalidValue,
        Self::InvalidRequest,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::UpstreamStatus,
        Self::UpstreamInvalidReply,
        Self::UpstreamTooLarge,
        Self::CircuitOpen,
        Self::NoInstance,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::Internal,
    ];

    /// The text under `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationNotFound => "OPERATION_NOT_FOUND",
            Self::BadVariables => "BAD_VARIABLES",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::NullInNonNull => "NULL_IN_NON_NULL",
            Self::InvalidValue => "INVALID_VALUE",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::UpstreamUnavailable => "UPSTREAM_UNAVAILABLE",
            Self::UpstreamTimeout => "UPSTREAM_TIMEOUT",
            Self::UpstreamStatus => "UPSTREAM_STATUS",
            Self::UpstreamInvalidReply => "UPSTREAM_INVALID_REPLY",
            Self::UpstreamTooLarge => "UPSTREAM_TOO_LARGE",
            Self::CircuitOpen => "CIRCUIT_OPEN",
            Self::NoInstance => "NO_INSTANCE",
            Self::Overloaded => "OVERLOADED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The HTTP status of a response whose operation was refused with this code, where the media type is
    /// `application/graphql-response+json` (GraphQL over HTTP, "Status Codes").
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Internal => 500,
            Self::Overloaded => 503,
            Self::DeadlineExceeded => 504,
            _ => 400,
        }
    }
}
