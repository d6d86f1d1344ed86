//! Where a service lives and how it is treated: one entry under `sources` of the YAML, ready to use.

use crate::source::secrets::MASK;
use crate::upstream;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;

/// One source.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    pub name: crate::graphql::Name,
    pub protocol: Protocol,
    pub upstream: upstream::Settings,
    /// Of the client's headers, those that go upstream.
    pub forward_headers: Vec<HeaderName>,
    /// Headers with a fixed value, marked sensitive so that they are never printed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that a claim of the caller's token fills: the header and the claim's name.
    pub claim_headers: Vec<(HeaderName, String)>,
    /// The header that tells a service how many milliseconds are left for a call.
    pub deadline_header: Option<HeaderName>,
    /// `$config` of this source's texts.
    pub config: SourceConfig,
    /// Identical safe calls may share one execution.
    pub reuse: bool,
}

/// `config` of a source.
#[derive(Clone, PartialEq)]
pub struct SourceConfig {
    /// An object.
    pub value: Value,
    pub from_env: Vec<FromEnv>,
}

/// A value of `config` that came out of the environment, and may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct FromEnv {
    /// Its place (RFC 6901, JSON Pointer).
    pub pointer: String,
    /// The whole value, and the variables that it was made of.
    pub texts: Vec<String>,
}

impl SourceConfig {
    /// The value with `mark` of a name, such as `keys.0`, for what came out of the environment.
    #[must_use]
    pub fn shown(&self, mark: &dyn Fn(&str) -> Value) -> Value {
        let mut shown = self.value.clone();
        for FromEnv { pointer, .. } in &self.from_env {
            if let Some(value) = shown.pointer_mut(pointer) {
                *value = mark(&pointer[1..].replace('/', "."));
            }
        }
        shown
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { value: Value::Object(Map::new()), from_env: Vec::new() }
    }
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown(&|_| MASK.into()).fmt(formatter)
    }
}

#[derive(Debug, Clone)]
pub enum Protocol {
    Rest {
        site: upstream::Site,
    },
    /// `protos` are files; imports are resolved beside them.
    Grpc {
        site: upstream::Site,
        protos: Vec<PathBuf>,
    },
}
