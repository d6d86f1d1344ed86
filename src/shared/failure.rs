//! Why there is no answer. Fit for a log as it stands: no address, key, value or word of the server is in it, but its
//! error code.

use redis::RedisError;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It failed a moment ago and is left alone; nothing was sent.
    #[error("redis failed a moment ago and was not asked")]
    Resting,
    #[error("no answer of redis within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No connection, or it broke.
    #[error("redis cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The server said no, with this code: `WRONGPASS`, `READONLY`, `OOM`.
    #[error("redis refused: {0}")]
    Refused(String),
    /// An answer of another form than the command has.
    #[error("an answer of redis in an unknown form")]
    Reply,
}

impl Failure {
    /// The next command would hardly fare better: the server or the way to it fails, not this command.
    #[must_use]
    pub fn is_of_server(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Unreachable(_) => true,
            Self::Refused(code) => OF_SERVER.contains(&code.as_str()),
            Self::Resting | Self::Reply => false,
        }
    }

    /// A word for a metric's label.
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

/// Codes of a server that loads, was demoted by a failover, lost its master or lets nobody in.
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

/// A code is a word; anything longer is not one.
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
