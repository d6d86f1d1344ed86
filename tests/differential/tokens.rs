//! The tokens of a text: of a GraphQL document, and of JSON, whose tokens are a part of GraphQL's.
//!
//! It reads anything: what is no token of the language is a token of one character here.

/// Splits a text into tokens. White space, commas and comments stand between them, as one token where there are any.
pub fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' | '\t' | '\r' | '\n' | ',' | '#' => ignored(rest),
            '"' => string(rest),
            '.' if rest.starts_with("...") => 3,
            '-' | '0'..='9' => while_in(rest, |c| c.is_ascii_alphanumeric() || "+-.".contains(c)),
            '_' | 'a'..='z' | 'A'..='Z' => {
                while_in(rest, |c| c == '_' || c.is_ascii_alphanumeric())
            }
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// White space, commas or comments.
pub fn is_ignored(token: &str) -> bool {
    token.starts_with([' ', '\t', '\r', '\n', ',', '#'])
}

/// The index after a token, or after all of a bracket that it opens.
pub fn end_of(tokens: &[&str], start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match *token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

fn ignored(text: &str) -> usize {
    let mut comment = false;
    let end = text.char_indices().find(|(_, c)| {
        comment = if comment { !"\r\n".contains(*c) } else { *c == '#' };
        !comment && !" \t\r\n,".contains(*c)
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn string(text: &str) -> usize {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let mut from = 0;
        while let Some(at) = block[from..].find("\"\"\"") {
            if !block[..from + at].ends_with('\\') {
                return from + at + 6;
            }
            from += at + 3;
        }
        return text.len();
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' | '\r' => return at,
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

fn while_in(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|c| !inside(c)).unwrap_or(text.len())
}

#[test]
fn tokens_are_the_text() {
    let text =
        "\"\"\"d \\\"\"\" \"\"\" query Q($a: [Int!] = -1.5e3), #c {\n{ a(b: \"x\\\" {\"), ...F é }";
    let tokens = split(text);
    assert_eq!(tokens.concat(), text);
    let rest: Vec<&str> = tokens.iter().copied().filter(|token| !is_ignored(token)).collect();
    let expected = [
        "\"\"\"d \\\"\"\" \"\"\"",
        "query",
        "Q",
        "(",
        "$",
        "a",
        ":",
        "[",
        "Int",
        "!",
        "]",
        "=",
        "-1.5e3",
        ")",
        "{",
        "a",
        "(",
        "b",
        ":",
        "\"x\\\" {\"",
        ")",
        "...",
        "F",
        "é",
        "}",
    ];
    assert_eq!(rest, expected);
    assert_eq!(end_of(&rest, 3), 14);
    assert_eq!(end_of(&rest, 14), rest.len());
}
