//! YAML that sets one key, with the keys that it needs.

/// Returns the smallest YAML that sets `path`, with the keys that it needs.
pub(super) fn setting(path: &str, value: &str) -> String {
    if let Some(path) = path.strip_prefix("auth.") {
        return setting_of_auth(path, value);
    }
    if let Some(key) = path.strip_prefix("limits.rate.tiers[].") {
        let others = rest_of_rate(key, &["when: $claims.a, ", "capacity: 1, ", "refill: 1, "]);
        let tier = format!("{{ {others}{key}: {value} }}");
        return format!("limits: {{ rate: {{ capacity: 1, refill: 1, tiers: [{tier}] }} }}");
    }
    let rate = beside_rate(path);
    let protocol = match path {
        path if path.starts_with("limits.rate.") => rate.as_str(),
        "zone" => {
            return format!("zone: {value}\nsources: {{ s: {{ rest: {{ url: http://h }} }} }}");
        }
        "sources.*.rest.http2" => {
            return format!("sources: {{ s: {{ rest: {{ url: http://h, http2: {value} }} }} }}");
        }
        "no_proxy" => return format!("proxy: p:1\nno_proxy: {value}"),
        "sources.*.rest.query" => {
            return format!("sources: {{ s: {{ rest: {{ url: http://h, query: {value} }} }} }}");
        }
        path if path.starts_with("sources.*.auth.") => return setting_of_credentials(path, value),
        path if path.starts_with("sources.*.rest.") || path.starts_with("sources.*.grpc.") => {
            return setting_of_site(path, value);
        }
        path if path.starts_with("server.consul.") => {
            let name = path.rsplit('.').next().unwrap();
            let service = if name == "service" { "" } else { "service: s, " };
            return format!("server: {{ consul: {{ {service}{name}: {value} }} }}");
        }
        "server.metrics.tls" | "server.admin.tls" if value == "true" => {
            let (section, tls) = (path.split('.').nth(1).unwrap(), "tls: { cert: c, key: k }");
            return format!("server: {{ {tls}, {section}: {{ listen: 127.0.0.1:1, tls: true }} }}");
        }
        "server.tls.cert" => return format!("server: {{ tls: {{ cert: {value}, key: k }} }}"),
        "server.tls.key" => return format!("server: {{ tls: {{ cert: c, key: {value} }} }}"),
        "server.tls.client_ca" => {
            return format!("server: {{ tls: {{ cert: c, key: k, client_ca: {value} }} }}");
        }
        "sources.*.tls.cert" | "sources.*.tls.key" => {
            let is_key = path.ends_with("key");
            let (other, key) = if is_key { ("cert: c", "key") } else { ("key: k", "cert") };
            let tls = format!("tls: {{ {other}, {key}: {value} }}");
            return format!("sources: {{ s: {{ rest: {{ url: https://h }}, {tls} }} }}");
        }
        "sources.*.failures" => "grpc: { url: http://h, protos: [a] }, ",
        path if path.starts_with("sources.") => "rest: { url: http://h }, ",
        "limits.cost.expose" => "",
        // Otherwise the section alone would set it.
        path if path.starts_with("limits.cost.") => "expose: false, ",
        _ => "",
    };
    let mut text = value.to_owned();
    let mut beside_last = if of_redis(path) { "url: redis://h, " } else { "" };
    for (level, name) in path.split('.').enumerate().collect::<Vec<_>>().into_iter().rev() {
        let name = if name == "*" { "s" } else { name };
        let beside = if level == 2 { protocol } else { "" };
        text = format!("{{ {beside}{}{name}: {text} }}", std::mem::take(&mut beside_last));
    }
    text
}

/// Returns whether the key needs the URL of a Redis beside it.
pub(super) fn of_redis(path: &str) -> bool {
    path.ends_with(".redis.timeout") || path.ends_with(".redis.prefix")
}

/// Keys that name the descriptors of a gRPC service.
const DESCRIBED: [&str; 4] = ["protos", "proto_paths", "descriptors", "reflection"];

