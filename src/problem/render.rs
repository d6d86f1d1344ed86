//! Problems as text for people (excerpt and caret) and as JSON for machines.

use super::{Place, Problem, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::ops::Range;

/// Maximum length of a line that is shown, in bytes: one-line files of megabytes would fill the screen.
const LONGEST_LINE: usize = 2_000;

/// Formats all problems, each with excerpt and caret, and a closing line that counts them.
#[must_use]
pub fn render(problems: &[Problem], colors: bool) -> String {
    let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in problems {
        out.push_str(&render_one(problem, &renderer));
        out.push_str("\n\n");
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings > 0 {
        out.extend([
            plural(errors, "error"),
            ", ".into(),
            plural(warnings, "warning"),
            "\n".into(),
        ]);
    }
    out
}

fn render_one(problem: &Problem, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(problem.message.as_str()).id(problem.code);
    let mut group = Group::with_title(title);
    if let Some(place) = &problem.place {
        let excerpt = Excerpt::of(place);
        group = if excerpt.line.len() > LONGEST_LINE {
            let (line, column) = place.line_column();
            group.element(Origin::path(place.file.name.as_str()).line(line).char_column(column))
        } else {
            group.element(
                Snippet::source(without_password(excerpt.line))
                    .path(place.file.name.as_str())
                    .line_start(excerpt.number)
                    .annotation(AnnotationKind::Primary.span(excerpt.span)),
            )
        };
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The first line of a place. Further lines are not underlined.
struct Excerpt<'a> {
    line: &'a str,
    /// Number of the line, from 1.
    number: usize,
    /// Bytes within `line`.
    span: Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn of(place: &'a Place) -> Self {
        let text = place.file.text.as_str();
        let start = boundary(text, place.span.start);
        let end = boundary(text, place.span.end).max(start);
        let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let last = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[first..last].trim_end_matches('\r');
        let within = |at: usize| at.saturating_sub(first).min(line.len());
        let number = text[..first].matches('\n').count() + 1;
        Self { line, number, span: within(start)..within(end) }
    }
}

/// The line with `*` for each byte of a password in a URL, so that offsets stay.
fn without_password(line: &str) -> Cow<'_, str> {
    let (mut shown, mut from) = (Cow::Borrowed(line), 0);
    while let Some(at) = line[from..].find("://") {
        let start = from + at + 3;
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
        let end = line[start..].find(ends).map_or(line.len(), |at| start + at);
        let password = line[start..end].rfind('@').and_then(|at| {
            let colon = line[start..start + at].find(':')?;
            Some(start + colon + 1..start + at)
        });
        if let Some(password) = password {
            let mask = "*".repeat(password.len());
            shown.to_mut().replace_range(password, &mask);
        }
        from = end;
    }
    shown
}

/// Returns the offset, or the nearest character boundary before it.
fn boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Formats problems as `[{code, severity, message, help, file, line, column, endLine, endColumn}]`. Lines and columns
/// count from 1, columns in characters.
#[must_use]
pub fn all_to_json(problems: &[Problem]) -> Value {
    problems.iter().map(to_json).collect()
}

/// Formats one element of [`all_to_json`].
#[must_use]
pub fn to_json(problem: &Problem) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut object =
        json!({ "code": problem.code, "severity": severity, "message": problem.message });
    if let Some(help) = &problem.help {
        object["help"] = json!(help);
    }
    if let Some(place) = &problem.place {
        let (line, column) = place.line_column();
        let (end_line, end_column) = line_column(&place.file.text, place.span.end);
        object["file"] = json!(place.file.name);
        object["line"] = json!(line);
        object["column"] = json!(column);
        object["endLine"] = json!(end_line);
        object["endColumn"] = json!(end_column);
    }
    object
}

impl Place {
    /// Returns line and column of the start, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        line_column(&self.file.text, self.span.start)
    }
}

fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..boundary(text, offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
