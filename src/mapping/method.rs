//! Names: the methods with their numbers of arguments, the variables, and suggestions for misspelt names. Never
//! evaluates.

use super::{Kinds, Method, Variable};
use std::ops::RangeInclusive;

/// Name and types of a method.
pub(super) struct Signature {
    pub(super) name: &'static str,
    method: Method,
    arguments: RangeInclusive<usize>,
    /// Kinds of values that it accepts.
    pub(super) applies_to: Kinds,
    /// Kinds of its arguments. The last one repeats.
    pub(super) takes: &'static [Kinds],
    pub(super) yields: Kinds,
}

const ANY: Kinds = Kinds::ANY;
const BOOLEAN: Kinds = Kinds::BOOLEAN;
const NUMBER: Kinds = Kinds::NUMBER;
const TEXT: Kinds = Kinds::TEXT;
const LIST: Kinds = Kinds::LIST;
const OBJECT: Kinds = Kinds::OBJECT;
const SEQUENCE: Kinds = LIST.or(TEXT);
const ORDERED: Kinds = NUMBER.or(TEXT);
const MANY: usize = usize::MAX;

const fn is(
    name: &'static str,
    method: Method,
    arguments: RangeInclusive<usize>,
    applies_to: Kinds,
    takes: &'static [Kinds],
    yields: Kinds,
) -> Signature {
    Signature { name, method, arguments, applies_to, takes, yields }
}

const METHODS: [Signature; 44] = [
    is("joinNotNull", Method::JoinNotNull, 1..=1, LIST.or(Kinds::SCALAR), &[TEXT], TEXT),
    is("first", Method::First, 0..=0, SEQUENCE, &[], ANY),
    is("last", Method::Last, 0..=0, SEQUENCE, &[], ANY),
    is("map", Method::Map, 1..=1, LIST, &[], LIST),
    is("slice", Method::Slice, 1..=2, SEQUENCE, &[NUMBER], SEQUENCE),
    is("size", Method::Size, 0..=0, SEQUENCE.or(OBJECT), &[], NUMBER),
    is("match", Method::Match, 1..=MANY, ANY, &[], ANY),
    is("eq", Method::Eq, 1..=1, ANY, &[], BOOLEAN),
    is("ne", Method::Ne, 1..=1, ANY, &[], BOOLEAN),
    is("gt", Method::Gt, 1..=1, ORDERED, &[ORDERED], BOOLEAN),
    is("gte", Method::Gte, 1..=1, ORDERED, &[ORDERED], BOOLEAN),
    is("lt", Method::Lt, 1..=1, ORDERED, &[ORDERED], BOOLEAN),
    is("lte", Method::Lte, 1..=1, ORDERED, &[ORDERED], BOOLEAN),
    is("in", Method::In, 1..=1, ANY, &[LIST], BOOLEAN),
    is("contains", Method::Contains, 1..=1, SEQUENCE, &[], BOOLEAN),
    is("and", Method::And, 1..=MANY, BOOLEAN, &[BOOLEAN], BOOLEAN),
    is("or", Method::Or, 1..=MANY, BOOLEAN, &[BOOLEAN], BOOLEAN),
    is("not", Method::Not, 0..=0, BOOLEAN, &[], BOOLEAN),
    is("entries", Method::Entries, 0..=0, OBJECT, &[], LIST),
    is("keys", Method::Keys, 0..=0, OBJECT, &[], LIST),
    is("values", Method::Values, 0..=0, OBJECT, &[], LIST),
    is("has", Method::Has, 1..=1, ANY, &[ORDERED], BOOLEAN),
    is("get", Method::Get, 1..=1, SEQUENCE.or(OBJECT), &[ORDERED], ANY),
    is("filter", Method::Filter, 1..=1, ANY, &[BOOLEAN], LIST),
    is("find", Method::Find, 1..=1, ANY, &[BOOLEAN], ANY),
    is("flatten", Method::Flatten, 0..=0, LIST, &[], LIST),
    is("toList", Method::ToList, 0..=0, ANY, &[], LIST),
    is("add", Method::Add, 1..=MANY, NUMBER, &[NUMBER], NUMBER),
    is("sub", Method::Sub, 1..=MANY, NUMBER, &[NUMBER], NUMBER),
    is("mul", Method::Mul, 1..=MANY, NUMBER, &[NUMBER], NUMBER),
    is("div", Method::Div, 1..=MANY, NUMBER, &[NUMBER], NUMBER),
    is("mod", Method::Mod, 1..=MANY, NUMBER, &[NUMBER], NUMBER),
    is("parseInt", Method::ParseInt, 0..=1, ORDERED, &[NUMBER], NUMBER),
    is("parseFloat", Method::ParseFloat, 0..=0, ORDERED, &[], NUMBER),
    is("toString", Method::ToString, 0..=0, Kinds::SCALAR, &[], TEXT),
    is("jsonParse", Method::JsonParse, 0..=0, TEXT, &[], ANY),
    is("jsonStringify", Method::JsonStringify, 0..=0, ANY, &[], TEXT),
    is("echo", Method::Echo, 1..=1, ANY, &[], ANY),
    is("split", Method::Split, 1..=2, TEXT, &[TEXT, NUMBER], LIST),
    is("lower", Method::Lower, 0..=0, TEXT, &[], TEXT),
    is("upper", Method::Upper, 0..=0, TEXT, &[], TEXT),
    is("trim", Method::Trim, 0..=0, TEXT, &[], TEXT),
    is("replace", Method::Replace, 2..=2, TEXT, &[TEXT], TEXT),
    is("startsWith", Method::StartsWith, 1..=1, TEXT, &[TEXT], BOOLEAN),
];

