//! Hides names of the schema in messages. If introspection is off, a message names only what the client wrote.
//! Otherwise a client could read the schema out of errors, one type and one argument at a time.
//!
//! All messages pass here, whatever wrote them (the parser, the validator, coercion, limits, the writer). Names of the
//! schema that the request does not have are removed. Everything else stays, so no rule needs a second wording. Never
//! changes what operators read: the log, `explain`, problems of the load.

use super::settings::Settings;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Name, PathSegment};
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashSet;
use serde_json::Value;
use std::borrow::Cow;

/// Replaces a hidden name.
const HIDDEN: &str = "(hidden)";

/// Replaces a hidden name inside a longer expression.
const ELIDED: &str = "…";

/// Names that messages may contain.
pub(super) struct Disclosure {
    /// Names of the schema, which are removed from messages; `None` if introspection is on.
    hidden: Option<HashSet<Name>>,
}

impl Disclosure {
    pub fn new(graph: &Graph, settings: &Settings) -> Self {
        let hidden = (!settings.introspection).then(|| {
            let mut names = HashSet::new();
            for schema in [&*graph.schema, &*graph.api_schema] {
                collect(schema, &mut names);
            }
            names
        });
        Self { hidden }
    }

    /// Hides names in errors that refuse an operation with this text.
    pub fn of_refusal(&self, errors: &mut [Error], text: &str) {
        for error in errors {
            self.redact(error, &|name| has_word(text, name));
        }
    }

    /// Hides names in field errors of a response. The keys of an error's path are the client's own.
    pub fn of_fields(&self, errors: &mut [Error]) {
        for error in errors {
            let path = std::mem::take(&mut error.path);
            let is_key = |name: &str| {
                path.iter().any(|step| matches!(step, PathSegment::Key(key) if **key == *name))
            };
            self.redact(error, &is_key);
            error.path = path;
        }
    }

    fn redact(&self, error: &mut Error, is_written: &dyn Fn(&str) -> bool) {
        let Some(hidden) = self.hidden.as_ref().filter(|_| !error.is_verbatim) else { return };
        let source = error.extensions.get("source").and_then(Value::as_str);
        let words =
            Words { hidden, is_written, source, all: error.code == ErrorCode::InvalidRequest };
        if let Cow::Owned(message) = words.message(&error.message) {
            error.message = message;
        }
    }
}

/// Collects every name of a schema, except for the specification's own directives and introspection types.
fn collect(schema: &Schema, names: &mut HashSet<Name>) {
    let mut add = |name: &str| {
        if !name.starts_with("__") {
            names.insert(name.into());
        }
    };
    let own = schema.directive_definitions.values().filter(|found| !found.is_built_in());
    for directive in own {
        add(&directive.name);
        directive.arguments.iter().for_each(|argument| add(&argument.name));
    }
    for (name, found) in &schema.types {
        if name.starts_with("__") {
            continue;
        }
        add(name);
        let fields = match found {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            ExtendedType::InputObject(object) => {
                object.fields.keys().for_each(|name| add(name));
                continue;
            }
            ExtendedType::Enum(definition) => {
                definition.values.keys().for_each(|name| add(name));
                continue;
            }
            ExtendedType::Scalar(_) | ExtendedType::Union(_) => continue,
        };
        for field in fields.values() {
            add(&field.name);
            field.arguments.iter().for_each(|argument| add(&argument.name));
        }
    }
}

/// Distinguishes names from the other words of one message.
struct Words<'a> {
    hidden: &'a HashSet<Name>,
    is_written: &'a dyn Fn(&str) -> bool,
    /// The name of the error's source, which is not a name of the schema.
    source: Option<&'a str>,
    /// The message quotes names that are not the schema's, such as a service's own.
    all: bool,
}

