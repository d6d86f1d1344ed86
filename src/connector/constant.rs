//! `@const`: a field that is computed, without a source and without a call.
//!
//! It compiles like any other binding, so that loading checks its mapping like a `select`. The engine evaluates the
//! mapping itself; nothing is rendered or sent here.

use super::texts::Texts;
use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping, Reads, Reference, Variable};
use crate::problem::Problem;
use crate::source::{
    Argument, BindingSpec, Call, Computed, Connector, Error, Inputs, Operation, Placed, Reply,
    Request,
};
use futures_util::future::{BoxFuture, FutureExt, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The connector of `@const`.
pub struct Const;

struct ConstCall {
    /// Coordinate of the field: no two fields share a source.
    coordinate: Name,
    value: Mapping,
    depends: Computed,
}

impl Connector for Const {
    fn directive(&self) -> &'static str {
        "const"
    }

    fn definition(&self) -> &'static str {
        "\"Computes the field from this mapping, without a call.\"\n\
         directive @const(value: String!) on FIELD_DEFINITION"
    }

    fn has_source(&self) -> bool {
        false
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let mut texts = Texts::default();
        if spec.operation == Operation::Subscription {
            let message = format!(
                "`{}` is a subscription field, which cannot have `@const`",
                spec.coordinate
            );
            let help = "use a binding with a stream, such as `@rest(…, stream: SSE)`; fields of its events can have `@const`";
            let problem = Problem::error("not-a-stream", message).at(spec.place.clone());
            texts.problems.push(problem.help(help));
        }
        let value =
            spec.argument("value").and_then(|argument| Some((argument, texts.mapping(argument)?)));
        // A more specific problem is added below.
        texts.problems.retain(|problem| problem.code != "unavailable-variable");
        let Some((argument, value)) = value.filter(|_| texts.problems.is_empty()) else {
            return Err(texts.problems);
        };
        let references = value.references();
        let mut problems: Vec<Problem> =
            references.iter().filter_map(|reference| unavailable(argument, reference)).collect();
        if value.expr().reads() != Reads::default() {
            let message =
                "`$` is not available here, because `@const` makes no call and has no reply";
            let help = "use `$args`, `$this`, `$claims` or `$request`";
            let place = argument.place.clone();
            problems.push(Problem::error("unknown-reference", message).at(place).help(help));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = |wanted: &[Variable]| {
            references.iter().any(|reference| wanted.contains(&reference.variable))
        };
        let depends = Computed {
            claims: names(&[Variable::Claims]),
            request: names(&[Variable::RequestHeaders, Variable::RequestIp]),
        };
        let coordinate = spec.coordinate.as_str().into();
        Ok(Arc::new(ConstCall { coordinate, value, depends }))
    }
}

/// Reports a variable that belongs to a source or to a batch.
fn unavailable(argument: &Argument, reference: &Reference) -> Option<Problem> {
    let (message, help) = match reference.variable {
        Variable::Config => (
            "`$config` is not available here, because `@const` has no source",
            "write the value itself, or use `$env`",
        ),
        Variable::Batch => (
            "`$batch` is not available here, because `@const` makes no call",
            "use `$this` for the parent object",
        ),
        Variable::Status | Variable::ResponseHeaders => (
            "`$status` and `$response.headers` are not available here, because `@const` makes no call",
            "use `$args`, `$this`, `$claims` or `$request`",
        ),
        _ => return None,
    };
    let place = argument.place_of(&reference.span);
    Some(Problem::error("misplaced-variable", message).at(place).help(help))
}

impl Call for ConstCall {
    fn source(&self) -> &Name {
        &self.coordinate
    }

    fn references(&self) -> &[Placed] {
        &[]
    }

    fn select(&self) -> Option<&Mapping> {
        Some(&self.value)
    }

    fn computed(&self) -> Option<Computed> {
        Some(self.depends)
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    fn render(&self, _: &Inputs<'_>) -> Result<Request, Failure> {
        Err(Failure::Unencodable("value".into()))
    }

    fn send(&self, _: Arc<Request>, _: Instant) -> BoxFuture<'static, Result<Reply, Error>> {
        ready(Err(Error::new(ErrorCode::Internal, "`@const` makes no call"))).boxed()
    }

    fn describe(&self, _: &Request) -> String {
        self.value.text().to_owned()
    }
}
