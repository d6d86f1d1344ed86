//! `portcullis explain-error`: what an error code means and how to fix the cause, without a network.
//!
//! The pages are those of `docs/errors/`, which are in the binary. Here they are only formatted for a terminal.

use super::{Exit, Terminal};
use crate::graphql::ErrorCode;
use crate::problem::nearest;
use clap::Args;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  portcullis explain-error UPSTREAM_STATUS
  portcullis explain-error                      every code, one line each

The codes are those under `extensions.code` of an error in a response.";

/// Width of a page in columns.
const WIDTH: usize = 100;

/// Say what an error code means and how to mend it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What stands under `extensions.code`; without it, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let Some(text) = &arguments.code else {
        terminal.out(&list());
        return Exit::Done;
    };
    let Some(code) = ErrorCode::from_text(text) else {
        terminal.err(&unknown(text));
        return Exit::Usage;
    };
    let title = terminal.bold(code.as_str());
    let body = code.page().split_once('\n').map_or("", |(_, body)| body);
    terminal.out(&format!("{title}\n\n{}", lay_out(body)));
    Exit::Done
}

fn unknown(text: &str) -> String {
    let codes = || ErrorCode::ALL.iter().map(|code| code.as_str());
    let wanted = text.to_uppercase().replace('-', "_");
    let mut near: Vec<&str> = nearest(&wanted, codes()).into_iter().collect();
    near.extend(codes().filter(|code| !wanted.is_empty() && code.contains(&wanted)));
    near.dedup();
    let mut said = format!("there is no error code `{text}`");
    if let [first, rest @ ..] = near.as_slice() {
        let _ = write!(said, "; did you mean `{first}`");
        for name in rest {
            let _ = write!(said, " or `{name}`");
        }
        said.push('?');
    }
    format!("{said}\n\n{}", list())
}

/// Lists every code with its subject, cut to one line each.
pub(super) fn list() -> String {
    let longest = ErrorCode::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    let mut out = String::new();
    for code in ErrorCode::ALL {
        let (kind, summary) = summary(code.page());
        let kind = kind.strip_prefix("Refusal, ").unwrap_or("field");
        let mut line = format!("{:<longest$}  {kind:<5}  {summary}", code.as_str());
        if let Some((end, _)) = line.char_indices().nth(WIDTH - 1) {
            line.truncate(end);
            line.push('…');
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str("\nA number is the HTTP status of a refusal; `field` is an error of a field.\n");
    out
}

/// Returns the kind of a code, and the first sentence about it.
pub(super) fn summary(page: &str) -> (String, String) {
    let text: Vec<&str> = page.lines().skip(2).take_while(|line| !line.is_empty()).collect();
    let text = plain(&text.join(" "));
    let end = text.find([',', '.', ' ']).map_or(text.len(), |end| match text.get(end..end + 6) {
        // `Refusal, 400`, while `Field error` ends with its second word.
        Some(status) if status.starts_with(", ") && status[2..5].parse::<u16>().is_ok() => end + 5,
        _ => text[end + 1..].find([',', '.', ' ']).map_or(text.len(), |more| end + 1 + more),
    });
    let (kind, rest) = text.split_at(end);
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let about = match rest.strip_prefix(' ') {
        Some(about) if !about.starts_with(|c: char| c == '(' || c.is_lowercase()) => about,
        _ => rest
            .split_once("version: ")
            .or_else(|| rest.split_once(". "))
            .map_or(rest, |(_, about)| about),
    };
    let sentence = about.split_once(". ").map_or(about, |(first, _)| first);
    (kind.to_owned(), sentence.trim_end_matches('.').to_owned())
}

/// Formats Markdown as text of [`WIDTH`] columns: paragraphs are wrapped, rows of tables become items, code stays as it
/// is.
fn lay_out(markdown: &str) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut fenced = false;
    let lines: Vec<&str> = markdown.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        if is_fence || fenced || line.is_empty() || line.starts_with('|') {
            wrap(&std::mem::take(&mut paragraph), "", &mut out);
        }
        if is_fence {
            continue;
        }
        if fenced {
            out.extend(["  ", line, "\n"]);
        } else if line.starts_with('|') {
            let is_rule = |line: &str| line.starts_with("|--");
            let heads = lines.get(at + 1).is_some_and(|next| is_rule(next));
            if !heads && !is_rule(line) {
                wrap(&row(line), "  ", &mut out);
            }
        } else if line.is_empty() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    wrap(&paragraph, "", &mut out);
    out
}

fn row(line: &str) -> String {
    let cells = line.trim_matches('|').split('|').map(str::trim).filter(|cell| !cell.is_empty());
    format!("- {}", cells.collect::<Vec<_>>().join(": "))
}

fn wrap(text: &str, indent: &str, out: &mut String) {
    let mut column = 0;
    for word in plain(text).split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.push_str(indent);
            column = indent.len();
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    if column > 0 {
        out.push('\n');
    }
}

/// Removes emphasis, and replaces links by names that can be looked up.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '[', '`']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let read = match rest.as_bytes()[0] {
            b'*' => 1,
            b'[' => link(rest, &mut out),
            // A `*` in code is a `*`.
            _ => {
                let end = rest[1..].find('`').map_or(rest.len(), |end| end + 2);
                out.push_str(&rest[..end]);
                end
            }
        };
        rest = &rest[read..];
    }
    out.push_str(rest);
    out
}

