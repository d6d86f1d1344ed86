//! Improves errors of an unescaped quotation mark inside a string: it ends the string, and the grammar's error about
//! the rest is misleading. Such an error is reported at the quotation mark.

use super::SyntaxError;
use super::lexer::{Lexer, TokenKind};

/// Returns the error that causes `error`, if a string of its line ends too early.
pub(super) fn explained(text: &str, error: SyntaxError) -> SyntaxError {
    match stray_quote(text, error.span.start) {
        Some(at) => SyntaxError {
            message: "this `\"` ends the string, but more text follows".to_owned(),
            span: at..at + 1,
        },
        None => error,
    }
}

/// Returns the first quotation mark in the line of `at`, up to `at`, that is between a string and more of its text.
fn stray_quote(text: &str, at: usize) -> Option<usize> {
    let line = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let bytes = text.as_bytes();
    let mut lexer = Lexer::new(text);
    while let Ok(token) = lexer.next() {
        if token.kind == TokenKind::End || token.start > at {
            break;
        }
        if token.kind != TokenKind::String || token.start < line || token.end > text.len() {
            continue;
        }
        if text[token.span()].starts_with("\"\"\"") {
            continue;
        }
        let before = token.start.checked_sub(1).map_or(b' ', |before| bytes[before]);
        let after = bytes.get(token.end).copied().unwrap_or(b' ');
        if is_text(after) {
            return Some(token.end - 1);
        }
        if is_text(before) {
            return Some(token.start);
        }
    }
    // A string that is never closed begins with the surplus quotation mark.
    let before = at.checked_sub(1).map(|before| bytes[before]);
    (bytes.get(at) == Some(&b'"') && before.is_some_and(is_text)).then_some(at)
}

/// Returns `true` for bytes of text, which are never next to a valid string: those have white space and punctuation
/// around them.
fn is_text(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"\"'_$-.|>/?+*;\\".contains(&byte) || !byte.is_ascii()
}
