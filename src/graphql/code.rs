//! Table of error codes: the text of `extensions.code`, the HTTP status of a refusal, and the page that explains it.

/// Creates the enum and all properties of each code from one table, so that no code lacks one.
macro_rules! codes {
    ($($variant:ident = $text:literal, $status:literal;)*) => {
        /// Error code. Stable and documented; never renamed once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($variant,)*
        }

        impl ErrorCode {
            /// Every code, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the text of `extensions.code`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Returns the HTTP status of a response whose operation was refused with this code, for the media type
            /// `application/graphql-response+json` (GraphQL over HTTP, "Status Codes"). Codes that are only field
            /// errors refuse nothing; their status is never sent.
            #[must_use]
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            /// Returns the page that explains it, in markdown: `docs/errors/CODE.md`.
            #[must_use]
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("../../docs/errors/", $text, ".md")),)*
                }
            }
        }
    };
}

codes! {
    // Refusals: the operation never ran.
    BadRequest = "BAD_REQUEST", 400;
    ParseFailed = "GRAPHQL_PARSE_FAILED", 400;
    ValidationFailed = "GRAPHQL_VALIDATION_FAILED", 400;
    OperationNotFound = "OPERATION_NOT_FOUND", 400;
    BadVariables = "BAD_VARIABLES", 400;
    LimitExceeded = "LIMIT_EXCEEDED", 400;
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    NotAcceptable = "NOT_ACCEPTABLE", 406;
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413;
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    IntrospectionDisabled = "INTROSPECTION_DISABLED", 400;
    Unauthenticated = "UNAUTHENTICATED", 401;
    CostLimitExceeded = "COST_LIMIT_EXCEEDED", 400;
    CostInvalidSlicingArguments = "COST_INVALID_SLICING_ARGUMENTS", 400;
    Throttled = "THROTTLED", 429;
    CsrfBlocked = "CSRF_BLOCKED", 403;
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND", 404;
    PersistedQueryNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED", 400;
    PersistedQueryMismatch = "PERSISTED_QUERY_MISMATCH", 400;
    UntrustedDocument = "UNTRUSTED_DOCUMENT", 403;
    // Field errors: the operation ran, and a field is null.
    NullInNonNull = "NULL_IN_NON_NULL", 400;
    InvalidValue = "INVALID_VALUE", 400;
    InvalidRequest = "INVALID_REQUEST", 400;
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", 400;
    UpstreamOutcomeUnknown = "UPSTREAM_OUTCOME_UNKNOWN", 400;
    UpstreamTimeout = "UPSTREAM_TIMEOUT", 400;
    UpstreamStatus = "UPSTREAM_STATUS", 400;
    UpstreamInvalidReply = "UPSTREAM_INVALID_REPLY", 400;
    UpstreamTooLarge = "UPSTREAM_TOO_LARGE", 400;
    CircuitOpen = "CIRCUIT_OPEN", 400;
    NoInstance = "NO_INSTANCE", 400;
    Overloaded = "OVERLOADED", 503;
    // Both.
    UnauthorizedFieldOrType = "UNAUTHORIZED_FIELD_OR_TYPE", 403;
    DeadlineExceeded = "DEADLINE_EXCEEDED", 504;
    Internal = "INTERNAL", 500;
}

impl ErrorCode {
    /// Finds the code with this text, in upper or lower case.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }
}
