//! Syntax of other gateways, and its equivalent here.

/// Returns the expression here for `{{.args.id}}`, `{{args.id}}` and the like, from the text between the braces.
pub(super) fn doubled(inner: &str) -> Option<String> {
    let path = inner.trim().trim_start_matches(['.', '$']);
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if path.is_empty() || !path.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)) {
        return None;
    }
    Some(match (variable(first), rest) {
        (Some(variable), "") => variable.to_owned(),
        (Some(variable), rest) => format!("{variable}.{rest}"),
        (None, _) => format!("$args.{path}"),
    })
}

/// Returns the variable here for the `name` in other gateways.
pub(super) fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "args" | "arguments" | "input" | "params" => "$args",
        "this" | "value" | "parent" | "root" | "object" | "source" | "obj" => "$this",
        "batch" => "$batch",
        "claims" | "jwt" | "token" | "user" | "context" | "ctx" => "$claims",
        "headers" | "header" | "request" => "$request.headers",
        "env" => "$env",
        "config" | "vars" | "var" => "$config",
        "status" => "$status",
        _ => return None,
    })
}

/// Returns the variable in a text outside of braces, where it would be sent literally: `$args.id`.
pub(super) fn unbraced(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix('$')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
    let known = ["args", "this", "batch", "claims", "env", "config", "request"];
    if !known.contains(&&name[..end]) {
        return None;
    }
    let path = name[end..].find(|c| !is_name(c) && c != '.').map_or(name.len(), |at| end + at);
    Some(rest[..=path].trim_end_matches('.'))
}
