//! Parses a binding's texts: templates and mappings, with every mistake at its place, and every variable they name.

use super::{SourceSettings, check};
use crate::mapping::{Failure, Mapping, ParseError, Position, Reference, Scope, Template};
use crate::mapping::{Variable, Variables};
use crate::problem::Problem;
use crate::source::{Argument, Inputs, Placed};
use serde_json::Value;
use std::borrow::Cow;

/// Results of compiling a binding's texts.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) references: Vec<Placed>,
    pub(super) problems: Vec<Problem>,
    /// Warnings of a binding that compiles.
    pub(super) warnings: Vec<Problem>,
}

/// A value that is the same in every call, or is evaluated for each.
#[derive(Debug)]
pub(super) enum Text<T> {
    Fixed(T),
    Template(Template),
}

impl Texts {
    /// Parses path and query of a URL.
    pub(super) fn url(&mut self, argument: &Argument) -> Option<Text<String>> {
        let text = argument.text()?;
        let template = self.parsed("invalid-template", argument, Template::parse_url(text))?;
        let references = template.references();
        if !references.is_empty() {
            self.refer(argument, references);
            return Some(Text::Template(template));
        }
        let fixed = template.render_url(&no_scope());
        self.fixed(argument, fixed).map(Text::Fixed)
    }

    /// Parses the value of a query parameter, a header or a metadata entry.
    pub(super) fn value(&mut self, argument: &Argument, position: Position) -> Option<Text<Value>> {
        let text = argument.text()?;
        let template = Template::parse_value(text, position);
        let template = self.parsed("invalid-template", argument, template)?;
        let references = template.references();
        if !references.is_empty() {
            self.refer(argument, references);
            return Some(Text::Template(template));
        }
        let fixed = template.evaluate(&no_scope());
        self.fixed(argument, fixed).map(Text::Fixed)
    }

    /// Parses a `body` or a `message`.
    pub(super) fn mapping(&mut self, argument: &Argument) -> Option<Mapping> {
        let mapping = self.parsed("invalid-mapping", argument, Mapping::parse(argument.text()?))?;
        for found in check::keys_of_nothing(mapping.expr()) {
            let place = argument.place_of(&found.span);
            self.problems.push(
                Problem::error("unknown-reference", format!("`{}` is not a variable", found.text))
                    .at(place)
                    .help(found.help),
            );
        }
        self.refer(argument, mapping.references());
        Some(mapping)
    }

    /// Parses a text that is evaluated on the reply.
    pub(super) fn of_reply(&mut self, argument: &Argument) -> Option<Mapping> {
        let mapping = self.parsed("invalid-mapping", argument, Mapping::parse(argument.text()?))?;
        let placed =
            |reference: Reference| Placed { place: argument.place_of(&reference.span), reference };
        self.references.extend(mapping.references().into_iter().map(placed));
        Some(mapping)
    }

    /// Parses a `select`. The engine checks its references.
    pub(super) fn select(&mut self, argument: &Argument) -> Option<Mapping> {
        let mapping = self.parsed("invalid-mapping", argument, Mapping::parse(argument.text()?))?;
        for found in check::quoted_keys(&mapping) {
            let message = format!("`{}` is a key of the reply, not a string", found.text);
            self.warnings.push(
                Problem::warning("quoted-key", message)
                    .at(argument.place_of(&found.span))
                    .help(found.help),
            );
        }
        Some(mapping)
    }

    /// Checks that `$config` has every value that the texts name. `select` is an argument and its mapping.
    pub(super) fn check_config(
        &mut self,
        settings: &SourceSettings,
        select: Option<(&Argument, &Mapping)>,
    ) {
        let in_select = select.into_iter().flat_map(|(argument, mapping)| {
            let placed = |reference: Reference| Placed {
                place: argument.place_of(&reference.span),
                reference,
            };
            mapping.references().into_iter().map(placed)
        });
        let all = self.references.iter().cloned().chain(in_select);
        let missing: Vec<Problem> =
            all.filter_map(|placed| absent_setting(settings, &placed)).collect();
        self.problems.extend(missing);
    }

