//! Key names of other gateways, and the corresponding settings here.

/// Returns the setting that corresponds to an unknown `key` below `path`.
pub(super) fn ours(path: &str, key: &str) -> Option<&'static str> {
    let key = key.to_lowercase().replace(['-', '_'], "");
    let of = |(places, names, _): &&(&[&str], &[&str], &'static str)| {
        places.contains(&path) && names.contains(&&*key)
    };
    SPELLINGS.iter().find(of).map(|found| found.2)
}

const TOP: &[&str] = &[""];
const SERVER: &[&str] = &["", "server"];
const SOURCE: &[&str] = &["sources.*", "sources.*.rest", "sources.*.grpc"];
const ANY: &[&str] = &["", "sources.*", "sources.*.rest", "sources.*.grpc"];

/// For each spelling: the paths, the names in lower case without `_` and `-`, and the key here.
const SPELLINGS: &[(&[&str], &[&str], &str)] = &[
    (
        SERVER,
        &["port", "host", "hostname", "bind", "address"],
        "use `server.listen`, such as `0.0.0.0:8080`",
    ),
    (SERVER, &["endpoint", "graphqlendpoint"], "use `server.path`"),
    (SERVER, &["graphiql", "sandbox"], "use `server.playground: true`"),
    (
        SERVER,
        &["showdetails", "debug", "dev"],
        "use `server.expose_upstream_errors: true`, or `portcullis serve --dev`",
    ),
    (
        SERVER,
        &["loglevel", "log", "logging"],
        "set logging with options of `portcullis serve`: see `portcullis serve --help`",
    ),
    (SERVER, &["workers", "threads"], "remove it: the gateway runs one thread for each core"),
    (SERVER, &["apq"], "use `persisted.apq.enabled: true`"),
    (
        SERVER,
        &["headers", "responseheaders"],
        "use `sources.*.headers.return` for response headers that clients receive",
    ),
    (
        SERVER,
        &["querytimeout", "requesttimeout", "globalresponsetimeout"],
        "use `server.timeout`, such as `10s`",
    ),
    (
        &["server.cors"],
        &["alloworigins", "allowedorigins", "allowanyorigin", "origin"],
        "use `server.cors.origins`",
    ),
    (
        TOP,
        &["subgraphs", "services", "upstreams", "apis", "datasources", "connectors", "source"],
        "list services under `sources`: `users: { rest: { url: \"http://users:8080\" } }`",
    ),
    (
        TOP,
        &["schemas", "supergraph", "schemapath", "typedefs", "sdl", "links", "link"],
        "use `schema: [\"*.graphql\"]` for the schema files",
    ),
    (
        TOP,
        &["jwt", "authentication", "jwks", "authn", "authorization"],
        "use `auth: { providers: [{ issuer: …, audience: …, jwks_url: … }] }`",
    ),
    (TOP, &["port", "host"], "use `server.listen`, such as `0.0.0.0:8080`"),
    (TOP, &["headers"], "use `sources.*.headers.forward` and `sources.*.headers.set`"),
    (TOP, &["ratelimit", "ratelimits", "trafficshaping"], "use `limits.rate`"),
    (TOP, &["persistedqueries", "trusteddocuments", "apq"], "use `persisted`"),
    (TOP, &["metrics", "prometheus"], "use `server.metrics.listen`"),
    (TOP, &["maxdepth", "depthlimit"], "use `limits.depth`"),
    (&["limits"], &["maxdepth", "depthlimit"], "use `limits.depth`"),
    (&["limits"], &["maxaliases"], "use `limits.aliases`"),
    (&["limits"], &["maxrootfields"], "use `limits.root_fields`"),
    (&["limits"], &["complexity", "maxcost", "maxcomplexity"], "use `limits.cost.max`"),
    (ANY, &["retries", "maxretries", "numretries"], "use `sources.*.retry.attempts`"),
    (
        &["sources.*.retry"],
        &["max", "count", "retries", "maxattempts", "maxretries"],
        "use `sources.*.retry.attempts`",
    ),
    (
        &["sources.*.retry"],
        &["interval", "delay", "initialbackoff", "minbackoff"],
        "use `sources.*.retry.backoff`",
    ),
    (
        &["sources.*"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "use `sources.*.rest.url` or `sources.*.grpc.url`",
    ),
    (
        &["sources.*.rest"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "use `sources.*.rest.url`",
    ),
    (
        &["sources.*.grpc"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "use `sources.*.grpc.url`",
    ),
    (
        SOURCE,
        &["proto", "protofile", "protofiles", "source"],
        "use `sources.*.grpc.protos`: `[service.proto]`",
    ),
    (
        SOURCE,
        &["include", "includes", "includedirs", "includepaths", "importpaths", "protopath"],
        "use `sources.*.grpc.proto_paths` for the folders in which imports start",
    ),
    (
        SOURCE,
        &["descriptorset", "descriptorsets", "protoset", "protosets", "filedescriptorset"],
        "use `sources.*.grpc.descriptors` for compiled descriptor sets: `[service.binpb]`",
    ),
    (
        SOURCE,
        &["usereflection", "serverreflection", "reflect", "introspect"],
        "use `sources.*.grpc.reflection: true`",
    ),
    (
        SOURCE,
        &["http", "https", "kind", "type", "protocol", "handler"],
        "use `rest: { url: … }` or `grpc: { url: …, protos: […] }`",
    ),
    (
        SOURCE,
        &["operationheaders", "schemaheaders", "header", "requestheaders", "headers", "propagate"],
        "use `sources.*.headers.forward` and `sources.*.headers.set`",
    ),
    (
        &["sources.*.headers"],
        &["add", "insert", "values", "request", "default"],
        "use `sources.*.headers.set` for headers with a fixed value",
    ),
    (
        &["sources.*.headers"],
        &["propagate", "passthrough", "allow", "allowed", "named", "passthroughs"],
        "use `sources.*.headers.forward` for headers of the client's request",
    ),
    (SOURCE, &["circuitbreaker"], "use `sources.*.breaker`"),
    (SOURCE, &["loadbalancing", "loadbalancer", "lb"], "use `sources.*.balance`"),
    (SOURCE, &["outlierdetection"], "use `sources.*.ejection`"),
    (
        SOURCE,
        &["pool", "poolsize", "maxconnections", "maxinflight", "bulkhead", "concurrencylimit"],
        "use `sources.*.concurrency.max`",
    ),
    (
        SOURCE,
        &["requesttimeout", "readtimeout", "deadline"],
        "use `sources.*.timeout`, such as `2s`",
    ),
    (SOURCE, &["dialtimeout", "connectiontimeout"], "use `sources.*.connect_timeout`"),
    (
        SOURCE,
        &["variables", "vars", "params", "parameters"],
        "use `sources.*.config`, which bindings read as `$config`",
    ),
    (
        SOURCE,
        &["ca", "cert", "key", "insecure", "certificate", "certificates"],
        "use `sources.*.tls` for certificates",
    ),
    (
        SOURCE,
        &["batch", "batching"],
        "use the argument `batch` of the binding: `batch: { reply: BY_KEY, key: \"id\" }`",
    ),
    (SOURCE, &["cachettl", "ttl"], "use `sources.*.cache.max_age`"),
    (
        &["auth.providers[]"],
        &["jwks", "jwksuri", "jwkurl", "jwksurl"],
        "use `jwks_url`, or `jwks_file` for a file",
    ),
    (&["auth.providers[]"], &["issuers", "iss"], "use `issuer`, with one entry for each issuer"),
    (&["auth.providers[]"], &["audiences", "aud"], "use `audience`"),
    (
        &["auth"],
        &["issuer", "jwks", "jwksurl", "audience", "jwt"],
        "move it into `auth.providers`: `[{ issuer: …, audience: …, jwks_url: … }]`",
    ),
];
