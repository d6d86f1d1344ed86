//! Directives and arguments of other gateways, and their equivalents here.

/// Returns the fix for a broken rule of the type system.
pub(super) fn rule(message: &str) -> Option<&'static str> {
    RULES.iter().find(|(piece, _)| message.contains(piece)).map(|(_, help)| *help)
}

/// Fragments of messages, and their fixes.
const RULES: &[(&str, &str)] = &[
    ("missing query root", "define `type Query { … }` in one of the files that `schema` names"),
    (
        "must return an output type",
        "give it an object, an interface, a union, a scalar or an enum; an `input` is for arguments",
    ),
    (
        "must be of an input type",
        "give it a scalar, an enum or an `input`; objects are for results",
    ),
    ("does not satisfy interface", "add what the interface has to the type"),
    ("is defined multiple times", "keep one of them; `extend type` adds fields to a type"),
    ("the required argument", "add the argument"),
    ("the required field", "add it to the object"),
    ("of type String!, found", "write a text in quotes"),
    ("of type String, found", "write a text in quotes"),
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

const REST: &str = "a REST call is bound with `@rest(source: \"users\", GET: \"/users/{$args.id}\")`; the address of `users` is in the configuration";
const LOOKUPS: &str =
    "an entity is declared with `@key(fields: \"id\")`, and found by a query field with `@lookup`";

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
        "a source is an entry under `sources` of the configuration, and `@rest` or `@grpc` names it",
    ),
    (
        "call",
        "bind the field itself, with `@rest` or `@grpc`: arguments come from `$args`, fields of the parent from `$this`",
    ),
    (
        "rpc",
        "a gRPC call is bound with `@grpc(source: \"users\", method: \"package.Service/Method\", message: \"id: $args.id\")`",
    ),
    (
        "expr",
        "give the field a value in the `select` of the call that yields its object: `total: $(1)`",
    ),
    ("modify", "rename fields in `select`: `fullName: full_name`"),
    ("rename", "rename fields in `select`: `fullName: full_name`"),
    ("alias", "rename fields in `select`: `fullName: full_name`"),
    ("addField", "take values out of inner objects in `select`: `city: address.city`"),
    ("omit", "leave the field out of the schema: clients see what the schema names"),
    (
        "protected",
        "only callers with a token: `@authenticated`; by scope: `@requiresScopes(scopes: [[\"read\"]])`",
    ),
    (
        "auth",
        "only callers with a token: `@authenticated`; by scope: `@requiresScopes(scopes: [[\"read\"]])`",
    ),
    ("hasScope", "by scope of the token: `@requiresScopes(scopes: [[\"read\"]])`"),
    ("hasRole", "by a rule on the token: `@allow(if: \"$claims.roles->contains('admin')\")`"),
    ("policy", "by a rule on the token: `@allow(if: \"$claims.roles->contains('admin')\")`"),
    ("cache", "keep replies with `@cacheControl(maxAge: 60)`, in seconds"),
    ("server", "settings of the server are in the configuration, under `server`"),
    ("upstream", "settings of a service are in the configuration, under `sources`"),
    ("telemetry", "settings of the server are in the configuration, under `server`"),
    (
        "link",
        "remove it: the directives of this page need no import, and other files are named by `schema` in the configuration",
    ),
    (
        "requires",
        "take a field of the object as an argument: `weight: Int @require(field: \"weight\")`, or name `$this.weight`",
    ),
    ("external", "remove it: a field of the parent is named with `$this`"),
    ("shareable", "remove it: a field may be filled by several calls"),
    (
        "inaccessible",
        "lookups are hidden from clients with `@internal`; leave other fields out of the schema",
    ),
    ("merge", LOOKUPS),
    ("entity", LOOKUPS),
    ("extends", "write `extend type`"),
    (
        "computed",
        "take a field of the object as an argument: `weight: Int @require(field: \"weight\")`",
    ),
    (
        "batch",
        "a batch is an argument of the binding: `@rest(…, batch: { reply: BY_KEY, key: \"id\" })`",
    ),
    ("rateLimit", "rate limits are in the configuration, under `limits.rate`"),
    ("js", "values are computed in `select`: see docs/mapping.md"),
    ("tag", "remove it: it has no meaning here"),
    ("override", "remove it: a field comes from the one source that its binding names"),
];

