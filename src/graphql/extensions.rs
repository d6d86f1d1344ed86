//! Table of members under an error's `extensions`. `docs/errors.md` has the same list; a test compares both with the
//! code.

/// A member of `extensions`.
pub struct ExtensionMember {
    pub name: &'static str,
    /// Type of the member, in TypeScript.
    pub ty: &'static str,
    /// Description: one sentence without a full stop.
    pub text: &'static str,
}

const fn member(name: &'static str, ty: &'static str, text: &'static str) -> ExtensionMember {
    ExtensionMember { name, ty, text }
}

/// Members in addition to `code`, which every error has. All of them are optional.
pub const EXTENSIONS: &[ExtensionMember] = &[
    member("source", "string", "Name of the source in `portcullis.yaml` whose call failed"),
    member("status", "number", "HTTP status of the reply, or the number of its gRPC code"),
    member(
        "outcome",
        r#""NOT_SENT" | "REFUSED" | "UNKNOWN""#,
        "Whether a mutation whose call failed took effect",
    ),
    member("errorId", "string", "Id of the line in the log about this error"),
    member("detail", "string", "What went wrong upstream, in development only"),
    member("omitted", "number", "Number of further errors of the same kind"),
    member("retryAfter", "number", "Seconds after which the operation may be sent again"),
];
