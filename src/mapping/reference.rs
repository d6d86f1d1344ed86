//! Which parts of the variables a text names, so that the planner fetches those of the parent and no others.
//!
//! The walk keeps, for every value, where it came from: `$args.input { sku: productId }` names `productId` of `input`,
//! and so does `$args.lines->map(@.sku)` name `sku` of `lines`. Only the deepest paths are given.

use super::{Expr, ExprKind, Field, Method, Position, Reference};
use serde_json::Value;

/// The paths that a value may have come from.
type Origins = Vec<Reference>;

pub(super) struct Collector {
    found: Vec<Reference>,
    position: Position,
}

/// Where one value may come from more places than these, no deeper paths are told apart: selections on `??` inside
/// each other would double them at each level.
const MAX_ORIGINS: usize = 64;

/// What `$` and `@` come from, and whether a value arrives as it is.
#[derive(Clone, Copy)]
struct Around<'a> {
    current: &'a [Reference],
    at: Option<&'a [Reference]>,
    bare: bool,
}

impl Collector {
    pub(super) fn new() -> Self {
        Self { found: Vec::new(), position: Position::Mapping }
    }

    /// Adds what `expr` names, whose value goes to `position`.
    pub(super) fn add(&mut self, expr: &Expr, position: Position) {
        self.position = position;
        self.consume(expr, Around { current: &[], at: None, bare: true });
    }

    pub(super) fn finish(self) -> Vec<Reference> {
        self.found
    }

    fn consume(&mut self, expr: &Expr, around: Around<'_>) {
        let origins = self.origins(expr, around);
        self.emit_all(origins);
    }

    fn consume_all(&mut self, exprs: &[Expr], around: Around<'_>) {
        for expr in exprs {
            self.consume(expr, around);
        }
    }

    /// Gives the references out; nothing deeper is known of them.
    fn emit_all(&mut self, origins: Origins) -> Origins {
        for origin in origins {
            self.emit(origin);
        }
        Vec::new()
    }

    fn emit(&mut self, origin: Reference) {
        if !self.found.contains(&origin) {
            self.found.push(origin);
        }
    }

    fn origins(&mut self, expr: &Expr, around: Around<'_>) -> Origins {
        let at_span = |origins: &[Reference]| {
            let moved = origins.iter().map(|origin| Reference {
                span: expr.span.clone(),
                bare: origin.bare && around.bare,
                ..origin.clone()
            });
            moved.collect::<Origins>()
        };
        match &expr.kind {
            ExprKind::Current => at_span(around.current),
            ExprKind::At => at_span(around.at.unwrap_or(around.current)),
            ExprKind::Literal(_) => Vec::new(),
            ExprKind::Variable(variable) => vec![Reference {
                variable: *variable,
                path: Vec::new(),
                span: expr.span.clone(),
                position: self.position,
                bare: around.bare,
            }],
            ExprKind::List(items) => {
                self.consume_all(items, around);
                Vec::new()
            }
            ExprKind::Object(fields) => {
                for field in fields {
                    self.consume(&field.value, around);
                }
                Vec::new()
            }
            ExprKind::Key { of, name, .. } => {
                let mut origins = self.origins(of, around);
                for origin in &mut origins {
                    origin.path.push(name.clone());
                    origin.span = expr.span.clone();
                }
                origins
            }
            ExprKind::Select { of, fields } => {
                self.select(of, fields, around);
                Vec::new()
            }
            ExprKind::Method { of, method, arguments, .. } => {
                self.method(of, *method, arguments, Around { bare: false, ..around })
            }
            ExprKind::Optional { of } => self.origins(of, around),
            ExprKind::Coalesce { left, right } => {
                let around = Around { bare: false, ..around };
                let mut origins = self.origins(left, around);
                origins.extend(self.origins(right, around));
                if origins.len() > MAX_ORIGINS { self.emit_all(origins) } else { origins }
            }
        }
    }

    fn select(&mut self, of: &Expr, fields: &[Field], around: Around<'_>) {
        let origins = self.origins(of, around);
        for field in fields {
            self.consume(&field.value, Around { current: &origins, ..around });
        }
        self.emit_unread(origins);
    }

    /// Of a value that was looked into, what nothing deeper was named of: that it is there at all still counts.
    fn emit_unread(&mut self, origins: Origins) {
        for origin in origins {
            let deeper = self.found.iter().any(|found| {
                found.variable == origin.variable && found.path.starts_with(&origin.path)
            });
            if !deeper {
                self.emit(origin);
            }
        }
    }

    fn method(
        &mut self,
        of: &Expr,
        method: Method,
        arguments: &[Expr],
        around: Around<'_>,
    ) -> Origins {
        let receiver = self.origins(of, around);
        let inside = Around { at: Some(&receiver), ..around };
        match method {
            method if method.keeps_elements() => {
                self.consume_all(arguments, inside);
                receiver
            }
            Method::Echo => {
                let values = arguments.iter().map(|value| self.origins(value, inside));
                values.flatten().collect()
            }
            Method::Get => {
                if let Some(origins) = below(&receiver, arguments) {
                    return origins;
                }
                self.consume_all(arguments, inside);
                self.emit_all(receiver)
            }
            Method::Map => {
                let mut origins = Vec::new();
                for argument in arguments {
                    origins.extend(self.origins(argument, inside));
                }
                let read = |origin: &Reference| {
                    origins.iter().any(|deep: &Reference| {
                        deep.variable == origin.variable && deep.path.starts_with(&origin.path)
                    })
                };
                let unread = receiver.iter().filter(|origin| !read(origin)).cloned().collect();
                self.emit_unread(unread);
                origins
            }
            _ => {
                self.consume_all(arguments, inside);
                self.emit_all(receiver)
            }
        }
    }
}

/// What `get` with a literal key may yield; `None`: the key is not known.
fn below(receiver: &[Reference], key: &[Expr]) -> Option<Origins> {
    let [Expr { kind: ExprKind::Literal(key), .. }] = key else { return None };
    let below = |origin: &Reference| {
        let mut origin = origin.clone();
        if let Value::String(key) = key {
            origin.path.push((&**key).into());
        }
        origin
    };
    Some(receiver.iter().map(below).collect())
}
