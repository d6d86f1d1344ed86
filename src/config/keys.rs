//! Every key of `portcullis.yaml`, once: the reader asks this table what is known, and docs/configuration.md is
//! written from it.

/// A key, or one that any source may have (`sources.*.…`).
pub struct Key {
    /// From the top, joined with dots; `*` stands for a name of the user's choosing, and `[]` for each of a list.
    pub path: &'static str,
    pub kind: &'static str,
    /// As one would write it; empty where there is none, in parentheses where it depends on others.
    pub default: &'static str,
    /// As one would write it; differs from the default.
    pub example: &'static str,
    pub text: &'static str,
}

const fn key(
    path: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    text: &'static str,
) -> Key {
    Key { path, kind, default, example, text }
}

/// Kinds of limits: a value, or `{ max: …, mode: … }`.
const LIMIT: &str = "number, or with a mode";
const SIZE_LIMIT: &str = "size, or with a mode";

/// In the order of the documentation.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("schema", "list of globs", r#"["*.graphql"]"#, r#"["graph/**/*.graphql"]"#,
        "The SDL files, relative to this file."),
    key("server.listen", "address", "127.0.0.1:4000", "0.0.0.0:8080",
        "Where clients are served. The default serves this machine only; port 0 takes a free one."),
    key("server.path", "path", "/graphql", "/api/graphql", "The path of the GraphQL endpoint."),
    key("server.playground", "boolean", "false", "true",
        "GraphiQL at `/`, from the binary itself. It needs `introspection` to know the schema."),
    key("server.introspection", "boolean", "false", "true",
        "`__schema` and `__type` are answered."),
    key("server.expose_upstream_errors", "boolean", "false", "true",
        "Field errors have what went wrong upstream under `extensions.detail`, at most 1,500 characters. For development: it may hold a service's own words and address."),
    key("server.timeout", "duration", "15s", "5s",
        "The time one request may take, all its calls included."),
    key("server.shutdown_grace", "duration", "10s", "30s",
        "How long requests in flight may go on once the gateway is told to stop."),
    key("server.connections", "number", "10000", "500",
        "Open client connections. Further ones wait in the system's queue."),
    key("server.connections_per_ip", "number", "1000", "50",
        "Open connections of one client address; an IPv6 /64 counts as one. Further ones are closed at once. Trusted proxies have as many as they like."),
    key("server.memory", "size", "512MiB", "2GiB",
        "Maximum bytes that requests hold in the whole process: replies of services that running operations read, and answers that clients have not read yet. Answers may have half of it. Anything beyond it is `OVERLOADED`: see [http.md](http.md#bytes-that-requests-hold)."),
    key("server.client_share", "percentage", "10%", "100%",
        "The share of `server.connections`, of `subscriptions.max` and of `server.memory` that one client may hold once more than half is taken: see [http.md](http.md#a-share-for-each-client). `100%`: no such limit."),
    key("server.header_timeout", "duration", "10s", "3s",
        "The time a client may take to send a request's head. The first one is due this long after the connection is accepted, TLS included."),
    key("server.body_timeout", "duration", "30s", "5s",
        "The time a client may take to send a request's body."),
    key("server.idle_timeout", "duration", "75s", "20s",
        "How long a connection is kept between two requests."),
    key("server.access_log", "boolean", "true", "false",
        "One log line per request: method, path, status, operation name and hash, request and trace ids, bytes, time."),
    key("server.compression", "boolean", "true", "false",
        "Answers are compressed for clients that ask for it, and requests may be compressed: gzip, br, deflate."),
    key("server.tls.cert", "file", "", "server.pem",
        "The certificate and those between it and the root, in PEM, relative to this file. Read again when it changes."),
    key("server.tls.key", "file", "", "server.key", "The private key, in PEM."),
    key("server.tls.client_ca", "file", "", "clients.pem",
        "Roots, in PEM. Clients must show a certificate of one of them."),
    key("server.metrics.listen", "address", "", "127.0.0.1:9464",
        "An address of its own for `/metrics` (Prometheus), with `/health` and `/ready` beside it. Plain HTTP, whatever the endpoint speaks, unless `tls` is set."),
    key("server.metrics.tls", "boolean", "false", "true",
        "`server.metrics.listen` speaks TLS, with the certificate of `server.tls`; with its `client_ca`, scrapers need a certificate too."),
    key("server.metrics.public", "boolean", "false", "true",
        "`/metrics` where clients are served, for whoever can reach it."),
    key("server.admin.listen", "address", "127.0.0.1:4099", "10.0.0.5:4099",
        "Where `/admin/upstreams` is: how the instances of all sources are, for people and for `portcullis top`. There is no login: who reaches the address reads the page. Where the default is taken, the gateway warns and goes on without it."),
    key("server.admin.enabled", "boolean", "true", "false", "Whether there is such a page."),
    key("server.admin.tls", "boolean", "false", "true",
        "`server.admin.listen` speaks TLS, with the certificate of `server.tls`; with its `client_ca`, people need a certificate too. Otherwise it is plain HTTP, whatever the endpoint speaks."),
    key("server.consul.service", "name", "", "gateway",
        "The gateway registers itself in Consul under this name while it serves: see [discovery.md](discovery.md#being-found-serverconsul)."),
    key("server.consul.address", "host", "(where it listens)", "10.0.0.5",
        "Where others reach it. Has to be there where `server.listen` is `0.0.0.0` or `[::]`."),
    key("server.consul.port", "number", "(where it listens)", "443", "On which port."),
    key("server.consul.tags", "list of texts", "[]", "[graphql]", "What it is found by."),
    key("server.consul.check", "URL", "(`/ready` there)", "http://10.0.0.5:9464/ready",
        "What the agent asks to see that the gateway is well; for a gateway with TLS that the agent does not trust, `/ready` of `server.metrics.listen`."),
    key("server.consul.check_interval", "duration", "10s", "30s", "How often the agent asks; at least `1s`."),
    key("server.consul.agent", "URL", "http://127.0.0.1:8500", "https://consul.internal:8501",
        "Scheme, host and port of a Consul agent."),
    key("server.consul.token", "text", "", "s3cret",
        "An ACL token, which needs `service:write`. It is never printed."),
    key("server.trace_sample", "percentage", "100%", "0.5%",
        "Of the traces that begin here, the share that is marked to be recorded. A trace that a client begins is its own affair."),
    key("server.trusted_proxies", "list of networks", "[]", "[10.0.0.0/16, 192.168.1.7]",
        "Proxies whose `x-request-id` and `X-Forwarded-For` are believed, the latter read from the right: see [rate-limits.md](rate-limits.md#behind-proxies)."),
    key("server.cors.origins", "list of origins", "[]", r#"["https://shop.example.com"]"#,
        "The web origins that may read answers in a browser; `*` for any. Empty: none, and no CORS header is sent."),
    key("server.cors.credentials", "boolean", "false", "true",
        "Browsers send cookies along. Not together with the origin `*`."),
    key("server.cors.max_age", "duration", "10m", "1h",
        "How long a browser may remember the answer to a preflight."),
    key("server.csrf.headers", "list of header names",
        "[x-portcullis-csrf, apollo-require-preflight, x-apollo-operation-name, graphql-preflight]", "[x-shop]",
        "A request that a browser would send for any website is taken with one of these headers only."),
    key("server.csrf.strict_get", "boolean", "false", "true",
        "A `GET` needs one of these headers as well, unless the browser says that it is of the same origin."),
    key("server.batching.max", "number", "", "10",
        "The operations that one body may list. Absent: lists are refused."),
    key("server.draft_status_codes", "boolean", "false", "true",
        "Under `application/graphql-response+json`: 294 for partial answers, 422 for what makes no sense, 408 for bodies that do not arrive."),
    key("limits.body", SIZE_LIMIT, "1MiB", "256KiB", "The largest request body."),
    key("limits.depth", LIMIT, "15", "8", "Levels of selection sets in an operation."),
    key("limits.aliases", LIMIT, "30", "5", "Aliases in an operation."),
    key("limits.root_fields", LIMIT, "20", "4", "Fields at the root of an operation."),
    key("limits.directives", LIMIT, "50", "10", "Directives in an operation."),
    key("limits.document", SIZE_LIMIT, "256KiB", "64KiB", "The largest text of an operation. What is long belongs into variables."),
    key("limits.tokens", LIMIT, "5000", "1000", "Words and signs of an operation's text."),
    key("limits.selections", LIMIT, "10000", "2000",
        "Selections of an operation once its fragments are expanded."),
    key("limits.variables", LIMIT, "20000", "1000",
        "Values in a request's variables, those in lists and objects included."),
    key("limits.response", SIZE_LIMIT, "16MiB", "{ max: 1MiB, mode: measure }",
        "Bytes of a response; past it, `data` is null. What entities share is written as often as it is asked for."),
    key("limits.reply_values", "number", "1000000", "100000",
        "Maximum number of values that are read and kept of one reply of a source: fields, list elements, and the elements that a mapping's methods go through. What nobody asked for is not counted."),
    key("limits.list_size", LIMIT, "{ max: 10, mode: off }", "50",
        "The length assumed for a list without `@listSize` where calls and cost are counted ahead."),
    key("limits.fan_out", LIMIT, "1000", "{ max: 50, mode: measure }",
        "Calls to sources that an operation can come to at the worst, counted before the first one."),
    key("limits.cost.max", "number", "500000", "2000",
        "What an operation may cost: see [cost.md](cost.md)."),
    key("limits.cost.mode", "`enforce`, `measure` or `off`", "enforce", "measure",
        "Of `max`, and of the rule that a list's slicing argument is given."),
    key("limits.cost.call_weight", "number", "1", "5", "Cost of one call to a source; 0 charges for fields alone."),
    key("limits.cost.expose", "boolean", "(true with `limits.cost` or `limits.rate`)", "false",
        "Answers tell what they cost under `extensions.cost`."),
    key("limits.rate.capacity", "number", "", "2000",
        "What a caller may spend at once, in units of cost: see [rate-limits.md](rate-limits.md)."),
    key("limits.rate.refill", "rate", "", "600/m",
        "What flows into a caller's bucket: `100` or `100/s`, `600/m`, `5000/h`."),
    key("limits.rate.key", "list of mappings", "[$claims.sub, $request.ip]", r#"['$request.headers."x-api-key"']"#,
        "Who a caller is: the first that is not null."),
    key("limits.rate.tiers", "list", "[]", "[{ when: $claims.staff, capacity: 9, refill: 9 }]",
        "Other buckets for some callers; the first one whose `when` is true counts."),
    key("limits.rate.tiers[].when", "mapping", "", "$claims.staff", "Who is in it: where this is `true`."),
    key("limits.rate.tiers[].name", "word", "(`tier-1` and so on)", "gold", "Stands in header fields and metrics."),
    key("limits.rate.tiers[].capacity", "number", "", "2000", "As above."),
    key("limits.rate.tiers[].refill", "rate", "", "600/m", "As above."),
    key("limits.rate.mode", "`enforce`, `measure` or `off`", "enforce", "measure",
        "Whether a request that its bucket does not hold is refused."),
    key("limits.rate.redis.url", "URL", "", "redis://127.0.0.1:6380",
        "A Redis in which gateways keep the buckets together; without it they are in each one's memory. `redis://` or, for TLS, `rediss://`."),
    key("limits.rate.redis.timeout", "duration", "100ms", "20ms", "The longest that a check waits for Redis, connecting included."),
    key("limits.rate.redis.prefix", "text", r#""portcullis:""#, r#""shop:""#, "What its keys begin with. Gateways with the same one share buckets."),
    key("limits.rate.fail", "`open`, `closed` or `local`", "local", "closed",
        "What is done without an answer of Redis."),
    key("limits.rate.replicas", "number", "1", "3", "How many gateways share the buckets; of use for `fail: local`."),
    key("auth.providers[].issuer", "text", "", "https://id.example.com/",
        "Whose tokens are believed: their `iss`, compared letter by letter. Each issuer once."),
    key("auth.providers[].jwks_url", "URL", "", "https://id.example.com/jwks.json",
        "Where its keys are (a JWKS, RFC 7517). This or `jwks_file`."),
    key("auth.providers[].jwks_file", "file", "", "jwks.json",
        "A file with its keys, relative to this file; read anew like a URL. This or `jwks_url`."),
    key("auth.providers[].audience", "list of texts", "", "[shop, admin]",
        "Whom a token must be meant for: one of its `aud` is one of these. `*`: anybody, or nobody."),
    key("auth.providers[].algorithms", "list of algorithms", "[RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]", "[ES256]",
        "What it may sign with. `none` and `HS…` are refused."),
    key("auth.providers[].leeway", "duration", "60s", "5s", "How far clocks may be apart; `10m` at most."),
    key("auth.providers[].refresh", "duration", "10m", "1h",
        "How often its keys are read anew in the background, `10s` at least. A `kid` that is not known does so once more."),
    key("auth.providers[].timeout", "duration", "5s", "1s", "The time one fetch of its keys may take, `30s` at most. The first one is waited for at the start."),
    key("auth.providers[].insecure_http", "boolean", "false", "true",
        "Keys may come over plain HTTP, where whoever is on the way can replace them."),
    key("auth.token.header", "header name", "authorization", "x-access-token",
        "Where a request has its token."),
    key("auth.token.prefix", "word", "Bearer", "Token",
        "The scheme before the token, in any case. Without one (`~`, and the default for another header) the header is the token."),
    key("auth.token.cookie", "cookie name", "~", "session", "A cookie that may hold the token instead."),
    key("auth.on_missing_token", "`allow` or `refuse`", "allow", "refuse",
        "A request without a token is anonymous, or refused with 401. A bad token is always refused."),
    key("auth.cache", "size", "16MiB", "64MiB", "Memory for verified tokens."),
    key("subscriptions.max", "number", "1000", "200",
        "Subscriptions open at once. Each holds a connection to its client and one to its source."),
    key("subscriptions.max_per_connection", "number", "100", "10",
        "Subscriptions open at once on one connection, such as a WebSocket."),
    key("subscriptions.keep_alive", "duration", "15s", "5s",
        "How long a stream is silent before the client is sent a sign of life. A WebSocket that answers none of two is closed."),
    key("subscriptions.init_timeout", "duration", "10s", "3s",
        "The time a client may take to send `connection_init`, once its WebSocket is open."),
    key("persisted.manifest", "list of globs", "[]", r#"["persisted/*.json"]"#,
        "Manifests of trusted documents, relative to this file. Every document in them is checked at load. See [persisted.md](persisted.md)."),
    key("persisted.mode", "mode", "allow", "log",
        "What becomes of a document that is in no manifest: `allow` runs it, `log` runs it and logs it once, `require` refuses it."),
    key("persisted.apq.enabled", "boolean", "false", "true",
        "Automatic persisted queries: clients register documents by their hash."),
    key("persisted.apq.redis.url", "URL", "", "redis://127.0.0.1:6380",
        "A Redis in which gateways keep them together as well; it is not needed. `redis://` or, for TLS, `rediss://`."),
    key("persisted.apq.redis.timeout", "duration", "100ms", "20ms",
        "The time one question to Redis may take; past it, the document is not known."),
    key("persisted.apq.redis.prefix", "text", r#""portcullis:""#, r#""shop:""#, "What its keys begin with."),
    key("persisted.apq.size", "size", "16MiB", "1MiB", "Memory for them."),
    key("persisted.apq.ttl", "duration", "24h", "1h", "How long each is kept."),
    key("guards.mode", "`withhold` or `reject`", "withhold", "reject",
        "What becomes of an operation that asks for something the caller may not see: it runs without it, or is refused with 403."),
    key("operation_cache", "size", "64MiB", "16MiB", "Memory for prepared operations."),
    key("reuse", "boolean", "true", "false",
        "Identical safe calls share one execution, within a request and in flight between requests."),
    key("cache.enabled", "boolean", "true", "false",
        "Replies are kept where the schema or a source says so. Off: none is, whatever they say."),
    key("cache.size", "size", "64MiB", "512MiB", "Memory for kept replies."),
    key("cache.entry", "size", "1MiB", "128KiB", "The largest reply that is kept."),
    key("cache.refreshes", "number", "64", "8",
        "Stale replies that are renewed at the same time in the background."),
    key("cache.bypass", "boolean", "false", "true",
        "Clients may ask for answers that are not kept ones, with `cache-control: no-cache` or `no-store`. Whoever may do that can make every call happen."),
    key("cache.redis.url", "URL", "", "redis://10.0.0.7:6379/1",
        "A Redis in which gateways keep replies together: `redis://` or, for TLS, `rediss://`."),
    key("cache.redis.timeout", "duration", "100ms", "20ms",
        "The time one question to Redis may take; past it, the call is made."),
    key("cache.redis.prefix", "text", r#""portcullis:""#, r#""shop:""#,
        "What its keys begin with. Gateways whose source names mean other services need another one."),
    key("zone", "word", "", "eu-1a",
        "Where this gateway stands. Instances of the same zone are called first, as long as half of them are well."),
    key("sources.*.rest.url", "URL", "", "https://orders.example.com/v2",
        "Where an HTTP service lives. A path in it stands before the path of every call. With `dns`, `consul` or `file`: what calls are addressed to, wherever their connections go."),
    key("sources.*.rest.urls", "list of URLs", "", "[http://10.0.0.1:8080, http://10.0.0.2:8080]",
        "The instances, where there are several. They differ in host and port only. One of `url`, `urls`, `dns`, `consul` and `file`: see [discovery.md](discovery.md)."),
    key("sources.*.rest.dns.name", "host name", "", "users.internal", "A name whose records are the instances. Its time to live is heeded."),
    key("sources.*.rest.dns.type", "`A`, `AAAA` or `SRV`", "A", "SRV", "Which records."),
    key("sources.*.rest.dns.port", "number", "", "8080", "The port of every instance; not with `SRV`, whose records have it."),
    key("sources.*.rest.dns.server", "address", "", "127.0.0.1:8600", "A name server that is asked instead of the system's."),
    key("sources.*.rest.consul.service", "text", "", "users", "A service of a Consul catalogue."),
    key("sources.*.rest.consul.agent", "URL", "http://127.0.0.1:8500", "https://consul.internal:8501", "The agent that is asked."),
    key("sources.*.rest.consul.tag", "list of texts", "[]", "[prod]", "Only instances with all of these tags."),
    key("sources.*.rest.consul.passing", "boolean", "true", "false", "Only instances whose checks all pass."),
    key("sources.*.rest.consul.datacenter", "text", "", "dc2", "Another than the agent's own."),
    key("sources.*.rest.consul.token", "text", "", "s3cret", "An ACL token. It is never printed."),
    key("sources.*.rest.file", "file", "", "instances.json", "A JSON list of instances, relative to this file; read again when it changes."),
    key("sources.*.grpc.url", "URL", "", "http://10.0.0.1:50051", "Where a gRPC service lives. With `dns`, `consul` or `file`: what calls are addressed to."),
    key("sources.*.grpc.urls", "list of URLs", "", "[http://10.0.0.1:8080, http://10.0.0.2:8080]",
        "The instances, where there are several. They differ in host and port only. One of `url`, `urls`, `dns`, `consul` and `file`: see [discovery.md](discovery.md)."),
    key("sources.*.grpc.dns.name", "host name", "", "users.internal", "A name whose records are the instances. Its time to live is heeded."),
    key("sources.*.grpc.dns.type", "`A`, `AAAA` or `SRV`", "A", "SRV", "Which records."),
    key("sources.*.grpc.dns.port", "number", "", "8080", "The port of every instance; not with `SRV`, whose records have it."),
    key("sources.*.grpc.dns.server", "address", "", "127.0.0.1:8600", "A name server that is asked instead of the system's."),
    key("sources.*.grpc.consul.service", "text", "", "users", "A service of a Consul catalogue."),
    key("sources.*.grpc.consul.agent", "URL", "http://127.0.0.1:8500", "https://consul.internal:8501", "The agent that is asked."),
    key("sources.*.grpc.consul.tag", "list of texts", "[]", "[prod]", "Only instances with all of these tags."),
    key("sources.*.grpc.consul.passing", "boolean", "true", "false", "Only instances whose checks all pass."),
    key("sources.*.grpc.consul.datacenter", "text", "", "dc2", "Another than the agent's own."),
    key("sources.*.grpc.consul.token", "text", "", "s3cret", "An ACL token. It is never printed."),
    key("sources.*.grpc.file", "file", "", "instances.json", "A JSON list of instances, relative to this file; read again when it changes."),
    key("sources.*.grpc.protos", "list of files", "", r#"["products.proto"]"#,
        "The service's `.proto` files, relative to this file. Imports are found beside them."),
    key("sources.*.timeout", "duration", "5s", "800ms", "The time one attempt may take."),
    key("sources.*.connect_timeout", "duration", "1s", "250ms",
        "The time a connection may take to be made."),
    key("sources.*.max_reply", "size", "8MiB", "1MiB",
        "The largest reply; a larger one is an error and is not read to its end."),
    key("sources.*.accept_types", "list of media types", "[]", "[text/html, application/octet-stream]",
        "Types, beside those of JSON and `text/plain`, under which the service answers with JSON or text. REST only."),
    key("sources.*.follow", "number", "0", "3",
        "The most redirects that a call which reads follows, within the origin that was called. REST only; at most 10."),
    key("sources.*.keep_alive", "duration", "90s", "30s", "How long an idle connection is kept."),
    key("sources.*.max_age", "duration", "5m", "1m",
        "How long connections are used at all, so that a name's new addresses are seen; give or take a tenth."),
    key("sources.*.stream_idle", "duration", "5m", "45s",
        "How long a stream of server-sent events may be silent, comments included, before it is given up."),
    key("sources.*.balance", "`p2c`, `round_robin` or `least_in_flight`", "p2c", "round_robin",
        "Which instance is called: of two at random the one that will be done sooner, one after another, or the one with the fewest calls under way. See [upstream.md](upstream.md)."),
    key("sources.*.slow_start", "duration", "10s", "1m",
        "How long an instance that is new or was ejected takes to come to its full share of calls."),
    key("sources.*.ejection.failures", "number", "5", "3",
        "Failures in a row after which an instance is left out for a while; `0`: never."),
    key("sources.*.ejection.time", "duration", "30s", "10s", "For how long, times how often it was ejected lately; at most ten times."),
    key("sources.*.ejection.max", "percentage", "50%", "30%", "Of the instances, the share that may be left out at once. One that fails everything may be left out beyond it while another is healthy; one that accepts no connections is left out in any case."),
    key("sources.*.breaker.enabled", "boolean", "true", "false", "A source whose calls fail is left alone for a while."),
    key("sources.*.breaker.failures", "percentage", "50%", "80%", "Of the calls in `window`, the share that must have failed."),
    key("sources.*.breaker.calls", "number", "20", "100", "With fewer calls in `window` it does not open; so many failures in a row open it, whatever was before."),
    key("sources.*.breaker.window", "duration", "10s", "30s", "What is looked at."),
    key("sources.*.breaker.open", "duration", "2s", "1s", "While it is open, one call passes each so often, to see whether the source is back. At most `5s`."),
    key("sources.*.breaker.max_open", "duration", "1m", "10s", "No longer used; read with a warning. The open time does not grow."),
    key("sources.*.retry.attempts", "number", "3", "2", "Attempts of a call in all, the first included; `1`: no retries. Attempts after one that was not sent do not count."),
    key("sources.*.retry.budget", "percentage", "10%", "20%", "Retries in each second, as a share of that second's calls. Hedges are paid out of it, too."),
    key("sources.*.retry.free", "number", "3", "0", "Retries in each second beside the share."),
    key("sources.*.retry.burst", "number", "10", "0", "Retries beside both, once at the beginning of a fault."),
    key("sources.*.retry.backoff", "duration", "25ms", "100ms", "The longest wait before the second try; twice as long before each further one."),
    key("sources.*.retry.max_backoff", "duration", "1s", "5s", "The longest `backoff` becomes."),
    key("sources.*.hedge", "boolean", "false", "true",
        "A second attempt at another instance when the first takes longer than 95 of 100 do. Only for calls that may be made twice, and within the retry budget."),
    key("sources.*.tls.ca", "file", "", "internal-ca.pem",
        "Roots in PEM, relative to this file, that `https` instances are trusted by instead of the system's."),
    key("sources.*.tls.cert", "file", "", "gateway.pem", "The certificate that the gateway shows, in PEM, with those between it and the root. Read again when connections are made anew (`max_age`)."),
    key("sources.*.tls.key", "file", "", "gateway.key", "Its private key, in PEM."),
    key("sources.*.concurrency.max", "number", "256", "32", "Maximum number of calls in flight. Fewer are in flight while the service answers more of them no sooner: see `adapt`."),
    key("sources.*.concurrency.waiting", "number", "1024", "0", "Calls that may wait for their turn; further ones fail at once with `OVERLOADED`."),
    key("sources.*.concurrency.age", "duration", "", "200ms", "The longest time that a call waits for its turn. Without it: half of what a call takes while the service is healthy, where the queue is a standing one; otherwise a second, or twenty times as long as a call takes."),
    key("sources.*.concurrency.adapt", "boolean", "true", "false", "Limits calls in flight to as many as the service answers about as fast as few, at most `max`. `false`: always `max`."),
    key("sources.*.headers.forward", "list of header names", "[]", "[x-tenant, authorization]",
        "Headers of the client's request that go along to the source."),
    key("sources.*.headers.set", "header names to values", "{}", r#"{ x-api-key: "${KEY:-k}" }"#,
        "Headers with a fixed value. They win over forwarded ones and are never printed."),
    key("sources.*.headers.claims", "header names to claims", "{}", "{ x-user-id: sub }",
        "Headers that a claim of the caller's token fills. A client's own header of that name never passes, and none is sent for callers without the claim."),
    key("sources.*.headers.return", "list of header names", "[]", "[x-total-count]",
        "Response headers that clients receive. See [rest.md](rest.md#headers-for-the-client)."),
    key("sources.*.headers.return_cookies", "list of cookie names", "[]", "[session]",
        "Cookies that clients receive when the service sets them. Calls of the source are not shared then."),
    key("sources.*.headers.deadline", "header name", "", "x-request-timeout-ms",
        "The header that tells the service how many milliseconds are left for a call. For REST; gRPC has `grpc-timeout`."),
    key("sources.*.config", "anything", "{}", "{ region: eu }",
        "What the SDL reads as `$config`."),
    key("sources.*.is_success", "mapping", "(HTTP 2xx, gRPC OK)", r#""$status->lt(400)->and($.error->size->eq(0))""#,
        "Which replies are a success, for bindings without `isSuccess`. See [rest.md](rest.md#which-replies-are-a-success)."),
    key("sources.*.errors.message", "mapping", "(the gateway's own)", r#""$.error.message""#,
        "The message of a field error whose reply is not a success, for bindings without `errors.message`."),
    key("sources.*.errors.extensions", "mapping", "(nothing)", r#""code: $.error.code""#,
        "What such a reply adds to `extensions`. What a binding adds wins over it. `errorId` and `source` stay the gateway's."),
    key("sources.*.failures", "list of gRPC codes", "[UNAVAILABLE, CANCELLED, INTERNAL, DATA_LOSS]", "[UNAVAILABLE, UNKNOWN]",
        "Which codes of a gRPC service count against the instance that answers with them: for ejection, the breaker and retries. `UNAVAILABLE` and `CANCELLED` are retried in any case; `DEADLINE_EXCEEDED` is a timeout."),
    key("sources.*.reuse", "boolean", "true", "false",
        "Like `reuse` at the top, for this source."),
    key("sources.*.cache.max_age", "duration", "", "30s",
        "How long the replies of calls may be used again of which the schema says nothing. The upstream's headers can shorten it."),
    key("sources.*.cache.from_upstream", "boolean", "false", "true",
        "Replies are also kept where only the upstream's own `Cache-Control` or `Expires` says for how long."),
    key("sources.*.cache.stale_while_revalidate", "duration", "", "10s",
        "How long a stale reply still serves while one call renews it."),
    key("sources.*.cache.stale_if_error", "duration", "", "5m",
        "How long a stale reply may stand in for a failed call, where the schema does not say it."),
];

impl Key {
    /// It may be a mapping of `max` and `mode`.
    fn is_limit(&self) -> bool {
        [LIMIT, SIZE_LIMIT].contains(&self.kind)
    }
}

/// Keys of the schema language that a later version brings.
const LATER: &[&str] = &[
    "sources.*.amqp",
    "sources.*.graphql",
    "sources.*.health",
    "sources.*.grpc.reflection",
    "sources.*.grpc.descriptors",
    "telemetry",
];

/// Keys that people look for at the wrong place: where they look, and where it is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("server.body_limit", "limits.body"),
    ("server.limits", "limits"),
    ("server.cors.max-age", "server.cors.max_age"),
    ("introspection", "server.introspection"),
    ("playground", "server.playground"),
    ("listen", "server.listen"),
    ("timeout", "server.timeout"),
    ("cors", "server.cors"),
    ("limits.rate.store", "limits.rate.redis.url` for Redis, and not needed for `memory"),
    ("limits.rate.timeout", "limits.rate.redis.timeout"),
    ("persisted.apq.store", "persisted.apq.redis.url` for Redis, and not needed for `memory"),
    ("sources.*.url", "sources.*.rest.url` or `sources.*.grpc.url"),
    ("sources.*.protos", "sources.*.grpc.protos"),
    ("sources.*.grpc.failures", "sources.*.failures"),
    ("sources.*.isSuccess", "sources.*.is_success"),
];

