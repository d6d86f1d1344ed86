//! Queries name servers, once for each name that a text can mean.
//!
//! The search list is walked here and not by the library. The library continues with the next name after a failure. So
//! it could accept another domain's answer, or its "no such name", although the right server did not answer.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use std::net::SocketAddr;
use std::time::Duration;

/// Timeout of one query to one server that is configured here rather than by the system.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Resolver {
    asking: TokioResolver,
    /// Search domains, tried in this order.
    search: Vec<Name>,
    ndots: usize,
}

/// Records of the wanted type; at least one.
pub(super) struct Answer {
    pub(super) records: Vec<RData>,
    /// Shortest TTL of all records that led to the answer.
    pub(super) ttl: Duration,
}

/// Reasons why there are no records.
#[derive(Debug)]
pub(super) enum Nothing {
    /// A name server reports that there are none. Holds the reason, and the TTL of that answer.
    Empty(String, Option<Duration>),
    /// The lookup failed, so it is unknown whether there are records.
    Failed(String),
}

impl Resolver {
    /// Creates a resolver. Unless a server is given, the system's settings are read, once.
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let (config, options) = match server {
            Some(server) => of_server(server),
            None => read_system_conf()
                .map_err(|error| format!("the system has no usable name servers: {error}"))?,
        };
        let ndots = options.ndots;
        let (domain, search, servers) = config.into_parts();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options);
        // Each lookup must see the current records.
        builder.options_mut().cache_size = 0;
        let asking =
            builder.build().map_err(|error| format!("name servers cannot be asked: {error}"))?;
        Ok(Self { asking, search: domain.into_iter().chain(search).collect(), ndots })
    }

    pub(super) async fn ask(&self, name: &Name, wanted: RecordType) -> Result<Answer, Nothing> {
        let mut nothing = Nothing::Failed(format!("`{name}` is too long for a name"));
        for name in self.candidates(name) {
            match self.ask_one(&name, wanted).await {
                Err(empty @ Nothing::Empty(..)) => nothing = empty,
                answer_or_failure => return answer_or_failure,
            }
        }
        Err(nothing)
    }

    /// Returns the names to try, as in resolv.conf(5): if a name has fewer than `ndots` dots, the name as written is
    /// tried last.
    fn candidates(&self, name: &Name) -> Vec<Name> {
        let mut whole = name.clone();
        whole.set_fqdn(true);
        if name.is_fqdn() {
            return vec![whole];
        }
        let searched = self.search.iter().filter_map(|end| name.clone().append_domain(end).ok());
        let mut names: Vec<Name> = searched.collect();
        let first = usize::from(name.num_labels()) > self.ndots;
        names.insert(if first { 0 } else { names.len() }, whole);
        names
    }

    async fn ask_one(&self, name: &Name, wanted: RecordType) -> Result<Answer, Nothing> {
        match self.asking.lookup(name.clone(), wanted).await {
            Ok(lookup) => {
                let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
                let right = lookup.answers().iter().filter(|it| it.record_type() == wanted);
                let records: Vec<RData> = right.map(|record| record.data.clone()).collect();
                if records.is_empty() {
                    return Err(Nothing::Empty(format!("`{name}` has no {wanted} records"), None));
                }
                Ok(Answer { records, ttl: Duration::from_secs(ttl.into()) })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(NoRecords {
                response_code,
                negative_ttl,
                ..
            }))) => {
                let text = format!("`{name}` has no {wanted} records: {response_code}");
                Err(Nothing::Empty(text, negative_ttl.map(|ttl| Duration::from_secs(ttl.into()))))
            }
            Err(error) => Err(Nothing::Failed(format!("no answer for `{name}`: {error}"))),
        }
    }
}

fn of_server(server: SocketAddr) -> (ResolverConfig, ResolverOpts) {
    let mut asked = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut asked.connections {
        connection.port = server.port();
    }
    let mut options = ResolverOpts::default();
    options.timeout = TIMEOUT;
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Never;
    (ResolverConfig::from_parts(None, Vec::new(), vec![asked]), options)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::name_server::{NameServer, Says, a, name};
    use super::*;

    fn resolver(server: SocketAddr, search: &[&str], ndots: usize) -> Resolver {
        let search = search.iter().map(|end| name(end)).collect();
        Resolver { search, ndots, ..Resolver::new(Some(server)).unwrap() }
    }

    #[test]
    fn names_are_tried_as_resolv_conf_has_it() {
        let resolver = resolver("127.0.0.1:53".parse().unwrap(), &["ns.svc.test", "test"], 2);
        let of = |text: &str| {
            let names = resolver.candidates(&Name::from_utf8(text).unwrap());
            names.iter().map(Name::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("users"), ["users.ns.svc.test.", "users.test.", "users."]);
        assert_eq!(
            of("users.other"),
            ["users.other.ns.svc.test.", "users.other.test.", "users.other."]
        );
        assert_eq!(of("a.b.c"), ["a.b.c.", "a.b.c.ns.svc.test.", "a.b.c.test."]);
        assert_eq!(of("users."), ["users."]);
    }

    #[tokio::test]
    async fn a_server_that_fails_is_not_taken_for_one_that_says_no() {
        let server = NameServer::start().await;
        let resolver = resolver(server.address, &["ns.test", "test"], 1);
        let users = Name::from_utf8("users").unwrap();
        server.set(
            "users.test",
            RecordType::A,
            Says::Records(vec![a("users.test", "10.0.0.1", 9)]),
        );
        let answer = resolver.ask(&users, RecordType::A).await.expect("an answer");
        assert_eq!((answer.records.len(), answer.ttl), (1, Duration::from_secs(9)));
        server.set("users.ns.test", RecordType::A, Says::Fails);
        let failed = resolver.ask(&users, RecordType::A).await.err();
        assert!(matches!(failed, Some(Nothing::Failed(_))), "another domain's are not asked for");
    }
}
