//! What can be known of an expression's value before there is one.

use super::reads::Reads;
use super::{Expr, ExprKind, Mapping, Method, Variable};

impl Expr {
    /// The value may be `true` or `false`.
    #[must_use]
    pub fn may_be_boolean(&self) -> bool {
        match &self.kind {
            ExprKind::Current | ExprKind::At | ExprKind::Key { .. } => true,
            ExprKind::Variable(variable) => {
                !matches!(variable, Variable::Status | Variable::RequestIp | Variable::Batch)
            }
            ExprKind::Literal(value) => value.is_boolean(),
            ExprKind::List(_) | ExprKind::Object(_) | ExprKind::Select { .. } => false,
            ExprKind::Method { method, .. } => {
                !matches!(method, Method::JoinNotNull | Method::Size | Method::Map | Method::Slice)
            }
            ExprKind::Coalesce { left, right } => left.may_be_boolean() || right.may_be_boolean(),
        }
    }
}

impl Mapping {
    /// It has a value where a reply has no body: it names the reply's status or headers, or nothing of the body at all.
    #[must_use]
    pub fn needs_no_body(&self) -> bool {
        let of_reply = |variable| matches!(variable, Variable::Status | Variable::ResponseHeaders);
        self.references().iter().any(|reference| of_reply(reference.variable))
            || self.expr.reads() == Reads::default()
    }
}