/// Variables without a part after their name.
const VARIABLES: [(&str, Variable); 7] = [
    ("args", Variable::Args),
    ("this", Variable::This),
    ("batch", Variable::Batch),
    ("claims", Variable::Claims),
    ("status", Variable::Status),
    ("config", Variable::Config),
    ("env", Variable::Env),
];

impl Method {
    pub(super) fn named(name: &str) -> Option<Self> {
        METHODS.iter().find(|known| known.name == name).map(|known| known.method)
    }

    /// Returns every method.
    pub fn all() -> impl Iterator<Item = Self> {
        METHODS.iter().map(|known| known.method)
    }

    /// Returns the name in the text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        signature(self).name
    }

    /// Returns the error for `count` arguments, if that number is wrong.
    pub(super) fn refuses_count(self, count: usize) -> Option<String> {
        let range = &signature(self).arguments;
        if range.contains(&count) {
            return None;
        }
        let due = match (*range.start(), *range.end()) {
            (0, 0) => "no arguments".to_owned(),
            (0, 1) => "at most one argument".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (2, 2) => "two arguments".to_owned(),
            (1, MANY) => "at least one argument".to_owned(),
            (from, to) => format!("{from} to {to} arguments"),
        };
        Some(format!("`{}` takes {due}, but has {count}", self.as_str()))
    }

    /// Returns an example call, for error messages.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::JoinNotNull => "for example `$args.ids->joinNotNull(',')`",
            Self::First => "for example `$.rows->first`",
            Self::Last => "for example `$.rows->last`",
            Self::Map => "for example `$.rows->map(@.id)`, where `@` is the element",
            Self::Slice => {
                "for example `$.rows->slice(0, 10)`: from the first, up to but without the second"
            }
            Self::Size => "for example `$.rows->size`",
            Self::Match => "for example `kind->match(['b', 'Book'], [@, 'Other'])`",
            Self::Eq | Self::Ne => "for example `$claims.sub->eq($this.id)`",
            Self::Gt | Self::Gte | Self::Lt | Self::Lte => "for example `$args.first->lte(100)`",
            Self::In => "for example `$claims.role->in(['admin', 'editor'])`",
            Self::Contains => {
                "for example `$claims.groups->contains('staff')`, or of a text `name->contains('a')`"
            }
            Self::And | Self::Or => "for example `$claims.admin->or($claims.sub->eq($this.id))`",
            Self::Not => "for example `$this.hidden->not`",
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod => {
                "for example `price->mul(100)`, or with several numbers `a->add($.b, $.c)`"
            }
            Self::Entries | Self::Keys | Self::Values => {
                "for example `labels->entries { key value }`"
            }
            Self::Has | Self::Get => {
                "for example `prices->get('eur')`, or of a list `rows->get(0)`"
            }
            Self::Filter | Self::Find => "for example `rows->filter(@.qty->gt(1))`",
            Self::Flatten => "for example `$.pages.items->flatten`",
            Self::ToList => "for example `items->toList { id }`",
            Self::ParseInt => "for example `id->parseInt`, or with a base `code->parseInt(16)`",
            Self::ParseFloat => "for example `price->parseFloat`",
            Self::ToString => {
                "for example `id->toString`; a list or an object takes `jsonStringify`"
            }
            Self::JsonParse => "for example `payload->jsonParse { id }`",
            Self::JsonStringify => "for example `settings->jsonStringify`",
            Self::Echo => "for example `$->echo([@.first, @.last])`",
            Self::Split => "for example `tags->split(',')`",
            Self::Lower | Self::Upper | Self::Trim => "for example `email->trim->lower`",
            Self::Replace => "for example `name->replace('_', ' ')`",
            Self::StartsWith => "for example `sku->startsWith('A-')`",
        }
    }
}

/// Returns the types of a method.
pub(super) fn signature(method: Method) -> &'static Signature {
    // A test checks that the table has every method.
    METHODS.iter().find(|known| known.method == method).unwrap_or(&METHODS[0])
}

/// Returns message and help for an unknown method.
pub(super) fn unknown_method(name: &str) -> (String, String) {
    let names = METHODS.iter().map(|known| known.name);
    let help = nearest(name, names.clone()).map_or_else(
        || format!("the methods are {}", names.collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    (format!("unknown method `{name}`"), help)
}

pub(super) fn variable(name: &str) -> Option<Variable> {
    VARIABLES.iter().find(|known| known.0 == name).map(|known| known.1)
}

pub(super) fn unknown_variable(name: &str) -> (String, String) {
    let names = VARIABLES.map(|known| known.0);
    let near = nearest(name, names.into_iter().chain(["request", "response"]));
    let help = near.map_or_else(
        || "valid here: `$args`, `$this`, `$batch`, `$claims`, `$request`, `$response`, `$status`, `$config` and `$env`; write `$.name` for a key of the current object".to_owned(),
        |near| format!("did you mean `${near}`?"),
    );
    (format!("unknown variable `${name}`"), help)
}

/// Returns the most similar candidate, with at most a third of its letters wrong.
pub(super) fn nearest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if name.len() > 40 {
        return None;
    }
    let allowed = (name.len() / 3).max(1);
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
