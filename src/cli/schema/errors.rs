//! The error codes and the members of `extensions`, for people, machines and clients in TypeScript.

use crate::cli::explain_error;
use crate::graphql::{EXTENSIONS, ErrorCode};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn text() -> String {
    let mut out = explain_error::list();
    out.push_str("\nMembers of `extensions`, beside `code`:\n");
    let longest = EXTENSIONS.iter().map(|member| member.name.len()).max().unwrap_or_default();
    for member in EXTENSIONS {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "  {:<longest$}  {}", member.name, member.text);
    }
    out
}

/// Returns the codes as JSON. A refusal has a status; a field error does not.
pub(super) fn json() -> Value {
    let code = |code: &ErrorCode| {
        let (kind, summary) = explain_error::summary(code.page());
        let mut one = json!({ "code": code.as_str(), "kind": "field", "summary": summary });
        if kind.starts_with("Refusal") {
            one["kind"] = "refusal".into();
            one["status"] = code.status().into();
        }
        one
    };
    let extensions: Vec<Value> = EXTENSIONS
        .iter()
        .map(|member| json!({ "name": member.name, "type": member.ty, "summary": member.text }))
        .collect();
    json!({
        "codes": ErrorCode::ALL.iter().map(code).collect::<Value>(),
        "extensions": extensions,
    })
}

pub(super) fn typescript() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(
        "// Errors of Portcullis {version}, printed by `portcullis schema errors --format typescript`.\n\n\
         /** `extensions.code` of the gateway's own errors. Codes are never renamed; later versions may add some. */\n\
         export type PortcullisErrorCode =\n"
    );
    for code in ErrorCode::ALL {
        let (kind, summary) = explain_error::summary(code.page());
        let _ = writeln!(out, "  /** {kind}. {} */\n  | \"{}\"", comment(&summary), code.as_str());
    }
    out.insert(out.len() - 1, ';');
    out.push_str(
        "\n/** `extensions` of an error. `errors.extensions` of a binding may add members and replace `code`. */\n\
         export interface PortcullisErrorExtensions {\n\
         \x20 code: PortcullisErrorCode | (string & {});\n",
    );
    for member in EXTENSIONS {
        let text = comment(member.text);
        let _ = writeln!(out, "  /** {text}. */\n  {}?: {};", member.name, member.ty);
    }
    out.push_str("  [mapped: string]: unknown;\n}\n");
    out
}

/// Escapes text so that it does not end the surrounding comment.
fn comment(text: &str) -> String {
    text.replace("*/", "* /")
}
