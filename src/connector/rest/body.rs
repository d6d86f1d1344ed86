//! The body of a call and its media type.

use super::super::texts::{Texts, scalar, scope};
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
    Text,
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
            Some(ArgumentValue::Enum(name)) if &**name == "TEXT" => Encoding::Text,
            _ => Encoding::Json,
        };
        Some(Self { mapping: texts.mapping(argument)?, encoding })
    }

    pub(super) fn media_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.encoding {
            Encoding::Json => "application/json",
            Encoding::Form => "application/x-www-form-urlencoded",
            Encoding::Text => "text/plain; charset=utf-8",
        })
    }

    pub(super) fn is_json(&self) -> bool {
        self.encoding == Encoding::Json
    }

    /// `None`: all of it is absent, and there is no body.
    pub(super) fn render(&self, inputs: &Inputs<'_>) -> Result<Option<Bytes>, Failure> {
        let Some(value) = self.mapping.render(&scope(inputs))? else { return Ok(None) };
        Ok(Some(match self.encoding {
            // Writing a `Value` to memory cannot fail: its keys are strings.
            Encoding::Json => value.to_string().into(),
            Encoding::Form => form(&value)?.into(),
            Encoding::Text => scalar(&value)?.unwrap_or_default().into_owned().into(),
        }))
    }
}
