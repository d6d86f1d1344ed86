//! Directives and arguments of other gateways, and their equivalents here.

/// Returns the fix for a broken rule of the type system.
pub(super) fn rule(message: &str) -> Option<&'static str> {
    RULES.iter().find(|(piece, _)| message.contains(piece)).map(|(_, help)| *help)
}

/// Fragments of messages, and their fixes.
const RULES: &[(&str, &str)] = &[
    ("missing query root", "define `type Query { … }` in one of the schema files"),
    (
        "must return an output type",
        "use an object, an interface, a union, a scalar or an enum; `input` types are only for arguments",
    ),
    (
        "must be of an input type",
        "use a scalar, an enum or an `input` type; object types are only for results",
    ),
    (
        "does not satisfy interface",
        "add the missing fields and arguments of the interface to the type",
    ),
    (
        "is defined multiple times",
        "remove one of the definitions; to add fields to a type, use `extend type`",
    ),
    ("the required argument", "add the argument"),
    ("the required field", "add the field to the object"),
    ("of type String!, found", "write a string in quotes"),
    ("of type String, found", "write a string in quotes"),
    ("of type Int!, found a string", "write a number without quotes and without a unit"),
    ("of type Int, found a string", "write a number without quotes and without a unit"),
    ("of type Boolean, found", "write `true` or `false`"),
];

/// Returns the equivalent of another gateway's directive.
pub(super) fn directive(name: &str) -> Option<&'static str> {
    DIRECTIVES.iter().find(|(known, _)| *known == name).map(|(_, ours)| *ours)
}

/// Returns the equivalent of another gateway's argument. `message` names the directive or field that it is not an
/// argument of.
pub(super) fn argument(name: &str, of: &str, message: &str) -> Option<&'static str> {
    if !message.starts_with("the argument ") && !message.starts_with("field ") {
        return None;
    }
    let of = of.trim_start_matches('@');
    let is_of = |owner: &str| owner.split(' ').any(|owner| owner == of);
    ARGUMENTS.iter().find(|(owner, known, _)| is_of(owner) && *known == name).map(|found| found.2)
}

const REST: &str = "use `@rest(source: \"users\", GET: \"/users/{$args.id}\")`; the URL of `users` is in the configuration";
const LOOKUPS: &str = "declare an entity with `@key(fields: \"id\")`, and add a query field with `@lookup` that returns it";

const DIRECTIVES: &[(&str, &str)] = &[
    ("http", REST),
    ("connect", REST),
    ("resolver", REST),
    ("fetch", REST),
    ("get", REST),
    ("restResolver", REST),
    ("httpOperation", REST),
    (
        "source",
        "declare the source under `sources` in the configuration, and name it in `@rest` or `@grpc`",
    ),
    (
        "call",
        "add `@rest` or `@grpc` to the field itself; `$args` has its arguments, `$this` has the fields of the parent",
    ),
    (
        "rpc",
        "use `@grpc(source: \"users\", method: \"package.Service/Method\", message: \"id: $args.id\")`",
    ),
    ("expr", "set the value in the `select` of the call that returns the object: `total: $(1)`"),
    ("modify", "rename fields in `select`: `fullName: full_name`"),
    ("rename", "rename fields in `select`: `fullName: full_name`"),
    ("alias", "rename fields in `select`: `fullName: full_name`"),
    ("addField", "select values of inner objects in `select`: `city: address.city`"),
    ("omit", "remove the field from the schema: clients only see fields of the schema"),
    (
        "protected",
        "use `@authenticated` to require a token, or `@requiresScopes(scopes: [[\"read\"]])` to require scopes",
    ),
    (
        "auth",
        "use `@authenticated` to require a token, or `@requiresScopes(scopes: [[\"read\"]])` to require scopes",
    ),
    ("hasScope", "use `@requiresScopes(scopes: [[\"read\"]])` to require scopes of the token"),
    ("hasRole", "use a rule on the token: `@allow(if: \"$claims.roles->contains('admin')\")`"),
    ("policy", "use a rule on the token: `@allow(if: \"$claims.roles->contains('admin')\")`"),
    ("cache", "cache replies with `@cacheControl(maxAge: 60)`, in seconds"),
    ("server", "settings of the server are in the configuration, under `server`"),
    ("upstream", "settings of a service are in the configuration, under `sources`"),
    ("telemetry", "settings of the server are in the configuration, under `server`"),
    (
        "link",
        "remove it: directives need no import, and other files are listed under `schema` in the configuration",
    ),
    (
        "requires",
        "pass a field of the object as an argument: `weight: Int @require(field: \"weight\")`, or use `$this.weight`",
    ),
    ("external", "remove it: use `$this` for fields of the parent"),
    ("shareable", "remove it: several calls may return the same field"),
    (
        "inaccessible",
        "hide lookups from clients with `@internal`; remove other fields from the schema",
    ),
    ("merge", LOOKUPS),
    ("entity", LOOKUPS),
    ("extends", "write `extend type`"),
    (
        "computed",
        "pass a field of the object as an argument: `weight: Int @require(field: \"weight\")`",
    ),
    (
        "batch",
        "use the argument `batch` of the binding: `@rest(…, batch: { reply: BY_KEY, key: \"id\" })`",
    ),
    ("rateLimit", "set rate limits in the configuration, under `limits.rate`"),
    ("js", "compute values in `select`: see docs/mapping.md"),
    ("tag", "remove it: it has no effect here"),
    ("override", "remove it: the binding of a field names its source"),
];

