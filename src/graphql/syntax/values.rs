//! Values, types, arguments and directives (GraphQL spec, sections 2.6 to 2.13).

use super::SyntaxError;
use super::lexer::TokenKind;
use super::tokens::{Checked, Tokens};

/// Parses a value; if `constant`, without variables.
pub(super) fn value(tokens: &mut Tokens<'_>, constant: bool) -> Checked {
    match tokens.kind() {
        TokenKind::Sign(b'[') => tokens.any(b'[', |tokens| value(tokens, constant), b']'),
        TokenKind::Sign(b'{') => tokens.any(b'{', |tokens| named_value(tokens, constant), b'}'),
        TokenKind::Sign(b'$') if constant => {
            Err(tokens.refuse("a variable cannot be used in a constant value"))
        }
        TokenKind::Sign(b'$') => variable(tokens),
        TokenKind::Name | TokenKind::Int | TokenKind::Float | TokenKind::String => tokens.advance(),
        TokenKind::Sign(_) | TokenKind::End => Err(tokens.unexpected("a value")),
    }
}

pub(super) fn constant(tokens: &mut Tokens<'_>) -> Checked {
    value(tokens, true)
}

pub(super) fn variable(tokens: &mut Tokens<'_>) -> Checked {
    tokens.sign(b'$')?;
    tokens.name()
}

/// Parses `name: value`, an argument or a field of an object.
fn named_value(tokens: &mut Tokens<'_>, constant: bool) -> Checked {
    tokens.name()?;
    tokens.sign(b':')?;
    value(tokens, constant)
}

pub(super) fn arguments(tokens: &mut Tokens<'_>) -> Checked {
    tokens.optional_many(b'(', |tokens| named_value(tokens, false), b')').map(drop)
}

/// Parses directives whose arguments may hold variables.
pub(super) fn directives(tokens: &mut Tokens<'_>) -> Checked {
    while tokens.takes(b'@')? {
        tokens.name()?;
        arguments(tokens)?;
    }
    Ok(())
}

/// Parses directives without variables. Returns `true` if there was one.
pub(super) fn constant_directives(tokens: &mut Tokens<'_>) -> Result<bool, SyntaxError> {
    let mut found = false;
    while tokens.takes(b'@')? {
        found = true;
        tokens.name()?;
        tokens.optional_many(b'(', |tokens| named_value(tokens, true), b')')?;
    }
    Ok(found)
}

/// Parses `Name` and `[Type]`, with or without `!`.
pub(super) fn type_reference(tokens: &mut Tokens<'_>) -> Checked {
    match tokens.kind() {
        TokenKind::Sign(b'[') => {
            tokens.advance()?;
            tokens.deeper(type_reference)?;
            tokens.sign(b']')?;
        }
        TokenKind::Name => tokens.advance()?,
        _ => return Err(tokens.unexpected("a type")),
    }
    tokens.takes(b'!').map(drop)
}