impl Words<'_> {
    fn message<'m>(&self, message: &'m str) -> Cow<'m, str> {
        let mut out = String::new();
        let mut changed = false;
        let mut parts = message.split('`').enumerate().peekable();
        while let Some((index, part)) = parts.next() {
            let is_quoted = index % 2 == 1;
            let replaced = if is_quoted { self.quoted(part) } else { self.replace(part, true) };
            changed |= matches!(replaced, Cow::Owned(_));
            let quote = if is_quoted && replaced != HIDDEN { "`" } else { "" };
            // A message that was cut off may end inside a quotation.
            let end = if parts.peek().is_some() { quote } else { "" };
            out.extend([quote, &replaced, end]);
        }
        if changed { Cow::Owned(out) } else { Cow::Borrowed(message) }
    }

    /// Handles a quotation: a name, a coordinate such as `Query.user(id:)`, a type such as `[User!]`, or another text.
    fn quoted<'m>(&self, text: &'m str) -> Cow<'m, str> {
        if self.source == Some(text) || SETTINGS.contains(&text) {
            return Cow::Borrowed(text);
        }
        if self.all && !(self.is_written)(text) {
            return Cow::Owned(HIDDEN.to_owned());
        }
        self.replace(text, false)
    }

    /// Returns the text without hidden names. `prose`: it contains English words, which are not names.
    fn replace<'m>(&self, text: &'m str, prose: bool) -> Cow<'m, str> {
        let mut out = String::new();
        let (mut changed, mut has_name) = (false, false);
        let mut rest = text;
        while let Some(start) = rest.find(is_start) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|letter| !is_letter(letter)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            out.push_str(before);
            rest = after;
            let is_variable = before.ends_with('$');
            let is_word = prose && has_word(WORDS, word);
            if is_variable || is_word || !self.is_hidden(word, after) {
                has_name |= !is_word;
                out.push_str(word);
                continue;
            }
            changed = true;
            // The type of a coordinate reveals nothing that its field does not.
            let owner = after.strip_prefix('.').filter(|field| field.starts_with(is_start));
            match owner {
                Some(field) => rest = field,
                None if prose => {
                    unwrap(&mut out, &mut rest);
                    out.push_str(HIDDEN);
                }
                None => out.push_str(ELIDED),
            }
        }
        out.push_str(rest);
        match changed {
            false => Cow::Borrowed(text),
            true if prose || has_name => Cow::Owned(out),
            true => Cow::Owned(HIDDEN.to_owned()),
        }
    }
}

impl Words<'_> {
    fn is_hidden(&self, word: &str, after: &str) -> bool {
        // The end of a message that was cut off may be the beginning of a name.
        let is_part = || after == "…" && self.hidden.iter().any(|name| name.starts_with(word));
        (self.hidden.contains(word) || is_part()) && !(self.is_written)(word)
    }
}

/// Removes the marks of lists and of non-null types on both sides of a name.
fn unwrap(out: &mut String, rest: &mut &str) {
    while out.ends_with('[') {
        out.pop();
    }
    *rest = rest.trim_start_matches(['!', ']']);
}

fn is_start(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Returns `true` if the text has this name as a separate word.
fn has_word(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(start, _)| {
        !text[..start].ends_with(is_letter) && !text[start + name.len()..].starts_with(is_letter)
    })
}

/// Quoted words of messages that are never names of the schema.
const SETTINGS: [&str; 5] =
    ["server.introspection", "operationName", "@skip", "@include", "isSuccess"];

/// English words, and words of this product's settings, that messages use outside of quotations. If a schema has fields
/// of these names, the messages do not reveal them.
const WORDS: &str = "\
    GET HTTP JSON KiB POST a again age aliases all allowed already an and anonymous answer \
    answered answers any applied are argument arguments array as asks at be became because been \
    before body boolean brackets but by bytes call calls can cannot character client coerce \
    coerced come composite condition conditions conflicting contain contains cost costs could \
    cycle declared deep default defined deprecated depth description did different directive \
    directives document does done due each element elements empty enum error ever exactly \
    exceeds executable exist expected expects failed false field fields finite first float for \
    found fragment fragments from gateway gets given got has have header held hold holds id if \
    in inline input int integer interface into introspection is it item its itself key know \
    large last later left less limit limits list lists location long made many mapped max may \
    measure memory message missing more multiple must mutation name named nests no node non none \
    not nothing null number object objects of off on once one only operation operations or other \
    output parse path per planning position provide provided query range rate reached read \
    replies reply request required response result root s same scalar schema select selected \
    selection selections server several sources spend status string subscription subselection \
    subselections such supported syntax than that the there these this time to token tokens too \
    true try type types unavailable understood union unique unknown unused use used using value \
    values variable variables was were what which with without you";

#[cfg(test)]
mod tests;
