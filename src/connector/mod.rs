//! Protocols: each connector compiles its directive into calls and sends them through the upstream layer. Connectors do
//! not import each other; what they share (texts, headers, finding a source) is in files beside them.

pub mod grpc;
pub mod rest;

mod check;
mod constant;
mod credentials;
mod failure;
mod headers;
mod node;
mod rules;
mod settings;
mod sources;
#[cfg(test)]
mod testing;
mod texts;
#[cfg(test)]
mod tls_tests;
mod tokens;

pub use crate::source::Returned;
pub use constant::Const;
pub use credentials::{ClientCredentials, ClientStyle, Credentials, Secret};
pub use headers::is_reserved as is_reserved_header;
pub use node::NodeById;
pub use rules::{SourceRules, SourceText, kept_extension, no_condition, no_text};
pub use settings::{
    DescriptorSource, FailureCodes, FromEnv, GRPC_CODES, Protocol, SourceConfig, SourcePlaces,
    SourceSettings, Unread,
};
