//! The limit of open files: raised as far as the system allows, and compared with what a configuration may need.
//!
//! Each connection, of a client or of a service, takes a file descriptor. A gateway that runs out of them refuses
//! clients and cannot call services, so a limit that is too low is reported at start.

use crate::config::Config;
use crate::connector::Protocol;
use crate::problem::Problem;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of other descriptors: files, listeners, name servers, Redis and Consul.
const OTHER_FILES: usize = 128;

/// Number of connections of a gRPC source, whose calls share them: two for each of a few instances.
const GRPC_CONNECTIONS: usize = 32;

/// Raises the soft limit of open files to the hard one, and returns it; `None` if there is no limit.
pub fn raise_limit() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: found.maximum, maximum: found.maximum };
    if found.current == found.maximum {
        return found.current;
    }
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => found.maximum,
        Err(error) => {
            tracing::warn!("the limit of open files stays at {:?}: {error}", found.current);
            found.current
        }
    }
}

/// Returns a warning if the configuration may need more open files than `limit`.
#[must_use]
pub fn shortage(config: &Config, limit: Option<u64>) -> Option<Problem> {
    let clients = config.edge.connections;
    let calls: usize = config
        .sources
        .iter()
        .map(|source| match source.protocol {
            Protocol::Rest { .. } => source.upstream.concurrency.max,
            Protocol::Grpc { .. } => source.upstream.concurrency.max.min(GRPC_CONNECTIONS),
        })
        .fold(0, usize::saturating_add);
    let needed = clients.saturating_add(calls).saturating_add(OTHER_FILES);
    let limit = limit.filter(|limit| u64::try_from(needed).is_ok_and(|needed| needed > *limit))?;
    let sources = config.sources.len();
    let message = format!(
        "{limit} files may be open, and this configuration may need {needed}: {clients} connections of clients \
         (`server.connections`), {calls} to {sources} sources (`concurrency.max`), and {OTHER_FILES} others"
    );
    let help = format!(
        "raise the hard limit to {needed} (`ulimit -Hn`, systemd's `LimitNOFILE`, Docker's `--ulimit nofile`), or lower \
         these settings"
    );
    Some(Problem::warning("open-files", message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{SourceFile, render};
    use std::path::Path;
    use std::sync::Arc;

    fn config(text: &str) -> Config {
        let file = SourceFile { name: "portcullis.yaml".into(), text: text.into() };
        Config::parse(&Arc::new(file), Path::new("."), &|_| None).unwrap()
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let raised = raise_limit();
        let found = getrlimit(Resource::Nofile);
        assert_eq!((found.current, raised), (found.maximum, found.maximum));
    }

    #[test]
    fn a_limit_below_what_may_be_needed_is_a_warning_with_the_numbers_and_the_fix() {
        let config = config(
            "server: { connections: 1000 }\n\
             sources:\n  a: { rest: { url: 'http://a' } }\n\
             \x20 b: { rest: { url: 'http://b' }, concurrency: { max: 616 } }\n",
        );
        assert_eq!(shortage(&config, None), None);
        assert_eq!(shortage(&config, Some(2000)), None);
        let warning = render(&[shortage(&config, Some(1999)).unwrap()], false);
        for part in
            ["1999 files", "may need 2000", "1000 connections", "872 to 2 sources", "LimitNOFILE"]
        {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }
}
