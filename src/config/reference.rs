//! docs/configuration.md, written from the table of keys.

use super::keys::KEYS;
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration: portcullis.yaml

`portcullis serve` reads `portcullis.yaml` in the working directory, or the file that `--config` names. Everything has a
default that is safe in production; only `sources` has to be there. `portcullis check` says everything that is wrong with
a file at once, each with its line and a caret.

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

- **Variables.** `${NAME}` is the environment variable `NAME`, `${NAME:-default}` has a default for when it is unset or
  empty, `$$` is a dollar sign. An unset variable without a default is a problem. A variable's content is always a value,
  never YAML.
- **Durations** have a unit: `500ms`, `2s`, `5m`, `1h`. **Sizes** too: `900B`, `100kB` (1,000), `512KiB` (1,024), `1MB`,
  `1MiB`, `1GB`, `1GiB`.
- **Names.** A source's name is what the SDL says in `@rest(source: \"users\", …)`.
- **Limits** have a mode: `limits: { depth: 15 }` is short for `{ depth: { max: 15, mode: enforce } }`. `measure` serves what
  exceeds the limit, logs it (a line for each limit and ten seconds) and counts it in
  `portcullis_limit_exceeded_total{limit,mode}`; `off` serves it. What protects the process itself holds in every mode.
- An unknown key is a problem, and so is a key twice, a tag, an anchor or an alias.

| key | value | default | what it does |
|---|---|---|---|
";

/// Keys without which the mapping that they belong to is refused.
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

/// The page as it stands in docs/configuration.md.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for key in KEYS {
        let default = match key.default {
            "" if REQUIRED.contains(&key.path) => "required".to_owned(),
            "" => "none".to_owned(),
            default if default.starts_with('(') => default.to_owned(),
            default => format!("`{default}`"),
        };
        let path = key.path.replace('*', "NAME");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{path}` | {} | {default} | {} |", key.kind, key.text);
    }
    page.push_str("\nThis page is written from the table in src/config/keys.rs (`UPDATE_DOCS=1 cargo test --lib docs`).\n");
    page
}
