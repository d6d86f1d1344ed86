//! Built-in directives, and those that this version must refuse.
//!
//! A directive of a later version is refused by name: accepting it silently would promise something that is not
//! enforced.

use crate::source::Connector;
use std::fmt::Write;

/// File name of built-in definitions in error messages.
pub(super) const FILE: &str = "<built-in>";

const DEFINITIONS: &str = r#"
"The fields that identify an entity."
directive @key(fields: String!) repeatable on OBJECT | INTERFACE
"This query field returns the entity that its arguments identify."
directive @lookup on FIELD_DEFINITION
"The key field that an argument of a lookup takes, if the argument has another name."
directive @is(field: String!) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
"Hides a lookup from clients. The gateway still uses it."
directive @internal on FIELD_DEFINITION
"The argument takes its value from this field of the parent object. Clients do not see the argument."
directive @require(field: String!) on ARGUMENT_DEFINITION
"Fields of the entity that this field returns, in addition to its key."
directive @provides(fields: String!) on FIELD_DEFINITION
"Cost of one value. Default: 1 for an object, 0 for a scalar or an enum."
directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
"Maximum length of the list."
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
"On a type: the prefix of its IDs for clients, as in `user:1`. Elsewhere: the type of the IDs."
directive @globalId(prefix: String, type: String) on ARGUMENT_DEFINITION | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT
"Name of this value in calls and replies of services."
directive @alias(name: String!) on ENUM_VALUE
"Accepts any value. Otherwise scalars of these names are checked: Date, DateTime, Email, URL, UUID, Int64, UInt64."
directive @unchecked on SCALAR
"Allows callers with a verified token. On a type: applies to every field that returns it."
directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
"Allows callers whose token has all scopes of one of the lists. On a type: applies to every field that returns it."
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
"Allows callers for whom this mapping yields `true`. It may use `$claims` and `$request`, and on a field `$args` and `$this`."
directive @allow(if: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM

"Timeout of the field's call in milliseconds. A shorter timeout of the source applies too."
directive @timeout(ms: Int!) on FIELD_DEFINITION
"Value of the field if its own call fails."
directive @onError(do: OnErrorAction!) on FIELD_DEFINITION
"`NULL`: the field is null, without an error."
enum OnErrorAction { NULL }

"Sends many keys in one call."
input BatchRule { reply: BatchReply = BY_KEY, key: String, max: Int = 100, waitMs: Int = 0 }
"Form of the reply to a batch."
enum BatchReply { BY_KEY POSITIONAL MAP GROUP_BY }
"Error that clients see if the reply is not a success. Both are mappings."
input ErrorsRule { message: String, extensions: String }
"Value of the field if the reply is \"not found\"."
enum NotFoundRule { NULL ERROR }

"Caches replies for this time, in seconds. On a type: applies to every call that returns it, and to replies that contain it."
directive @cacheControl(maxAge: Int, scope: CacheControlScope, staleIfError: Int) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
"Callers that may get a cached reply: all, or only the caller it was fetched for."
enum CacheControlScope { PUBLIC PRIVATE }
"#;

/// A directive of the GraphQL specification that the parser does not know yet. Clients see it.
pub(super) const ONE_OF: &str = r#"
"Indicates exactly one field must be supplied and this field must not be `null`."
directive @oneOf on INPUT_OBJECT
"#;

/// Returns `true` if a text defines `@oneOf` itself, as schemas for other tools do.
pub(super) fn defines_one_of(text: &str) -> bool {
    text.split("@oneOf")
        .take(text.matches("@oneOf").count())
        .any(|before| before.trim_end().ends_with("directive"))
}

/// Directives of later versions, with the feature that they need.
pub(super) const LATER: &[(&str, &str)] =
    &[("amqp", "does not support AMQP"), ("graphql", "does not support GraphQL services")];

/// Returns the missing feature, if `name` is a directive of a later version.
pub(super) fn later(name: &str) -> Option<&'static str> {
    LATER.iter().find(|(known, _)| *known == name).map(|(_, lack)| *lack)
}

/// Returns the SDL of all directives and their inputs, for editors and other tools.
#[must_use]
pub fn sdl(connectors: &[Box<dyn Connector>]) -> String {
    let text = [definitions(connectors).trim(), ONE_OF.trim(), ""].join("\n\n");
    text.replace("\n\n\n", "\n\n")
}

/// Returns the SDL of all definitions, including those of the connectors.
pub(super) fn definitions(connectors: &[Box<dyn Connector>]) -> String {
    let mut text = DEFINITIONS.to_owned();
    for connector in connectors {
        let _ = writeln!(text, "{}", connector.definition());
    }
    text
}
