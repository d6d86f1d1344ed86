//! How long a list can get, for the fan-out bound and the cost alike: as its `@listSize` says, or that of a field above
//! it whose `sizedFields` name it, or as the settings assume. A list is never read to find out.

use super::Input;
use crate::graph::{Field, KeyPath, ListSize};
use crate::graphql::Name;
use apollo_compiler::ast::Type;
use serde_json::{Map, Value};
use std::fmt;

/// A list's length for a request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Length {
    Fixed(u64),
    Sliced(Sliced),
}

/// A length that arguments say.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Sliced {
    by: Vec<Slice>,
    /// Where none of them is given.
    otherwise: u64,
    /// The lengths of lists in the list, multiplied.
    times: u64,
}

/// One slicing argument.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Slice {
    /// From the argument down.
    pub path: KeyPath,
    pub input: Input,
    /// What of the path leads into the input.
    rest: KeyPath,
    /// The operation names the argument: else the input is the schema's default.
    pub named: bool,
}

/// A list below that a field's `sizedFields` name: the rest of the way to it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Sized<'a> {
    pub path: &'a [Name],
    pub length: Length,
}

impl Length {
    /// Of a list of `depth` levels.
    pub fn new(size: Option<&ListSize>, depth: u32, slices: Vec<Slice>, assumed: u64) -> Self {
        let otherwise = size.and_then(|size| size.assumed_size).unwrap_or(assumed);
        let times = assumed.saturating_pow(depth.saturating_sub(1));
        let open = slices.iter().any(|slice| !matches!(slice.input, Input::Constant(_)));
        let length = Sliced { by: slices, otherwise, times };
        if open { Self::Sliced(length) } else { Self::Fixed(length.evaluate(&Map::new())) }
    }

    /// The same for a list of `depth` levels.
    fn deepened(&self, depth: u32, assumed: u64) -> Self {
        let factor = assumed.saturating_pow(depth.saturating_sub(1));
        match self {
            Self::Fixed(length) => Self::Fixed(length.saturating_mul(factor)),
            Self::Sliced(sliced) => Self::Sliced(Sliced {
                times: sliced.times.saturating_mul(factor),
                ..sliced.clone()
            }),
        }
    }

    pub fn evaluate(&self, variables: &Map<String, Value>) -> u64 {
        match self {
            Self::Fixed(length) => *length,
            Self::Sliced(sliced) => sliced.evaluate(variables),
        }
    }
}

impl Sliced {
    fn evaluate(&self, variables: &Map<String, Value>) -> u64 {
        let given = self.by.iter().filter_map(|slice| slice.number(variables));
        given.max().unwrap_or(self.otherwise).saturating_mul(self.times)
    }
}

impl Slice {
    /// Of a field whose arguments are prepared; `named` are the arguments that the operation gives.
    pub fn of_field(
        size: &ListSize,
        arguments: &[(Name, Input)],
        named: impl Fn(&str) -> bool,
    ) -> Vec<Self> {
        let slice = |path: &KeyPath| {
            let (first, rest) = path.split_first()?;
            let (_, input) = arguments.iter().find(|(name, _)| name == first)?;
            let (input, rest) = narrowed(input, rest);
            let (input, rest, named) = (input.clone(), rest.to_vec(), named(first));
            Some(Self { path: path.clone(), input, rest, named })
        };
        size.slicing_arguments.iter().filter_map(slice).collect()
    }

    /// What it says, if it says a length: a negative number says none.
    fn number(&self, variables: &Map<String, Value>) -> Option<u64> {
        count(&self.input, &self.rest, variables)
    }

    /// The operation gives a value, as opposed to the schema, or to nobody.
    pub fn is_given(&self, variables: &Map<String, Value>) -> bool {
        let own = match &self.input {
            Input::Variable { name, .. } => variables.contains_key(&**name),
            _ => true,
        };
        self.named && own && self.is_present(variables)
    }

    /// There is a value, be it the schema's default.
    pub fn is_present(&self, variables: &Map<String, Value>) -> bool {
        find(&self.input, &self.rest, variables).is_some()
    }
}

