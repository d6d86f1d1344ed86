//! Help for syntax errors whose message alone is not enough to fix them.

/// Returns the fix of a syntax error in type definitions, from its message and the first word of its line.
#[must_use]
pub fn advice(message: &str, word: &str) -> Option<&'static str> {
    let definitions =
        ["type", "interface", "input", "enum", "union", "scalar", "extend", "directive"];
    Some(match message {
        _ if message.starts_with("an operation cannot stand") => {
            "keep operations in files that `schema` in the configuration does not name"
        }
        _ if message.starts_with("this `\"` ends the string") => {
            "inside of quotes write `'` for `\"`, or put the string between `\"\"\"`; or a `\"` is missing before"
        }
        "expected a type, found `@`" => {
            "write the type before the directives: `name: String @rest(…)`"
        }
        "expected a name, found `@`" => "is a `)` missing before?",
        _ if message.starts_with("expected a string in double quotes") => {
            "the SDL has strings in `\"`; `'` is for texts inside of them"
        }
        _ if message.starts_with("this string is not closed") => {
            "add `\"` at its end; a string of several lines stands between `\"\"\"`"
        }
        _ if message.starts_with("expected") && definitions.contains(&word) => {
            "is a `}` missing before this definition?"
        }
        _ if message.starts_with("expected") && message.ends_with("the end of the text") => {
            "is a `}` or a `)` missing?"
        }
        _ => return None,
    })
}
