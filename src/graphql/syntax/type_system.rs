//! Type definitions and extensions (GraphQL spec, section 3).

use super::SyntaxError;
use super::tokens::{Checked, Tokens};
use super::values::{constant, constant_directives, type_reference};

/// Valid locations of a directive (GraphQL spec, section 3.13).
const LOCATIONS: [&str; 19] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
];

/// Parses a document. It may be empty, because other files may define the types.
pub(super) fn document(tokens: &mut Tokens<'_>) -> Checked {
    while !tokens.is_end() {
        definition(tokens)?;
    }
    Ok(())
}

fn definition(tokens: &mut Tokens<'_>) -> Checked {
    let described = tokens.description(false)?;
    let extends = tokens.word() == "extend";
    if extends && described {
        return Err(tokens.refuse("an extension has no description"));
    }
    if extends {
        tokens.advance()?;
    }
    let says = match tokens.word() {
        "schema" => schema(tokens, extends)?,
        "scalar" => named(tokens, |tokens| constant_directives(tokens))? || !extends,
        "type" | "interface" => named(tokens, object)? || !extends,
        "union" => named(tokens, union_type)? || !extends,
        "enum" => named(tokens, |tokens| values(tokens, enum_value))? || !extends,
        "input" => named(tokens, |tokens| values(tokens, input_value))? || !extends,
        "directive" if !extends => directive(tokens).map(|()| true)?,
        _ if extends => return Err(tokens.unexpected("the kind of type that is extended")),
        "query" | "mutation" | "subscription" | "fragment" => {
            return Err(tokens.refuse("an operation cannot stand among type definitions"));
        }
        _ => return Err(tokens.unexpected("a type definition")),
    };
    if says { Ok(()) } else { Err(tokens.unexpected("what the extension adds")) }
}

/// Parses a keyword, a name, and a rest, which returns `true` if there is any.
fn named<'t>(
    tokens: &mut Tokens<'t>,
    rest: fn(&mut Tokens<'t>) -> Result<bool, SyntaxError>,
) -> Result<bool, SyntaxError> {
    tokens.advance()?;
    tokens.name()?;
    rest(tokens)
}

fn schema(tokens: &mut Tokens<'_>, extends: bool) -> Result<bool, SyntaxError> {
    tokens.advance()?;
    let directives = constant_directives(tokens)?;
    if extends && !tokens.is(b'{') {
        return Ok(directives);
    }
    tokens.many(b'{', root, b'}')?;
    Ok(true)
}

fn root(tokens: &mut Tokens<'_>) -> Checked {
    if !matches!(tokens.word(), "query" | "mutation" | "subscription") {
        return Err(tokens.unexpected("`query`, `mutation` or `subscription`"));
    }
    tokens.advance()?;
    tokens.sign(b':')?;
    tokens.name()
}

fn object(tokens: &mut Tokens<'_>) -> Result<bool, SyntaxError> {
    let implements = tokens.takes_word("implements")?;
    if implements {
        tokens.delimited(b'&', Tokens::name)?;
    }
    let rest = values(tokens, field)?;
    Ok(implements || rest)
}

fn union_type(tokens: &mut Tokens<'_>) -> Result<bool, SyntaxError> {
    let directives = constant_directives(tokens)?;
    let members = tokens.takes(b'=')?;
    if members {
        tokens.delimited(b'|', Tokens::name)?;
    }
    Ok(directives || members)
}

/// Parses directives, and definitions in braces.
fn values<'t>(
    tokens: &mut Tokens<'t>,
    item: fn(&mut Tokens<'t>) -> Checked,
) -> Result<bool, SyntaxError> {
    let directives = constant_directives(tokens)?;
    let items = tokens.optional_many(b'{', item, b'}')?;
    Ok(directives || items)
}

fn field(tokens: &mut Tokens<'_>) -> Checked {
    tokens.description(false)?;
    tokens.name()?;
    tokens.optional_many(b'(', input_value, b')')?;
    tokens.sign(b':')?;
    type_reference(tokens)?;
    constant_directives(tokens).map(drop)
}

fn input_value(tokens: &mut Tokens<'_>) -> Checked {
    tokens.description(false)?;
    tokens.name()?;
    tokens.sign(b':')?;
    type_reference(tokens)?;
    if tokens.takes(b'=')? {
        constant(tokens)?;
    }
    constant_directives(tokens).map(drop)
}

fn enum_value(tokens: &mut Tokens<'_>) -> Checked {
    tokens.description(false)?;
    if matches!(tokens.word(), "true" | "false" | "null") {
        let message = format!("`{}` cannot be the name of an enum value", tokens.word());
        return Err(tokens.refuse(&message));
    }
    tokens.name()?;
    constant_directives(tokens).map(drop)
}

fn directive(tokens: &mut Tokens<'_>) -> Checked {
    tokens.advance()?;
    tokens.sign(b'@')?;
    tokens.name()?;
    tokens.optional_many(b'(', input_value, b')')?;
    tokens.takes_word("repeatable")?;
    tokens.keyword("on")?;
    tokens.delimited(b'|', location)
}

fn location(tokens: &mut Tokens<'_>) -> Checked {
    if !LOCATIONS.contains(&tokens.word()) {
        return Err(tokens.unexpected("the place of a directive, such as `FIELD_DEFINITION`"));
    }
    tokens.advance()
}
