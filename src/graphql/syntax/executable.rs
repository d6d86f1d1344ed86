//! Operations and fragments (GraphQL spec, sections 2.2 to 2.8).

use super::lexer::TokenKind;
use super::tokens::{Checked, Tokens};
use super::values::{
    arguments, constant, constant_directives, directives, type_reference, variable,
};

pub(super) fn document(tokens: &mut Tokens<'_>) -> Checked {
    definition(tokens)?;
    while !tokens.is_end() {
        definition(tokens)?;
    }
    Ok(())
}

fn definition(tokens: &mut Tokens<'_>) -> Checked {
    let described = tokens.description(true)?;
    match tokens.word() {
        "query" | "mutation" | "subscription" => operation(tokens),
        "fragment" => fragment(tokens),
        _ if tokens.is(b'{') && described => {
            Err(tokens.refuse("a query without the keyword `query` has no description"))
        }
        _ if tokens.is(b'{') => selection_set(tokens),
        _ => Err(tokens.unexpected("an operation or a fragment")),
    }
}

fn operation(tokens: &mut Tokens<'_>) -> Checked {
    tokens.advance()?;
    if tokens.kind() == TokenKind::Name {
        tokens.advance()?;
    }
    tokens.optional_many(b'(', variable_definition, b')')?;
    directives(tokens)?;
    selection_set(tokens)
}

fn variable_definition(tokens: &mut Tokens<'_>) -> Checked {
    tokens.description(true)?;
    variable(tokens)?;
    tokens.sign(b':')?;
    type_reference(tokens)?;
    if tokens.takes(b'=')? {
        constant(tokens)?;
    }
    constant_directives(tokens).map(drop)
}

fn fragment(tokens: &mut Tokens<'_>) -> Checked {
    tokens.advance()?;
    if tokens.word() == "on" {
        return Err(tokens.refuse("a fragment cannot be named `on`"));
    }
    tokens.name()?;
    tokens.keyword("on")?;
    tokens.name()?;
    directives(tokens)?;
    selection_set(tokens)
}

fn selection_set(tokens: &mut Tokens<'_>) -> Checked {
    tokens.many(b'{', selection, b'}')
}

fn selection(tokens: &mut Tokens<'_>) -> Checked {
    if tokens.takes(b'.')? {
        return spread(tokens);
    }
    if tokens.kind() != TokenKind::Name {
        return Err(tokens.unexpected("a field or a fragment"));
    }
    tokens.advance()?;
    if tokens.takes(b':')? {
        tokens.name()?;
    }
    arguments(tokens)?;
    directives(tokens)?;
    if tokens.is(b'{') { selection_set(tokens) } else { Ok(()) }
}

/// Parses the rest of a spread, after `...`.
fn spread(tokens: &mut Tokens<'_>) -> Checked {
    if tokens.takes_word("on")? {
        tokens.name()?;
    } else if tokens.kind() == TokenKind::Name {
        tokens.advance()?;
        return directives(tokens);
    }
    directives(tokens)?;
    selection_set(tokens)
}
