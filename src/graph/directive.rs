//! The directives that every graph knows, and those that this version must not accept.
//!
//! A directive that later versions will enforce is refused by name: to take one in silence would promise what nobody
//! keeps.

use crate::source::Connector;
use std::fmt::Write;

/// The name under which problems show built-in definitions.
pub(super) const FILE: &str = "<built-in>";

const DEFINITIONS: &str = r#"
"The fields that identify an entity."
directive @key(fields: String!) repeatable on OBJECT | INTERFACE
"This query field returns the entity that its arguments identify."
directive @lookup on FIELD_DEFINITION
"The key fields that an argument of a lookup takes."
directive @is(field: String!) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
"Clients do not see this field; the gateway may use it."
directive @internal on FIELD_DEFINITION
"The gateway fills this argument from the parent object; clients do not see it."
directive @require(field: String!) on ARGUMENT_DEFINITION
"What of the entity comes along here, beside its key."
directive @provides(fields: String!) on FIELD_DEFINITION
"What one value weighs, instead of 1 for an object and 0 for a scalar or an enum."
directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
"How long the list is at most."
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
"On a type: IDs have this prefix for clients, as in `user:1`. Elsewhere: the IDs are of this type."
directive @globalId(prefix: String, type: String) on ARGUMENT_DEFINITION | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT
"The name by which services know this value."
directive @alias(name: String!) on ENUM_VALUE
"Takes any value, though scalars of this name are checked (Date, DateTime, Email, URL, UUID, Int64, UInt64)."
directive @unchecked on SCALAR
"Only for callers with a verified token. On a type: for every field that returns it."
directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
"Only for callers whose token has all scopes of one of the lists. On a type: for every field that returns it."
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
"Only where this rule is true, over `$claims`, `$request`, and on a field `$args` and `$this`."
directive @allow(if: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM

"The milliseconds that the field's call may take, where its source's timeout is longer."
directive @timeout(ms: Int!) on FIELD_DEFINITION
"What the field is where its own call fails."
directive @onError(do: OnErrorAction!) on FIELD_DEFINITION
"`NULL`: the field is null, without an error."
enum OnErrorAction { NULL }

"How several calls become one."
input BatchRule { reply: BatchReply = BY_KEY, key: String, max: Int = 100, waitMs: Int = 0 }
"What a batch is answered with."
enum BatchReply { BY_KEY POSITIONAL MAP GROUP_BY }
"What clients read of a reply that is not a success. Both are mappings."
input ErrorsRule { message: String, extensions: String }
"What a reply that says \"not found\" is for the field."
enum NotFoundRule { NULL ERROR }

"How long replies may be used again, in seconds. On a type: of every call that returns it, and of what it stands in."
directive @cacheControl(maxAge: Int, scope: CacheControlScope, staleIfError: Int) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
"Who may be given a kept reply: everybody, or only the caller it was fetched for."
enum CacheControlScope { PUBLIC PRIVATE }
"#;

/// A directive of the GraphQL specification that the parser does not know yet. Clients see it.
pub(super) const ONE_OF: &str = r#"
"Indicates exactly one field must be supplied and this field must not be `null`."
directive @oneOf on INPUT_OBJECT
"#;

/// A text defines `@oneOf` itself, as schemas do that are made for other tools.
pub(super) fn defines_one_of(text: &str) -> bool {
    text.split("@oneOf")
        .take(text.matches("@oneOf").count())
        .any(|before| before.trim_end().ends_with("directive"))
}

/// Directives of later versions, with what this version would have to do to serve them.
pub(super) const LATER: &[(&str, &str)] =
    &[("amqp", "speaks no AMQP"), ("graphql", "asks no GraphQL services")];

/// What this version does not do, if `name` is a directive of a later one.
pub(super) fn later(name: &str) -> Option<&'static str> {
    LATER.iter().find(|(known, _)| *known == name).map(|(_, lack)| *lack)
}

/// The SDL of all directives and their inputs, for editors and other tools.
#[must_use]
pub fn sdl(connectors: &[Box<dyn Connector>]) -> String {
    let text = [definitions(connectors).trim(), ONE_OF.trim(), ""].join("\n\n");
    text.replace("\n\n\n", "\n\n")
}

/// The SDL of all definitions, those of the connectors included.
pub(super) fn definitions(connectors: &[Box<dyn Connector>]) -> String {
    let mut text = DEFINITIONS.to_owned();
    for connector in connectors {
        let _ = writeln!(text, "{}", connector.definition());
    }
    text
}
