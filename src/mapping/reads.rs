//! The part of the current value that an expression reads, so that the decoder of a reply can skip the rest.
//!
//! Containers are included even if none of their values is read: evaluation needs to know that they exist, and how many
//! elements they have.

use super::{Expr, ExprKind, Field, Method};
use serde_json::Value;

/// Keys that are read, in the elements of lists as well. If neither `whole` nor any key is set, only the presence of
/// the value counts, and that of each element of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reads {
    /// The whole value is read.
    pub whole: bool,
    /// Otherwise the parts that are read, by key.
    pub below: Vec<(Box<str>, Reads)>,
}

impl Reads {
    pub(super) fn of(expr: &Expr) -> Self {
        let mut reads = Self::default();
        if let Some(path) =
            reads.walk(expr, &Base { current: Some(Vec::new()), at: None, is_argument: false })
        {
            reads.add(&path);
        }
        reads
    }

    fn add(&mut self, path: &[&str]) {
        self.node(path).whole = true;
    }

    /// Returns the node of a path, and creates it if necessary.
    fn node(&mut self, path: &[&str]) -> &mut Self {
        path.iter().fold(self, |node, step| {
            let known = node.below.iter().position(|(key, _)| **key == **step);
            let at = known.unwrap_or_else(|| {
                node.below.push(((*step).into(), Self::default()));
                node.below.len() - 1
            });
            &mut node.below[at].1
        })
    }

    /// Adds the presence of a value.
    fn present(&mut self, path: Option<&[&str]>) {
        if let Some(path) = path {
            self.node(path);
        }
    }

    /// Adds everything that an expression reads, and returns the path of its value; `None` if the value is computed.
    fn walk<'e>(&mut self, expr: &'e Expr, base: &Base<'e>) -> Option<Vec<&'e str>> {
        match &expr.kind {
            ExprKind::At if base.is_argument => base.at.clone(),
            ExprKind::Current | ExprKind::At => base.current.clone(),
            ExprKind::Variable(_) | ExprKind::Literal(_) => None,
            ExprKind::List(items) => {
                self.take_all(items, base);
                None
            }
            ExprKind::Object(fields) => self.fields(fields, base),
            ExprKind::Key { of, name, .. } => {
                let mut path = self.walk(of, base)?;
                path.push(name);
                Some(path)
            }
            ExprKind::Select { of, fields } => {
                let current = self.walk(of, base);
                self.present(current.as_deref());
                let (at, is_argument) = (base.at.clone(), base.is_argument);
                self.fields(fields, &Base { current, at, is_argument })
            }
            ExprKind::Method { of, method, arguments, .. } => {
                let path = self.walk(of, base);
                let (current, at) = (base.current.clone(), path.clone());
                let base = Base { current, at, is_argument: true };
                if let (Method::Echo, [value]) = (method, &arguments[..]) {
                    return self.walk(value, &base);
                }
                self.take_all(arguments, &base);
                match method {
                    method if method.keeps_elements() => {
                        self.present(path.as_deref());
                        path
                    }
                    Method::Get => self.get(path, arguments),
                    // Its argument decides which parts of the elements are read.
                    Method::Map => {
                        self.present(path.as_deref());
                        None
                    }
                    _ => {
                        if let Some(path) = path {
                            self.add(&path);
                        }
                        None
                    }
                }
            }
            ExprKind::Optional { of } => self.walk(of, base),
            ExprKind::Coalesce { left, right } => {
                self.take(left, base);
                self.take(right, base);
                None
            }
        }
    }

    /// Returns the path of the result of `get`, if the text determines it.
    fn get<'e>(&mut self, path: Option<Vec<&'e str>>, key: &'e [Expr]) -> Option<Vec<&'e str>> {
        let mut path = path?;
        match key {
            [Expr { kind: ExprKind::Literal(Value::String(key)), .. }] => {
                path.push(key);
                Some(path)
            }
            [Expr { kind: ExprKind::Literal(Value::Number(_)), .. }] => {
                self.present(Some(&path));
                Some(path)
            }
            _ => {
                self.add(&path);
                None
            }
        }
    }

