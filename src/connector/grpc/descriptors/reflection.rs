//! Server reflection (grpc/reflection/v1/reflection.proto): the service describes its own methods and messages.
//!
//! Each request is a call of its own with one message, so that an error does not end the others. Answers are limited in
//! time, bytes, files and their parts before they are decoded. Nothing that the service sends is trusted.

mod messages;

use self::messages::{ReflectionAnswer, ReflectionRequest};
use super::parts::{self, Parts};
use super::{Files, Unusable, missing_imports, place_of, pool, well_known};
use crate::connector::grpc::wire::Wire;
use crate::connector::tokens::Tokens;
use crate::connector::{DescriptorSource, FailureCodes, GRPC_CODES, Protocol, SourceSettings};
use crate::graphql::Name;
use crate::problem::Problem;
use crate::source::secrets;
use crate::upstream::discovery::{Address, Discovery};
use crate::upstream::{Failure, Fault, Instances, Site};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::DescriptorPool;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::Code;

/// Time limit of all requests to one source.
const TIME: Duration = Duration::from_secs(5);
/// Maximum size of one answer in bytes: gRPC's default, which other reflection clients use as well.
const MAX_ANSWER: usize = 4 << 20;
/// Maximum size of all descriptors of one source, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// Maximum size of all answers, in bytes.
const MAX_RECEIVED: usize = 128 << 20;
const MAX_FILES: usize = 4_096;
/// Maximum number of parts of all files: while a pool of them is built, it takes about 200 MB at most.
const MAX_PARTS: usize = 131_072;
const MAX_SERVICES: usize = 1_024;
/// Maximum depth of imports.
const MAX_ROUNDS: usize = 64;
/// Maximum number of concurrent requests.
const AT_ONCE: usize = 8;
/// Maximum number of instances that are tried.
const MAX_INSTANCES: usize = 3;
/// Maximum length, in characters, of a reason that a service gives.
const MAX_REASON: usize = 300;

const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Descriptors that services returned, by source.
#[derive(Debug, Default)]
pub struct Reflected(HashMap<Name, Result<DescriptorPool, Problem>>);

impl Reflected {
    /// Returns the descriptors of a source.
    ///
    /// # Errors
    /// Why the source has no descriptors.
    pub(super) fn of(&self, settings: &SourceSettings) -> Result<DescriptorPool, Problem> {
        let unasked = || {
            let failed = Failed::new("it was not asked".to_owned());
            Err(failed.to_problem(settings, &settings.name))
        };
        self.0.get(&settings.name).cloned().unwrap_or_else(unasked)
    }
}

/// Queries the services of all sources that use reflection, concurrently. Ends within seconds.
pub async fn reflect(sources: &[SourceSettings]) -> Reflected {
    let asked = sources.iter().filter_map(|settings| match &settings.protocol {
        Protocol::Grpc { site, descriptors: DescriptorSource::Reflection, .. } => {
            Some(async move { (Name::clone(&settings.name), of_source(settings, site).await) })
        }
        _ => None,
    });
    Reflected(join_all(asked).await.into_iter().collect())
}

/// Reason why a service did not describe itself.
struct Failed {
    reason: String,
    help: Option<&'static str>,
    /// Another instance may answer.
    is_unreached: bool,
}

impl Failed {
    fn new(reason: String) -> Self {
        Self { reason, help: None, is_unreached: false }
    }

    fn to_problem(&self, settings: &SourceSettings, at: &str) -> Problem {
        let name = &settings.name;
        let reason = self.reason.split(" (os error").next().unwrap_or_default();
        let reason = shown(reason);
        let message = format!("source `{name}`: server reflection at {at} failed: {reason}");
        let help = self.help.unwrap_or(
            "start the service, or replace `reflection` with `descriptors: service.binpb`, a file written by `buf build -o service.binpb` or `protoc --include_imports --descriptor_set_out=service.binpb service.proto`",
        );
        Problem::error("grpc-reflection", message).at(place_of(settings, 0)).help(help)
    }
}

/// Cuts a peer's text to the length that is shown.
fn shown(text: &str) -> String {
    secrets::mask(text).chars().filter(|c| !c.is_control()).take(MAX_REASON).collect()
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let is_unreached = matches!(failure, Failure::Unreached(_) | Failure::Unprocessed(_));
        let reason = match &failure {
            Failure::Status { number, reason, .. } => {
                let code = GRPC_CODES.iter().find(|(_, code)| *code as u16 == *number);
                format!("{}: {reason}", code.map_or("UNKNOWN", |(name, _)| name))
            }
            _ => failure.to_string(),
        };
        Self { is_unreached, ..Self::new(reason) }
    }
}

