//! The body of a call and its media type.

use super::super::texts::{Texts, scalar, scope};
use super::query::form;
use crate::mapping::{Failure, Kinds, Mapping};
use crate::problem::Problem;
use crate::source::{ArgumentValue, BindingSpec, Inputs};
use bytes::Bytes;
use http::HeaderValue;

#[derive(Debug)]
pub(super) struct RequestBody {
    mapping: Mapping,
    encoding: Encoding,
}

/// Reports `encoding` without a body.
fn without_body(spec: &BindingSpec, texts: &mut Texts) {
    let encoding = spec.argument("encoding");
    let Some(encoding) = encoding.filter(|given| matches!(given.value, ArgumentValue::Enum(_)))
    else {
        return;
    };
    texts.problems.push(
        Problem::error("encoding-without-body", "`encoding` has no effect without `body`")
            .at(encoding.place.clone())
            .help("remove `encoding`, or add `body`"),
    );
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
    Form,
    Text,
}

impl RequestBody {
    pub(super) fn compile(spec: &BindingSpec, verb: &str, texts: &mut Texts) -> Option<Self> {
        let Some(argument) = spec.argument("body").filter(|body| body.text().is_some()) else {
            without_body(spec, texts);
            return None;
        };
        if verb == "GET" {
            texts.problems.push(
                Problem::error("body-on-get", "a `GET` call cannot have a body")
                    .at(argument.place.clone())
                    .help("send the values as `query`, or use `POST`"),
            );
        }
        let encoding = match spec.argument("encoding").map(|encoding| &encoding.value) {
            Some(ArgumentValue::Enum(name)) if &**name == "FORM" => Encoding::Form,
            Some(ArgumentValue::Enum(name)) if &**name == "TEXT" => Encoding::Text,
            _ => Encoding::Json,
        };
        let body = Self { mapping: texts.mapping(argument)?, encoding };
        if let Some((message, help)) = body.misfit() {
            let at = argument.place_of(&body.mapping.expr().span);
            texts.problems.push(Problem::error("invalid-mapping", message).at(at).help(help));
        }
        Some(body)
    }

    /// Returns the problem of a mapping whose result the encoding can never write, and how to fix it.
    fn misfit(&self) -> Option<(&'static str, &'static str)> {
        let kinds = self.mapping.expr().kinds();
        let (fits, message, help) = match self.encoding {
            Encoding::Json => return None,
            Encoding::Text => (
                Kinds::SCALAR,
                "this is never a scalar, which `encoding: TEXT` needs",
                "write one value, such as `$args.text`, or remove `encoding` to send JSON",
            ),
            Encoding::Form => (
                Kinds::OBJECT,
                "this is never an object, which `encoding: FORM` needs",
                "write an object, such as `name: $args.name`",
            ),
        };
        (kinds != Kinds::NONE && !kinds.meets(fits)).then_some((message, help))
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

    /// Renders the body; `None` if all of it is absent.
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
