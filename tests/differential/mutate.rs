//! Mistakes, made in an operation's tree and in a document's tokens.

use super::case::Case;
use super::operation::{Kind, Operation, Selection, Variable};
use super::tokens::{end_of, is_ignored, split};
use crate::support::random::Random;

/// Makes one mistake in the tree. Some are none, since it depends on the schema.
pub fn tree(operation: &mut Operation, random: &mut Random) {
    match random.below(12) {
        0..6 => field(operation, random),
        6..9 => variable(operation, random),
        _ => selection(operation, random),
    }
}

/// Changes a field: its name, alias, arguments or selections.
fn field(operation: &mut Operation, random: &mut Random) {
    let choice = random.below(14);
    let variable = operation.variables.first().map(|variable| format!("${}", variable.name));
    let set = operation.some_set(random);
    let count = set.len();
    let index = random.below(count);
    let other = set[random.below(count)].clone();
    let selection = &mut set[index];
    let Kind::Field { alias, name, arguments } = &mut selection.kind else { return };
    let some = if arguments.is_empty() { None } else { Some(random.below(arguments.len())) };
    match (choice, some) {
        (0, _) => name.push('x'),
        (1, _) => *alias = Some("same".into()),
        (2, _) => selection.selections.clear(),
        (3, _) => selection.selections.push(plain("id")),
        (4, _) => arguments.push(("unknown".into(), "1".into())),
        (5, Some(some)) => drop(arguments.remove(some)),
        (6, Some(some)) => arguments.push(arguments[some].clone()),
        (7, Some(some)) => arguments[some].0.push('x'),
        (8, Some(some)) => arguments[some].1 = variable.unwrap_or_else(|| "$none".into()),
        (9, Some(some)) => arguments[some].1 = format!("[{}]", arguments[some].1),
        (10, Some(some)) => {
            let all =
                ["null", "1", "\"x\"", "1.5", "true", "[]", "{}", "RED", "[null]", "\"\"", "-1"];
            (*random.pick(&all)).clone_into(&mut arguments[some].1);
        }
        // Two fields under one key that differ in what they are given.
        (11 | 12, Some(some)) => {
            let mut twin = selection.clone();
            if let Kind::Field { arguments, .. } = &mut twin.kind {
                arguments[some].1 = longer(&arguments[some].1);
            }
            set.push(twin);
        }
        // Two fields under one key.
        _ => {
            let key = alias.clone().unwrap_or_else(|| name.clone());
            let mut twin = other;
            if let Kind::Field { alias, .. } = &mut twin.kind {
                *alias = Some(key);
            }
            set.push(twin);
        }
    }
}

/// A list with one more item, an object with a field twice, a string as a block string, or another value.
fn longer(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(text) = inner.filter(|text| !text.is_empty() && !text.contains(['"', '\\'])) {
        return format!("\"\"\"{text}\"\"\"");
    }
    match value.strip_suffix(']').or_else(|| value.strip_suffix('}')) {
        Some("[" | "{") | None => format!("[{value}]"),
        Some(open) if value.ends_with(']') => {
            let last = open.rsplit(", ").next().unwrap_or_default().trim_start_matches('[');
            format!("{open}, {last}]")
        }
        Some(open) => {
            let first = open.trim_start_matches('{').split(", ").next().unwrap_or_default();
            format!("{open}, {first}}}")
        }
    }
}

/// Changes a variable's definition or value.
fn variable(operation: &mut Operation, random: &mut Random) {
    if operation.variables.is_empty() {
        let kind = (*random.pick(&["Int", "Nope", "Query", "[String!]!"])).to_owned();
        let name = "unused".to_owned();
        operation.variables.push(Variable {
            name,
            kind,
            description: None,
            default: None,
            value: None,
        });
        let condition = "@include(if: $unused)".to_owned();
        let set = operation.some_set(random);
        let index = random.below(set.len());
        set[index].conditions.push(condition);
        return;
    }
    let index = random.below(operation.variables.len());
    let variable = &mut operation.variables[index];
    match random.below(12) {
        0 => variable.value = None,
        1 | 2 => variable.value = Some("null".into()),
        3 => variable.default = None,
        4 => variable.default = Some("null".into()),
        5 => variable.default = Some((*random.pick(&["1", "\"x\"", "[]", "{}", "$v0"])).to_owned()),
        6 => variable.kind = variable.kind.trim_end_matches('!').to_owned(),
        7 => variable.kind = format!("{}!", variable.kind.trim_end_matches('!')),
        8 => variable.kind = format!("[{}]", variable.kind),
        9 => {
            let all = ["Nope", "Query", "Int", "String", "ID", "Float", "Boolean", "[Int]"];
            (*random.pick(&all)).clone_into(&mut variable.kind);
        }
        10 => {
            let twice = variable.clone();
            operation.variables.push(twice);
        }
        _ => {
            let all = [
                "{}",
                "[]",
                "1",
                "1.5",
                "\"x\"",
                "true",
                "[[null]]",
                "1.0",
                "-0",
                "9007199254740993",
            ];
            variable.value = Some((*random.pick(&all)).to_owned());
        }
    }
}

