//! An operation as a tree that can be changed and printed.

use super::case::Case;
use crate::support::random::Random;
use std::collections::BTreeSet;
use std::fmt::Write;

#[derive(Debug, Clone)]
pub struct Operation {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    pub description: Option<String>,
    pub variables: Vec<Variable>,
    pub fragments: Vec<Fragment>,
    pub selections: Vec<Selection>,
}

#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub kind: String,
    pub description: Option<String>,
    /// As it stands in the text.
    pub default: Option<String>,
    /// JSON. `None`: the client does not send it.
    pub value: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Fragment {
    pub name: String,
    pub description: Option<String>,
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
    pub fn case(&self) -> Case {
        let (text, variables) = (self.text(), self.values());
        Case { text, variables }
    }

    /// The text, without the fragments and variables that nothing uses.
    fn text(&self) -> String {
        let mut body = String::new();
        write_set(&mut body, &self.selections, 0);
        body.push('\n');
        for fragment in self.fragments_in_use() {
            let described = described(fragment.description.as_ref());
            let _ = write!(body, "{described}fragment {} on {}", fragment.name, fragment.on);
            write_set(&mut body, &fragment.selections, 0);
            body.push('\n');
        }
        let variables = self.variables_in(&body);
        let variables: Vec<String> = variables.into_iter().map(Variable::text).collect();
        let (described, kind) = (described(self.description.as_ref()), self.kind);
        if variables.is_empty() {
            format!("{described}{kind} Q{body}")
        } else {
            format!("{described}{kind} Q({}){body}", variables.join(", "))
        }
    }

    /// The variables as a JSON object.
    fn values(&self) -> String {
        let text = self.text();
        let sent = self.variables_in(&text).into_iter().filter_map(|variable| {
            Some(format!("\"{}\": {}", variable.name, variable.value.as_ref()?))
        });
        format!("{{{}}}", sent.collect::<Vec<_>>().join(", "))
    }

    /// The variables that the text names, or that the defaults of such ones do.
    fn variables_in(&self, text: &str) -> Vec<&Variable> {
        self.variables.iter().filter(|variable| variable.stands_in(text)).collect()
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

    /// Every selection set, the operation's own first.
    pub fn sets(&mut self) -> Vec<&mut Vec<Selection>> {
        let mut open = vec![&mut self.selections];
        open.extend(self.fragments.iter_mut().map(|fragment| &mut fragment.selections));
        // A set is given out whole, so those in it are reached through `some_set` alone.
        open
    }

    /// One selection set of the whole document.
    pub fn some_set(&mut self, random: &mut Random) -> &mut Vec<Selection> {
        let mut sets = self.sets();
        let index = random.below(sets.len());
        let mut set = sets.swap_remove(index);
        loop {
            let below: Vec<usize> =
                (0..set.len()).filter(|index| !set[*index].selections.is_empty()).collect();
            if below.is_empty() || random.percent(30) {
                return set;
            }
            let index = *random.pick(&below);
            set = &mut set[index].selections;
        }
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
        let described =
            self.description.as_ref().map(|text| format!("{text} ")).unwrap_or_default();
        match &self.default {
            Some(default) => format!("{described}${}: {} = {default}", self.name, self.kind),
            None => format!("{described}${}: {}", self.name, self.kind),
        }
    }
}

fn described(description: Option<&String>) -> String {
    description.map(|text| format!("{text}\n")).unwrap_or_default()
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
