//! `sources`: the address and settings of each service.

use super::section::{Reading, Section};
use super::values::{self, Mistake, Read};
use super::yaml::{Entry, Kind, Node, Scalar};
use super::{credentials, site, upstream};
use crate::connector::{FromEnv, Protocol, Returned, SourceConfig, SourcePlaces, SourceSettings};
use crate::engine::CacheSettings;
use crate::graphql::Name;
use crate::problem::Place;
use crate::upstream::Proxies;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::path::Path;

/// Reads the sources. Returns the valid ones, and the names of the others.
pub(super) fn read(
    section: &Section<'_>,
    base: &Path,
    zone: Option<&String>,
    shared: &Proxies,
    cache: &mut CacheSettings,
) -> (Vec<SourceSettings>, Vec<Name>) {
    let (mut sources, mut unread) = (Vec::new(), Vec::new());
    for entry in section.entries() {
        match source(section, entry, base, zone, shared, cache) {
            Some(source) => sources.push(source),
            None => unread.push(entry.key.as_str().into()),
        }
    }
    (sources, unread)
}

fn source<'a>(
    section: &Section<'a>,
    entry: &'a Entry,
    base: &Path,
    zone: Option<&String>,
    shared: &Proxies,
    cache: &mut CacheSettings,
) -> Option<SourceSettings> {
    let reading = section.reading;
    check_name(reading, entry);
    let section = section.named(entry);
    section.check_keys();
    let mut upstream = upstream::read(&section, base, zone);
    let (mut forward_headers, mut headers) = (Vec::new(), Vec::new());
    let mut claim_headers = Vec::new();
    let mut deadline_header = None;
    let mut returned = Returned::default();
    let is_grpc = section.get("grpc").is_some();
    if let Some(section) = section.section("headers") {
        section.check_keys();
        let name = |scalar: &Scalar| values::header_name(&scalar.text);
        section.read_list("forward", &mut forward_headers, name);
        headers = named_headers(&section, "set", values::secret);
        claim_headers = named_headers(&section, "claims", values::claim_path);
        deadline_header = self::deadline_header(&section, is_grpc);
        section.read_list("return", &mut returned.headers, values::returned_header);
        section.read_list("return_cookies", &mut returned.cookies, values::cookie_name);
        let deadline = deadline_header.as_ref();
        check_once(&section, &headers, &claim_headers, &forward_headers, deadline);
    }
    let mut credentials = credentials::read(&section, &mut headers, &claim_headers);
    let proxies = super::proxy::of_source(&section, shared);
    if let Some(client) = &mut credentials.client {
        client.proxies = proxies.clone();
    }
    let mut reuse = true;
    section.read("reuse", &mut reuse, values::boolean);
    let config = section.get("config").map(|node| config(reading, node)).unwrap_or_default();
    if let Some(section) = section.section("cache") {
        cache.sources.insert(entry.key.as_str().into(), super::cache::read_source(&section));
    }
    let mut accept_types = Vec::new();
    section.read_list("accept_types", &mut accept_types, values::media_type);
    let mut follow = 0;
    section.read("follow", &mut follow, values::redirects);
    if is_grpc {
        refuse_for_grpc(&section, &["accept_types", "follow"]);
    }
    let protocol = protocol(&section, entry, base)?;
    if let Some(rest) = section.section("rest") {
        rest.read("http2", &mut upstream.http2, values::boolean);
    }
    super::sockets::refuse_tls(&section, &protocol);
    upstream.proxies = super::proxy::of_calls(&section, &protocol, &proxies);
    let grpc = section.section("grpc");
    let name = entry.key.as_str().into();
    Some(SourceSettings {
        name,
        protocol,
        upstream,
        forward_headers,
        headers,
        claim_headers,
        credentials,
        deadline_header,
        config,
        returned,
        accept_types,
        follow,
        reuse,
        rules: super::rules::read(&section),
        shows_replies: false,
        places: SourcePlaces {
            name: Some(Place::new(reading.file, entry.key_span.clone())),
            descriptors: grpc.as_ref().map_or_else(Vec::new, super::grpc::places),
            proto_paths: grpc.map_or_else(Vec::new, |grpc| grpc.places("proto_paths")),
        },
    })
}

