//! `@grpc`: one call with one reply, or with a stream of them, described by the service's own descriptors.
//!
//! Method, message and `select` are checked against the descriptors at load. A call's message is encoded directly from
//! the mapping's value, and the reply's bytes are passed to the engine unchanged, so no message is built twice.

mod call;
mod check;
mod compile;
mod descriptors;
mod encode;
mod refusal;
mod stream;
mod unread;
mod wire;

pub use descriptors::{Reflected, reflect};

use super::sources::{self, Known};
use super::tokens::Tokens;
use super::{Protocol, SourceSettings, Unread};
use crate::problem::Problem;
use crate::source::{BindingSpec, Call, Connector};
use crate::upstream::{Upstream, Watched};
use prost_reflect::DescriptorPool;
use std::sync::Arc;
use wire::Wire;

/// The connector of all `grpc` sources.
pub struct Grpc {
    sources: Vec<Arc<GrpcSource>>,
    known: Vec<Known>,
    /// Sources without readable descriptors, among others.
    unread: Unread,
}

/// One service, with a channel shared by all bindings.
struct GrpcSource {
    settings: SourceSettings,
    descriptors: DescriptorPool,
    /// Beginning of a sentence about missing descriptors.
    have_no: &'static str,
    upstream: Arc<Upstream<Wire>>,
    tokens: Option<Arc<Tokens>>,
}

impl Grpc {
    /// Reads the descriptors, except those from reflection. `sources` are all sources: those of other protocols are
    /// used for better messages.
    ///
    /// # Errors
    /// Every file that cannot be read or compiled, and every address that cannot be called.
    pub fn new(sources: &[SourceSettings]) -> Result<Self, Vec<Problem>> {
        let (grpc, problems) = Self::read(sources, Unread::default(), &Reflected::default());
        if problems.is_empty() { Ok(grpc) } else { Err(problems) }
    }

    /// Like [`Grpc::new`], but also returns the connector if there are problems. Bindings that name a source of
    /// `unread`, or one without readable descriptors, are checked as far as possible. `reflected` holds the descriptors
    /// that services returned.
    #[must_use]
    pub fn read(
        sources: &[SourceSettings],
        unread: Unread,
        reflected: &Reflected,
    ) -> (Self, Vec<Problem>) {
        let mut grpc = Self { sources: Vec::new(), known: sources::known(sources), unread };
        let mut problems = Vec::new();
        for settings in sources {
            match GrpcSource::new(settings, reflected) {
                Ok(source) => grpc.sources.extend(source.map(Arc::new)),
                Err(found) => {
                    problems.extend(found);
                    grpc.unread.add(&settings.name);
                }
            }
        }
        (grpc, problems)
    }

    /// Returns the upstream of each source, to be followed and shown.
    #[must_use]
    pub fn upstreams(&self) -> Vec<Arc<dyn Watched>> {
        let watched = |source: &Arc<GrpcSource>| Arc::clone(&source.upstream) as Arc<dyn Watched>;
        self.sources.iter().map(watched).collect()
    }
}

impl GrpcSource {
    fn new(settings: &SourceSettings, reflected: &Reflected) -> Result<Option<Self>, Vec<Problem>> {
        let Protocol::Grpc { site, descriptors: from, failures } = &settings.protocol else {
            return Ok(None);
        };
        let (failures, have_no) = (*failures, from.have_no());
        let (name, how) = (Arc::clone(&settings.name), settings.upstream.clone());
        let upstream = Upstream::new(name, how.clone(), site.clone(), move |uri, detour| {
            Wire::new(&how, uri, detour, failures)
        });
        let tokens = Tokens::of(settings);
        let no_tokens = || tokens.as_ref().err().cloned();
        let trouble = upstream.trouble().or_else(no_tokens);
        let trouble = trouble.map(|reason| sources::trouble(settings, &reason));
        let tokens = tokens.ok().flatten();
        match (descriptors::load(settings, from, reflected), trouble) {
            (Ok(descriptors), None) => {
                let (settings, upstream) = (settings.clone(), Arc::new(upstream));
                Ok(Some(Self { settings, descriptors, have_no, upstream, tokens }))
            }
            (descriptors, trouble) => {
                Err(trouble.into_iter().chain(descriptors.err().into_iter().flatten()).collect())
            }
        }
    }
}

impl Connector for Grpc {
    fn directive(&self) -> &'static str {
        "grpc"
    }

    fn definition(&self) -> &'static str {
        include_str!("definition.graphql")
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        match self.sources.iter().find(|source| source.settings.name == spec.source) {
            Some(source) => {
                compile::compile(spec, source).map(|call| Arc::new(call) as Arc<dyn Call>)
            }
            None if self.unread.contains(&spec.source) => unread::compile(spec),
            None => Err(vec![sources::unknown(spec, &self.known, "grpc")]),
        }
    }
}

#[cfg(test)]
mod encode_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