    fn parsed<T>(
        &mut self,
        code: &'static str,
        argument: &Argument,
        outcome: Result<T, Vec<ParseError>>,
    ) -> Option<T> {
        match outcome {
            Ok(parsed) => Some(parsed),
            Err(errors) => {
                self.problems.extend(errors.into_iter().map(|e| argument.problem(code, e)));
                None
            }
        }
    }

    fn fixed<T>(&mut self, argument: &Argument, outcome: Result<T, Failure>) -> Option<T> {
        outcome
            .map_err(|failure| {
                let problem = Problem::error("invalid-template", failure.to_string());
                self.problems.push(problem.at(argument.place.clone()));
            })
            .ok()
    }

    fn refer(&mut self, argument: &Argument, references: Vec<Reference>) {
        for reference in references {
            let place = argument.place_of(&reference.span);
            if matches!(reference.variable, Variable::ResponseHeaders | Variable::Status) {
                let message = "the reply is not available in the request";
                self.problems.push(
                    Problem::error("unavailable-variable", message)
                        .at(place.clone())
                        .help("use `$status` and `$response.headers` only in `select`, `isSuccess` and `errors`"),
                );
            }
            self.references.push(Placed { reference, place });
        }
    }
}

impl Text<Value> {
    pub(super) fn evaluate(&self, inputs: &Inputs<'_>) -> Result<Cow<'_, Value>, Failure> {
        match self {
            Self::Fixed(value) => Ok(Cow::Borrowed(value)),
            Self::Template(template) => template.evaluate(&scope(inputs)).map(Cow::Owned),
        }
    }
}

/// Returns the scope of a text that shapes a call: there is no current object.
pub(super) fn scope<'a>(inputs: &'a Inputs<'a>) -> Scope<'a> {
    Scope { current: &Value::Null, variables: inputs }
}

/// Returns a path of `$config` that does not exist. Elements of lists are not checked.
fn absent_setting(settings: &SourceSettings, placed: &Placed) -> Option<Problem> {
    let Reference { variable: Variable::Config, path, .. } = &placed.reference else { return None };
    let mut at = &settings.config.value;
    for (depth, name) in path.iter().enumerate() {
        let Value::Object(members) = at else {
            if !matches!(at, Value::Null | Value::Array(_)) || depth > 0 {
                return None;
            }
            return Some(no_setting(settings, path, &[], placed));
        };
        let Some(found) = members.get(&**name) else {
            let known: Vec<&str> = members.keys().map(String::as_str).collect();
            return Some(no_setting(settings, &path[..=depth], &known, placed));
        };
        at = found;
    }
    None
}

fn no_setting(
    settings: &SourceSettings,
    path: &[Box<str>],
    known: &[&str],
    placed: &Placed,
) -> Problem {
    let source = &settings.name;
    let (last, above) =
        path.split_last().map_or(("", &path[..0]), |(last, above)| (&**last, above));
    let above: String = above.iter().map(|name| format!(".{name}")).collect();
    let help = if known.is_empty() {
        format!("add it to the configuration: `sources.{source}.config{above}.{last}`")
    } else {
        let names: Vec<String> = known.iter().take(10).map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        format!("add it to the configuration, or use one of {names}")
    };
    Problem::error(
        "unknown-reference",
        format!("`config{above}` of source `{source}` has no `{last}`"),
    )
    .at(placed.place.clone())
    .help(help)
}

/// Converts a scalar to text; null is `None`.
pub(super) fn scalar(value: &Value) -> Result<Option<Cow<'_, str>>, Failure> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Cow::Borrowed(text))),
        Value::Bool(true) => Ok(Some(Cow::Borrowed("true"))),
        Value::Bool(false) => Ok(Some(Cow::Borrowed("false"))),
        Value::Number(number) => Ok(Some(Cow::Owned(number.to_string()))),
        Value::Array(_) | Value::Object(_) => Err(Failure::NotScalar),
    }
}

struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _: Variable) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }
}

fn no_scope() -> Scope<'static> {
    Scope { current: &Value::Null, variables: &NoVariables }
}
