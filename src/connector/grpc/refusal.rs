//! Converts an error status to JSON: its code, its message, and the details of `google.rpc.Status`. Each detail is
//! decoded by the source's own descriptors, or by those of Google's error details. If it cannot be decoded, it is shown
//! as base64.

use crate::connector::GRPC_CODES;
use crate::connector::failure::Attempts;
use crate::memory::Held;
use crate::source::{Body, MAX_MAPPED_ERROR, RefusedReply, Reply, excerpt};
use crate::upstream::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::Frame;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions, Value as Field};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::{Map, Value, json};
use std::error::Error as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tonic::Code;

/// Removed from trailers as they pass: tonic panics on a value that is not base64.
const DETAILS: &str = "grpc-status-details-bin";

/// Maximum number of details of one status that are read.
const MOST_DETAILS: usize = 64;

/// Senders may omit the padding (gRPC over HTTP/2, "Binary Headers").
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

static GOOGLE_RPC: LazyLock<Option<DescriptorPool>> = LazyLock::new(google_rpc);

/// Details in the head or the trailers of one reply.
#[derive(Clone, Default)]
pub(super) struct Details(Arc<Mutex<Option<HeaderValue>>>);

impl Details {
    pub(super) fn take_from(&self, headers: &mut HeaderMap) {
        if let Some(value) = headers.remove(DETAILS) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }
    }

    pub(super) fn take_from_frame(&self, mut frame: Frame<Bytes>) -> Frame<Bytes> {
        if let Some(trailers) = frame.trailers_mut() {
            self.take_from(trailers);
        }
        frame
    }

    fn found(&self) -> Option<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reason why a call was not answered, with the server's error status.
pub(super) struct Ended {
    pub failure: Failure,
    status: Option<Box<RefusedStatus>>,
}

struct RefusedStatus {
    code: Code,
    message: String,
    metadata: HeaderMap,
    details: Option<HeaderValue>,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None }
    }
}

impl Ended {
    /// Creates the end of a call with this status, which is `failure` for the upstream layer.
    pub(super) fn new(failure: Failure, status: &tonic::Status, details: &Details) -> Self {
        // `DEADLINE_EXCEEDED` is a timeout for the upstream layer. A status with a cause is from this side.
        let is_status = match failure {
            Failure::Status { .. } => true,
            Failure::Timeout(_) => status.source().is_none(),
            _ => false,
        };
        let status = is_status.then(|| {
            Box::new(RefusedStatus {
                code: status.code(),
                message: status.message().to_owned(),
                metadata: status.metadata().clone().into_headers(),
                details: details.found(),
            })
        });
        Self { failure, status }
    }

    /// Returns the failure, and stores the server's status in `attempts`.
    pub(super) fn keep(self, attempts: &Attempts, reading: &StatusReader) -> Failure {
        attempts.refused(self.status.and_then(|said| reading.refusal(*said)));
        self.failure
    }
}

/// Reads statuses.
#[derive(Clone)]
pub(super) struct StatusReader {
    /// The rules of the binding, or a developer, need it.
    pub wanted: bool,
    /// Descriptors of the source.
    pub descriptors: DescriptorPool,
    pub shows_replies: bool,
}

impl StatusReader {
    fn refusal(&self, said: RefusedStatus) -> Option<RefusedReply> {
        if !self.wanted {
            return None;
        }
        let details = said.details.as_ref().and_then(|details| LENIENT.decode(details).ok());
        let is_large = said.message.len() + details.as_ref().map_or(0, Vec::len) > MAX_MAPPED_ERROR;
        let (code, name) = (said.code as u16, name(said.code));
        let words = if is_large {
            Bytes::new()
        } else {
            let details = self.details(details.as_deref().unwrap_or_default());
            let message = &said.message;
            json!({ "code": code, "status": name, "message": message, "details": details })
                .to_string()
                .into()
        };
        let excerpt = if self.shows_replies { excerpt(&words) } else { String::new() };
        let headers = Arc::new(said.metadata);
        // No message came.
        let (body, held) = (Body::Json(Bytes::new()), Held::default());
        let reply = Reply { body, status: code, headers, held };
        Some(RefusedReply { reply, words, is_whole: true, is_large, excerpt })
    }

    /// Returns the details of an encoded `google.rpc.Status`, in order.
    fn details(&self, status: &[u8]) -> Vec<Value> {
        let message = GOOGLE_RPC.as_ref().and_then(|pool| {
            let status_type = pool.get_message_by_name("google.rpc.Status")?;
            DynamicMessage::decode(status_type, status).ok()
        });
        let details = message.and_then(|message| {
            message.get_field_by_name("details").map(std::borrow::Cow::into_owned)
        });
        let Some(Field::List(details)) = details else { return Vec::new() };
        details.iter().take(MOST_DETAILS).filter_map(|any| self.detail(any)).collect()
    }

    fn detail(&self, any: &Field) -> Option<Value> {
        let any = any.as_message()?;
        let url = any.get_field_by_name("type_url")?.as_str()?.to_owned();
        let encoded = any.get_field_by_name("value")?.as_bytes()?.clone();
        let mut detail = Map::from_iter([("@type".to_owned(), Value::from(url.as_str()))]);
        let pools = [Some(&self.descriptors), GOOGLE_RPC.as_ref()];
        let read = pools.into_iter().flatten().find_map(|pool| read(pool, &url, &encoded));
        match read {
            Some(Value::Object(fields)) => detail.extend(fields),
            // A well-known type, such as a timestamp.
            Some(value) => drop(detail.insert("value".to_owned(), value)),
            None => drop(detail.insert("value".to_owned(), STANDARD.encode(&encoded).into())),
        }
        Some(Value::Object(detail))
    }
}

/// Decodes a message with the field names of the `.proto` file, as elsewhere.
fn read(pool: &DescriptorPool, url: &str, encoded: &Bytes) -> Option<Value> {
    let message = pool.get_message_by_name(url.rsplit('/').next()?)?;
    let message = DynamicMessage::decode(message, encoded.clone()).ok()?;
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

/// Never returns `None`: a test compiles the text.
fn google_rpc() -> Option<DescriptorPool> {
    struct EmbeddedFiles;
    impl FileResolver for EmbeddedFiles {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            match name {
                FILE => File::from_source(FILE, include_str!("error_details.proto")),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    const FILE: &str = "google/rpc/error_details.proto";
    let mut resolver = ChainFileResolver::new();
    resolver.add(EmbeddedFiles);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(FILE).ok()?;
    Some(compiler.descriptor_pool())
}

/// Returns the name as in google/rpc/code.proto.
fn name(code: Code) -> &'static str {
    let found = GRPC_CODES.iter().find(|(_, known)| *known == code);
    found.map_or("OK", |(name, _)| name)
}