const URL: &str = "write the method and the path as one argument, such as `GET: \"/users/{$args.id}\"`; the URL of the service is in the configuration, under `sources`";
const BODY: &str = "write the body as a mapping: `body: \"name: $args.name\"`";
const BATCH: &str = "use `batch: { reply: BY_KEY, key: \"id\" }` and `$batch` in the binding, so that one call fetches many objects";
const HEADER_LIST: &str = "use `headers: [{ name: \"x-tenant\", value: \"{$args.tenant}\" }]`";
const SELECT: &str = "use `select` to map the reply";

/// Owners, separated by blanks; the name; the equivalent.
const ARGUMENTS: &[(&str, &str, &str)] = &[
    ("rest", "url", URL),
    ("rest", "path", URL),
    ("rest", "endpoint", URL),
    ("rest", "baseURL", URL),
    ("rest", "baseUrl", URL),
    ("rest", "method", URL),
    ("rest", "http", URL),
    ("rest", "get", URL),
    ("rest", "post", URL),
    ("rest", "args", BODY),
    ("rest", "params", "use `query: [{ name: \"first\", value: \"{$args.first}\" }]`"),
    ("rest", "input", BODY),
    ("rest", "json", BODY),
    ("rest", "data", BODY),
    ("rest", "header", HEADER_LIST),
    ("rest grpc", "selection", SELECT),
    ("rest grpc", "transform", SELECT),
    ("rest grpc", "setters", SELECT),
    ("rest grpc", "resultRoot", "use `select` to map the reply: `$.data.rows { id name }`"),
    ("rest grpc", "batchKey", BATCH),
    ("rest grpc", "groupBy", BATCH),
    (
        "rest grpc",
        "dedupe",
        "identical calls are shared by default; to turn this off, set `reuse: false` for the source in the configuration",
    ),
    ("rest grpc", "timeout", "set the timeout of calls in the configuration: `sources.*.timeout`"),
    ("rest grpc", "retry", "set retries in the configuration: `sources.*.retry.attempts`"),
    ("rest grpc", "retries", "set retries in the configuration: `sources.*.retry.attempts`"),
    ("rest grpc", "cache", "cache replies with `@cacheControl(maxAge: 60)`, in seconds"),
    ("rest grpc", "ttl", "cache replies with `@cacheControl(maxAge: 60)`, in seconds"),
    (
        "rest grpc",
        "onError",
        "set the error message for clients with `errors: { message: \"$.message\" }`",
    ),
    ("grpc", "body", "write the request as a mapping: `message: \"id: $args.id\"`"),
    ("grpc", "input", "write the request as a mapping: `message: \"id: $args.id\"`"),
    ("grpc", "request", "write the request as a mapping: `message: \"id: $args.id\"`"),
    ("grpc", "headers", "use `metadata: [{ name: \"x-tenant\", value: \"{$args.tenant}\" }]`"),
    (
        "grpc",
        "service",
        "write service and method as one string: `method: \"package.Service/Method\"`",
    ),
    ("grpc", "rpc", "write service and method as one string: `method: \"package.Service/Method\"`"),
    (
        "RestHeader RestQuery GrpcMetadata",
        "key",
        "each entry has `name` and `value`: `{ name: \"x-tenant\", value: \"{$args.tenant}\" }`",
    ),
    ("BatchRule", "size", "use `max` for the number of keys in a call"),
    ("BatchRule", "maxSize", "use `max` for the number of keys in a call"),
    ("BatchRule", "delay", "use `waitMs` for the time to wait for more keys, in milliseconds"),
    ("BatchRule", "by", "use `key` for the names of the key fields"),
    ("BatchRule", "path", "use `key` for the names of the key fields"),
    ("key", "field", "the argument is `fields`: `@key(fields: \"id\")`"),
    ("is", "fields", "the argument is `field`: `@is(field: \"id\")`"),
    ("require", "fields", "the argument is `field`: `@require(field: \"weight\")`"),
    ("provides", "field", "the argument is `fields`: `@provides(fields: \"name\")`"),
    ("allow", "rule", "the argument is `if`: `@allow(if: \"$claims.sub->eq($args.id)\")`"),
    ("requiresScopes", "scope", "the argument is `scopes`, a list of lists: `[[\"read\"]]`"),
    ("cacheControl", "ttl", "the argument is `maxAge`, in seconds"),
    ("cost", "complexity", "the argument is `weight`"),
];
