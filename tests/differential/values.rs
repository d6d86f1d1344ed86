//! Input values: literals as they stand in a document, and JSON as variables have it; right ones, and with a chance wrong
//! ones.

use crate::support::random::Random;
use apollo_compiler::Schema;
use apollo_compiler::ast::{InputValueDefinition, Type};
use apollo_compiler::schema::{ExtendedType, InputObjectType};

/// Ids that exist, that do not, and that no service would expect.
const IDS: &[&str] = &[
    "1", "2", "3", "17", "500", "1000", "20000", "99999", "P-0001", "P-0042", "P-0500", "P-9999",
    "01", "x", "a/b", "é",
];
const COUNTRIES: &[&str] = &["DE", "FR", "JP", "XX"];
const TEXTS: &[&str] =
    &["text", "", "é", "a b", "\u{1F600}", "1", "true", "null", "RED", "{x}", "$a"];

const FLOATS: &[&str] =
    &["0", "1", "-0", "1.5", "-2.25", "1e3", "1.0", "0.1", "9007199254740993", "1e21", "1e-7"];

/// Literals of a custom scalar.
const LITERALS: &[&str] = &[
    "1",
    "1.5",
    "\"t\"",
    "true",
    "RED",
    "[1, \"a\"]",
    "{a: {b: [1]}}",
    "[]",
    "{}",
    "[null]",
    "[1, [null]]",
    "{a: null}",
];
const JSON: &[&str] =
    &["1", "1.5", "\"t\"", "true", "[1, \"a\"]", "{\"a\": {\"b\": [1]}}", "[]", "{}"];

const STRINGS: &[&str] = &[
    r#""""block""""#,
    "\"\"\"\n    in\n      two lines\n  \"\"\"",
    r#""\u00e9""#,
    r#""\u{1F600}""#,
    r#""\uD83D\uDE00""#,
    r#""a\"b\\c\/\n""#,
];
/// Literals that fit few types, or none.
const ANY_LITERAL: &[&str] = &[
    "null",
    "true",
    "1",
    "-1",
    "0",
    "-0",
    "1.0",
    "1.5",
    "1e2",
    "2147483647",
    "2147483648",
    "-2147483649",
    "9007199254740993",
    "123456789012345678901234567890",
    "\"x\"",
    "\"\"",
    "\"1\"",
    "RED",
    "NOPE",
    "nope",
    "[]",
    "[1]",
    "[null]",
    "[[1]]",
    "{}",
    "{a: 1}",
    "{id: 1}",
    "{a: 1, a: 1}",
    "[{a: {b: 1, b: 2}}]",
    "[1, null]",
    "[[null]]",
];
/// What is no literal.
const NO_LITERAL: &[&str] = &[
    "$undefined",
    "01",
    "1.",
    ".5",
    "1e",
    "0x1",
    "1x",
    "-",
    r#""\uD800""#,
    r#""\x""#,
    r#""\u{110000}""#,
    "'x'",
    "-x",
    "1.e1",
    "00",
    "-01",
    "1.0.0",
    "1_0",
    "\"a\nb\"",
    "[1",
    "{a 1}",
    "{a: }",
    "{: 1}",
    "$",
    "$1",
    r#""\u12""#,
    r#""\uDC00\uD800""#,
    r#""\u{}""#,
    "NaN",
    "NULL",
    "true1",
];
/// JSON that fits few types, or none.
const ANY_JSON: &[&str] = &[
    "null",
    "true",
    "false",
    "1",
    "-1",
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1.5",
    "1e2",
    "1E2",
    "2147483647",
    "2147483648",
    "2147483648.0",
    "-2147483648",
    "-2147483649",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "12345678901234567890",
    "123456789012345678901234567890",
    "-9007199254740993",
    "1e21",
    "1e300",
    "5e-324",
    "\"x\"",
    "\"\"",
    "\"1\"",
    "\"RED\"",
    "\"NOPE\"",
    "[]",
    "[1]",
    "[null]",
    "[[1]]",
    "[\"x\"]",
    "[[]]",
    "[1, null]",
    "[[null]]",
    "{}",
    "{\"a\": 1}",
    "{\"id\": 1}",
    "{\"id\": null}",
];

pub struct Values<'a> {
    pub schema: &'a Schema,
    pub random: Random,
    /// So many of a hundred values may be of any kind.
    pub wrong: usize,
}

/// Where values stand: literals have variables, and names without quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Literal,
    Json,
}