const URL: &str = "the method and the path are one argument, such as `GET: \"/users/{$args.id}\"`; the address is in the configuration, under `sources`";
const BODY: &str = "a body is a mapping: `body: \"name: $args.name\"`";
const BATCH: &str = "several calls become one with `batch: { reply: BY_KEY, key: \"id\" }`, whose texts name `$batch`";
const HEADER_LIST: &str =
    "headers are `headers: [{ name: \"x-tenant\", value: \"{$args.tenant}\" }]`";
const SELECT: &str = "the reply is mapped with `select`";

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
    (
        "rest",
        "params",
        "query parameters are `query: [{ name: \"first\", value: \"{$args.first}\" }]`",
    ),
    ("rest", "input", BODY),
    ("rest", "json", BODY),
    ("rest", "data", BODY),
    ("rest", "header", HEADER_LIST),
    ("rest grpc", "selection", SELECT),
    ("rest grpc", "transform", SELECT),
    ("rest grpc", "setters", SELECT),
    ("rest grpc", "resultRoot", "the reply is mapped with `select`: `$.data.rows { id name }`"),
    ("rest grpc", "batchKey", BATCH),
    ("rest grpc", "groupBy", BATCH),
    (
        "rest grpc",
        "dedupe",
        "identical calls are made once unless `reuse: false` stands under the source in the configuration",
    ),
    ("rest grpc", "timeout", "the timeout of a call is in the configuration: `sources.*.timeout`"),
    ("rest grpc", "retry", "retries are in the configuration: `sources.*.retry.attempts`"),
    ("rest grpc", "retries", "retries are in the configuration: `sources.*.retry.attempts`"),
    ("rest grpc", "cache", "keep replies with `@cacheControl(maxAge: 60)`, in seconds"),
    ("rest grpc", "ttl", "keep replies with `@cacheControl(maxAge: 60)`, in seconds"),
    (
        "rest grpc",
        "onError",
        "what clients read of an error is `errors: { message: \"$.message\" }`",
    ),
    ("grpc", "body", "the request is a mapping: `message: \"id: $args.id\"`"),
    ("grpc", "input", "the request is a mapping: `message: \"id: $args.id\"`"),
    ("grpc", "request", "the request is a mapping: `message: \"id: $args.id\"`"),
    (
        "grpc",
        "headers",
        "gRPC sends `metadata: [{ name: \"x-tenant\", value: \"{$args.tenant}\" }]`",
    ),
    ("grpc", "service", "the method is one text: `method: \"package.Service/Method\"`"),
    ("grpc", "rpc", "the method is one text: `method: \"package.Service/Method\"`"),
    (
        "RestHeader RestQuery GrpcMetadata",
        "key",
        "each entry has `name` and `value`: `{ name: \"x-tenant\", value: \"{$args.tenant}\" }`",
    ),
    ("BatchRule", "size", "the number of keys of a call is `max`"),
    ("BatchRule", "maxSize", "the number of keys of a call is `max`"),
    ("BatchRule", "delay", "keys of other requests are awaited for `waitMs` milliseconds"),
    ("BatchRule", "by", "the names that hold the key are `key`"),
    ("BatchRule", "path", "the names that hold the key are `key`"),
    ("key", "field", "the argument is `fields`: `@key(fields: \"id\")`"),
    ("is", "fields", "the argument is `field`: `@is(field: \"id\")`"),
    ("require", "fields", "the argument is `field`: `@require(field: \"weight\")`"),
    ("provides", "field", "the argument is `fields`: `@provides(fields: \"name\")`"),
    ("allow", "rule", "the argument is `if`: `@allow(if: \"$claims.sub->eq($args.id)\")`"),
    ("requiresScopes", "scope", "the argument is `scopes`, lists in a list: `[[\"read\"]]`"),
    ("cacheControl", "ttl", "the argument is `maxAge`, in seconds"),
    ("cost", "complexity", "the argument is `weight`"),
];
