//! Splits a text into tokens (GraphQL spec, section 2.1). One pass, without a copy.

use super::SyntaxError;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    End,
    /// One character, or `...` as `.`.
    Sign(u8),
    Name,
    Int,
    Float,
    /// Also block strings.
    String,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct LexicalToken {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

impl LexicalToken {
    pub fn span(self) -> Range<usize> {
        self.start..self.end
    }
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Commas and byte-order marks that were skipped.
    pub ignored: Vec<Range<usize>>,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, ignored: Vec::new() }
    }

    pub fn next(&mut self) -> Result<LexicalToken, SyntaxError> {
        self.skip_ignored();
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Ok(LexicalToken { kind: TokenKind::End, start, end: start });
        };
        let kind = match first {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|'
            | b'}' => {
                self.at += 1;
                TokenKind::Sign(first)
            }
            b'.' if self.rest().starts_with("...") => {
                self.at += 3;
                TokenKind::Sign(b'.')
            }
            b'"' => {
                self.string()?;
                TokenKind::String
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                TokenKind::Name
            }
            b'.' => return Err(self.unexpected("`...`")),
            b'\'' => return Err(self.unexpected("a string in double quotes")),
            _ => {
                let found = self.found();
                return Err(self.error(format!("{found} means nothing outside of a string")));
            }
        };
        Ok(LexicalToken { kind, start, end: self.at })
    }

    fn skip_ignored(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b',' => {
                    self.ignored.push(self.at..self.at + 1);
                    self.at += 1;
                }
                b'#' => self.skip(|byte| byte != b'\n' && byte != b'\r'),
                _ if self.rest().starts_with('\u{feff}') => {
                    self.ignored.push(self.at..self.at + 3);
                    self.at += 3;
                }
                _ => return,
            }
        }
    }

    fn number(&mut self) -> Result<TokenKind, SyntaxError> {
        let mut kind = TokenKind::Int;
        self.skip_one(b"-");
        if self.skip_one(b"0") {
            if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.error("a number does not begin with 0".to_owned()));
            }
        } else {
            self.digits()?;
        }
        if self.skip_one(b".") {
            kind = TokenKind::Float;
            self.digits()?;
        }
        if self.skip_one(b"eE") {
            kind = TokenKind::Float;
            self.skip_one(b"+-");
            self.digits()?;
        }
        match self.peek(0) {
            Some(b'.' | b'_' | b'a'..=b'z' | b'A'..=b'Z') => Err(self.unexpected("a digit")),
            _ => Ok(kind),
        }
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_digit());
        if self.at > start { Ok(()) } else { Err(self.unexpected("a digit")) }
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.rest().starts_with("\"\"\"") {
            self.at += 3;
            return self.block_string(start);
        }
        self.at += 1;
        loop {
            self.skip(|byte| !b"\"\\\n\r".contains(&byte));
            match self.peek(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.not_closed(start)),
            }
        }
    }

    fn block_string(&mut self, start: usize) -> Result<(), SyntaxError> {
        loop {
            self.skip(|byte| byte != b'"' && byte != b'\\');
            let rest = self.rest();
            if rest.starts_with("\"\"\"") {
                self.at += 3;
                return Ok(());
            } else if rest.starts_with("\\\"\"\"") {
                self.at += 4;
            } else if rest.is_empty() {
                return Err(self.not_closed(start));
            } else {
                self.at += 1;
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let length = match self.peek(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(2),
            Some(b'u') => unicode_escape(self.rest()),
            _ => None,
        };
        if let Some(length) = length {
            self.at += length;
            return Ok(());
        }
        let shown: String = self.rest().chars().take(2).collect();
        Err(SyntaxError {
            message: format!("`{shown}` begins no valid escape in a string"),
            span: start..start + shown.len(),
        })
    }

    fn skip_one(&mut self, of: &[u8]) -> bool {
        let is = self.peek(0).is_some_and(|byte| of.contains(&byte));
        self.at += usize::from(is);
        is
    }

    fn skip(&mut self, goes_on: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|byte| !goes_on(*byte)).unwrap_or(rest.len());
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn not_closed(&self, start: usize) -> SyntaxError {
        SyntaxError { message: "this string is not closed".to_owned(), span: start..self.at }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        self.error(format!("expected {expected}, found {}", self.found()))
    }

    fn error(&self, message: String) -> SyntaxError {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        SyntaxError { message, span: self.at..self.at + length }
    }

    fn found(&self) -> String {
        match self.rest().chars().next() {
            None => "the end of the text".to_owned(),
            Some(found) if found.is_control() => format!("U+{:04X}", u32::from(found)),
            Some(found) => format!("`{found}`"),
        }
    }
}

/// Returns the length of `\u0041`, `\u{41}`, or a pair of surrogates.
fn unicode_escape(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix("\\u{") {
        let digits = rest.split_once('}')?.0;
        let is_short = !digits.is_empty() && digits.len() <= 8;
        if !is_short || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
        return Some(digits.len() + 4);
    }
    let first = fixed(text)?;
    match first {
        0xd800..=0xdbff => match fixed(text.get(6..)?)? {
            0xdc00..=0xdfff => Some(12),
            _ => None,
        },
        _ => char::from_u32(first).map(|_| 6),
    }
}

/// Parses the number in `\uXXXX`.
fn fixed(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}