/// Changes what is around fields: directives, fragments, type conditions.
fn selection(operation: &mut Operation, random: &mut Random) {
    let choice = random.below(10);
    let fragments: Vec<String> = operation.fragments.iter().map(|f| f.name.clone()).collect();
    if choice < 2 && !fragments.is_empty() {
        let index = random.below(fragments.len());
        let fragment = &mut operation.fragments[index];
        let spread = random.pick(&fragments).clone();
        let kind = Kind::Spread(spread);
        fragment.selections.push(Selection {
            kind,
            conditions: Vec::new(),
            selections: Vec::new(),
        });
        return;
    }
    if choice == 2 && !operation.fragments.is_empty() {
        let index = random.below(fragments.len());
        let all = ["Nope", "Query", "Int", "ID"];
        (*random.pick(&all)).clone_into(&mut operation.fragments[index].on);
        return;
    }
    let set = operation.some_set(random);
    let index = random.below(set.len());
    match choice {
        3 => set[index].conditions.push("@skip".into()),
        4 => set[index].conditions.push("@nope".into()),
        5 => {
            let all = [
                "@skip(if: null)",
                "@include(if: 1)",
                "@skip(if: $none)",
                "@deprecated",
                "@include(unless: true)",
            ];
            set[index].conditions.push((*random.pick(&all)).to_owned());
        }
        6 => {
            let condition = (*random.pick(&["@skip(if: false)", "@include(if: true)"])).to_owned();
            set[index].conditions.extend([condition.clone(), condition]);
        }
        7 => set.push(Selection { kind: Kind::Spread("Nope".into()), ..plain("") }),
        8 => {
            let on = (*random.pick(&["Nope", "Query", "Int", "Mutation"])).to_owned();
            let selections = vec![plain("__typename")];
            set.push(Selection { kind: Kind::Inline(Some(on)), selections, ..plain("") });
        }
        _ => {
            let whole = set[index].clone();
            set.push(whole);
        }
    }
}

fn plain(name: &str) -> Selection {
    let kind = Kind::Field { alias: None, name: name.to_owned(), arguments: Vec::new() };
    Selection { kind, conditions: Vec::new(), selections: Vec::new() }
}

/// Tokens that stand in documents.
const TOKENS: &[&str] = &[
    ",",
    "!",
    "$",
    "(",
    ")",
    "...",
    ":",
    "=",
    "@",
    "[",
    "]",
    "{",
    "}",
    "|",
    "&",
    "on",
    "query",
    "fragment",
    "true",
    "null",
    "id",
    "1",
    "1.5",
    "-1",
    "\"x\"",
    "\"\"\"x\"\"\"",
    "# comment\n",
    "subscription",
    "schema",
    "\u{FEFF}",
    "é",
    "\\",
    "..",
    "$x",
    "@skip(if: true)",
    "__typename",
    ", ,",
    "\r",
    "\t",
    "\u{0}",
    "%",
    "on on",
    "type X { a: Int }",
    "query { __typename }",
    "fragment X on Query { __typename }",
    "@include(if: $x)",
    "extend",
];

/// Makes one mistake in the tokens. Some are none, such as another comma.
pub fn tokens(case: &mut Case, random: &mut Random) {
    let split = split(&case.text);
    let mut tokens: Vec<String> = split.iter().map(|token| (*token).to_owned()).collect();
    let meant: Vec<usize> = (0..split.len()).filter(|index| !is_ignored(split[*index])).collect();
    if meant.is_empty() {
        return;
    }
    let at = *random.pick(&meant);
    let other = *random.pick(&meant);
    let colons: Vec<usize> = meant.iter().copied().filter(|index| split[*index] == ":").collect();
    match random.below(16) {
        0 | 1 => tokens[at].clear(),
        2 => tokens[at] = format!("{0} {0}", tokens[at]),
        3 => tokens.swap(at, other),
        4 => tokens[at] = format!("{} {}", tokens[at], random.pick(TOKENS)),
        5 => (*random.pick(TOKENS)).clone_into(&mut tokens[at]),
        6 => {
            let copy = tokens[other].clone();
            tokens[at] = copy;
        }
        // A colon goes, alone or with what stands on one side of it.
        7 if !colons.is_empty() => tokens[*random.pick(&colons)].clear(),
        8 if !colons.is_empty() => {
            let colon = *random.pick(&colons);
            let next = meant.iter().copied().find(|index| *index > colon).unwrap_or(colon);
            let end = end_of(&split, next);
            tokens[colon..end].iter_mut().for_each(String::clear);
        }
        // Commas and comments mean nothing, wherever they stand.
        9 | 10 => {
            for _ in 0..=random.below(4) {
                let at = *random.pick(&meant);
                let before = random.pick(&[", ", ",,", " ,\n", "#c\n", "\u{FEFF}", "\t"]);
                tokens[at] = format!("{before}{}", tokens[at]);
            }
        }
        // All that may go between tokens goes.
        11 => {
            for (index, token) in tokens.iter_mut().enumerate() {
                if is_ignored(token) {
                    let by =
                        |index: Option<usize>| index.and_then(|index| split.get(index)).copied();
                    let glues = by(index.checked_sub(1)).is_some_and(ends_as_word)
                        && by(Some(index + 1)).is_some_and(starts_as_word);
                    *token = if glues { ",".into() } else { String::new() };
                }
            }
        }
        // A piece goes, or comes twice.
        12 => {
            let end = end_of(&split, at);
            tokens[at..end].iter_mut().for_each(String::clear);
        }
        13 => {
            let end = end_of(&split, at);
            let piece = tokens[at..end].concat();
            tokens[end - 1].push_str(&format!(" {piece}"));
        }
        14 => {
            let all = ["\"text\" ", "\"\"\"block\"\"\" ", "\"\" "];
            tokens[at] = format!("{}{}", random.pick(&all), tokens[at]);
        }
        _ => {
            let cut: usize = random.below(tokens.len());
            tokens.truncate(cut);
        }
    }
    case.text = tokens.concat();
}

fn starts_as_word(token: &str) -> bool {
    token.starts_with(|c: char| c == '_' || c == '-' || c == '"' || c.is_ascii_alphanumeric())
}

fn ends_as_word(token: &str) -> bool {
    token.ends_with(|c: char| c == '_' || c == '"' || c.is_ascii_alphanumeric())
}
