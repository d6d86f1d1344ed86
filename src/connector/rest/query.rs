//! Query parameters and form fields: names, values, and their encoding.

use super::super::Secret;
use super::super::headers::HIDDEN;
use super::super::texts::{Text, Texts, scalar};
use crate::mapping::{Failure, Position};
use crate::source::{Argument, ArgumentValue, BindingSpec, Inputs};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::borrow::Cow;

/// Escapes all but the unreserved characters of RFC 3986 §2.3, and the comma, as in URL templates.
const QUERY: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// WHATWG URL, "application/x-www-form-urlencoded percent-encode set"; a space becomes `+`.
const FORM: AsciiSet =
    NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// One entry of `query`.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Encoded name.
    name: String,
    value: Text<Value>,
    skip_empty: bool,
}

pub(super) fn compile(spec: &BindingSpec, texts: &mut Texts) -> Vec<Parameter> {
    let entries = spec.argument("query").map(Argument::elements).unwrap_or_default();
    let compile_one = |entry: &Argument| {
        let name = entry.field("name")?.text()?;
        let value = texts.value(entry.field("value")?, Position::QueryValue)?;
        let skip_empty = entry
            .field("skipEmpty")
            .is_none_or(|skip| skip.boolean().unwrap_or(matches!(skip.value, ArgumentValue::Null)));
        Some(Parameter { name: utf8_percent_encode(name, &QUERY).to_string(), value, skip_empty })
    };
    entries.iter().filter_map(compile_one).collect()
}

/// Appends the parameters to a path that may have a query already.
pub(super) fn append(
    parameters: &[Parameter],
    inputs: &Inputs<'_>,
    target: &mut String,
) -> Result<(), Failure> {
    for parameter in parameters {
        let value = parameter.value.evaluate(inputs)?;
        for value in elements(&value) {
            let text = scalar(value)?.unwrap_or_default();
            if text.is_empty() && parameter.skip_empty {
                continue;
            }
            begin(&parameter.name, target);
            target.extend(utf8_percent_encode(&text, &QUERY));
        }
    }
    Ok(())
}

/// Writes the name of one more parameter.
fn begin(name: &str, target: &mut String) {
    target.push_str(match target.find('?') {
        None => "?",
        Some(_) if target.ends_with(['?', '&']) => "",
        Some(_) => "&",
    });
    target.push_str(name);
    target.push('=');
}

/// Encoded parameters of every call of a source. A parameter of the call itself wins over one of the same name.
#[derive(Debug, Default)]
pub(super) struct OfSource(Vec<(String, Secret)>);

impl OfSource {
    pub(super) fn new(query: &[(String, Secret)]) -> Self {
        let encoded = |text: &str| utf8_percent_encode(text, &QUERY).to_string();
        let one = |(name, value): &(String, Secret)| (encoded(name), Secret(encoded(&value.0)));
        Self(query.iter().map(one).collect())
    }

    /// Returns a target with the parameters, as it is sent.
    pub(super) fn added_to<'t>(&self, target: &'t str) -> Cow<'t, str> {
        self.written(target, |value| &value.0)
    }

    /// Returns a target with the parameters masked, for people.
    pub(super) fn shown_in<'t>(&self, target: &'t str) -> Cow<'t, str> {
        self.written(target, |_| HIDDEN)
    }

    fn written<'t>(&self, target: &'t str, value_of: fn(&Secret) -> &str) -> Cow<'t, str> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let mut written = Cow::Borrowed(target);
        for (name, value) in self.0.iter().filter(|(name, _)| !has(name)) {
            let target = written.to_mut();
            begin(name, target);
            target.push_str(value_of(value));
        }
        written
    }
}

/// Encodes a flat object as a form. Lists repeat the field, and nulls are left out. Null is an empty form.
pub(super) fn form(value: &Value) -> Result<String, Failure> {
    let mut out = String::new();
    let fields = match value {
        Value::Null => return Ok(out),
        Value::Object(fields) => fields,
        _ => return Err(Failure::NotScalar),
    };
    for (name, value) in fields {
        for value in elements(value) {
            let Some(text) = scalar(value)? else { continue };
            if !out.is_empty() {
                out.push('&');
            }
            push_form(name, &mut out);
            out.push('=');
            push_form(&text, &mut out);
        }
    }
    Ok(out)
}

fn push_form(text: &str, out: &mut String) {
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            out.push('+');
        }
        out.extend(utf8_percent_encode(word, &FORM));
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        single => std::slice::from_ref(single),
    }
}