async fn of_source(settings: &SourceSettings, site: &Site) -> Result<DescriptorPool, Problem> {
    let until = Instant::now() + TIME;
    let late = || Failed::new(format!("no response within {} s", TIME.as_secs()));
    let addresses = match timeout_at(until, addresses(site)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(reason)) => {
            let failed = Failed { help: Some(DISCOVERED), ..Failed::new(reason) };
            return Err(failed.to_problem(settings, "its instances"));
        }
        Err(_) => {
            let failed = Failed { help: Some(DISCOVERED), ..late() };
            return Err(failed.to_problem(settings, "its instances"));
        }
    };
    let mut last = None;
    for address in addresses.iter().take(MAX_INSTANCES) {
        let outcome = timeout_at(until, of_instance(settings, site, address, until)).await;
        match outcome.unwrap_or_else(|_| Err(late())) {
            Ok(pool) => return Ok(pool),
            Err(failed) => {
                let problem = failed.to_problem(settings, &address.shown());
                if !failed.is_unreached {
                    return Err(problem);
                }
                last = Some(problem);
            }
        }
    }
    Err(last.unwrap_or_else(|| {
        Failed::new("it has no address".to_owned()).to_problem(settings, &settings.name)
    }))
}

const DISCOVERED: &str = "reflection needs an instance while the configuration is loaded; otherwise set the service's `url`, or use `descriptors` instead of `reflection`";

async fn addresses(site: &Site) -> Result<Vec<Address>, String> {
    let found = match &site.instances {
        Instances::Fixed(addresses) => return Ok(addresses.clone()),
        Instances::Found(sought) => Discovery::new(sought.clone())?.next().await,
    };
    if found.addresses.is_empty() {
        return Err(found.error.unwrap_or_else(|| "no instance was found".to_owned()));
    }
    Ok(found.addresses)
}

async fn of_instance(
    settings: &SourceSettings,
    site: &Site,
    address: &Address,
    until: Instant,
) -> Result<DescriptorPool, Failed> {
    let mut how = settings.upstream.clone();
    how.max_reply = MAX_ANSWER;
    let wire = site
        .uri(address)
        .and_then(|uri| Wire::new(&how, &uri, site.detour(address), FailureCodes::default()));
    let wire = wire.map_err(Failed::new)?;
    let metadata = metadata(settings, until).await?;
    let (path, services) = services(&wire, &metadata).await?;
    let asking = Asking { wire, metadata, path };
    let files = asking.files(services).await?;
    pool(files).map_err(|unusable| {
        Failed::new(match unusable {
            Unusable::Missing { import, importer } => {
                format!("the service does not return `{import}`, which `{importer}` imports")
            }
            Unusable::Invalid(reason) => format!("its descriptors are invalid: {reason}"),
        })
    })
}

/// Returns the source's own headers and credentials: without a client, there are no headers to forward.
async fn metadata(settings: &SourceSettings, until: Instant) -> Result<HeaderMap, Failed> {
    let mut metadata: HeaderMap = settings.headers.iter().cloned().collect();
    if let Some(tokens) = Tokens::of(settings).map_err(Failed::new)? {
        let token = tokens.token(until).await.map_err(|error| Failed::new(error.detail))?;
        metadata.insert(AUTHORIZATION, token.header.clone());
    }
    Ok(metadata)
}

