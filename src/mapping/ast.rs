//! The tree that a text is parsed into. Read by the evaluator, and by the planner, which compiles the part of it that
//! only picks, renames, groups and unwraps into the reader of replies.

use serde_json::Value;
use std::ops::Range;

/// Bytes of the text.
pub type Span = Range<usize>;

/// One expression and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// `$`: the object a selection is applied to.
    Current,
    /// `@`: the value that the enclosing method is applied to.
    At,
    /// `$args`, `$this` and so on.
    Variable(Variable),
    /// A scalar that stands in the text: `$("order")`, `$(1)`, or bare inside method arguments and lists.
    Literal(Value),
    /// `[a, b]`, inside `$(…)` or method arguments.
    List(Vec<Expr>),
    /// `{ name: expr … }`: a new object from the current one (a group).
    Object(Vec<Field>),
    /// `of.name`, or `of?.name` with `optional`. On a list it is applied to each element. A missing key is null.
    Key { of: Box<Expr>, name: Box<str>, optional: bool },
    /// `of { … }`: each field is evaluated with `of` as the current object; on a list, per element; null, or
    /// another scalar, has no fields and stays as it is.
    Select { of: Box<Expr>, fields: Vec<Field> },
    /// `of?`: null counts as absent.
    Optional { of: Box<Expr> },
    /// `of->method(arguments)`.
    Method { of: Box<Expr>, method: Method, arguments: Vec<Expr>, optional: bool },
    /// `left ?? right`: `right` where `left` is null or missing.
    Coalesce { left: Box<Expr>, right: Box<Expr> },
}

/// A named selection: `id` (a copy), `total: total_cents`, `"odd-key"`, `price: { … }`, `items { … }`; or, without a
/// name, a path with a selection (`$.profile { name }`) whose fields join the object that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: Option<Box<str>>,
    /// Of the name, or of the value where there is none.
    pub name_span: Span,
    pub value: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    Args,
    This,
    Batch,
    Claims,
    RequestHeaders,
    RequestIp,
    ResponseHeaders,
    Status,
    Config,
    Env,
}

/// A method. A name outside this list is a parse error that names the nearest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    JoinNotNull,
    First,
    Last,
    Map,
    Slice,
    Size,
    Match,
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    Contains,
    And,
    Or,
    Not,
    Entries,
    Keys,
    Values,
    Has,
    Get,
    Filter,
    Find,
    Flatten,
    ToList,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    ParseInt,
    ParseFloat,
    ToString,
    JsonParse,
    JsonStringify,
    Echo,
    Split,
    Lower,
    Upper,
    Trim,
    Replace,
    StartsWith,
}

impl Expr {
    /// The keys of a path that starts at the current object: `a.b.c` or `$.a.b.c`. Empty for `$` itself; `None` where
    /// anything but keys stands in it.
    #[must_use]
    pub fn simple_path(&self) -> Option<Vec<&str>> {
        let mut keys = Vec::new();
        let mut step = self;
        loop {
            match &step.kind {
                ExprKind::Current => break,
                ExprKind::Key { of, name, .. } => {
                    keys.push(&**name);
                    step = of;
                }
                ExprKind::Optional { of } => step = of,
                _ => return None,
            }
        }
        keys.reverse();
        Some(keys)
    }

    /// The expressions that this one is made of.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Current | ExprKind::At | ExprKind::Variable(_) | ExprKind::Literal(_) => {
                Vec::new()
            }
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Object(fields) => fields.iter().map(|field| &field.value).collect(),
            ExprKind::Key { of, .. } | ExprKind::Optional { of } => vec![of],
            ExprKind::Select { of, fields } => {
                std::iter::once(&**of).chain(fields.iter().map(|field| &field.value)).collect()
            }
            ExprKind::Method { of, arguments, .. } => {
                std::iter::once(&**of).chain(arguments).collect()
            }
            ExprKind::Coalesce { left, right } => vec![left, right],
        }
    }

    /// It only picks, renames, groups, unwraps and states scalars, all the way down: whoever reads a reply can follow
    /// it while reading, without building the reply's tree first.
    #[must_use]
    pub fn is_structural(&self) -> bool {
        match &self.kind {
            ExprKind::Current | ExprKind::Literal(_) => true,
            ExprKind::Key { of, .. } | ExprKind::Optional { of } => of.is_structural(),
            ExprKind::Object(fields) => fields.iter().all(|field| field.value.is_structural()),
            ExprKind::Select { of, fields } => {
                of.is_structural() && fields.iter().all(|field| field.value.is_structural())
            }
            ExprKind::At
            | ExprKind::Variable(_)
            | ExprKind::List(_)
            | ExprKind::Method { .. }
            | ExprKind::Coalesce { .. } => false,
        }
    }
}

impl Method {
    /// Its elements are elements of the list that it is applied to, as they are.
    #[must_use]
    pub fn keeps_elements(self) -> bool {
        matches!(
            self,
            Self::First
                | Self::Last
                | Self::Slice
                | Self::Filter
                | Self::Find
                | Self::Flatten
                | Self::ToList
        )
    }
}

impl Variable {
    /// As it is written, with the part after the dot where that belongs to the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Args => "$args",
            Self::This => "$this",
            Self::Batch => "$batch",
            Self::Claims => "$claims",
            Self::RequestHeaders => "$request.headers",
            Self::RequestIp => "$request.ip",
            Self::ResponseHeaders => "$response.headers",
            Self::Status => "$status",
            Self::Config => "$config",
            Self::Env => "$env",
        }
    }
}
