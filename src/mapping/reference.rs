//! References: the parts of the variables that a text uses, so that the planner fetches only those of the parent.
//!
//! The walk tracks the origin of every value: `$args.input { sku: productId }` uses `productId` of `input`, and
//! `$args.lines->map(@.sku)` uses `sku` of `lines`. Only the deepest paths are returned.

use super::{Expr, ExprKind, Field, Method, Position, Reference};
use serde_json::Value;

/// Paths that a value may come from.
type Origins = Vec<Reference>;

pub(super) struct Collector {
    found: Vec<Reference>,
    position: Position,
}

/// Maximum number of origins of one value. Past it, no deeper paths are tracked: nested selections on `??` would double
/// them at each level.
const MAX_ORIGINS: usize = 64;

/// Origins of `$` and `@`, and if a value is passed on unchanged.
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

    /// Adds the references of `expr`, whose value goes to `position`.
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

    /// Emits the references; deeper paths are unknown.
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

    /// Emits the origins of a value of which no deeper path is used: its presence still counts.
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

/// Returns the possible results of `get` with a literal key; `None` if the key is not a literal.
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
