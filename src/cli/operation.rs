//! An operation, its variables and its caller's claims as given on the command line: files, standard input, or text.

use crate::graphql::{Error, Location};
use crate::problem::{Place, Problem, SourceFile, reason};
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Maximum size of an input, in bytes.
const MAX_BYTES: u64 = 10 << 20;

/// Reads the operation's file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<SourceFile, Problem> {
    let name = if path == Path::new("-") { "<stdin>".into() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(SourceFile { name, text }),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    Problem::error("operation-unreadable", format!("cannot read `{name}`: {}", reason(error)))
}

/// Parses `{"id": 1}`, or `@file.json`.
pub(super) fn variables(text: &str) -> Result<Map<String, Value>, Problem> {
    let owned;
    let json = match text.strip_prefix('@') {
        Some(path) => {
            owned = read(Path::new(path))?.text;
            owned.as_str()
        }
        None => text,
    };
    match serde_json::from_str(json) {
        Ok(Value::Object(variables)) => Ok(variables),
        Ok(_) => Err(Problem::error("variables", "the variables must be a JSON object")
            .help("write them as `--variables '{\"id\": \"1\"}'`")),
        Err(error) => {
            Err(Problem::error("variables", format!("the variables are not JSON: {error}"))
                .help("write them as `--variables '{\"id\": \"1\"}'`, or `--variables @file.json`"))
        }
    }
}

/// Parses `{"sub": "1"}`, `null` for a caller without a token, or a file with one of them.
pub(super) fn claims(text: &str) -> Result<Value, Problem> {
    const HELP: &str = "write them as `--claims '{\"sub\": \"1\"}'`, name a file as `--claims claims.json`, or write \
                        `--claims null` for a caller without a token";
    let trimmed = text.trim();
    let owned;
    let json = match trimmed.strip_prefix('@').unwrap_or(trimmed) {
        "null" => return Ok(Value::Null),
        json if json.starts_with(['{', '[', '"']) => json,
        path => {
            owned = read(Path::new(path))?.text;
            owned.as_str()
        }
    };
    match serde_json::from_str(json) {
        Ok(claims @ (Value::Object(_) | Value::Null)) => Ok(claims),
        Ok(_) => Err(Problem::error("claims", "the claims must be a JSON object").help(HELP)),
        Err(error) => {
            Err(Problem::error("claims", format!("the claims are not JSON: {error}")).help(HELP))
        }
    }
}

/// Converts an operation's error to a problem in its file.
pub(super) fn problem(error: &Error, file: &Arc<SourceFile>) -> Problem {
    let place = error.locations.first().map(|location| place(*location, file));
    Problem::error(error.code.as_str(), error.message.clone()).at(place)
}

fn place(location: Location, file: &Arc<SourceFile>) -> Place {
    let before: usize =
        file.text.split_inclusive('\n').take(location.line.saturating_sub(1)).map(str::len).sum();
    let line = file.text[before..].lines().next().unwrap_or_default();
    let column = location.column.saturating_sub(1);
    let start = line.char_indices().nth(column).map_or(line.len(), |(byte, _)| byte);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = line[start..].find(|c| !word(c)).unwrap_or(line.len() - start);
    let one = line[start..].chars().next().map_or(0, char::len_utf8);
    Place::new(file, before + start..before + start + length.max(one))
}
