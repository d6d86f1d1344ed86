//! Where a service lives and how it is treated: one entry under `sources` of the YAML, ready to use.

use crate::upstream;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
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
    /// `$config` of this source's texts: an object.
    pub config: Value,
    /// Identical safe calls may share one execution.
    pub reuse: bool,
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
