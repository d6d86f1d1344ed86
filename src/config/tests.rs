use super::*;
use crate::connector::{DescriptorSource, Protocol, SourcePlaces};
use crate::problem::render;
use crate::upstream::discovery::Address;
use std::time::Duration;
use written::{beside_rate, of_redis, setting};

mod json_schema;
mod written;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let file = Arc::new(SourceFile { name: "portcullis.yaml".to_owned(), text: text.to_owned() });
    let env = |name: &str| match name {
        "USERS_URL" => Some("http://users.internal:8080".to_owned()),
        "TOKEN" => Some("geheim".to_owned()),
        "EVIL" => Some("x: [\n".to_owned()),
        "WITH_PASSWORD" => Some("http://u:geheim@h".to_owned()),
        _ => None,
    };
    Config::parse(&file, Path::new("conf"), &env)
}

fn problems(text: &str) -> String {
    match parse(text) {
        Ok(config) => panic!("no problem was found: {config:?}"),
        Err(problems) => render(&problems, false),
    }
}

fn codes(text: &str) -> Vec<(&'static str, usize, usize)> {
    let problems = parse(text).expect_err("a problem was due");
    let place = |problem: &Problem| problem.place.as_ref().map_or((0, 0), Place::line_column);
    problems.iter().map(|p| (p.code, place(p).0, place(p).1)).collect()
}

