//! Location of a source's instances: `url`, `urls`, `dns`, `consul` or `file` under `rest` or `grpc`.

use super::section::Section;
use super::sockets;
use super::values::{self, Mistake, Read};
use super::yaml::Scalar;
use crate::upstream::discovery::{Record, Settings as Discovery};
use crate::upstream::{Instances, Site};
use http::Uri;
use std::path::Path;

/// Keys of discovery, which are alternatives to a URL.
const FOUND: [&str; 3] = ["dns", "consul", "file"];

/// Reads the site; `None` with problems added. `url` parses URLs.
pub(super) fn read(
    section: &Section<'_>,
    base: &Path,
    url: fn(&Scalar) -> Read<Uri>,
) -> Option<Site> {
    let given: Vec<&str> = FOUND.into_iter().filter(|key| section.get(key).is_some()).collect();
    if let [first, second, ..] = given[..] {
        return both(section, first, second);
    }
    match (section.get("urls"), given.first()) {
        (Some(_), Some(found)) => return both(section, "urls", found),
        (Some(_), None) if section.get("url").is_some() => return both(section, "url", "urls"),
        (Some(_), None) => return several(section, url),
        (None, None) => {
            return section.scalar(section.required("url")?, |text| sockets::site(text, url));
        }
        (None, Some(_)) => {}
    }
    let (discovery, name) = discovery(section, base)?;
    let mut site = match section.get("url") {
        Some(node) => named(section, section.scalar(node, |text| sockets::site(text, url))?)?,
        None => {
            Site { https: false, name, prefix: String::new(), instances: Instances::Fixed(vec![]) }
        }
    };
    site.instances = Instances::Found(discovery);
    Some(site)
}

fn both(section: &Section<'_>, first: &str, second: &str) -> Option<Site> {
    wrong(section, second, format!("`{first}` and `{second}` cannot be used together"));
    None
}

fn wrong(section: &Section<'_>, key: &str, message: String) {
    let span = section.get(key).map_or(&section.span, |node| &node.span);
    let help = Some(
        "set one of `url`, `urls`, `dns`, `consul` and `file`; with `dns`, `consul` or `file`, `url` can also be set: it is the URL that calls are sent to"
            .to_owned(),
    );
    section.reading.problem("source-instances", span, Mistake { message, help });
}

/// Sets the URL's host as the name that calls are addressed to, whatever their connections go to.
fn named(section: &Section<'_>, site: Site) -> Option<Site> {
    if sockets::has_socket(&site) {
        wrong(
            section,
            "url",
            "`dns`, `consul` and `file` cannot be used with a Unix socket".to_owned(),
        );
        return None;
    }
    // As in an address: IPv6 without brackets.
    let name = site.example().ok().map(|address| address.host);
    Some(Site { name, ..site })
}

/// Reads one instance per URL. The URLs may differ in host and port only.
fn several(section: &Section<'_>, url: fn(&Scalar) -> Read<Uri>) -> Option<Site> {
    let mut sites: Vec<Site> = Vec::new();
    section.read_list("urls", &mut sites, |text| sockets::site(text, url));
    let mut sites = sites.into_iter();
    let Some(mut site) = sites.next() else {
        wrong(section, "urls", "`urls` is empty".to_owned());
        return None;
    };
    for other in sites {
        if (other.https, &other.prefix) != (site.https, &site.prefix) {
            let message = "these URLs differ in more than host and port";
            wrong(section, "urls", message.to_owned());
            return None;
        }
        if let (Instances::Fixed(all), Instances::Fixed(more)) =
            (&mut site.instances, other.instances)
        {
            all.extend(
                more.into_iter().filter(|address| !all.contains(address)).collect::<Vec<_>>(),
            );
        }
    }
    Some(site)
}

/// Reads the kind of discovery, and the service's name there.
fn discovery(section: &Section<'_>, base: &Path) -> Option<(Discovery, Option<String>)> {
    if let Some(dns) = section.section("dns") {
        return self::dns(&dns);
    }
    if let Some(consul) = section.section("consul") {
        return self::consul(&consul);
    }
    let path = section.scalar(section.get("file")?, values::text)?;
    Some((Discovery::File { path: base.join(path) }, None))
}

fn dns(section: &Section<'_>) -> Option<(Discovery, Option<String>)> {
    section.check_keys();
    let name = section.scalar(section.required("name")?, values::text)?;
    let (mut record, mut server, mut port) = (Record::A, None, None);
    section.read("type", &mut record, self::record);
    section.read("server", &mut server, |scalar| values::address(scalar).map(Some));
    section.read("port", &mut port, |scalar| values::port(scalar).map(Some));
    if record != Record::Srv && port.is_none() {
        section.required("port")?;
    }
    let port = port.unwrap_or_default();
    let host = (record != Record::Srv).then(|| name.trim_end_matches('.').to_owned());
    Some((Discovery::Dns { name, record, port, server }, host))
}

fn record(scalar: &Scalar) -> Read<Record> {
    match scalar.text.as_str() {
        "A" => Ok(Record::A),
        "AAAA" => Ok(Record::Aaaa),
        "SRV" => Ok(Record::Srv),
        _ => Err(Mistake {
            message: "this is not a supported record type".to_owned(),
            help: Some("write `A`, `AAAA` or `SRV`".to_owned()),
        }),
    }
}

fn consul(section: &Section<'_>) -> Option<(Discovery, Option<String>)> {
    section.check_keys();
    let service = section.scalar(section.required("service")?, values::text)?;
    let mut agent = Uri::from_static("http://127.0.0.1:8500");
    let (mut tag, mut passing, mut datacenter, mut token) = (Vec::new(), true, None, None);
    section.read("agent", &mut agent, values::url);
    section.read_list("tag", &mut tag, values::text);
    section.read("passing", &mut passing, values::boolean);
    section.read("datacenter", &mut datacenter, |scalar| values::text(scalar).map(Some));
    section.read("token", &mut token, |scalar| values::secret(scalar).map(Some));
    let name = Some(service.clone());
    Some((Discovery::Consul { agent, service, tag, passing, datacenter, token }, name))
}
