//! An operation as a tree that can be cut smaller and printed.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;

#[derive(Debug, Clone, Default)]
pub struct Operation {
    pub variables: Vec<Variable>,
    pub fragments: Vec<Fragment>,
    pub selections: Vec<Selection>,
}

#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub kind: String,
    /// As it stands in the text.
    pub default: Option<String>,
    /// `None`: the client does not send it.
    pub value: Option<Value>,
}

#[derive(Debug, Clone)]
pub struct Fragment {
    pub name: String,
    pub on: String,
    pub selections: Vec<Selection>,
}

#[derive(Debug, Clone)]
pub struct Selection {
    pub kind: Kind,
    /// Such as `@skip(if: $v1)`.
    pub conditions: Vec<String>,
    pub selections: Vec<Selection>,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Field { alias: Option<String>, name: String, arguments: Vec<(String, String)> },
    Spread(String),
    Inline(Option<String>),
}

impl Operation {
    /// The text, without the fragments and variables that nothing uses.
    pub fn text(&self) -> String {
        let mut body = String::new();
        write_set(&mut body, &self.selections, 0);
        body.push('\n');
        for fragment in self.fragments_in_use() {
            let _ = write!(body, "fragment {} on {}", fragment.name, fragment.on);
            write_set(&mut body, &fragment.selections, 0);
            body.push('\n');
        }
        let variables: Vec<String> =
            self.variables.iter().filter(|v| v.stands_in(&body)).map(Variable::text).collect();
        if variables.is_empty() {
            format!("query Q{body}")
        } else {
            format!("query Q({}){body}", variables.join(", "))
        }
    }

    pub fn values(&self) -> Value {
        let text = self.text();
        let sent = self.variables.iter().filter(|variable| variable.stands_in(&text));
        let given =
            sent.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
        Value::Object(given.collect::<Map<_, _>>())
    }

    fn fragments_in_use(&self) -> Vec<&Fragment> {
        let mut names = BTreeSet::new();
        let mut open = vec![self.selections.as_slice()];
        while let Some(selections) = open.pop() {
            for selection in selections {
                open.push(&selection.selections);
                let Kind::Spread(name) = &selection.kind else { continue };
                if names.insert(name) {
                    open.extend(
                        self.fragments.iter().filter(|f| f.name == *name).map(|f| &*f.selections),
                    );
                }
            }
        }
        self.fragments.iter().filter(|fragment| names.contains(&fragment.name)).collect()
    }
}

impl Variable {
    fn stands_in(&self, text: &str) -> bool {
        let name = format!("${}", self.name);
        text.match_indices(&name).any(|(at, _)| {
            !text[at + name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
        })
    }

    fn text(&self) -> String {
        match &self.default {
            Some(default) => format!("${}: {} = {default}", self.name, self.kind),
            None => format!("${}: {}", self.name, self.kind),
        }
    }
}

fn write_set(out: &mut String, selections: &[Selection], depth: usize) {
    if selections.is_empty() {
        return;
    }
    out.push_str(" {");
    for selection in selections {
        let _ = write!(out, "\n{}", "  ".repeat(depth + 1));
        match &selection.kind {
            Kind::Field { alias, name, arguments } => {
                if let Some(alias) = alias {
                    let _ = write!(out, "{alias}: ");
                }
                out.push_str(name);
                if !arguments.is_empty() {
                    let arguments: Vec<String> =
                        arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    let _ = write!(out, "({})", arguments.join(", "));
                }
            }
            Kind::Spread(name) => {
                let _ = write!(out, "...{name}");
            }
            Kind::Inline(None) => out.push_str("..."),
            Kind::Inline(Some(on)) => {
                let _ = write!(out, "... on {on}");
            }
        }
        for condition in &selection.conditions {
            let _ = write!(out, " {condition}");
        }
        write_set(out, &selection.selections, depth + 1);
    }
    let _ = write!(out, "\n{}}}", "  ".repeat(depth));
}