#[test]
fn a_whole_file_becomes_settings() {
    let config = parse(
        r#"
schema: [schema/*.graphql]
server:
  listen: 0.0.0.0:8080
  playground: true
  cors: { origins: "https://a.example", max_age: 1m }
limits: { depth: 5, body: 2MiB }
sources:
  users:
    rest: { url: "${USERS_URL:-http://127.0.0.1:4101}" }
    timeout: 2s
    headers: { forward: [X-Tenant], set: { authorization: "Bearer ${TOKEN}" } }
    config: { a: 1, b: [true, "1", null, 1.5, x], big: "${EVIL}" }
  products: { grpc: { url: http://127.0.0.1:1, protos: [a.proto] }, reuse: false }
"#,
    )
    .unwrap();
    assert_eq!(config.schema, ["schema/*.graphql"]);
    assert_eq!(config.edge.listen.port(), 8080);
    assert!(config.edge.playground && !config.engine.introspection);
    assert_eq!(config.edge.cors.origins, ["https://a.example"]);
    assert_eq!((config.engine.limits.depth, config.edge.body_limit), (5.into(), 2 << 20));
    let [users, products] = config.sources.as_slice() else { panic!("two sources") };
    assert!(
        matches!(&users.protocol, Protocol::Rest { site } if site.shown().contains("users.internal"))
    );
    assert_eq!(users.upstream.timeout, Duration::from_secs(2));
    assert_eq!(users.forward_headers, ["x-tenant"]);
    assert_eq!(users.headers[0].1.as_bytes(), b"Bearer geheim");
    let expected = serde_json::json!({"a": 1, "b": [true, "1", null, 1.5, "x"], "big": "x: [\n"});
    assert_eq!(users.config.value, expected);
    let Protocol::Grpc { descriptors, .. } = &products.protocol else { panic!("grpc") };
    let (base, entries) = (PathBuf::from("conf"), vec![PathBuf::from("a.proto")]);
    assert_eq!(*descriptors, DescriptorSource::Protos { base, entries, roots: Vec::new() });
    assert!(!products.reuse);
    assert!(!format!("{config:?}").contains("geheim"), "secrets are never printed");
}

#[test]
fn an_empty_file_is_all_defaults() {
    for text in ["", "# nothing\n", "server:\nlimits:\n", "{}"] {
        let config = parse(text).unwrap();
        assert_eq!(config.edge, edge::Settings::default());
        assert_eq!(config.engine, engine::Settings::default());
    }
}

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let shown = problems(
        "\
servr: { listen: 127.0.0.1:4000 }
server: { listen: 4000, playground: yes, timeout: 15, grace: 1s }
limits: { depth: many, body: 1mb }
sources:
  users: { rest: { url: 'ftp://x' }, tiemout: 2s, timeout: 2 parsecs }
  users: { rest: { url: http://u:p@h } }
  orders: { rest: { urls: [http://a, https://b] }, retry: { attempts: 0 }, balance: fair }
  bus: { amqp: { url: x } }
  none: { timeout: 1s }
  keys: { rest: { url: '${UNSET}' }, headers: { set: { 'x y': '${TOKEN}', host: a } } }
telemetry: { otlp: x }
",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn every_mistake_of_auth_is_shown_with_its_mend() {
    let shown = problems(
        "\
auth:
  providers:
    - { issuer: i, audience: shop, jwks_url: 'http://id.example.com/keys' }
    - { issuer: j, audience: shop, jwks_url: 'https://h/k?p=1', algorithms: [HS256, none, RS1] }
    - { issuer: i, audience: shop, jwks_file: a.json, leeway: 1h, refresh: 1s }
    - { jwks_url: https://h, jwks_file: f, audiense: x }
    - nobody
  token: { header: host, prefix: 'Bearer ', cookie: 'a b' }
  on_missing_token: maybe
",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn auth_becomes_settings() {
    use crate::identity::{Algorithm, Audience, KeySource, OnMissing};
    let config = parse(
        "auth:
  providers:
    - { issuer: https://id/, audience: [a, b], jwks_url: 'https://id/k?p=1', algorithms: ES256 }
    - { issuer: j, audience: '*', jwks_file: keys/j.json, leeway: 0s }
  token: { header: X-Token, cookie: session }
  on_missing_token: refuse
",
    )
    .unwrap();
    let [first, second] = config.auth.providers.as_slice() else { panic!("two providers") };
    assert!(matches!(&first.keys, KeySource::Url { uri, .. } if uri.query() == Some("p=1")));
    assert_eq!(first.audience, Audience::OneOf(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(first.algorithms, [Algorithm::Es256]);
    assert_eq!(second.keys, KeySource::File(PathBuf::from("conf/keys/j.json")));
    assert_eq!((&second.audience, second.leeway), (&Audience::Any, Duration::ZERO));
    assert_eq!(second.algorithms, Algorithm::ALL);
    let token = &config.auth.token;
    assert_eq!((token.header.as_str(), token.prefix.as_str()), ("x-token", ""));
    assert_eq!(token.cookie.as_deref(), Some("session"));
    assert_eq!(config.auth.on_missing, OnMissing::Refuse);
}

#[test]
fn the_shape_of_the_file_is_checked() {
    for (text, code, line, column) in [
        ("a: b: c", "yaml-syntax", 1, 5),
        ("- 1\n- 2\n", "wrong-type", 1, 1),
        ("server: [1]\n", "wrong-type", 1, 9),
        ("server: { listen: [a] }", "wrong-type", 1, 19),
        ("reuse: { a: 1 }\n", "wrong-type", 1, 8),
        ("reuse: true\nreuse: false\n", "duplicate-key", 2, 1),
        ("schema: &a [x]\n", "yaml-anchor", 1, 9),
        ("reuse: !!bool true\n", "yaml-tag", 1, 8),
        ("reuse: true\n---\nreuse: true\n", "yaml-documents", 2, 1),
        ("? [a]\n: b\n", "yaml-key", 1, 3),
        ("# ü\nräuse: true\n", "unknown-key", 2, 1),
        ("sources: { 'a b': { rest: { url: http://h } } }", "wrong-value", 1, 12),
        ("sources: { a: { rest: { } } }", "missing-key", 1, 23),
        ("sources: { a: { grpc: { url: http://h } } }", "missing-key", 1, 23),
        (
            "auth:\n  providers:\n    - { issuer: i, audience: a, jwks_file: f }\n    - { issuer: i, audience: b, jwks_file: g }\n",
            "duplicate-issuer",
            4,
            17,
        ),
        ("auth: { providers: [[]] }", "wrong-type", 1, 21),
        (
            "auth: { providers: [{ issuer: i, audience: a, jwks_file: f, timeout: 31s }] }",
            "wrong-value",
            1,
            70,
        ),
        ("auth: {}", "missing-key", 1, 7),
        ("auth: { providers: [] }", "missing-key", 1, 7),
        (
            "sources: { a: { rest: { url: http://h }, headers: { set: { x: a }, claims: { x: b } } } }",
            "wrong-value",
            1,
            76,
        ),
        ("server: { cors: { origins: ['*'], credentials: true } }", "wrong-value", 1, 28),
    ] {
        assert_eq!(codes(text)[0], (code, line, column), "{text}");
    }
}

#[test]
fn hostile_yaml_is_refused_in_no_time() {
    let deep = format!("sources: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(codes(&deep)[0].0, "yaml-syntax");
    let deep = format!("sources: {}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(codes(&deep)[0].0, "yaml-depth");
    let laughs = "a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
    assert!(codes(laughs).iter().any(|(code, ..)| *code == "yaml-anchor"));
    for text in ["${", "\u{feff}server: {", "\t", "a:\r\n  - b\r\n c", "{{{{", "\"", "%YAML"] {
        let _ = parse(text);
    }
}

#[test]
fn messages_never_repeat_what_came_out_of_the_environment() {
    let shown = problems("sources: { a: { rest: { url: '${WITH_PASSWORD}' } } }");
    assert!(shown.contains("credentials") && !shown.contains("geheim"), "{shown}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let missing = Config::read(Path::new("no/such/portcullis.yaml")).unwrap_err();
    assert_eq!(missing[0].code, "config-unreadable");
    assert!(missing[0].message.contains("no/such/portcullis.yaml"), "{}", missing[0].message);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.yaml");
    std::fs::write(&path, b"reuse: true # \xff\n").unwrap();
    assert_eq!(Config::read(&path).unwrap_err()[0].code, "yaml-syntax");
    std::fs::write(&path, "reuse: false\n").unwrap();
    let config = Config::read(&path).unwrap();
    assert!(!config.engine.reuse && config.base == folder.path());
}

#[test]
fn settings_of_a_breaker_that_have_no_effect_are_warned_of() {
    let config =
        parse("sources: { s: { rest: { url: http://h }, breaker: { open: 10s, max_open: 1m } } }");
    let config = config.unwrap();
    assert_eq!(config.sources[0].upstream.breaker.open.as_secs(), 5);
    let shown = render(&config.problems, false);
    assert!(shown.contains("`open` is at most 5s: 5s is used"), "{shown}");
    assert!(shown.contains("`max_open` is no longer used"), "{shown}");
}

/// Returns whether it is a secret of a source, or a part of one.
fn is_hidden(path: &str) -> bool {
    let Some(key) = path.strip_prefix("sources.*.auth.") else { return false };
    ["bearer", "basic.user", "basic.password", "client_credentials.client_secret"].contains(&key)
}

#[test]
fn every_key_of_the_table_does_something() {
    for key in KEYS {
        let with = |value: &str| match parse(&setting(key.path, value)) {
            Ok(config) => format!("{config:?}"),
            Err(problems) => panic!("{}: {}", key.path, render(&problems, false)),
        };
        let without = match (key.default, key.kind) {
            ("", "number" | "rate") if key.path.starts_with("limits.rate.") => with("7"),
            ("", "duration") => with("2h"),
            ("", "mapping") => with("$claims.other"),
            ("", "header name") => with("x-other"),
            ("", _) if key.path.ends_with("redis.url") => with("redis://other"),
            ("", _) if key.path.ends_with("redis") => with("redis://other"),
            ("", "number") => with("7"),
            // Never printed, so the output shows only that there is one.
            ("", _) if is_hidden(key.path) => {
                format!("{:?}", parse("sources: { s: { rest: { url: http://h } } }").unwrap())
            }
            ("", _) if key.path.ends_with("consul.token") => {
                let service = setting(&key.path.replace(".token", ".service"), "s");
                format!("{:?}", parse(&service).unwrap())
            }
            ("", "address") if key.path.starts_with("sources.") => with("127.0.0.1:1"),
            ("", _) if key.path.starts_with("sources.") => with("http://other"),
            ("", _) if key.path.starts_with("auth.") => with("https://other"),
            ("", _) => format!("{:?}", parse("").unwrap()),
            (default, "word") if default.starts_with('(') => with("other"),
            (default, "number") if default.starts_with('(') => with("7"),
            (default, "mapping") if default.starts_with('(') => with("$.other"),
            (default, "URL") if default.starts_with('(') => with("http://other"),
            (default, _) if default.starts_with('(') => with("true"),
            (default, _) => with(default),
        };
        assert_ne!(with(key.example), without, "{} does nothing", key.path);
    }
}

#[test]
fn every_default_of_the_table_is_the_default() {
    for key in KEYS.iter().filter(|key| !key.default.is_empty() && !key.default.starts_with('(')) {
        let of_source = key.path.starts_with("sources.");
        let read = |text: &str| {
            let mut config = Config { places: Places::default(), ..parse(text).unwrap() };
            config.sources.iter_mut().for_each(|source| source.places = SourcePlaces::default());
            if of_source { format!("{:?}", config.sources) } else { format!("{config:?}") }
        };
        let none = match key.path {
            "auth.providers[].insecure_http" => {
                "auth: { providers: [{ issuer: i, audience: a, jwks_url: https://h }] }".to_owned()
            }
            path if path.starts_with("auth.") => {
                "auth: { providers: [{ issuer: i, audience: a, jwks_file: f }] }".to_owned()
            }
            path if of_redis(path) => {
                setting(&format!("{}.url", path.rsplit_once('.').unwrap().0), "redis://h")
            }
            path if path.contains(".dns.") || path.contains(".consul.") => {
                // A key without an effect replaces the one that is left out.
                let (above, _) = path.rsplit_once('.').unwrap();
                let (key, value) =
                    if path.contains(".dns.") { ("port", "1") } else { ("service", "s") };
                setting(&format!("{above}.{key}"), value)
            }
            path if path.starts_with("sources.*.auth.client_credentials.") => {
                setting("sources.*.auth.client_credentials.client_id", "https://h")
            }
            path if path.starts_with("sources.*.grpc.") => {
                setting("sources.*.grpc.url", "http://h")
            }
            "no_proxy" => "proxy: p:1".to_owned(),
            "sources.*.failures" => setting("sources.*.grpc.url", "http://h"),
            _ if of_source => "sources: { s: { rest: { url: http://h } } }".to_owned(),
            path if path.starts_with("limits.rate.") => {
                format!("limits: {{ rate: {{ {} }} }}", beside_rate(path))
            }
            _ => String::new(),
        };
        assert_eq!(read(&setting(key.path, key.default)), read(&none), "{}", key.path);
    }
}

#[test]
fn docs_configuration_is_written_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == markdown(), "run `UPDATE_DOCS=1 cargo test --lib docs` and commit the page");
}

#[test]
fn what_makes_no_sense_for_persisted_documents_is_refused() {
    for (text, part) in [
        ("{ mode: require }", "without a manifest"),
        (
            "{ mode: require, manifest: [a.json], apq: { enabled: true } }",
            "has no effect with the mode",
        ),
        ("{ mode: strict }", "not a mode"),
        ("{ apq: { redis: redis://h } }", "valid here: `url`, `timeout`, `prefix`"),
        ("{ apq: { redis: { url: 'http://geheim@h' } } }", "redis://host:6379/0"),
        ("{ apq: { ttl: 0s } }", "longer than zero"),
    ] {
        let shown = problems(&format!("persisted: {text}"));
        assert!(shown.contains(part) && shown.contains("1 error"), "{text}: {shown}");
    }
    let config =
        parse("persisted: { apq: { redis: { url: 'redis://:${TOKEN}@cache' } } }").unwrap();
    assert!(!format!("{config:?}").contains("geheim"), "secrets are never printed");
}

#[test]
fn rates_become_settings() {
    let config = parse(
        r#"
server: { trusted_proxies: [10.0.0.0/8, 192.0.2.7, "fd00::/8"] }
limits:
  rate:
    capacity: 2000
    refill: 90/m
    key: [$claims.sub, $request.headers."x-api-key", $request.ip]
    tiers:
      - { name: gold, when: '$claims.plan->match(["gold", true])', capacity: 9, refill: 5/h }
      - { when: $claims.staff, capacity: 8, refill: 1 }
    redis: { url: "rediss://me:${TOKEN}@cache:6380/2", timeout: 20ms }
    replicas: 3
"#,
    )
    .unwrap();
    let rate = config.engine.rate.as_ref().unwrap();
    assert_eq!((rate.key.len(), rate.tiers.len(), rate.allowance.capacity), (3, 2, 2000));
    assert_eq!(rate.allowance.refill.per, Duration::from_mins(1));
    assert_eq!(rate.tiers[0].name.as_deref(), Some("gold"));
    let engine::Store::Redis { server, fail: engine::Fail::Local, replicas: 3 } = &rate.store
    else {
        panic!("{:?}", rate.store)
    };
    assert_eq!(server.url.to_string(), "rediss://cache:6380/2");
    assert_eq!(server.timeout, Duration::from_millis(20));
    assert_eq!(config.edge.trusted_proxies.len(), 3);
    assert!(!format!("{config:?}").contains("geheim"), "secrets are never printed");
}

#[test]
fn mistakes_of_rates_stand_at_their_places() {
    let text = r#"
server: { trusted_proxies: [0.0.0.0/0, 10.0.0.0/33, proxy.internal] }
limits:
  rate:
    refill: 5/d
    key: [$claims.sub, $args.id, $claim.sub, '"x"']
    tiers: [{ when: $claims.plan->eqq("a"), capacity: 0, name: "a b" }]
    redis: { url: "http://geheim@h" }
    fail: shut
    mode: on
"#;
    let shown = problems(text);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_does_nothing_without_redis_is_refused() {
    let text = "limits: { rate: { capacity: 1, refill: 1, fail: open, replicas: 2 } }";
    let due = ["wrong-value"; 2].to_vec();
    assert_eq!(codes(text).iter().map(|code| code.0).collect::<Vec<_>>(), due);
    assert_eq!(codes("limits: { rate: {} }").len(), 2, "capacity and refill are missing");
}

#[test]
fn redis_has_one_shape_and_other_ones_are_told_of_it() {
    let rate = "capacity: 1, refill: 1, ";
    for (text, part) in [
        (
            format!("limits: {{ rate: {{ {rate} store: {{ redis: r }} }} }}"),
            "limits.rate.redis.url",
        ),
        (format!("limits: {{ rate: {{ {rate} store: memory }} }}"), "not needed for `memory`"),
        (format!("limits: {{ rate: {{ {rate} timeout: 1s }} }}"), "limits.rate.redis.timeout"),
        ("persisted: { apq: { store: { redis: r } } }".to_owned(), "persisted.apq.redis.url"),
        ("cache: { redis: {} }".to_owned(), "`redis` needs `url`"),
        (
            format!("limits: {{ rate: {{ {rate} redis: {{ timeout: 1s }} }} }}"),
            "add `url: redis://host:6379`",
        ),
        ("cache: { redis: redis://h }".to_owned(), "valid here: `url`, `timeout`, `prefix`"),
        ("cache: { redis: { url: redis://h, password: x } }".to_owned(), "`password`"),
    ] {
        let shown = problems(&text);
        assert!(shown.contains(part) && shown.contains("1 error"), "{text}: {shown}");
    }
}

#[test]
fn the_admin_page_is_where_nobody_else_reaches_it_unless_said() {
    let source = "sources: { a: { rest: { url: http://h } } }\n";
    let of =
        |text: &str| parse(&format!("{source}server: {{ admin: {text} }}")).unwrap().edge.admin;
    assert_eq!(of("{}"), edge::Admin { enabled: true, listen: edge::Admin::USUAL, tls: false });
    assert!(edge::Admin::USUAL.ip().is_loopback());
    assert!(!of("{ enabled: false }").enabled);
    assert_eq!(of("{ listen: 0.0.0.0:1 }").listen, "0.0.0.0:1".parse().unwrap());
}

#[test]
fn calls_are_addressed_to_the_host_of_the_url_wherever_instances_are() {
    let uri = |url: &str| {
        let rest = format!("url: '{url}', consul: {{ service: users }}");
        let config = parse(&format!("sources: {{ a: {{ rest: {{ {rest} }} }} }}")).unwrap();
        let Protocol::Rest { site } = &config.sources[0].protocol else { panic!("rest") };
        site.uri(&Address::new("10.0.0.1", 8080).unwrap()).unwrap().to_string()
    };
    assert_eq!(uri("https://users.internal/api"), "https://users.internal:8080/");
    assert_eq!(uri("http://[fd00::5]:4000"), "http://[fd00::5]:8080/");
}

#[test]
fn the_deadline_has_a_header_of_its_own_and_only_for_rest() {
    let said = problems(
        "sources: { a: { grpc: { url: http://h, protos: [a] }, headers: { deadline: x } } }",
    );
    assert!(said.contains("`grpc-timeout`") && said.contains("remove `deadline`"), "{said}");
    for other in ["set: { x-left: a }", "claims: { x-left: sub }", "forward: [x-left]"] {
        let headers = format!("{{ deadline: x-left, {other} }}");
        let said = problems(&format!(
            "sources: {{ a: {{ rest: {{ url: http://h }}, headers: {headers} }} }}"
        ));
        assert!(said.contains("the header `x-left` is also set under"), "{said}");
    }
}

#[test]
fn a_gateway_in_consul_says_where_it_is_reached() {
    let source = "sources: { a: { rest: { url: http://h } } }\n";
    let text = |listen: &str, consul: &str| {
        format!("{source}server:\n  listen: '{listen}'\n  consul: {{ service: gateway{consul} }}\n")
    };
    let of = |listen: &str, consul: &str| {
        let consul = parse(&text(listen, consul)).unwrap().consul.unwrap();
        consul.at(listen.parse().unwrap()).unwrap()
    };
    let plain = of("10.0.0.5:4000", "");
    assert_eq!((plain.host.as_str(), plain.port), ("10.0.0.5", 4000));
    assert_eq!(plain.check, "http://10.0.0.5:4000/ready");
    assert_eq!(plain.agent, "http://127.0.0.1:8500/");
    assert_eq!(of("[fd00::5]:4000", "").check, "http://[fd00::5]:4000/ready");
    let more =
        ", address: gw.internal, port: 443, tags: [a, b], check_interval: 30s, token: '${TOKEN}'";
    let more = of("0.0.0.0:4000", more);
    assert_eq!((more.host.as_str(), more.port), ("gw.internal", 443));
    assert_eq!((more.tags.len(), more.check_every), (2, Duration::from_secs(30)));
    assert!(more.token.as_ref().unwrap() == "geheim" && !format!("{more:?}").contains("geheim"));
    let check = of("10.0.0.5:4000", ", check: 'http://10.0.0.5:9464/ready'").check;
    assert_eq!(check, "http://10.0.0.5:9464/ready");
    let said = problems(&text("0.0.0.0:4000", ""));
    assert!(said.contains("0.0.0.0:4000") && said.contains("address: 10.0.0.5"), "{said}");
    assert_eq!(codes(&text("[::]:4000", "")), [("wrong-value", 4, 22)]);
    assert_eq!(codes(&text("127.0.0.1:0", ", address: a/b")), [("wrong-value", 4, 40)]);
    assert_eq!(codes(&text("127.0.0.1:0", ", port: 0, check_interval: 10ms")).len(), 2);
    let secure = format!(
        "{source}server: {{ listen: '10.0.0.5:1', tls: {{ cert: a, key: b }}, consul: {{ service: g }} }}"
    );
    let settings = parse(&secure).unwrap().consul.unwrap().at("10.0.0.5:1".parse().unwrap());
    assert_eq!(settings.unwrap().check, "https://10.0.0.5:1/ready");
}
