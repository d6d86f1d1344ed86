//! The body of a call and its media type.

use super::super::texts::{Texts, scope};
use super::query::form;
use crate::mapping::{Failure, Mapping};
use crate::problem::Problem;
use crate::source::{ArgumentValue, BindingSpec, Inputs};
use bytes::Bytes;
use http::HeaderValue;

#[derive(Debug)]
pub(super) struct RequestBody {
    mapping: Mapping,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
    Form,
}

impl RequestBody {
    pub(super) fn compile(spec: &BindingSpec, verb: &str, texts: &mut Texts) -> Option<Self> {
        let argument = spec.argument("body").filter(|body| body.text().is_some())?;
        if verb == "GET" {
            texts.problems.push(
                Problem::error("body-on-get", "a GET call has no body")
                    .at(argument.place.clone())
                    .help("send the values as `query`, or use `POST`"),
            );
        }
        let encoding = match spec.argument("encoding").map(|encoding| &encoding.value) {
            Some(ArgumentValue::Enum(name)) if &**name == "FORM" => Encoding::Form,
            _ => Encoding::Json,
        };
        Some(Self { mapping: texts.mapping(argument)?, encoding })
    }

    pub(super) fn media_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.encoding {
            Encoding::Json => "application/json",
            Encoding::Form => "application/x-www-form-urlencoded",
        })
    }

    pub(super) fn render(&self, inputs: &Inputs<'_>) -> Result<Bytes, Failure> {
        let value = self.mapping.evaluate(&scope(inputs))?;
        match self.encoding {
            // Writing a `Value` to memory cannot fail: its keys are strings.
            Encoding::Json => Ok(value.to_string().into()),
            Encoding::Form => form(&value).map(Bytes::from),
        }
    }
}
