//! A `@rest` without HTTP: it parses texts and knows the sources `users`, `orders` and `products`.

use crate::mapping::{Failure, Mapping, Position, Template};
use crate::problem::{Problem, nearest};
use crate::source::{
    Argument, BindingSpec, Call, Connector, Error, Inputs, Placed, Reply, Request,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SOURCES: [&str; 3] = ["users", "orders", "products"];

pub(super) struct Rest;

pub(super) struct FakeCall {
    source: crate::graphql::Name,
    references: Vec<Placed>,
    select: Option<Mapping>,
    streams: bool,
}

impl Connector for Rest {
    fn directive(&self) -> &'static str {
        "rest"
    }

    fn definition(&self) -> &'static str {
        "directive @rest(source: String!, GET: String, POST: String, body: String, headers: [RestHeader!], select: String, batch: BatchRule, stream: Boolean) on FIELD_DEFINITION
        input RestHeader { name: String!, value: String! }"
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut references = Vec::new();
        if !SOURCES.contains(&&*spec.source) {
            let message = format!("unknown source `{}`", spec.source);
            let problem = Problem::error("unknown-source", message).at(spec.source_place.clone());
            problems.push(match nearest(&spec.source, SOURCES) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        let mut take = |argument: &Argument, parsed: Result<Vec<_>, Vec<_>>| match parsed {
            Ok(found) => {
                references.extend(found.into_iter().map(|reference: crate::mapping::Reference| {
                    let place = argument.place_of(&reference.span);
                    Placed { reference, place }
                }));
            }
            Err(errors) => {
                problems
                    .extend(errors.into_iter().map(|e| argument.problem("invalid-template", e)));
            }
        };
        for argument in ["GET", "POST"].iter().filter_map(|name| spec.argument(name)) {
            let text = argument.text().unwrap_or_default();
            take(argument, Template::parse_url(text).map(|template| template.references()));
        }
        if let Some(body) = spec.argument("body") {
            let mapping = Mapping::parse(body.text().unwrap_or_default());
            take(body, mapping.map(|mapping| mapping.references()));
        }
        for header in spec.argument("headers").map(Argument::elements).unwrap_or_default() {
            let Some(value) = header.field("value") else { continue };
            let template = Template::parse_value(value.text().unwrap_or_default(), Position::Text);
            take(value, template.map(|template| template.references()));
        }
        let mut select = None;
        if let Some(argument) = spec.argument("select") {
            match Mapping::parse(argument.text().unwrap_or_default()) {
                Ok(mapping) => select = Some(mapping),
                Err(errors) => problems
                    .extend(errors.into_iter().map(|e| argument.problem("invalid-mapping", e))),
            }
        }
        if problems.is_empty() {
            let streams = spec.argument("stream").is_some();
            Ok(Arc::new(FakeCall { source: spec.source.clone(), references, select, streams }))
        } else {
            Err(problems)
        }
    }
}

impl Call for FakeCall {
    fn source(&self) -> &crate::graphql::Name {
        &self.source
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn render(&self, _: &Inputs<'_>) -> Result<Request, Failure> {
        Err(Failure::NotScalar)
    }

    fn send(&self, _: Arc<Request>, _: Instant) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(std::future::ready(Err(Error::new(crate::graphql::ErrorCode::Internal, "fake"))))
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn describe(&self, _: &Request) -> String {
        String::new()
    }
}