    fn take<'e>(&mut self, expr: &'e Expr, base: &Base<'e>) {
        if let Some(path) = self.walk(expr, base) {
            self.add(&path);
        }
    }

    fn take_all<'e>(&mut self, exprs: &'e [Expr], base: &Base<'e>) {
        for expr in exprs {
            self.take(expr, base);
        }
    }

    fn fields<'e>(&mut self, fields: &'e [Field], base: &Base<'e>) -> Option<Vec<&'e str>> {
        for field in fields {
            self.take(&field.value, base);
        }
        None
    }
}

/// Paths of `$` and `@`; `None` if the value is computed.
struct Base<'e> {
    current: Option<Vec<&'e str>>,
    at: Option<Vec<&'e str>>,
    /// In method arguments; outside of them, `@` is `$`.
    is_argument: bool,
}

#[cfg(test)]
mod tests {
    use crate::mapping::Mapping;

    /// Returns the paths that are read, such as `a.b`; `*` is the whole value.
    fn paths(text: &str) -> Vec<String> {
        fn add(reads: &super::Reads, path: &str, out: &mut Vec<String>) {
            if reads.whole {
                out.push(format!("{path}*"));
            } else if reads.below.is_empty() && !path.is_empty() {
                out.push(path.to_owned());
            }
            for (key, below) in &reads.below {
                add(below, &format!("{path}{key}."), out);
            }
        }
        let mut out = Vec::new();
        let mapping = Mapping::parse(text).unwrap();
        add(&mapping.expr().reads(), "", &mut out);
        out
    }

    #[test]
    fn what_a_mapping_reads_is_known_and_nothing_else() {
        assert_eq!(paths("$.rows->first { id name: title }"), ["rows.id.*", "rows.title.*"]);
        assert_eq!(paths("id total: $.items->size"), ["id.*", "items.*"]);
        assert_eq!(paths("ids: $.rows->map(@.id)->joinNotNull(',')"), ["rows.id.*"]);
        assert_eq!(paths("$.a.b ?? c.d"), ["a.b.*", "c.d.*"]);
        assert_eq!(paths("$"), ["*"]);
        assert_eq!(paths("x: $.rows->slice($.from, 3) { y: { z } }"), ["from.*", "rows.z.*"]);
        assert_eq!(paths("x: $->match([1, 'a'], [@, $.other])"), ["*", "other.*"]);
        assert_eq!(paths("x: $args.id"), [""; 0]);
        assert_eq!(paths("$.rows->filter(@.ok)->get(0) { id }"), ["rows.ok.*", "rows.id.*"]);
        assert_eq!(paths("x: a.b->get('c')->toList? y: $.e?"), ["a.b.c.*", "e.*"]);
        assert_eq!(paths("x: $.a->get($.b)"), ["b.*", "a.*"]);
        assert_eq!(paths("x: $.a->echo(@.b) y: $.c->entries { key }"), ["a.b.*", "c.*"]);
        assert_eq!(paths("x: rows { y: $.kind->eq($.a) }"), ["rows.a.*", "rows.kind.*"]);
    }

    #[test]
    fn a_container_of_which_nothing_is_read_is_still_present() {
        assert_eq!(paths("items: $.rows { owner: $args.id }"), ["rows."]);
        assert_eq!(paths("$.rows->map('x')"), ["rows."]);
        assert_eq!(paths("x: $.lines->map({ o: $.id })"), ["id.*", "lines."]);
        assert_eq!(paths("x: $.a.rows->first { y: $args.id }"), ["a.rows."]);
        assert_eq!(paths("x: $.a.rows->slice(0, 2)->map($args.id)->size"), ["a.rows."]);
        assert_eq!(paths("x: $.rows { y: $.lines { z: $args.id } }"), ["rows.lines."]);
        assert_eq!(paths("x: $.rows?->map(@.lines->map(1))"), ["rows.lines."]);
        assert_eq!(paths("x: $.a { y: $args.id } ?? $.b { y: $args.id }"), ["a.", "b."]);
    }
}
