//! Static types: the kinds of values that an expression may have.

use super::method::signature;
use super::reads::Reads;
use super::{Expr, ExprKind, Mapping, Method, Variable};
use serde_json::Value;

/// Kinds of values that an expression may have. Null is always possible, and not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    pub const NONE: Self = Self(0);
    pub const BOOLEAN: Self = Self(1);
    pub const NUMBER: Self = Self(2);
    pub const TEXT: Self = Self(4);
    pub const LIST: Self = Self(8);
    pub const OBJECT: Self = Self(16);
    pub const SCALAR: Self = Self(1 | 2 | 4);
    pub const ANY: Self = Self(31);

    /// Returns the kinds of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns `true` if both have a kind in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns `true` if all kinds are in `other`. False for a value that is always null.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 != 0 && self.0 & !other.0 == 0
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NONE,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// Returns their description in messages.
    pub(super) fn describe(self) -> String {
        let names = [
            (Self::BOOLEAN, "a boolean"),
            (Self::NUMBER, "a number"),
            (Self::TEXT, "a string"),
            (Self::LIST, "a list"),
            (Self::OBJECT, "an object"),
        ];
        let found = names.into_iter().filter(|(kind, _)| self.meets(*kind));
        found.map(|(_, name)| name).collect::<Vec<_>>().join(" or ")
    }
}

impl Expr {
    /// Returns the kinds of values that it may have.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        match &self.kind {
            ExprKind::Current | ExprKind::At | ExprKind::Key { .. } => Kinds::ANY,
            ExprKind::Variable(variable) => match variable {
                Variable::Status => Kinds::NUMBER,
                Variable::RequestIp => Kinds::TEXT,
                Variable::Batch => Kinds::LIST,
                _ => Kinds::ANY,
            },
            ExprKind::Literal(value) => Kinds::of_value(value),
            ExprKind::List(_) => Kinds::LIST,
            ExprKind::Object(_) => Kinds::OBJECT,
            // For a list it is a list.
            ExprKind::Select { .. } => Kinds::LIST.or(Kinds::OBJECT),
            ExprKind::Optional { of } => of.kinds(),
            ExprKind::Method { method: Method::Echo, arguments, .. } => {
                arguments.first().map_or(Kinds::ANY, Self::kinds)
            }
            ExprKind::Method { method, .. } => signature(*method).yields,
            ExprKind::Coalesce { left, right } => left.kinds().or(right.kinds()),
        }
    }

    /// Returns `true` if the value may be `true` or `false`.
    #[must_use]
    pub fn may_be_boolean(&self) -> bool {
        self.kinds().meets(Kinds::BOOLEAN)
    }
}

impl Mapping {
    /// Returns `true` if it has a value for a reply without a body: it uses the reply's status or headers, or nothing
    /// of the body.
    #[must_use]
    pub fn needs_no_body(&self) -> bool {
        let of_reply = |variable| matches!(variable, Variable::Status | Variable::ResponseHeaders);
        self.references().iter().any(|reference| of_reply(reference.variable))
            || self.expr.reads() == Reads::default()
    }
}