/// The input without the object literals that the path leads through, and what is left of the path.
fn narrowed<'i>(input: &'i Input, path: &'i [Name]) -> (&'i Input, &'i [Name]) {
    const ABSENT: &Input = &Input::Constant(Value::Null);
    match (input, path.split_first()) {
        (Input::Object(fields), Some((first, rest))) => {
            let field = fields.iter().find(|(name, _)| name == first);
            field.map_or((ABSENT, &[]), |(_, input)| narrowed(input, rest))
        }
        (Input::Translated { of, .. }, _) => narrowed(of, path),
        _ => (input, path),
    }
}

enum Found<'v> {
    Value(&'v Value),
    /// A list literal of so many elements.
    List(usize),
}

fn find<'v>(
    input: &'v Input,
    path: &[Name],
    variables: &'v Map<String, Value>,
) -> Option<Found<'v>> {
    let value = match input {
        Input::Constant(value) => value,
        Input::Variable { name, default } => variables.get(&**name).or(default.as_ref())?,
        Input::List(items) => return Some(Found::List(items.len())),
        Input::Object(fields) => {
            let (first, rest) = path.split_first()?;
            let (_, input) = fields.iter().find(|(name, _)| name == first)?;
            return find(input, rest, variables);
        }
        Input::Translated { of, .. } => return find(of, path, variables),
    };
    let value = path.iter().try_fold(value, |value, name| value.get(&**name))?;
    (!value.is_null()).then_some(Found::Value(value))
}

/// The number, or the number of elements, at a path in an input. Nothing is copied, however large it is.
pub(super) fn count(input: &Input, path: &[Name], variables: &Map<String, Value>) -> Option<u64> {
    match find(input, path, variables)? {
        Found::List(length) => Some(length as u64),
        Found::Value(Value::Array(elements)) => Some(elements.len() as u64),
        Found::Value(value) => value.as_u64(),
    }
}

/// How long the list of a field is, if it is one, and which lists below it its directive sizes.
pub(super) fn of_field<'a>(
    name: &str,
    ty: &Type,
    field: Option<&'a Field>,
    slices: &[Slice],
    above: &[Sized<'a>],
    assumed: u64,
) -> (Option<Length>, Vec<Sized<'a>>) {
    let depth = list_depth(ty);
    let size = field.and_then(|field| field.list_size.as_ref());
    let own = || Length::new(size, depth, slices.to_vec(), assumed);
    if depth > 0 {
        let sized = above.iter().find(|sized| matches!(sized.path, [only] if &**only == name));
        let length = sized.map_or_else(own, |sized| sized.length.deepened(depth, assumed));
        return (Some(length), Vec::new());
    }
    let inherited = above.iter().filter_map(|sized| match sized.path {
        [first, rest @ ..] if &**first == name && !rest.is_empty() => {
            Some(Sized { path: rest, length: sized.length.clone() })
        }
        _ => None,
    });
    let declared = size.map_or(&[][..], |size| &size.sized_fields);
    let declared = declared
        .iter()
        .map(|path| Sized { path, length: Length::new(size, 1, slices.to_vec(), assumed) });
    (None, inherited.chain(declared).collect())
}

/// A field above says how long the list of this one is.
pub(super) fn is_sized(name: &str, above: &[Sized<'_>]) -> bool {
    above.iter().any(|sized| matches!(sized.path, [only] if &**only == name))
}

/// Levels of list around a type.
fn list_depth(ty: &Type) -> u32 {
    match ty {
        Type::List(of) | Type::NonNullList(of) => list_depth(of) + 1,
        Type::Named(_) | Type::NonNullNamed(_) => 0,
    }
}

impl fmt::Display for Length {
    /// A number, or the variables that decide it, such as `$first` or `max($first, $last)`.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sliced = match self {
            Self::Fixed(length) => return write!(to, "{length}"),
            Self::Sliced(sliced) => sliced,
        };
        if sliced.by.len() > 1 {
            to.write_str("max(")?;
        }
        for (index, slice) in sliced.by.iter().enumerate() {
            if index > 0 {
                to.write_str(", ")?;
            }
            match (&slice.input, slice.number(&Map::new())) {
                (Input::Variable { name, .. }, _) => {
                    write!(to, "${name}")?;
                    slice.rest.iter().try_for_each(|step| write!(to, ".{step}"))?;
                }
                (_, Some(number)) => write!(to, "{number}")?,
                (_, None) => write!(to, "0")?,
            }
        }
        if sliced.by.len() > 1 {
            to.write_str(")")?;
        }
        if sliced.times > 1 { write!(to, " × {}", sliced.times) } else { Ok(()) }
    }
}
