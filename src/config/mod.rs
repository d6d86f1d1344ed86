//! The YAML file: parses text into the settings of each room, or a list of everything that is wrong with it.
//!
//! A file is always read to its end. Unknown keys (with the nearest known one), wrong types, values without a unit,
//! unset variables and so on are problems with file, line, column and caret, and are all shown together. A key does
//! what docs/configuration.md says or is refused; none is ignored. Header values are secrets and never printed.

mod auth;
mod cache;
mod consul;
mod credentials;
mod env;
mod grpc;
mod guards;
mod json_schema;
mod keys;
mod limits;
mod persisted;
mod proxy;
mod rate;
mod reference;
mod rules;
mod section;
mod server;
mod shared;
mod site;
mod sockets;
mod sources;
mod spellings;
mod upstream;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

pub use consul::Consul;
pub use json_schema::json_schema;
pub use keys::{KEYS, Key};
pub use reference::markdown;

use crate::connector::{SourceSettings, Unread};
use crate::problem::{Place, Problem, SourceFile, any_error, reason};
use crate::{edge, engine, identity};
use section::Reading;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum size of a configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A whole configuration, from which a gateway can be built.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder that `schema` and other files are relative to.
    pub base: PathBuf,
    /// Globs of the SDL files.
    pub schema: Vec<String>,
    /// Globs of the manifests of trusted documents.
    pub manifest: Vec<String>,
    pub edge: edge::Settings,
    pub engine: engine::Settings,
    pub auth: identity::Settings,
    /// The file has an `auth` section, so callers may have tokens.
    pub has_auth: bool,
    /// Registration of the gateway in Consul.
    pub consul: Option<Consul>,
    /// Sources in the order of the file.
    pub sources: Vec<SourceSettings>,
    /// Sources that could not be read.
    pub unread: Unread,
    pub places: Places,
    /// Everything that is wrong with the file. If one of them is an error, no gateway is built from the configuration.
    pub problems: Vec<Problem>,
}

/// Places of the patterns and files that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The patterns of `schema`, in order.
    pub schema: Vec<Place>,
    /// The files of `persisted.manifest`, in order.
    pub manifest: Vec<Place>,
    /// The entries of `auth.providers`, in order.
    pub providers: Vec<Place>,
}

impl Config {
    /// Reads a file as far as possible, with the variables of the process's environment. Problems in it are in
    /// [`Config::problems`], and are shown with all other problems.
    ///
    /// # Errors
    /// The file does not exist, or is not text.
    pub fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = read_text(path).map_err(|problem| vec![problem])?;
        let name = path.display().to_string();
        let base = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let env = |name: &str| std::env::var(name).ok();
        Ok(Self::parse_partly(&Arc::new(SourceFile { name, text }), &base, &env))
    }

    /// Parses a text without errors. `base` is the folder that paths in it are relative to.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(
        file: &Arc<SourceFile>,
        base: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let config = Self::parse_partly(file, base, env);
        if any_error(&config.problems) { Err(config.problems) } else { Ok(config) }
    }

    /// Parses a text as far as possible.
    #[must_use]
    pub fn parse_partly(
        file: &Arc<SourceFile>,
        base: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let mut problems = Vec::new();
        let root = yaml::parse(file, &mut problems);
        let is_yaml = root.is_some();
        let root = root.unwrap_or_else(yaml::empty);
        let reading = Reading { file, env, problems: RefCell::new(problems) };
        let mut config = Self::from_tree(&reading, &root, base);
        if !is_yaml {
            config.unread = Unread::All;
        }
        config.problems = reading.problems.into_inner();
        config.problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
        config
    }

    /// Sets whether clients and the log show the answers of services: for development.
    pub fn expose_upstream_errors(&mut self, exposes: bool) {
        self.engine.expose_upstream_errors = exposes;
        for source in &mut self.sources {
            source.shows_replies = exposes;
        }
    }

    fn from_tree(reading: &Reading<'_>, root: &yaml::Node, base: &Path) -> Self {
        let top = reading.top(root);
        top.check_keys();
        let mut config = Self {
            base: base.to_path_buf(),
            schema: vec!["*.graphql".to_owned()],
            manifest: Vec::new(),
            edge: edge::Settings::default(),
            engine: engine::Settings::default(),
            auth: identity::Settings::default(),
            has_auth: top.get("auth").is_some(),
            consul: None,
            sources: Vec::new(),
            unread: Unread::default(),
            places: Places { schema: top.places("schema"), ..Places::default() },
            problems: Vec::new(),
        };
        config.auth.proxies = proxy::read(&top);
        top.read_list("schema", &mut config.schema, values::text);
        top.read("operation_cache", &mut config.engine.operation_cache, values::size);
        top.read("reuse", &mut config.engine.reuse, values::boolean);
        if let Some(section) = top.section("server") {
            server::read(&section, base, &mut config.edge, &mut config.engine);
            let section = section.section("consul");
            config.consul = section.and_then(|section| consul::read(&section, &config.edge));
        }
        if let Some(section) = top.section("limits") {
            limits::read(&section, &mut config.edge, &mut config.engine.limits);
            config.engine.rate = rate::read(&section);
            // If rates count cost, costs are exposed by default.
            config.engine.limits.cost.expose |=
                config.engine.rate.is_some() && section.get("cost").is_none();
        }
        if let Some(section) = top.section("auth") {
            config.places.providers = section.places("providers");
            auth::read(&section, base, &mut config.auth);
        }
        if let Some(section) = top.section("guards") {
            guards::read(&section, &mut config.engine.guards);
        }
        if let Some(section) = top.section("cache") {
            cache::read(&section, &mut config.engine.cache);
        }
        if let Some(section) = top.section("subscriptions") {
            server::read_subscriptions(&section, &mut config.edge.subscriptions);
        }
        if let Some(section) = top.section("persisted") {
            config.places.manifest = section.places("manifest");
            persisted::read(&section, &mut config.manifest, &mut config.engine.persisted);
        }
        if let Some(section) = top.section("sources") {
            let mut zone = None;
            top.read("zone", &mut zone, |scalar| values::text(scalar).map(Some));
            let cache = &mut config.engine.cache;
            let proxies = &config.auth.proxies;
            let (sources, unread) = sources::read(&section, base, zone.as_ref(), proxies, cache);
            config.sources = sources;
            config.unread = Unread::Named(unread);
        }
        config.expose_upstream_errors(config.engine.expose_upstream_errors);
        config
    }
}

/// Reads a file that is small enough and UTF-8.
fn read_text(path: &Path) -> Result<String, Problem> {
    let unreadable = |reason: String| {
        Problem::error("config-unreadable", format!("cannot read `{}`: {reason}", path.display()))
            .help("pass the path of the configuration with `--config`, or try `portcullis demo`, which needs no configuration")
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(reason(&error)))?.len();
    if size > MAX_BYTES {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(reason(&error)))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let end = text.len();
            let file = Arc::new(SourceFile { name: path.display().to_string(), text });
            Err(Problem::error("yaml-syntax", "the file is not valid UTF-8 from here on")
                .at(Place::new(&file, end..end)))
        }
    }
}
