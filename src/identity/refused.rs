//! Reasons why a caller is refused. For the log and the metrics: a client only learns that its token is invalid, and an
//! ID to quote.

/// The reasons. Their number is bounded, so that each can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no token, and `auth.on_missing_token` is `refuse`")]
    Missing,
    #[error("there is more than one token")]
    Several,
    #[error("the credentials are not of the scheme that `auth.token` says")]
    Scheme,
    #[error("the token is larger than 8 KiB")]
    TooLarge,
    #[error("the token is not a JWT in its compact form")]
    Malformed,
    #[error("the token's `crit` asks for an extension")]
    Extension,
    #[error("the token's `typ` says that it is for another purpose")]
    Type,
    #[error("the token's `alg` is not one that its issuer may use")]
    Algorithm,
    #[error("the token's `iss` is not a configured issuer")]
    UnknownIssuer,
    #[error("the issuer's keys could not be read yet")]
    NoKeys,
    #[error("no key of the issuer has the token's `kid` and fits its `alg`")]
    UnknownKey,
    #[error("the signature is not by a key of the issuer")]
    Signature,
    #[error("the token's `exp` is missing")]
    NoExpiry,
    #[error("the token's `{0}` is not of the right type")]
    Claim(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is for another audience")]
    Audience,
}

impl Refused {
    /// Returns the label for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Several => "several",
            Self::Scheme => "scheme",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Extension => "extension",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::UnknownIssuer => "unknown_issuer",
            Self::NoKeys => "no_keys",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::NoExpiry => "no_expiry",
            Self::Claim(_) => "claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Audience => "audience",
        }
    }
}
