//! Reasons why there is no answer. Can be logged as they are: they contain no address, key, value or text of the
//! server, only its error code.

use redis::RedisError;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server failed a moment ago and is not called yet; nothing was sent.
    #[error("redis failed a moment ago and was not asked")]
    Resting,
    #[error("no answer of redis within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No connection could be opened, or it broke.
    #[error("redis cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The server refused the command with this code: `WRONGPASS`, `READONLY`, `OOM`.
    #[error("redis refused: {0}")]
    Refused(String),
    /// The answer has another form than the command's.
    #[error("an answer of redis in an unknown form")]
    Reply,
}

impl Failure {
    /// Returns whether the next command would probably fail too: the server or the network fails, not this command.
    #[must_use]
    pub fn is_of_server(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Unreachable(_) => true,
            Self::Refused(code) => OF_SERVER.contains(&code.as_str()),
            Self::Resting | Self::Reply => false,
        }
    }

    /// Returns the label for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Timeout(_) => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::Reply => "reply",
        }
    }
}

/// Error codes of a server that is loading, was demoted by a failover, lost its master or refuses all clients.
const OF_SERVER: &[&str] = &[
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Maximum length of an error code; a longer text is not a code.
const LONGEST_CODE: usize = 24;

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        if let Some(code) = error.code() {
            let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            return Self::Refused(code.chars().filter(|c| plain(*c)).take(LONGEST_CODE).collect());
        }
        match error.kind() {
            redis::ErrorKind::AuthenticationFailed => Self::Refused("WRONGPASS".to_owned()),
            redis::ErrorKind::Io if error.is_connection_refusal() => {
                Self::Unreachable("connection refused")
            }
            redis::ErrorKind::Io if error.is_timeout() => {
                Self::Unreachable("connecting took too long")
            }
            redis::ErrorKind::Io if error.is_connection_dropped() => {
                Self::Unreachable("the connection broke")
            }
            redis::ErrorKind::Io => Self::Unreachable("no connection"),
            redis::ErrorKind::InvalidClientConfig => {
                Self::Unreachable("the address cannot be used")
            }
            _ => Self::Reply,
        }
    }
}
