//! The syntax tree of a text. The evaluator reads it. The planner reads it, too, and compiles the part that only
//! selects, renames, groups and unwraps into the reader of replies.

use serde_json::Value;
use std::ops::Range;

/// Range of bytes in the text.
pub type Span = Range<usize>;

/// An expression with its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// Kind of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// `$`: the object that a selection is applied to.
    Current,
    /// `@`: the value that the enclosing method is applied to.
    At,
    /// `$args`, `$this` and so on.
    Variable(Variable),
    /// A scalar in the text: `$("order")`, `$(1)`, or bare inside method arguments and lists.
    Literal(Value),
    /// `[a, b]`, inside `$(…)` or method arguments.
    List(Vec<Expr>),
    /// `{ name: expr … }`: a new object built from the current one (a group).
    Object(Vec<Field>),
    /// `of.name`, or `of?.name` with `optional`. Applied to each element of a list. A missing key is null.
    Key { of: Box<Expr>, name: Box<str>, optional: bool },
    /// `of { … }`: each field is evaluated with `of` as the current object; for a list, with each element. Null and
    /// other scalars have no fields and stay as they are.
    Select { of: Box<Expr>, fields: Vec<Field> },
    /// `of?`: null counts as absent.
    Optional { of: Box<Expr> },
    /// `of->method(arguments)`.
    Method { of: Box<Expr>, method: Method, arguments: Vec<Expr>, optional: bool },
    /// `left ?? right`: `right` if `left` is null or missing.
    Coalesce { left: Box<Expr>, right: Box<Expr> },
}

/// A named selection: `id` (a copy), `total: total_cents`, `"odd-key"`, `price: { … }`, `items { … }`. Without a name,
/// it is a path with a selection (`$.profile { name }`) whose fields join the enclosing object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name of the selection, or `None` if its fields join the enclosing object.
    pub name: Option<Box<str>>,
    /// Span of the name, or of the value if there is no name.
    pub name_span: Span,
    pub value: Expr,
}

/// A variable, such as `$args`.
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

/// A method. An unknown name is a parse error that suggests the nearest one.
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
    /// Returns the keys of a path that starts at the current object: `a.b.c` or `$.a.b.c`. Empty for `$` itself; `None`
    /// if it contains anything but keys.
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

    /// Returns the direct subexpressions.
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

    /// Returns `true` if the whole expression only selects, renames, groups, unwraps and states scalars. A reader can
    /// apply it while it parses a reply, without building a tree.
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
    /// Returns `true` if its result consists of unchanged elements of its list.
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
    /// Returns the name in the text, including the part after a dot that belongs to it.
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
