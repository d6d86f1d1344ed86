//! Reads a text byte by byte: white space, comments, names, quoted strings, numbers. Collects the errors found.
//!
//! There is no separate list of tokens, because the meaning of a quote or a brace depends on its position. It goes back
//! only to remembered positions, and slices only at boundaries of characters.

use super::{ParseError, Span};
use serde_json::Value;

/// Parsing stopped at an error, which is already recorded.
pub(super) struct Stop;

/// Maximum number of errors of one text. After that, parsing stops.
const MAX_ERRORS: usize = 32;

pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    pub(super) pos: usize,
    errors: Vec<ParseError>,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, pos: 0, errors: Vec::new() }
    }

    /// Records an error after which parsing continues.
    pub(super) fn report(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ParseError { span, message: message.into(), help });
        }
    }

    /// Records an error that stops parsing.
    pub(super) fn stop(&mut self, span: Span, message: impl Into<String>, help: &str) -> Stop {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.report(span, message, help);
        Stop
    }

    /// Returns all errors, in the order of the text.
    pub(super) fn into_errors(mut self) -> Vec<ParseError> {
        self.errors.sort_by_key(|error| error.span.start);
        self.errors
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.pos + ahead).copied()
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.pos..]
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.pos += token.len();
        }
        found
    }

    /// Returns the current character's span, and its description in messages.
    pub(super) fn found(&self) -> (Span, String) {
        match self.rest().chars().next() {
            Some(char) if char.is_control() => {
                (self.pos..self.pos + char.len_utf8(), "a control character".to_owned())
            }
            Some(char) => (self.pos..self.pos + char.len_utf8(), format!("`{char}`")),
            None => (self.pos..self.pos, "the end of the text".to_owned()),
        }
    }

    /// Skips white space and comments.
    pub(super) fn trivia(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.pos += 1,
                b'#' => {
                    let rest = self.rest();
                    self.pos += rest.find('\n').unwrap_or(rest.len());
                }
                _ => break,
            }
        }
    }

    /// Reads a name, if there is one. With `dashes`, `x-tenant` is one name (but `a->b` is not).
    pub(super) fn identifier(&mut self, dashes: bool) -> Option<&'t str> {
        let start = self.pos;
        if !self.peek().is_some_and(is_name_start) {
            return None;
        }
        while let Some(byte) = self.peek() {
            let dash =
                dashes && byte == b'-' && self.peek_at(1).is_some_and(|b| is_name(b) || b == b'-');
            if !is_name(byte) && !dash {
                break;
            }
            self.pos += 1;
        }
        Some(&self.text[start..self.pos])
    }

    pub(super) fn at_quote(&self) -> bool {
        matches!(self.peek(), Some(b'"' | b'\''))
    }

    /// Reads a string in double or single quotes, with the escapes of JSON and `\'`.
    pub(super) fn string(&mut self) -> Result<String, Stop> {
        let start = self.pos;
        let quote = char::from(self.peek().unwrap_or(b'"'));
        self.pos += 1;
        let mut out = String::new();
        loop {
            match self.rest().chars().next() {
                None | Some('\n') => {
                    let help = "end the string with the same quote, on the same line";
                    return Err(self.stop(start..start + 1, "unclosed string", help));
                }
                Some('\\') => out.push(self.escape()?),
                Some(char) => {
                    self.pos += char.len_utf8();
                    if char == quote {
                        return Ok(out);
                    }
                    out.push(char);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.pos;
        self.pos += 1;
        let (span, _) = self.found();
        let simple = match self.peek() {
            Some(b'u') => return self.unicode_escape(start),
            Some(byte @ (b'"' | b'\'' | b'\\' | b'/')) => char::from(byte),
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            _ => {
                let help = "write `\\\\` for a backslash";
                return Err(self.stop(start..span.end, "unknown escape", help));
            }
        };
        self.pos += 1;
        Ok(simple)
    }

    /// Reads `\u0041`, or two of them for a character outside the basic plane.
    fn unicode_escape(&mut self, start: usize) -> Result<char, Stop> {
        let mut code = self.hex4(start)?;
        if (0xd800..0xdc00).contains(&code) && self.rest().starts_with("\\u") {
            self.pos += 1;
            let low = self.hex4(start)?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(code).ok_or_else(|| {
            self.stop(start..self.pos, "this escape is only half of a surrogate pair", "")
        })
    }

    fn hex4(&mut self, start: usize) -> Result<u32, Stop> {
        self.pos += 1;
        let digits = self.text.get(self.pos..self.pos + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            let help = "write it like `\\u00e9`";
            return Err(self.stop(start..self.pos, "`\\u` needs four hexadecimal digits", help));
        };
        self.pos += 4;
        Ok(code)
    }

    pub(super) fn at_number(&self) -> bool {
        let ahead = usize::from(self.peek() == Some(b'-'));
        self.peek_at(ahead).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// Reads a JSON number.
    pub(super) fn number(&mut self) -> Result<Value, Stop> {
        let start = self.pos;
        self.pos += usize::from(self.peek() == Some(b'-'));
        self.digits();
        if self.peek() == Some(b'.') && self.peek_at(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek_at(1), Some(b'+' | b'-')));
            if self.peek_at(1 + sign).is_some_and(|byte| byte.is_ascii_digit()) {
                self.pos += 1 + sign;
                self.digits();
            }
        }
        let written = &self.text[start..self.pos];
        // As in replies, digits are kept.
        serde_json::from_str(written).map(Value::Number).map_err(|_| {
            let help = "write it as in JSON, without a leading zero";
            self.stop(start..self.pos, format!("`{written}` is not a number"), help)
        })
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
    }
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