/// Returns YAML for a key of a source's site.
pub(super) fn setting_of_site(path: &str, value: &str) -> String {
    let (protocol, key) = path.trim_start_matches("sources.*.").split_once('.').unwrap();
    let site = match key.split_once('.') {
        Some(("dns", "name")) => format!("dns: {{ port: 1, name: {value} }}"),
        Some(("dns", "port")) => format!("dns: {{ name: n, port: {value} }}"),
        Some(("dns", key)) => format!("dns: {{ name: n, port: 1, {key}: {value} }}"),
        Some(("consul", "service")) => format!("consul: {{ service: {value} }}"),
        Some((_, key)) => format!("consul: {{ service: s, {key}: {value} }}"),
        None if DESCRIBED.contains(&key) => "url: http://h".to_owned(),
        None => format!("{key}: {value}"),
    };
    let protos = match (protocol, key) {
        (_, "proto_paths") => format!(", protos: [a], proto_paths: {value}"),
        (_, "reflection") if value == "false" => ", protos: [a], reflection: false".to_owned(),
        (_, key) if DESCRIBED.contains(&key) => format!(", {key}: {value}"),
        ("grpc", _) => ", protos: [a]".to_owned(),
        _ => String::new(),
    };
    format!("sources: {{ s: {{ {protocol}: {{ {site}{protos} }} }} }}")
}

/// Returns YAML for a key of a source's `auth`, with the keys that it needs.
fn setting_of_credentials(path: &str, value: &str) -> String {
    let (way, key) = match path.trim_start_matches("sources.*.auth.").split_once('.') {
        Some((way, key)) => (way, key),
        None => ("", "bearer"),
    };
    let others: &[&str] = match way {
        "basic" => &["user", "password"],
        "client_credentials" => &["token_url", "client_id", "client_secret"],
        _ => &[],
    };
    let others = others.iter().filter(|other| **other != key);
    let beside = if way == "basic" { "u" } else { "https://h" };
    let others: String = others.map(|other| format!("{other}: {beside}, ")).collect();
    let auth = format!("{others}{key}: {value}");
    let auth = if way.is_empty() { auth } else { format!("{way}: {{ {auth} }}") };
    format!("sources: {{ s: {{ rest: {{ url: http://h }}, auth: {{ {auth} }} }} }}")
}

pub(super) fn setting_of_auth(path: &str, value: &str) -> String {
    let provider = [("issuer", "i"), ("audience", "a"), ("jwks_file", "f")];
    let (key, beside) = match path.strip_prefix("providers[].") {
        None => ("", String::new()),
        Some(key) => (key, format!(", {key}: {value}")),
    };
    let instead = if key == "jwks_url" { "jwks_file" } else { key };
    let needed = provider.into_iter().filter(|(name, _)| *name != instead);
    let needed: Vec<String> = needed.map(|(name, value)| format!("{name}: {value}")).collect();
    let needed = match key {
        // Plain HTTP has an effect only if something is fetched over it.
        "insecure_http" => "issuer: i, audience: a, jwks_url: https://h".to_owned(),
        _ => needed.join(", "),
    };
    let providers = format!("providers: [{{ {needed}{beside} }}]");
    match path.split_once('.') {
        Some(("token", name)) => format!("auth: {{ {providers}, token: {{ {name}: {value} }} }}"),
        None => format!("auth: {{ {providers}, {path}: {value} }}"),
        Some(_) => format!("auth: {{ {providers} }}"),
    }
}

/// Returns the keys that a key of `limits.rate` needs.
pub(super) fn beside_rate(path: &str) -> String {
    let key = path.rsplit('.').next().unwrap();
    let redis = ["fail", "replicas"].contains(&key);
    let redis = if redis { "redis: { url: redis://h }, " } else { "" };
    rest_of_rate(key, &["capacity: 1, ", "refill: 1, ", redis])
}

pub(super) fn rest_of_rate(key: &str, all: &[&str]) -> String {
    all.iter().filter(|text| !text.starts_with(&format!("{key}:"))).copied().collect()
}
