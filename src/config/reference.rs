//! Generates docs/configuration.md from the table of keys.

use super::keys::KEYS;
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration: portcullis.yaml

`portcullis.yaml` says which services there are, and how the gateway calls them and serves clients. This page lists all keys.

```yaml
schema: [\"*.graphql\"]
server: { listen: 127.0.0.1:4000 }
sources:
  users:
    rest: { url: \"${USERS_URL:-http://127.0.0.1:4101}\" }
    timeout: 2s
    headers: { forward: [x-tenant], set: { x-api-key: \"${USERS_KEY:-}\" } }
  products:
    grpc: { url: http://127.0.0.1:50051, protos: [products.proto] }
```

`portcullis serve` reads this file in the working directory, or the file of `--config`. Only `sources` is required. The defaults
of all other keys are safe in production.

`portcullis check` reports all problems of the file at once, each with its line and a caret. For completion in editors, see
[`portcullis schema config`](cli.md#portcullis-schema-apidirectivesconfigerrors).

## Values

| type | how to write it |
|---|---|
| duration | with a unit: `500ms`, `2s`, `5m`, `1h` |
| size | with a unit: `900B`, `100kB` (1,000), `512KiB` (1,024), `1MB`, `1MiB`, `1GB`, `1GiB` |
| file, glob | relative to `portcullis.yaml` |
| list | `[a, b]`, or one value without brackets |
| name of a source | the name that the schema uses: `@rest(source: \"users\", …)` |

**Environment variables.** `${NAME}` is the value of the variable `NAME`. `${NAME:-default}` has a default, for a variable that is
unset or empty. `$$` is a dollar sign. An unset variable without a default is a problem. The content of a variable is always a
value, never YAML.

**Limits** have a mode: `limits: { depth: 15 }` is short for `limits: { depth: { max: 15, mode: enforce } }`.

| mode | an operation that exceeds the limit |
|---|---|
| `enforce` | is refused |
| `measure` | runs; it is logged (one line for each limit and ten seconds) and counted in `portcullis_limit_exceeded_total{limit,mode}` |
| `off` | runs |

Limits that protect the process itself apply in every mode.

**Strict YAML.** Unknown keys, duplicate keys, tags, anchors and aliases are problems.
";

const TABLE: &str = "\
| key | type | default | meaning |
|---|---|---|---|
";

/// Keys without which their mapping is refused.
const REQUIRED: &[&str] = &[
    "server.consul.service",
    "limits.rate.capacity",
    "limits.rate.refill",
    "limits.rate.tiers[].when",
    "limits.rate.tiers[].capacity",
    "limits.rate.tiers[].refill",
    "auth.providers[].issuer",
    "auth.providers[].audience",
    "sources.*.rest.dns.name",
    "sources.*.rest.consul.service",
    "sources.*.grpc.dns.name",
    "sources.*.grpc.consul.service",
    "sources.*.auth.basic.user",
    "sources.*.auth.basic.password",
    "sources.*.auth.client_credentials.token_url",
    "sources.*.auth.client_credentials.client_id",
    "sources.*.auth.client_credentials.client_secret",
];

/// Headings, each before the first key that begins with the text beside it.
const SECTIONS: &[(&str, &str)] = &[
    ("schema", "Schema: `schema`"),
    ("server.listen", "Server: `server`"),
    ("server.tls", "TLS, metrics and the admin page"),
    ("server.consul", "Registration in Consul: `server.consul`"),
    ("server.trace_sample", "Traces, proxies, CORS, CSRF and status codes"),
    ("limits.body", "Limits of requests: `limits`"),
    ("limits.cost", "Cost: `limits.cost`"),
    ("limits.rate", "Rate limits: `limits.rate`"),
    ("auth", "Authentication: `auth`"),
    ("subscriptions", "Subscriptions: `subscriptions`"),
    ("persisted", "Persisted queries: `persisted`"),
    ("guards", "Authorization, reuse and the cache"),
    ("zone", "Zone and forward proxy"),
    ("sources.*.rest", "REST sources: `sources.NAME.rest`"),
    ("sources.*.grpc", "gRPC sources: `sources.NAME.grpc`"),
    ("sources.*.timeout", "Timeouts and connections of a source"),
    ("sources.*.balance", "Load balancing, ejection, circuit breaker and retries"),
    ("sources.*.tls", "TLS and concurrency of a source"),
    ("sources.*.headers", "Headers and credentials of a source"),
    ("sources.*.config", "Replies and the cache of a source"),
];

/// Returns the content of docs/configuration.md.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let mut sections = SECTIONS.iter().peekable();
    for key in KEYS {
        // Writing to a String cannot fail.
        if let Some((_, heading)) = sections.next_if(|(first, _)| key.path.starts_with(first)) {
            let _ = write!(page, "\n## {heading}\n\n{TABLE}");
        }
        let default = match key.default {
            "" if REQUIRED.contains(&key.path) => "required".to_owned(),
            "" => "none".to_owned(),
            default if default.starts_with('(') => default.to_owned(),
            default => format!("`{default}`"),
        };
        let path = key.path.replace('*', "NAME");
        let _ = writeln!(page, "| `{path}` | {} | {default} | {} |", key.kind, key.text);
    }
    debug_assert!(sections.peek().is_none(), "a heading has no key");
    page.push_str("\nThis page is written from the table in src/config/keys.rs (`UPDATE_DOCS=1 cargo test --lib docs`).\n");
    page
}
