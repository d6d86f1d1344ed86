//! A stream of tokens with one token of lookahead, which is all that the grammar needs. Also collects the ranges to
//! blank out.

use super::lexer::{Lexer, LexicalToken, TokenKind};
use super::{MAX_LEVELS, SyntaxError};
use std::borrow::Cow;
use std::ops::Range;

pub(super) type Checked = Result<(), SyntaxError>;

pub(super) struct Tokens<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    next: LexicalToken,
    level: usize,
    /// Descriptions that the parser does not support.
    blanked: Vec<Range<usize>>,
}

impl<'t> Tokens<'t> {
    pub fn new(text: &'t str) -> Result<Self, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let next = lexer.next()?;
        Ok(Self { text, lexer, next, level: 0, blanked: Vec::new() })
    }

    /// Returns the text with ignored ranges blanked out.
    pub fn finish(self) -> Cow<'t, str> {
        let ignored = self.lexer.ignored.into_iter().chain(self.blanked);
        let mut bytes: Option<Vec<u8>> = None;
        for range in ignored {
            let bytes = bytes.get_or_insert_with(|| self.text.as_bytes().to_vec());
            for byte in &mut bytes[range] {
                // Keeps the lines.
                if !b"\r\n".contains(byte) {
                    *byte = b' ';
                }
            }
        }
        // Whole characters were blanked, so the rest is UTF-8.
        match bytes.map(String::from_utf8) {
            Some(Ok(text)) => Cow::Owned(text),
            Some(Err(_)) | None => Cow::Borrowed(self.text),
        }
    }

    pub fn kind(&self) -> TokenKind {
        self.next.kind
    }

    pub fn is_end(&self) -> bool {
        self.next.kind == TokenKind::End
    }

    pub fn is(&self, sign: u8) -> bool {
        self.next.kind == TokenKind::Sign(sign)
    }

    /// Returns the next token if it is a name; otherwise an empty text.
    pub fn word(&self) -> &'t str {
        match self.next.kind {
            TokenKind::Name => self.text.get(self.next.span()).unwrap_or_default(),
            _ => "",
        }
    }

    pub fn advance(&mut self) -> Checked {
        self.next = self.lexer.next()?;
        Ok(())
    }

    /// Takes the next token if it is this punctuator. Returns `true` if so.
    pub fn takes(&mut self, sign: u8) -> Result<bool, SyntaxError> {
        let is = self.is(sign);
        if is {
            self.advance()?;
        }
        Ok(is)
    }

    /// Takes the next token if it is this keyword. Returns `true` if so.
    pub fn takes_word(&mut self, word: &str) -> Result<bool, SyntaxError> {
        let is = self.word() == word;
        if is {
            self.advance()?;
        }
        Ok(is)
    }

    pub fn sign(&mut self, sign: u8) -> Checked {
        if self.takes(sign)? { Ok(()) } else { Err(self.unexpected(shown(sign))) }
    }

    pub fn keyword(&mut self, word: &str) -> Checked {
        if self.takes_word(word)? { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    pub fn name(&mut self) -> Checked {
        if self.kind() == TokenKind::Name { self.advance() } else { Err(self.unexpected("a name")) }
    }

    /// Takes a description, if there is one. `blank`: the parser must not see it.
    pub fn description(&mut self, blank: bool) -> Result<bool, SyntaxError> {
        let is = self.kind() == TokenKind::String;
        if is {
            if blank {
                self.blanked.push(self.next.span());
            }
            self.advance()?;
        }
        Ok(is)
    }

    /// Parses `open item+ close`, or nothing.
    pub fn optional_many(
        &mut self,
        open: u8,
        item: fn(&mut Self) -> Checked,
        close: u8,
    ) -> Result<bool, SyntaxError> {
        let is = self.is(open);
        if is {
            self.many(open, item, close)?;
        }
        Ok(is)
    }

    /// Parses `open item+ close`.
    pub fn many(&mut self, open: u8, item: fn(&mut Self) -> Checked, close: u8) -> Checked {
        self.sign(open)?;
        self.deeper(|tokens| {
            item(tokens)?;
            while !tokens.takes(close)? {
                item(tokens)?;
            }
            Ok(())
        })
    }

    /// Parses `open item* close`.
    pub fn any(&mut self, open: u8, item: impl Fn(&mut Self) -> Checked, close: u8) -> Checked {
        self.sign(open)?;
        self.deeper(|tokens| {
            while !tokens.takes(close)? {
                item(tokens)?;
            }
            Ok(())
        })
    }

    /// Parses `sign? item (sign item)*`.
    pub fn delimited(&mut self, sign: u8, item: fn(&mut Self) -> Checked) -> Checked {
        self.takes(sign)?;
        item(self)?;
        while self.takes(sign)? {
            item(self)?;
        }
        Ok(())
    }

    /// Limits the depth: every recursion of the grammar passes here.
    pub fn deeper(&mut self, inside: impl FnOnce(&mut Self) -> Checked) -> Checked {
        if self.level == MAX_LEVELS {
            let message = format!("brackets nest more than {MAX_LEVELS} deep");
            return Err(SyntaxError { message, span: self.next.span() });
        }
        self.level += 1;
        inside(self)?;
        self.level -= 1;
        Ok(())
    }

    pub fn unexpected(&self, expected: &str) -> SyntaxError {
        let message = format!("expected {expected}, found {}", self.found());
        SyntaxError { message, span: self.next.span() }
    }

    /// Returns an error about the next token.
    pub fn refuse(&self, message: &str) -> SyntaxError {
        SyntaxError { message: message.to_owned(), span: self.next.span() }
    }

    fn found(&self) -> String {
        /// Maximum number of characters of a name or number in a message.
        const SHOWN: usize = 40;
        let text = self.text.get(self.next.span()).unwrap_or_default();
        let short = match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        match self.kind() {
            TokenKind::End => "the end of the text".to_owned(),
            TokenKind::String => "a string".to_owned(),
            TokenKind::Sign(_) | TokenKind::Name | TokenKind::Int | TokenKind::Float => {
                format!("`{short}`")
            }
        }
    }
}

fn shown(sign: u8) -> &'static str {
    match sign {
        b'(' => "`(`",
        b')' => "`)`",
        b':' => "`:`",
        b'[' => "`[`",
        b']' => "`]`",
        b'{' => "`{`",
        b'}' => "`}`",
        b'$' => "`$`",
        b'@' => "`@`",
        b'.' => "`...`",
        _ => "another sign",
    }
}