/// What is to be said of a key.
pub(super) enum Known {
    Yes,
    /// A later version has it.
    Later,
    /// It is somewhere else.
    Elsewhere(&'static str),
    No,
}

/// Whether `path` (with `*` for chosen names) is a key or leads to one.
pub(super) fn known(path: &str) -> Known {
    let leads = |full: &str| {
        full.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let of_limit = |key: &Key| {
        let part = path.strip_prefix(key.path).filter(|_| key.is_limit());
        matches!(part, Some(".max" | ".mode"))
    };
    if KEYS.iter().any(|key| leads(key.path) || of_limit(key)) {
        Known::Yes
    } else if LATER.contains(&path) {
        Known::Later
    } else if let Some((_, place)) = ELSEWHERE.iter().find(|(wrong, _)| *wrong == path) {
        Known::Elsewhere(place)
    } else {
        Known::No
    }
}

/// A value as one would write it.
pub(super) fn example(path: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.path == path).map(|key| key.example)
}

/// The keys directly below `path`, each once, in order.
pub(super) fn children(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    if KEYS.iter().any(|key| key.path == path && key.is_limit()) {
        names.extend(["max", "mode"]);
    }
    for key in KEYS {
        let rest = match path {
            "" => Some(key.path),
            _ => key.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
        };
        let name = rest.and_then(|rest| rest.split(['.', '[']).next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}
