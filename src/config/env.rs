//! Expands `${NAME}`, `${NAME:-default}` and `$$` in the values of the YAML, as a shell does.
//!
//! Values are expanded after the YAML was parsed, so that a variable's content is a value and never syntax. Other
//! features of shells are not supported: no commands, no arithmetic, no nesting.

/// Reason why a text could not be expanded: the part, what is wrong, and how to fix it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The part as written, from `${` on.
    pub piece: String,
    pub message: String,
    pub help: String,
}

/// Replaces the variables of a text. Returns all mistakes at once.
pub(super) fn expand(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Vec<Mistake>> {
    let mut out = String::with_capacity(text.len());
    let mut mistakes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('{') {
            let Some(end) = inner.find('}') else {
                mistakes.push(unclosed(&rest[at..]));
                return Err(mistakes);
            };
            match variable(&inner[..end], env) {
                Ok(value) => out.push_str(&value),
                Err(mistake) => mistakes.push(mistake),
            }
            rest = &inner[end + 1..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    if mistakes.is_empty() { Ok(out) } else { Err(mistakes) }
}

/// Returns the value of the text between the braces.
fn variable(inner: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Mistake> {
    let piece = format!("${{{inner}}}");
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) {
        return Err(Mistake {
            piece,
            message: "this is not a valid name of an environment variable".to_owned(),
            help: "write `${NAME}` or `${NAME:-default}`; for a literal `${`, write `$${`"
                .to_owned(),
        });
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Mistake {
            message: format!("the environment variable `{name}` is not set"),
            help: format!("set it, or add a default: `${{{name}:-…}}`"),
            piece,
        }),
    }
}

fn unclosed(from: &str) -> Mistake {
    Mistake {
        piece: from.to_owned(),
        message: "`${` is never closed".to_owned(),
        help: "write `${NAME}`; for a literal `${`, write `$${`".to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.com".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_and_defaults_expand_as_in_a_shell() {
        for (text, expected) in [
            ("http://${HOST}:80", "http://example.com:80"),
            ("${HOST:-other}", "example.com"),
            ("${NONE:-http://127.0.0.1:1}", "http://127.0.0.1:1"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${NONE:-}", ""),
            ("cost: $5, $$6 and $${HOST}", "cost: $5, $6 and ${HOST}"),
            ("ends with $", "ends with $"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_mistake_of_a_text_is_found() {
        let mistakes = expand("${NONE} ${A-b} ${ALSO} ${", &env).unwrap_err();
        let pieces: Vec<_> = mistakes.iter().map(|mistake| mistake.piece.as_str()).collect();
        assert_eq!(pieces, ["${NONE}", "${A-b}", "${ALSO}", "${"]);
        assert!(mistakes[0].message.contains("`NONE` is not set"));
    }
}