/// Reads `config`: any mapping.
fn config(reading: &Reading<'_>, node: &Node) -> SourceConfig {
    if !matches!(node.kind, Kind::Mapping(_)) {
        let message = "`config` must be a mapping of keys to values".to_owned();
        let help =
            Some("write `config: { region: eu }`, and use it as `$config.region`".to_owned());
        reading.problem("wrong-type", &node.span, Mistake { message, help });
    }
    let mut from_env = Vec::new();
    let value = json(reading, node, "", &mut from_env);
    SourceConfig { value, from_env }
}

/// Refuses settings of HTTP replies for gRPC.
fn refuse_for_grpc(section: &Section<'_>, keys: &[&str]) {
    for key in keys {
        if let Some(node) = section.get(key) {
            let message = format!("a gRPC source cannot have `{key}`");
            let help = Some(format!("remove `{key}`"));
            section.reading.problem("wrong-value", &node.span, Mistake { message, help });
        }
    }
}

/// Reads `rest` or `grpc`, exactly one of them.
fn protocol(section: &Section<'_>, entry: &Entry, base: &Path) -> Option<Protocol> {
    let (rest, grpc) = (section.section("rest"), section.section("grpc"));
    let say = |message: String, help: &str| {
        let help = Some(help.to_owned());
        section.reading.problem("source-protocol", &entry.key_span, Mistake { message, help });
    };
    match (rest, grpc) {
        (Some(rest), None) => {
            rest.check_keys();
            super::rules::refuse_failures(section);
            Some(Protocol::Rest { site: site::read(&rest, base, values::service_url)? })
        }
        (None, Some(grpc)) => super::grpc::read(section, &grpc, &entry.key, base),
        (Some(_), Some(_)) => {
            say(
                format!("source `{}` has both `rest` and `grpc`", entry.key),
                "declare two sources with different names",
            );
            None
        }
        (None, None) => {
            // Keys of later versions, and keys outside of `rest` and `grpc`, are reported elsewhere.
            let is_reported = |entry: &Entry| {
                matches!(
                    entry.key.as_str(),
                    "amqp" | "graphql" | "url" | "urls" | "protos" | "descriptors" | "reflection"
                ) || super::spellings::ours("sources.*", &entry.key)
                    .is_some_and(|ours| ours.contains("rest"))
            };
            if !section.entries().iter().any(is_reported) {
                say(
                    format!("source `{}` has neither `rest` nor `grpc`", entry.key),
                    "add `rest: { url: … }` or `grpc: { url: …, protos: […] }`",
                );
            }
            None
        }
    }
}

/// Reads a mapping from header names to their values.
fn named_headers<T>(
    section: &Section<'_>,
    key: &str,
    value: fn(&Scalar) -> Read<T>,
) -> Vec<(HeaderName, T)> {
    let Some(set) = section.section(key) else { return Vec::new() };
    let mut headers = Vec::new();
    for entry in set.entries() {
        let name = match values::header_name(&entry.key) {
            Ok(name) => Some(name),
            Err(mistake) => {
                section.reading.problem("wrong-value", &entry.key_span, mistake);
                None
            }
        };
        let value = section.scalar(&entry.value, value);
        if let (Some(name), Some(value)) = (name, value) {
            headers.push((name, value));
        }
    }
    headers
}

fn deadline_header(section: &Section<'_>, is_grpc: bool) -> Option<HeaderName> {
    let name = section.scalar(section.get("deadline")?, |scalar| values::header_name(&scalar.text));
    if is_grpc && let Some(node) = section.get("deadline") {
        let message = "gRPC calls have the deadline in `grpc-timeout`".to_owned();
        let help = Some("remove `deadline`".to_owned());
        section.reading.problem("wrong-value", &node.span, Mistake { message, help });
    }
    name
}

