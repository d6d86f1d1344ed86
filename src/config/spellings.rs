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
        "where clients are served is `server.listen`, such as `0.0.0.0:8080`",
    ),
    (SERVER, &["endpoint", "graphqlendpoint"], "the path of the endpoint is `server.path`"),
    (SERVER, &["graphiql", "sandbox"], "it is `server.playground: true`"),
    (
        SERVER,
        &["showdetails", "debug", "dev"],
        "it is `server.expose_upstream_errors: true`, or `portcullis serve --dev`",
    ),
    (
        SERVER,
        &["loglevel", "log", "logging"],
        "what is logged is an option of `portcullis serve`: see `portcullis serve --help`",
    ),
    (SERVER, &["workers", "threads"], "leave it out: there is a thread for each core"),
    (SERVER, &["apq"], "it is `persisted.apq.enabled: true`"),
    (
        SERVER,
        &["headers", "responseheaders"],
        "response headers of a service that clients receive are `sources.*.headers.return`",
    ),
    (
        SERVER,
        &["querytimeout", "requesttimeout", "globalresponsetimeout"],
        "it is `server.timeout`, such as `10s`",
    ),
    (
        &["server.cors"],
        &["alloworigins", "allowedorigins", "allowanyorigin", "origin"],
        "it is `server.cors.origins`",
    ),
    (
        TOP,
        &["subgraphs", "services", "upstreams", "apis", "datasources", "connectors", "source"],
        "services are entries under `sources`: `users: { rest: { url: \"http://users:8080\" } }`",
    ),
    (
        TOP,
        &["schemas", "supergraph", "schemapath", "typedefs", "sdl", "links", "link"],
        "the SDL files are `schema: [\"*.graphql\"]`",
    ),
    (
        TOP,
        &["jwt", "authentication", "jwks", "authn", "authorization"],
        "it is `auth: { providers: [{ issuer: …, audience: …, jwks_url: … }] }`",
    ),
    (TOP, &["port", "host"], "where clients are served is `server.listen`, such as `0.0.0.0:8080`"),
    (
        TOP,
        &["headers"],
        "headers of a service are `sources.*.headers.forward` and `sources.*.headers.set`",
    ),
    (TOP, &["ratelimit", "ratelimits", "trafficshaping"], "it is `limits.rate`"),
    (TOP, &["persistedqueries", "trusteddocuments", "apq"], "it is `persisted`"),
    (TOP, &["metrics", "prometheus"], "it is `server.metrics.listen`"),
    (TOP, &["maxdepth", "depthlimit"], "it is `limits.depth`"),
    (&["limits"], &["maxdepth", "depthlimit"], "it is `limits.depth`"),
    (&["limits"], &["maxaliases"], "it is `limits.aliases`"),
    (&["limits"], &["maxrootfields"], "it is `limits.root_fields`"),
    (&["limits"], &["complexity", "maxcost", "maxcomplexity"], "it is `limits.cost.max`"),
    (ANY, &["retries", "maxretries", "numretries"], "it is `sources.*.retry.attempts`"),
    (
        &["sources.*.retry"],
        &["max", "count", "retries", "maxattempts", "maxretries"],
        "it is `sources.*.retry.attempts`",
    ),
    (
        &["sources.*.retry"],
        &["interval", "delay", "initialbackoff", "minbackoff"],
        "it is `sources.*.retry.backoff`",
    ),
    (
        &["sources.*"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "the address is `sources.*.rest.url` or `sources.*.grpc.url`",
    ),
    (
        &["sources.*.rest"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "the address is `sources.*.rest.url`",
    ),
    (
        &["sources.*.grpc"],
        &["baseurl", "endpoint", "baseuri", "uri", "address", "addr", "host", "server", "target"],
        "the address is `sources.*.grpc.url`",
    ),
    (
        SOURCE,
        &["proto", "protofile", "protofiles", "source"],
        "the files are `sources.*.grpc.protos`: `[service.proto]`",
    ),
    (
        SOURCE,
        &["include", "includes", "includedirs", "includepaths", "importpaths", "protopath"],
        "the folders that imports begin in are `sources.*.grpc.proto_paths`",
    ),
    (
        SOURCE,
        &["descriptorset", "descriptorsets", "protoset", "protosets", "filedescriptorset"],
        "compiled descriptor sets are `sources.*.grpc.descriptors`: `[service.binpb]`",
    ),
    (
        SOURCE,
        &["usereflection", "serverreflection", "reflect", "introspect"],
        "the service is asked with `sources.*.grpc.reflection: true`",
    ),
    (
        SOURCE,
        &["http", "https", "kind", "type", "protocol", "handler"],
        "a source has `rest: { url: … }` or `grpc: { url: …, protos: […] }`",
    ),
    (
        SOURCE,
        &["operationheaders", "schemaheaders", "header", "requestheaders", "headers", "propagate"],
        "headers of a service are `sources.*.headers.forward` and `sources.*.headers.set`",
    ),
    (
        &["sources.*.headers"],
        &["add", "insert", "values", "request", "default"],
        "fixed headers are `sources.*.headers.set`",
    ),
    (
        &["sources.*.headers"],
        &["propagate", "passthrough", "allow", "allowed", "named", "passthroughs"],
        "headers of the client that go along are `sources.*.headers.forward`",
    ),
    (SOURCE, &["circuitbreaker"], "it is `sources.*.breaker`"),
    (SOURCE, &["loadbalancing", "loadbalancer", "lb"], "it is `sources.*.balance`"),
    (SOURCE, &["outlierdetection"], "it is `sources.*.ejection`"),
    (
        SOURCE,
        &["pool", "poolsize", "maxconnections", "maxinflight", "bulkhead", "concurrencylimit"],
        "it is `sources.*.concurrency.max`",
    ),
    (
        SOURCE,
        &["requesttimeout", "readtimeout", "deadline"],
        "it is `sources.*.timeout`, such as `2s`",
    ),
    (SOURCE, &["dialtimeout", "connectiontimeout"], "it is `sources.*.connect_timeout`"),
    (
        SOURCE,
        &["variables", "vars", "params", "parameters"],
        "values for the texts of bindings are `sources.*.config`, named with `$config`",
    ),
    (
        SOURCE,
        &["ca", "cert", "key", "insecure", "certificate", "certificates"],
        "certificates are `sources.*.tls`",
    ),
    (
        SOURCE,
        &["batch", "batching"],
        "a batch is an argument of the binding: `batch: { reply: BY_KEY, key: \"id\" }`",
    ),
    (SOURCE, &["cachettl", "ttl"], "it is `sources.*.cache.max_age`"),
    (
        &["auth.providers[]"],
        &["jwks", "jwksuri", "jwkurl", "jwksurl"],
        "it is `jwks_url`, or `jwks_file` for a file",
    ),
    (&["auth.providers[]"], &["issuers", "iss"], "it is `issuer`: one entry for each issuer"),
    (&["auth.providers[]"], &["audiences", "aud"], "it is `audience`"),
    (
        &["auth"],
        &["issuer", "jwks", "jwksurl", "audience", "jwt"],
        "it stands in `auth.providers`: `[{ issuer: …, audience: …, jwks_url: … }]`",
    ),
];
