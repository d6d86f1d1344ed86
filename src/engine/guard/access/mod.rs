//! Who may see what: a rule of the graph, asked for one caller.
//!
//! Only a plain `true` lets anybody pass. A rule that fails, that yields null or anything else denies, and one that
//! names the token denies whoever has none, whatever it would say of a missing claim.

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

/// What a client is told of each field: that there is a rule, and not which one.
const MESSAGE: &str = "the caller may not see this field";

/// The error of a field.
pub(in crate::engine) fn error(error_id: String) -> Error {
    let mut error = Error::new(CODE, MESSAGE);
    error.extensions.insert("errorId".into(), error_id.into());
    error
}

/// What the log is told, once for all fields of an answer: the response keys of the first one, and how many there were.
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

    /// Whether a rule holds for a whole request. One that looks at objects may hold, unless it looks at a token that is
    /// not there.
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

    /// Whether a rule holds for one object, of which `this` has what it names.
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

    /// There is a verified token.
    fn is_known(&self) -> bool {
        self.caller.claims.is_object()
    }
}