/// Refuses a header whose value comes from two settings, since one would never be sent. (Forwarded client headers yield
/// to others.)
fn check_once(
    section: &Section<'_>,
    set: &[(HeaderName, HeaderValue)],
    claims: &[(HeaderName, String)],
    forward: &[HeaderName],
    deadline: Option<&HeaderName>,
) {
    let set: Vec<_> = set.iter().map(|(name, _)| name).collect();
    let claims: Vec<_> = claims.iter().map(|(name, _)| name).collect();
    let places = [("set", set), ("claims", claims), ("forward", forward.iter().collect())];
    let named = |name, places: &[(&'static str, Vec<&HeaderName>)]| {
        places.iter().find(|(_, names)| names.contains(&name)).map(|(place, _)| (name, *place))
    };
    let of_claims = places[1].1.iter().find_map(|name| named(*name, &places[..1]));
    let of_deadline = || deadline.and_then(|name| named(name, &places));
    let twice = of_claims.map(|twice| ("claims", twice));
    let Some((key, (name, other))) = twice.or_else(|| of_deadline().map(|it| ("deadline", it)))
    else {
        return;
    };
    let span = section.get(key).map_or(&section.span, |node| &node.span);
    let message = format!("the header `{name}` is also set under `{other}`");
    let help = Some("remove one of them".to_owned());
    section.reading.problem("wrong-value", span, Mistake { message, help });
}

/// Checks a source's name: the SDL, logs and error messages use it, so only plain names are valid.
fn check_name(reading: &Reading<'_>, entry: &Entry) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.bytes().all(fits) {
        let mistake = Mistake {
            message: "this is not a valid name of a source".to_owned(),
            help: Some("use letters, digits, `_` and `-`, at most 64 characters".to_owned()),
        };
        reading.problem("wrong-value", &entry.key_span, mistake);
    }
}

/// Converts YAML to JSON: plain scalars as in YAML's core schema. The parser limits the depth. `pointer` is the place
/// of the value, and `from_env` collects the values that came from the environment.
fn json(reading: &Reading<'_>, node: &Node, pointer: &str, from_env: &mut Vec<FromEnv>) -> Value {
    match &node.kind {
        Kind::List(nodes) => {
            let element =
                |(index, node)| json(reading, node, &format!("{pointer}/{index}"), from_env);
            nodes.iter().enumerate().map(element).collect()
        }
        Kind::Mapping(entries) => {
            let member = |entry: &Entry| {
                let key = entry.key.replace('~', "~0").replace('/', "~1");
                let value = json(reading, &entry.value, &format!("{pointer}/{key}"), from_env);
                (entry.key.clone(), value)
            };
            entries.iter().map(member).collect::<Map<_, _>>().into()
        }
        Kind::Scalar(scalar) => {
            let (expanded, mut texts) = reading.expand_tracked(scalar, &node.span);
            let Some(expanded) = expanded else { return Value::Null };
            if !texts.is_empty() {
                texts.push(expanded.text.clone());
                from_env.push(FromEnv { pointer: pointer.to_owned(), texts });
            }
            json_scalar(expanded)
        }
    }
}

fn json_scalar(scalar: Scalar) -> Value {
    if scalar.is_null() {
        return Value::Null;
    }
    if scalar.plain {
        let text = scalar.text.as_str();
        match text {
            "true" | "True" | "TRUE" => return Value::Bool(true),
            "false" | "False" | "FALSE" => return Value::Bool(false),
            _ => {}
        }
        if text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'-')
            && let Ok(number) = text.parse::<serde_json::Number>()
        {
            return Value::Number(number);
        }
    }
    Value::String(scalar.text)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::problem::SourceFile;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn values_of_config_that_came_out_of_the_environment_are_known_and_never_printed() {
        let text = r#"sources: { s: { rest: { url: http://h },
            config: { a: 1, keys: [x, "Bearer ${KEY}"], other: "${NONE:-usual}" } } }"#;
        let file = SourceFile { name: "portcullis.yaml".into(), text: text.to_owned() };
        let env = |name: &str| (name == "KEY").then(|| "geheim".to_owned());
        let config = Config::parse(&Arc::new(file), Path::new(""), &env).unwrap();
        let of_source = &config.sources[0].config;
        let [value] = of_source.from_env.as_slice() else { panic!("one value: {config:?}") };
        assert_eq!(value.pointer, "/keys/1");
        assert_eq!(value.texts, ["geheim", "Bearer geheim"], "the variable, and the whole");
        let shown = of_source.shown(&|name| name.into());
        let due = serde_json::json!({ "a": 1, "keys": ["x", "keys.1"], "other": "usual" });
        assert_eq!(shown, due);
        assert!(!format!("{config:?}").contains("geheim"), "secrets are never printed");
    }
}
