//! `server.consul`: how the gateway registers itself, so that others find it.

use super::section::Section;
use super::values::{self, Mistake, Read};
use super::yaml::Scalar;
use crate::edge;
use crate::upstream::discovery::register::{Registration, Settings};
use http::{HeaderValue, Uri};
use std::net::SocketAddr;
use std::time::Duration;

/// Default time for which the check of a killed gateway fails until Consul removes it.
const FORGET_AFTER: Duration = Duration::from_mins(5);

/// Settings from the file. The gateway's address may be known only once it listens.
#[derive(Debug, Clone, PartialEq)]
pub struct Consul {
    agent: Uri,
    token: Option<HeaderValue>,
    service: String,
    /// Address at which others reach it; `None`: where it listens.
    address: Option<String>,
    port: Option<u16>,
    tags: Vec<String>,
    check: Option<Uri>,
    check_interval: Duration,
    /// Clients connect with TLS.
    is_secure: bool,
}

impl Consul {
    /// Returns the settings of a gateway that listens on `listen`.
    ///
    /// # Errors
    /// The address at which others reach it is unknown; one lowercase sentence.
    pub fn at(&self, listen: SocketAddr) -> Result<Settings, String> {
        let host = match &self.address {
            Some(address) => address.clone(),
            None if listen.ip().is_unspecified() => {
                return Err(format!("other hosts cannot reach this gateway at {listen}"));
            }
            None => listen.ip().to_string(),
        };
        let port = self.port.unwrap_or(listen.port());
        let check = match &self.check {
            Some(check) => check.clone(),
            None => self.ready(&host, port)?,
        };
        Ok(Settings {
            agent: self.agent.clone(),
            token: self.token.clone(),
            service: self.service.clone(),
            host,
            port,
            tags: self.tags.clone(),
            check,
            check_every: self.check_interval,
            forget_after: FORGET_AFTER,
        })
    }

    fn ready(&self, host: &str, port: u16) -> Result<Uri, String> {
        let scheme = if self.is_secure { "https" } else { "http" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = format!("{scheme}://{host}:{port}/ready");
        url.parse().map_err(|_| format!("`{host}` is not a valid address"))
    }
}

/// Reads the section after the listen address; `None` with problems added.
pub(super) fn read(section: &Section<'_>, edge: &edge::Settings) -> Option<Consul> {
    section.check_keys();
    let service = section.scalar(section.required("service")?, values::text)?;
    let mut consul = Consul {
        agent: Uri::from_static("http://127.0.0.1:8500"),
        token: None,
        service,
        address: None,
        port: None,
        tags: Vec::new(),
        check: None,
        check_interval: Duration::from_secs(10),
        is_secure: edge.tls.is_some(),
    };
    section.read("agent", &mut consul.agent, values::url);
    section.read("token", &mut consul.token, |scalar| values::secret(scalar).map(Some));
    section.read("address", &mut consul.address, |scalar| values::text(scalar).map(Some));
    section.read("port", &mut consul.port, |scalar| values::port(scalar).map(Some));
    section.read_list("tags", &mut consul.tags, values::text);
    section.read("check", &mut consul.check, |scalar| values::url(scalar).map(Some));
    section.read("check_interval", &mut consul.check_interval, interval);
    let mut listen = edge.listen;
    if listen.port() == 0 {
        // A free port will be used; any port serves to check the rest.
        listen.set_port(1);
    }
    match consul.at(listen).and_then(|settings| Registration::new(&settings)) {
        Ok(_) => Some(consul),
        Err(message) => {
            let key = if section.get("address").is_some() { "address" } else { "service" };
            let span = section.get(key).map_or(&section.span, |node| &node.span);
            let help = Some(
                "write the address at which other hosts reach the gateway: `address: 10.0.0.5`, and `port` if it differs from the port in `server.listen`"
                    .to_owned(),
            );
            section.reading.problem("wrong-value", span, Mistake { message, help });
            None
        }
    }
}

/// Reads an interval. Consul raises less than a second to one second.
fn interval(scalar: &Scalar) -> Read<Duration> {
    let time = values::timeout(scalar)?;
    if time >= Duration::from_secs(1) {
        return Ok(time);
    }
    Err(Mistake {
        message: "the minimum is `1s`".to_owned(),
        help: Some("write a longer duration, such as `10s`".to_owned()),
    })
}
