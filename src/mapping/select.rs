//! Parses field lists: the content of the braces of a group or a selection, and a mapping as a whole.

use super::cursor::Stop;
use super::parse::{Parser, Place, Tall};
use super::{Expr, ExprKind, Field, Span};
use std::collections::{HashMap, HashSet};

/// One entry of a field list.
struct Item {
    field: Field,
    height: usize,
}

impl Parser<'_> {
    /// Parses a whole mapping, up to the end of the text.
    pub(super) fn mapping(&mut self) -> Result<Expr, Stop> {
        if let Some(span) = self.empty_braces() {
            self.cursor.trivia();
            if self.cursor.peek().is_none() {
                return Ok(Expr { kind: ExprKind::Object(Vec::new()), span });
            }
            self.cursor.pos = 0;
        }
        let items = self.field_items(None)?;
        let end = self.cursor.pos;
        if let [Item { field: Field { name: None, value, .. }, .. }] = &*items {
            return Ok(value.clone());
        }
        if items.is_empty() {
            let help =
                "add names, such as `id name`, or remove the mapping to use the value unchanged";
            return Err(self.cursor.stop(0..end, "the mapping is empty", help));
        }
        let (fields, height) = self.fields(items);
        let start = fields.first().map_or(0, |field| field.name_span.start);
        let stop = fields.last().map_or(end, |field| field.value.span.end.max(field.name_span.end));
        Ok(self.grow(ExprKind::Object(fields), start..stop, height)?.expr)
    }

    /// Parses `{ … }` as a value: a new object built from the current one.
    pub(super) fn group(&mut self) -> Result<Tall, Stop> {
        if let Some(span) = self.empty_braces() {
            return self.grow(ExprKind::Object(Vec::new()), span, 0);
        }
        let start = self.cursor.pos;
        let (fields, height) = self.braced_fields()?;
        self.grow(ExprKind::Object(fields), start..self.cursor.pos, height)
    }

    /// Parses `{}`, an object without fields. Consumes nothing else.
    fn empty_braces(&mut self) -> Option<Span> {
        let before = self.cursor.pos;
        self.cursor.trivia();
        let start = self.cursor.pos;
        if self.cursor.eat("{") {
            self.cursor.trivia();
            if self.cursor.eat("}") {
                return Some(start..self.cursor.pos);
            }
        }
        self.cursor.pos = before;
        None
    }

    /// Parses from `{` to `}`.
    pub(super) fn braced_fields(&mut self) -> Result<(Vec<Field>, usize), Stop> {
        let open = self.cursor.pos;
        self.cursor.pos += 1;
        let items = self.bracketed(open..open + 1, |parser| parser.field_items(Some(open)))?;
        if items.is_empty() {
            let help = Some("add names, such as `{ id name }`".to_owned());
            self.cursor.report(open..self.cursor.pos, "the selection is empty", help);
        }
        Ok(self.fields(items))
    }

    /// Parses items up to `}`, or to the end of the text if no brace is open.
    fn field_items(&mut self, open: Option<usize>) -> Result<Vec<Item>, Stop> {
        let mut items = Vec::new();
        loop {
            self.cursor.trivia();
            match (self.cursor.peek(), open) {
                (Some(b'}'), Some(_)) => {
                    self.cursor.pos += 1;
                    return Ok(items);
                }
                (None, None) => return Ok(items),
                (None, Some(open)) => return Err(self.expected_in(b'}', open, "a selection")),
                (Some(b'{'), None) if items.is_empty() => {
                    let (span, _) = self.cursor.found();
                    let help = "remove the braces around the mapping";
                    return Err(self.cursor.stop(
                        span,
                        "a mapping cannot begin with a brace",
                        help,
                    ));
                }
                (Some(b'}'), None) => {
                    let (span, _) = self.cursor.found();
                    return Err(self.cursor.stop(span, "unexpected `}`", ""));
                }
                _ => items.push(self.item()?),
            }
            self.cursor.trivia();
            self.cursor.eat(",");
        }
    }

    fn item(&mut self) -> Result<Item, Stop> {
        let start = self.cursor.pos;
        if let Some(b'$' | b'@') = self.cursor.peek() {
            return self.unnamed();
        }
        let Some(name) = self.name()? else {
            return Err(self.expected("a selection, which begins with a name, `$` or `@`"));
        };
        let name_span = start..self.cursor.pos;
        let end = self.cursor.pos;
        self.cursor.trivia();
        let rest = self.cursor.rest();
        let value = if self.cursor.eat(":") {
            self.expression(Place::Selection)?
        } else if rest.starts_with(['.', '?']) || rest.starts_with("->") {
            self.cursor.pos = start;
            return self.unnamed();
        } else if rest.starts_with('{') {
            let key = self.key_of_current(name.clone(), name_span.clone())?;
            self.select(key)?
        } else {
            self.cursor.pos = end;
            self.key_of_current(name.clone(), name_span.clone())?
        };
        let Tall { expr, height } = value;
        Ok(Item { field: Field { name: Some(name), name_span, value: expr }, height })
    }

    fn unnamed(&mut self) -> Result<Item, Stop> {
        let Tall { expr, height } = self.expression(Place::Selection)?;
        let field = Field { name: None, name_span: expr.span.clone(), value: expr };
        Ok(Item { field, height })
    }

    /// Parses a name or a quoted name.
    pub(super) fn name(&mut self) -> Result<Option<Box<str>>, Stop> {
        if self.cursor.at_quote() {
            return Ok(Some(self.cursor.string()?.into()));
        }
        Ok(self.cursor.identifier(false).map(Into::into))
    }

    /// Converts items to fields. Only a path with a selection may join its fields to the others; everything else needs
    /// a name.
    fn fields(&mut self, items: Vec<Item>) -> (Vec<Field>, usize) {
        let height = items.iter().map(|item| item.height).max().unwrap_or(0);
        let fields: Vec<Field> = items.into_iter().map(|item| item.field).collect();
        for field in &fields {
            let joins = matches!(field.value.kind, ExprKind::Select { .. });
            if field.name.is_none() && !joins {
                let written = &self.cursor.text[field.value.span.clone()];
                let name = suggested_name(&field.value);
                let help = format!(
                    "write `{name}: {written}`, or `{written} {{ … }}` to select its fields"
                );
                self.cursor.report(
                    field.value.span.clone(),
                    "a value among other selections needs a name",
                    Some(help),
                );
            }
        }
        self.refuse_twins(&fields);
        (fields, height)
    }

    /// Refuses two selections of one name, also in objects whose fields join: the value of the field would depend on
    /// which objects exist.
    pub(super) fn refuse_twins(&mut self, fields: &[Field]) {
        let mut named = Vec::new();
        gather_names(fields, false, &mut named);
        let mut seen: HashMap<&str, bool> = HashMap::new();
        for (field, name, joins) in named {
            let Some(joined_before) = seen.insert(name, joins) else { continue };
            let help = match (joined_before, joins) {
                (false, false) => "rename one of them: `name: key`".to_owned(),
                _ => format!(
                    "remove one of them; to use the first value that is not null, write `{name}: a.key ?? b.key`"
                ),
            };
            let span = field.name_span.clone();
            self.cursor.report(span, format!("`{name}` is selected twice"), Some(help));
        }
    }
}

/// Collects the names of an object's selections, including those of the selections that join it.
fn gather_names<'f>(fields: &'f [Field], joins: bool, to: &mut Vec<(&'f Field, &'f str, bool)>) {
    for field in fields {
        match (&field.name, &field.value.kind) {
            (Some(name), _) => to.push((field, name, joins)),
            (None, ExprKind::Select { fields, .. }) => {
                // Its own duplicates are already reported.
                let mut below = Vec::new();
                gather_names(fields, true, &mut below);
                let mut own = HashSet::new();
                to.extend(below.into_iter().filter(|(_, name, _)| own.insert(*name)));
            }
            (None, _) => {}
        }
    }
}

fn suggested_name(expr: &Expr) -> &str {
    match &expr.kind {
        ExprKind::Key { name, .. } => name,
        ExprKind::Method { of, .. } => suggested_name(of),
        ExprKind::Coalesce { left, .. } => suggested_name(left),
        _ => "name",
    }
}
