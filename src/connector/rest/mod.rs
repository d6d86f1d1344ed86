//! `@rest`: one HTTP call with a JSON reply, or with a stream of them.
//!
//! Everything that calls have in common (method, fixed headers, the base URL's path, encoded parameter names) is
//! prepared at load; per call, only values are filled in. Replies are not parsed here: their bytes are passed to the
//! engine unchanged.

mod body;
mod call;
mod compile;
mod event_stream;
mod query;
mod refusal;
mod reply;
mod stream;

use super::sources::{self, Known};
use super::tokens::Tokens;
use super::{Protocol, SourceSettings, Unread};
use crate::problem::Problem;
use crate::source::{BindingSpec, Call, Connector};
use crate::upstream::http::HttpClient;
use crate::upstream::{Site, Upstream, Watched};
use std::sync::Arc;

/// The connector of all `rest` sources.
pub struct Rest {
    sources: Vec<Arc<RestSource>>,
    known: Vec<Known>,
    unread: Unread,
}

/// One service, with a pool of connections shared by all bindings.
struct RestSource {
    settings: SourceSettings,
    upstream: Arc<Upstream<HttpClient>>,
    /// Tokens of the source, or the reason why there cannot be any.
    tokens: Result<Option<Arc<Tokens>>, String>,
}

impl Rest {
    /// Creates the connector. `sources` are all sources: those of other protocols are used for better messages.
    #[must_use]
    pub fn new(sources: &[SourceSettings]) -> Self {
        let known = sources::known(sources);
        let sources = sources
            .iter()
            .filter_map(|settings| match &settings.protocol {
                Protocol::Rest { site } => Some(Arc::new(RestSource::new(settings, site))),
                Protocol::Grpc { .. } => None,
            })
            .collect();
        Self { sources, known, unread: Unread::default() }
    }

    /// Allows bindings to name these unreadable sources too.
    #[must_use]
    pub fn beside(self, unread: Unread) -> Self {
        Self { unread, ..self }
    }

    /// Returns the problems of sources that cannot be called as configured.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let of = |source: &Arc<RestSource>| {
            let no_tokens = || source.tokens.as_ref().err().cloned();
            let reason = source.upstream.trouble().or_else(no_tokens)?;
            Some(sources::trouble(&source.settings, &reason))
        };
        self.sources.iter().filter_map(of).collect()
    }

    /// Returns the upstream of each source, to be followed and shown.
    #[must_use]
    pub fn upstreams(&self) -> Vec<Arc<dyn Watched>> {
        let watched = |source: &Arc<RestSource>| Arc::clone(&source.upstream) as Arc<dyn Watched>;
        self.sources.iter().map(watched).collect()
    }
}

impl RestSource {
    fn new(settings: &SourceSettings, site: &Site) -> Self {
        let (name, how) = (Arc::clone(&settings.name), settings.upstream.clone());
        let upstream = Upstream::new(name, how.clone(), site.clone(), move |uri, detour| {
            HttpClient::new(&how, uri, detour)
        });
        let (settings, tokens) = (settings.clone(), Tokens::of(settings));
        Self { settings, upstream: Arc::new(upstream), tokens }
    }
}

impl Connector for Rest {
    fn directive(&self) -> &'static str {
        "rest"
    }

    fn definition(&self) -> &'static str {
        include_str!("definition.graphql")
    }

    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>> {
        let source = self.sources.iter().find(|source| source.settings.name == spec.source);
        let Some(source) = source else {
            if self.unread.contains(&spec.source) && !sources::is_known(&self.known, &spec.source) {
                let settings = SourceSettings::unread(&spec.source);
                let Protocol::Rest { site } = &settings.protocol else { return Err(Vec::new()) };
                let source = Arc::new(RestSource::new(&settings, site));
                return compile::compile(spec, &source, false)
                    .map(|call| Arc::new(call) as Arc<dyn Call>);
            }
            let mut problems = vec![sources::unknown(spec, &self.known, "rest")];
            problems.extend(compile::problems(spec));
            return Err(problems);
        };
        compile::compile(spec, source, true).map(|call| Arc::new(call) as Arc<dyn Call>)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
