//! What is known about names: the methods with their argument counts, the variables, and which known name a mistyped
//! one is nearest to. Never evaluates.

use super::{Method, Variable};
use std::ops::RangeInclusive;

const METHODS: [(&str, Method, RangeInclusive<usize>); 18] = [
    ("joinNotNull", Method::JoinNotNull, 1..=1),
    ("first", Method::First, 0..=0),
    ("last", Method::Last, 0..=0),
    ("map", Method::Map, 1..=1),
    ("slice", Method::Slice, 1..=2),
    ("size", Method::Size, 0..=0),
    ("match", Method::Match, 1..=usize::MAX),
    ("eq", Method::Eq, 1..=1),
    ("ne", Method::Ne, 1..=1),
    ("gt", Method::Gt, 1..=1),
    ("gte", Method::Gte, 1..=1),
    ("lt", Method::Lt, 1..=1),
    ("lte", Method::Lte, 1..=1),
    ("in", Method::In, 1..=1),
    ("contains", Method::Contains, 1..=1),
    ("and", Method::And, 1..=usize::MAX),
    ("or", Method::Or, 1..=usize::MAX),
    ("not", Method::Not, 0..=0),
];

/// Of the language, but they do not evaluate yet.
const LATER: [&str; 14] = [
    "entries",
    "filter",
    "find",
    "get",
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "parseInt",
    "toString",
    "jsonParse",
    "jsonStringify",
    "echo",
];

/// The variables that need nothing after their name.
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
        METHODS.iter().find(|known| known.0 == name).map(|known| known.1)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        METHODS.iter().find(|known| known.1 == self).map_or("", |known| known.0)
    }

    /// What is wrong with taking `count` arguments, if anything is.
    pub(super) fn refuses_count(self, count: usize) -> Option<String> {
        let range = METHODS.iter().find(|known| known.1 == self).map(|known| known.2.clone())?;
        if range.contains(&count) {
            return None;
        }
        let due = match (*range.start(), *range.end()) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (1, usize::MAX) => "at least one argument".to_owned(),
            (from, to) => format!("{from} to {to} arguments"),
        };
        Some(format!("`{}` takes {due}, here are {count}", self.as_str()))
    }

    /// How it is called, to be shown beside a mistake.
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
            Self::Contains => "for example `$claims.groups->contains('staff')`",
            Self::And | Self::Or => "for example `$claims.admin->or($claims.sub->eq($this.id))`",
            Self::Not => "for example `$this.hidden->not`",
        }
    }
}

/// Message and help for a method that does not evaluate.
pub(super) fn unknown_method(name: &str) -> (String, String) {
    let available = METHODS.map(|known| known.0);
    let all = format!("the methods are {}", available.join(", "));
    if LATER.contains(&name) {
        return (format!("`{name}` is not available in this version"), all);
    }
    let candidates = available.into_iter().chain(LATER);
    let help = nearest(name, candidates).map_or(all, |near| format!("did you mean `{near}`?"));
    (format!("there is no method `{name}`"), help)
}

pub(super) fn variable(name: &str) -> Option<Variable> {
    VARIABLES.iter().find(|known| known.0 == name).map(|known| known.1)
}

pub(super) fn unknown_variable(name: &str) -> (String, String) {
    let names = VARIABLES.map(|known| known.0);
    let near = nearest(name, names.into_iter().chain(["request", "response"]));
    let help = near.map_or_else(
        || "the variables are $args, $this, $batch, $claims, $request, $response, $status, $config, $env; \
            a key of the current object is `$.name`".to_owned(),
        |near| format!("did you mean `${near}`?"),
    );
    (format!("there is no variable `${name}`"), help)
}

/// The candidate that `name` may have been meant to be: at most a third of its letters wrong.
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