/// Returns the reflection version of the service, and the names of its services.
async fn services(
    wire: &Wire,
    metadata: &HeaderMap,
) -> Result<(PathAndQuery, Vec<String>), Failed> {
    let list = ReflectionRequest { list_services: Some(String::new()), ..Default::default() };
    for path in PATHS.map(PathAndQuery::from_static) {
        match ask(wire, &path, metadata, &list).await {
            Ok(answer) => {
                let mut services = answer.services;
                // Its own messages are not needed.
                services.retain(|name| !name.starts_with("grpc.reflection."));
                return Ok((path, services));
            }
            Err(Failure::Status { number, .. }) if number == Code::Unimplemented as u16 => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    let reason = "the service does not support it (`UNIMPLEMENTED`)".to_owned();
    let help = "enable server reflection in the service, or replace `reflection` with `descriptors: service.binpb`, a file written by `buf build -o service.binpb` or `protoc --include_imports --descriptor_set_out=service.binpb service.proto`";
    Err(Failed { help: Some(help), ..Failed::new(reason) })
}

struct Asking {
    wire: Wire,
    metadata: HeaderMap,
    path: PathAndQuery,
}

impl Asking {
    /// Returns the files of the services, and those that they import.
    async fn files(&self, services: Vec<String>) -> Result<Files, Failed> {
        let of_service = |name| ReflectionRequest { symbol: Some(name), ..Default::default() };
        let mut questions: Vec<_> = services.into_iter().map(of_service).collect();
        let mut received = Received::new();
        for round in 0..MAX_ROUNDS {
            let calls = questions.into_iter().map(async |question| {
                (ask(&self.wire, &self.path, &self.metadata, &question).await, question)
            });
            let mut answers = stream::iter(calls).buffered(AT_ONCE);
            while let Some((answer, question)) = answers.next().await {
                match answer {
                    Ok(answer) => received.add(answer.files)?,
                    // A server may list services that it cannot describe. They are reported if a field needs them.
                    Err(Failure::Status { number, reason, .. })
                        if round == 0 && number != Code::Unavailable as u16 =>
                    {
                        let service = shown(&question.symbol.unwrap_or_default());
                        let reason = shown(&reason);
                        tracing::warn!(service, number, reason, "not described by reflection");
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
            questions = received.imports()?;
            if questions.is_empty() {
                return Ok(received.files);
            }
        }
        Err(Failed::new(format!("its files import each other over more than {MAX_ROUNDS} levels")))
    }
}

/// Sends one request and returns its answer.
async fn ask(
    wire: &Wire,
    path: &PathAndQuery,
    metadata: &HeaderMap,
    question: &ReflectionRequest,
) -> Result<ReflectionAnswer, Failure> {
    let message = question.encode_to_vec();
    let opening = wire.stream(path.clone(), metadata.clone(), &message, false);
    let mut messages = opening.await.map_err(|ended| ended.failure)?;
    let answer = wire.next(&mut messages, TIME).await.map_err(|ended| ended.failure)?;
    let answer = answer.ok_or_else(|| Failure::Invalid("no response".to_owned()))?;
    let answer = ReflectionAnswer::read(&answer).map_err(Failure::Invalid)?;
    // What follows is not needed; a server that has finished closes the call.
    match answer.error {
        Some(error) => {
            let number = u16::try_from(error.code).unwrap_or(Code::Unknown as u16);
            Err(Failure::status(number, error.message, Fault::Call))
        }
        None => Ok(answer),
    }
}

/// The received files, each once, and their size.
struct Received {
    files: Files,
    /// Bytes of all answers. Servers send a file with each file that imports it.
    total: usize,
    /// Bytes of the files.
    bytes: usize,
    parts: Parts,
}

/// Returns the failure of a limit.
fn too_many(what: &str) -> Failed {
    Failed::new(format!("its descriptors are more than {what}"))
}

impl Received {
    fn new() -> Self {
        Self { files: Files::new(), total: 0, bytes: 0, parts: Parts::new(MAX_PARTS) }
    }

    fn add(&mut self, files: Vec<Bytes>) -> Result<(), Failed> {
        let invalid =
            |reason: String| Failed::new(format!("its descriptors are invalid: {reason}"));
        for encoded in files {
            self.total += encoded.len();
            if self.total > MAX_RECEIVED {
                return Err(too_many("128 MiB"));
            }
            let name = parts::name(&encoded).map_err(invalid)?;
            if self.files.contains_key(name) {
                continue;
            }
            if self.files.len() == MAX_FILES {
                return Err(too_many(&format!("{MAX_FILES} files")));
            }
            self.bytes += encoded.len();
            if self.bytes > MAX_BYTES {
                return Err(too_many("16 MiB"));
            }
            let file = self.parts.decode(&encoded).map_err(|error| invalid(error.to_string()))?;
            self.files.insert(name.to_owned(), file);
        }
        Ok(())
    }

    /// Returns requests for the files that are imported and still missing.
    fn imports(&self) -> Result<Vec<ReflectionRequest>, Failed> {
        let mut missing: Vec<&str> = missing_imports(&self.files)
            .map(|(_, import)| import)
            .filter(|import| well_known(import).is_none())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if self.files.len() + missing.len() > MAX_FILES {
            return Err(too_many(&format!("{MAX_FILES} files")));
        }
        let question = |name: &str| ReflectionRequest {
            file: Some(name.to_owned()),
            ..ReflectionRequest::default()
        };
        Ok(missing.into_iter().map(question).collect())
    }
}
