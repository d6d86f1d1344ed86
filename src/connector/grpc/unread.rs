//! A `@grpc` directive whose source could not be read: its texts, and the names in them, are checked as far as possible
//! without the service's messages. Nothing is ever called: a load with such a source has errors.

use super::compile::is_reserved;
use crate::connector::SourceSettings;
use crate::connector::headers::Headers;
use crate::connector::texts::Texts;
use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping};
use crate::problem::Problem;
use crate::source::{
    BindingSpec, Call, Error, Inputs, Operation, Placed, Reply, ReplyRules, Request,
};
use futures_util::future::{BoxFuture, FutureExt, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct UnreadCall {
    source: Name,
    references: Vec<Placed>,
    select: Option<Mapping>,
    streams: bool,
}

pub(super) fn compile(spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
    let mut texts = Texts::default();
    let settings = SourceSettings::unread(&spec.source);
    let _ = spec.argument("message").and_then(|argument| texts.mapping(argument));
    let select = spec.argument("select").and_then(|argument| texts.select(argument));
    let _ = Headers::compile(spec, "metadata", &settings, is_reserved, &mut texts);
    let _ = ReplyRules::compile(spec, &settings, &mut texts);
    if !texts.problems.is_empty() {
        return Err(texts.problems);
    }
    Ok(Arc::new(UnreadCall {
        source: spec.source.clone(),
        references: texts.references,
        select,
        streams: spec.operation == Operation::Subscription,
    }))
}

impl Call for UnreadCall {
    fn source(&self) -> &Name {
        &self.source
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    fn render(&self, _: &Inputs<'_>) -> Result<Request, Failure> {
        Err(Failure::Unencodable("message".into()))
    }

    fn send(&self, _: Arc<Request>, _: Instant) -> BoxFuture<'static, Result<Reply, Error>> {
        ready(Err(Error::new(ErrorCode::NoInstance, "the source could not be read"))).boxed()
    }

    fn describe(&self, _: &Request) -> String {
        String::new()
    }
}