/// Writes the link that begins here, and returns its length. A bracket that begins no link is written as it is.
fn link(text: &str, out: &mut String) -> usize {
    let parts = text[1..].split_once("](").and_then(|(name, rest)| {
        let (target, _) = rest.split_once(')')?;
        (!name.contains(['[', ']'])).then_some((name, target))
    });
    let Some((name, target)) = parts else {
        out.push('[');
        return 1;
    };
    let page = target.split('#').next().unwrap_or_default();
    let path = match page.strip_prefix("../") {
        Some(page) => format!("docs/{page}"),
        None => page.to_owned(),
    };
    if path.trim_end_matches(".md") == name.trim_matches('`') {
        out.push_str(name);
    } else if path.ends_with(name) {
        out.push_str(&path);
    } else {
        let _ = write!(out, "{name} ({path})");
    }
    1 + name.len() + 2 + target.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_text() {
        for code in ErrorCode::ALL {
            let page = lay_out(code.page());
            let name = code.as_str();
            assert!(
                !page.contains("](") && !page.contains("../") && !page.contains("**"),
                "{page}"
            );
            assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
            let (kind, about) = summary(code.page());
            let named = kind == "Field error" || kind == format!("Refusal, {}", code.status());
            assert!(named, "{name}: {kind}");
            assert!(about.len() > 20 && !about.starts_with(','), "{name}: {about}");
        }
    }

    #[test]
    fn markdown_becomes_text() {
        let markdown = "\
**Refusal, 400** of `*a*`. See [http.md](../http.md#x), [split](../batching.md), [`A`](A.md)
and [this].

| message | |
|---|---|
| one | two |
| three | |

```json
{ \"a\": 1 }
```
*Fix:* it.";
        let text = "\
Refusal, 400 of `*a*`. See docs/http.md, split (docs/batching.md), `A` and [this].

  - one: two
  - three

  { \"a\": 1 }
Fix: it.
";
        assert_eq!(lay_out(markdown), text);
    }

    #[test]
    fn a_code_that_is_none_is_met_with_those_it_may_have_been() {
        let said = |text: &str| unknown(text).lines().next().map(str::to_owned).unwrap_or_default();
        assert_eq!(
            said("THROTLED"),
            "there is no error code `THROTLED`; did you mean `THROTTLED`?"
        );
        let limits = "did you mean `LIMIT_EXCEEDED` or `COST_LIMIT_EXCEEDED`?";
        assert!(said("limit-exceede").ends_with(limits), "{}", said("limit-exceede"));
        assert_eq!(said("zzz"), "there is no error code `zzz`");
    }
}
