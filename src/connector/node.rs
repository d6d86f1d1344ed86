//! `@node`: the object of a global ID. The engine makes a stub of its type and key, which lookups complete.

use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping};
use crate::problem::Problem;
use crate::source::{
    BindingSpec, Call, Computed, Connector, Error, Inputs, Placed, Reply, Request,
};
use futures_util::future::{BoxFuture, FutureExt, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Mapping from the argument [`OBJECTS`](crate::source::OBJECTS) to the field's value.
const STUBS: &str = "$args.objects { __typename id }";

/// The connector of `@node`.
pub struct NodeById;

struct NodeCall {
    /// The field's coordinate.
    coordinate: Name,
    stubs: Mapping,
}

impl Connector for NodeById {
    fn directive(&self) -> &'static str {
        "node"
    }

    fn definition(&self) -> &'static str {
        "\"Returns an object by its global ID. The prefix determines the type, and a lookup of the type returns the object.\"\n\
         directive @node on FIELD_DEFINITION"
    }

    fn has_source(&self) -> bool {
        false
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let coordinate = spec.coordinate.as_str().into();
        // A constant: only a change of the language could make it invalid.
        let stubs = Mapping::parse(STUBS).map_err(|_| Vec::new())?;
        Ok(Arc::new(NodeCall { coordinate, stubs }))
    }
}

impl Call for NodeCall {
    fn source(&self) -> &Name {
        &self.coordinate
    }

    fn references(&self) -> &[Placed] {
        &[]
    }

    fn select(&self) -> Option<&Mapping> {
        Some(&self.stubs)
    }

    fn computed(&self) -> Option<Computed> {
        Some(Computed::default())
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    fn render(&self, _: &Inputs<'_>) -> Result<Request, Failure> {
        Err(Failure::Unencodable("value".into()))
    }

    fn send(&self, _: Arc<Request>, _: Instant) -> BoxFuture<'static, Result<Reply, Error>> {
        ready(Err(Error::new(ErrorCode::Internal, "`@node` makes no call"))).boxed()
    }

    fn describe(&self, _: &Request) -> String {
        self.stubs.text().to_owned()
    }
}
