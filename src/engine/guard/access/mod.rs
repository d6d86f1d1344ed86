//! Evaluates access rules of the graph for one caller.
//!
//! Only a plain `true` grants access. A rule denies if it fails, yields null, or yields any other value. A rule that
//! names the token denies callers without one, whatever it would yield for a missing claim.

mod reject;
mod scopes;
#[cfg(test)]
mod tests;

pub use reject::GuardMode;
pub(in crate::engine) use reject::{refused, unseen};

use crate::graph::{Allow, Graph, Guard, GuardId};
use crate::graphql::{Error, ErrorCode};
use crate::mapping::Scope;
use crate::source::{Caller, Inputs};
use serde_json::{Map, Value};

pub(in crate::engine) const CODE: ErrorCode = ErrorCode::UnauthorizedFieldOrType;

/// Message for clients: it tells that there is a rule, but not which one.
const MESSAGE: &str = "the caller may not see this field";

/// Returns the error of a refused field.
pub(in crate::engine) fn error(error_id: String) -> Error {
    let mut error = Error::new(CODE, MESSAGE);
    error.extensions.insert("errorId".into(), error_id.into());
    error
}

/// Logs refused fields, once for each answer: the path of the first one, and their number.
pub(in crate::engine) fn tell(error_id: &str, field: &str, fields: usize) {
    let code = CODE.as_str();
    tracing::info!(error_id, field, fields, code, "a caller may not see what was asked for");
}

/// The rules of a graph, for one caller.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Access<'a> {
    graph: &'a Graph,
    caller: &'a Caller,
}

impl<'a> Access<'a> {
    pub fn new(graph: &'a Graph, caller: &'a Caller) -> Self {
        Self { graph, caller }
    }

    /// Returns `true` if a rule grants access for a whole request. A rule that looks at objects may grant it, unless it
    /// needs a token and there is none.
    pub fn allows(&self, guard: GuardId, arguments: impl FnOnce() -> Map<String, Value>) -> bool {
        match self.graph.guards.get(guard) {
            Guard::Authenticated => self.is_known(),
            Guard::Scopes(any) => self.is_known() && scopes::suffice(self.caller, any),
            Guard::Allow(allow) if !allow.this.is_empty() => !allow.names_claims || self.is_known(),
            Guard::Allow(allow) => {
                let arguments =
                    if allow.names_arguments { arguments().into() } else { Value::Null };
                self.holds(allow, &arguments, &Value::Null)
            }
        }
    }

    /// Returns `true` if a rule grants access to one object. `this` has the fields that the rule names.
    pub fn allows_object(
        &self,
        guard: GuardId,
        arguments: impl FnOnce() -> Map<String, Value>,
        this: &Value,
    ) -> bool {
        let Some(allow) = self.graph.guards.get(guard).of_object() else { return false };
        let arguments = if allow.names_arguments { Value::from(arguments()) } else { Value::Null };
        self.holds(allow, &arguments, this)
    }

    fn holds(&self, allow: &Allow, arguments: &Value, this: &Value) -> bool {
        if allow.names_claims && !self.is_known() {
            return false;
        }
        let inputs = Inputs {
            args: arguments,
            this,
            batch: &Value::Null,
            caller: self.caller,
            env: &Value::Null,
            config: &Value::Null,
        };
        let scope = Scope { current: &Value::Null, variables: &inputs };
        matches!(allow.rule.evaluate(&scope), Ok(Value::Bool(true)))
    }

    /// Returns `true` if the caller has a verified token.
    fn is_known(&self) -> bool {
        self.caller.claims.is_object()
    }
}
