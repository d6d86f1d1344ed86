//! Settings of one source: one entry under `sources` of the YAML, ready to use.

use super::credentials::Credentials;
use super::rules::SourceRules;
use crate::graphql::Name;
use crate::problem::Place;
use crate::source::Returned;
use crate::source::secrets::MASK;
use crate::upstream;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;
use tonic::Code;

/// One source.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    pub name: crate::graphql::Name,
    pub protocol: Protocol,
    pub upstream: upstream::Settings,
    /// Client headers that are forwarded.
    pub forward_headers: Vec<HeaderName>,
    /// Headers with a fixed value, marked sensitive so that they are never printed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers filled with a claim of the caller's token: the header, and the claim's name or the path to it.
    pub claim_headers: Vec<(HeaderName, String)>,
    /// Other credentials that are sent with every call.
    pub credentials: Credentials,
    /// Header that carries the milliseconds left for a call.
    pub deadline_header: Option<HeaderName>,
    /// `$config` of this source's texts.
    pub config: SourceConfig,
    /// Response headers and cookies that clients receive.
    pub returned: Returned,
    /// Media types of replies, beside those of JSON, whose body may be JSON; lower case.
    pub accept_types: Vec<String>,
    /// Maximum number of redirects within the origin that a safe call follows.
    pub follow: u8,
    /// Allows identical safe calls to share one execution.
    pub reuse: bool,
    /// Rules for which replies are a success, and what clients see of the others.
    pub rules: SourceRules,
    /// Problems include the called URL and a part of the service's answer.
    pub shows_replies: bool,
    pub places: SourcePlaces,
}

impl SourceSettings {
    /// Creates settings with every default of the configuration. Calls are not shared.
    #[must_use]
    pub fn new(name: crate::graphql::Name, protocol: Protocol) -> Self {
        Self {
            name,
            protocol,
            upstream: upstream::Settings::default(),
            forward_headers: Vec::new(),
            headers: Vec::new(),
            claim_headers: Vec::new(),
            credentials: Credentials::default(),
            deadline_header: None,
            config: SourceConfig::default(),
            returned: Returned::default(),
            accept_types: Vec::new(),
            follow: 0,
            reuse: false,
            rules: SourceRules::default(),
            shows_replies: false,
            places: SourcePlaces::default(),
        }
    }
}

/// Places in the configuration of names whose mistakes are found later, such as a missing file.
#[derive(Debug, Clone, Default)]
pub struct SourcePlaces {
    pub name: Option<Place>,
    /// Entries of `protos` or `descriptors`, in order, or `reflection`.
    pub descriptors: Vec<Place>,
    /// Entries of `proto_paths`, in order.
    pub proto_paths: Vec<Place>,
}

/// Sources of the configuration that could not be read. Their mistakes are reported already, so bindings that name them
/// are checked without them.
#[derive(Debug, Clone)]
pub enum Unread {
    Named(Vec<Name>),
    /// The configuration itself is unreadable.
    All,
}

impl Default for Unread {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Unread {
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|known| &**known == name),
            Self::All => true,
        }
    }

    pub(super) fn add(&mut self, name: &Name) {
        if let Self::Named(names) = self {
            names.push(Name::clone(name));
        }
    }
}

impl SourceSettings {
    /// Creates a placeholder for a source that could not be read, while bindings are checked. It has no instance.
    pub(super) fn unread(name: &Name) -> Self {
        let site = upstream::Site {
            https: false,
            name: None,
            prefix: String::new(),
            instances: upstream::Instances::Fixed(Vec::new()),
        };
        Self { reuse: true, ..Self::new(Name::clone(name), Protocol::Rest { site }) }
    }
}

/// `config` of a source.
#[derive(Clone, PartialEq)]
pub struct SourceConfig {
    /// An object.
    pub value: Value,
    pub from_env: Vec<FromEnv>,
}

/// A value of `config` that came from the environment, and may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct FromEnv {
    /// Place of the value (RFC 6901, JSON Pointer).
    pub pointer: String,
    /// The whole value, and the variables in it.
    pub texts: Vec<String>,
}

impl SourceConfig {
    /// Returns the value in which everything from the environment is replaced by `mark` of its name, such as `keys.0`.
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
    Rest { site: upstream::Site },
    Grpc { site: upstream::Site, descriptors: DescriptorSource, failures: FailureCodes },
}

impl Protocol {
    /// Returns the location of the service.
    #[must_use]
    pub fn site(&self) -> &upstream::Site {
        let (Self::Rest { site } | Self::Grpc { site, .. }) = self;
        site
    }
}

/// Source of the messages and methods of a gRPC service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DescriptorSource {
    /// `.proto` files. `entries` are files, folders and patterns, relative to `base`. Imports begin in `roots`; without
    /// roots, in the folders of the entries and those above them.
    Protos { base: PathBuf, entries: Vec<PathBuf>, roots: Vec<PathBuf> },
    /// Compiled descriptor sets.
    Sets(Vec<PathBuf>),
    /// The service describes itself.
    Reflection,
}

impl DescriptorSource {
    /// Creates a source of these files, with imports beside them.
    #[must_use]
    pub fn protos(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let entries = files.into_iter().collect();
        Self::Protos { base: PathBuf::new(), entries, roots: Vec::new() }
    }

    /// Returns the beginning of a sentence about missing descriptions.
    pub(super) fn have_no(&self) -> &'static str {
        match self {
            Self::Protos { .. } => "the protos have no",
            Self::Sets(_) => "the descriptors have no",
            Self::Reflection => "the service has no",
        }
    }
}

/// gRPC's error codes, by name (google/rpc/code.proto).
pub const GRPC_CODES: [(&str, Code); 16] = [
    ("CANCELLED", Code::Cancelled),
    ("UNKNOWN", Code::Unknown),
    ("INVALID_ARGUMENT", Code::InvalidArgument),
    ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
    ("NOT_FOUND", Code::NotFound),
    ("ALREADY_EXISTS", Code::AlreadyExists),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("FAILED_PRECONDITION", Code::FailedPrecondition),
    ("ABORTED", Code::Aborted),
    ("OUT_OF_RANGE", Code::OutOfRange),
    ("UNIMPLEMENTED", Code::Unimplemented),
    ("INTERNAL", Code::Internal),
    ("UNAVAILABLE", Code::Unavailable),
    ("DATA_LOSS", Code::DataLoss),
    ("UNAUTHENTICATED", Code::Unauthenticated),
];

/// gRPC codes that count against the instance that answers with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCodes(u32);

impl FailureCodes {
    /// Creates a set of codes.
    #[must_use]
    pub fn new(codes: impl IntoIterator<Item = Code>) -> Self {
        Self(codes.into_iter().fold(0, |set, code| set | 1 << (code as u32)))
    }

    #[must_use]
    pub fn contains(self, code: Code) -> bool {
        self.0 & (1 << (code as u32)) != 0
    }
}

impl Default for FailureCodes {
    /// Codes that a server reports about itself; DEADLINE_EXCEEDED is a timeout in any case. UNKNOWN is not included:
    /// servers answer with it if the service's own code raises an error, and another instance would do the same.
    fn default() -> Self {
        Self::new([Code::Unavailable, Code::Cancelled, Code::Internal, Code::DataLoss])
    }
}