impl Values<'_> {
    /// A value of the type. `hole` may stand in for one inside it, as a variable does.
    pub fn value(
        &mut self,
        form: Form,
        name: &str,
        ty: &Type,
        depth: usize,
        hole: &mut dyn FnMut(&mut Self, &Type) -> Option<String>,
    ) -> String {
        if depth > 0
            && let Some(text) = hole(self, ty)
        {
            return text;
        }
        if self.random.percent(self.wrong) {
            let all = match form {
                Form::Literal if self.random.percent(10) => NO_LITERAL,
                Form::Literal => ANY_LITERAL,
                Form::Json => ANY_JSON,
            };
            return (*self.random.pick(all)).to_owned();
        }
        if !ty.is_non_null() && self.random.percent(12) {
            return "null".into();
        }
        match ty {
            Type::List(of) | Type::NonNullList(of) => {
                let of = of.as_ref().clone();
                // One value stands for a list of it.
                if self.random.percent(15) {
                    return self.value(form, name, &of, depth, hole);
                }
                let count = self.random.below(if depth > 3 { 2 } else { 4 });
                let items: Vec<String> =
                    (0..count).map(|_| self.value(form, name, &of, depth + 1, hole)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Named(named) | Type::NonNullNamed(named) => match self.schema.types.get(named) {
                Some(ExtendedType::InputObject(object)) => {
                    let object = object.as_ref().clone();
                    self.object(form, &object, depth, hole)
                }
                Some(ExtendedType::Enum(all)) => {
                    let members: Vec<&str> =
                        all.values.keys().map(apollo_compiler::Name::as_str).collect();
                    let member = (*self.random.pick(&members)).to_owned();
                    if form == Form::Literal { member } else { format!("\"{member}\"") }
                }
                _ => self.scalar(form, name, named),
            },
        }
    }

    fn object(
        &mut self,
        form: Form,
        object: &InputObjectType,
        depth: usize,
        hole: &mut dyn FnMut(&mut Self, &Type) -> Option<String>,
    ) -> String {
        let fields: Vec<InputValueDefinition> =
            object.fields.values().map(|field| field.node.as_ref().clone()).collect();
        let mut given: Vec<(String, String)> = Vec::new();
        let one = object.directives.has("oneOf").then(|| self.random.below(fields.len()));
        for (index, field) in fields.iter().enumerate() {
            let wanted = match one {
                Some(one) => index == one,
                None => field.is_required() || (depth < 4 && self.random.percent(45)),
            };
            if wanted != self.random.percent(self.wrong / 2) {
                let mut ty = field.ty.as_ref().clone();
                if one.is_some() {
                    ty = ty.non_null();
                }
                let value = self.value(form, &field.name, &ty, depth + 1, hole);
                given.push((field.name.to_string(), value));
            }
        }
        if self.random.percent(self.wrong / 2) {
            given.push(("unknown".into(), "1".into()));
        }
        if form == Form::Literal && !given.is_empty() && self.random.percent(self.wrong / 2) {
            let twice = self.random.pick(&given).clone();
            given.push(twice);
        }
        if self.random.percent(20) {
            given.reverse();
        }
        let quote = if form == Form::Json { "\"" } else { "" };
        let fields: Vec<String> =
            given.iter().map(|(name, value)| format!("{quote}{name}{quote}: {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    }

    fn scalar(&mut self, form: Form, name: &str, named: &str) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match (name, named) {
            (_, "ID") if self.random.percent(20) => self.random.below(30).to_string(),
            (_, "ID") if form == Form::Json && self.random.percent(8) => {
                let odd = [
                    "9007199254740991",
                    "9007199254740993",
                    "12345678901234567890",
                    "-0",
                    "-7",
                    "1.0",
                ];
                (*self.random.pick(&odd)).to_owned()
            }
            (_, "ID") => quoted(self.random.pick::<&str>(IDS)),
            (_, "Int") if self.random.percent(3) => {
                (*self.random.pick(&["-1", "501", "2147483647"])).to_owned()
            }
            (_, "Int") if form == Form::Json && self.random.percent(4) => {
                (*self.random.pick(&["1.0", "-0", "2e0", "-0.0"])).to_owned()
            }
            (_, "Int") => self.random.below(5).to_string(),
            (_, "Float") => (*self.random.pick(FLOATS)).to_owned(),
            ("country", _) => quoted(self.random.pick::<&str>(COUNTRIES)),
            (_, "Boolean") => self.random.percent(50).to_string(),
            (_, "String") if form == Form::Literal && self.random.percent(8) => {
                (*self.random.pick(STRINGS)).to_owned()
            }
            (_, "String") => quoted(self.random.pick::<&str>(TEXTS)),
            // A custom scalar takes anything.
            _ if form == Form::Literal => (*self.random.pick(LITERALS)).to_owned(),
            _ => (*self.random.pick(JSON)).to_owned(),
        }
    }
}
