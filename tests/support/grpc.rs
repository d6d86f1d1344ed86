//! The gRPC half of the scripted upstream: messages as JSON, by the file's own descriptors.

use super::exchange::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions, prost::Message,
};
use serde_json::Value;

/// Compiles the descriptors of one `.proto` text.
///
/// # Panics
/// If the text does not compile.
pub fn compile(proto: &std::path::Path) -> DescriptorPool {
    let folder = proto.parent().expect("a file in a folder");
    let files = protox::compile([proto], [folder]).unwrap_or_else(|error| panic!("{error:?}"));
    DescriptorPool::from_file_descriptor_set(files).expect("a descriptor set just compiled")
}

/// Returns the method of `/package.Service/Method`.
pub fn method(pool: &DescriptorPool, path: &str) -> Option<MethodDescriptor> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    pool.get_service_by_name(service)?.methods().find(|method| method.name() == name)
}

/// Decodes a framed request message to JSON with the proto's own field names.
pub fn read(method: &MethodDescriptor, frame: &[u8]) -> Value {
    let payload = frame.get(5..).expect("a frame begins with five bytes");
    let message = DynamicMessage::decode(method.input(), payload).expect("a message of the method");
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).expect("JSON")
}

/// Builds the HTTP response for an answer.
pub fn respond(
    method: &MethodDescriptor,
    answer: &Answer,
) -> http::Response<BoxBody<Bytes, hyper::Error>> {
    let mut frames = Vec::new();
    let code = answer.grpc.unwrap_or(0);
    if code == 0 {
        frames.push(Frame::data(encode(method, answer)));
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    if let Some(message) = &answer.message {
        trailers.insert("grpc-message", message.parse().expect("a message without odd letters"));
    }
    if !answer.details.is_empty() {
        let details = STANDARD_NO_PAD.encode(details(method, code, answer));
        trailers.insert("grpc-status-details-bin", details.parse().expect("base64"));
    }
    frames.push(Frame::trailers(trailers));
    let body = StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok)));
    http::Response::builder()
        .header("content-type", "application/grpc")
        .body(BodyExt::boxed(body))
        .expect("a response of constants")
}

/// Encodes `google.rpc.Status`: its code, its message, and details in envelopes of `google.protobuf.Any`.
fn details(method: &MethodDescriptor, code: u16, answer: &Answer) -> Vec<u8> {
    let mut status = Vec::new();
    prost::encoding::int32::encode(1, &i32::from(code), &mut status);
    prost::encoding::string::encode(2, &answer.message.clone().unwrap_or_default(), &mut status);
    for detail in &answer.details {
        let mut fields = detail.as_object().expect("an object").clone();
        let name = fields.remove("@type").expect("`@type`");
        let name = name.as_str().expect("a name");
        let value = if let Some(raw) = fields.remove("raw") {
            raw.as_str().expect("text").as_bytes().to_vec()
        } else {
            let message = method.parent_pool().get_message_by_name(name).expect("a message");
            let message = DynamicMessage::deserialize(message, Value::Object(fields));
            message.expect("JSON of the message").encode_to_vec()
        };
        let mut any = Vec::new();
        prost::encoding::string::encode(1, &format!("type.googleapis.com/{name}"), &mut any);
        prost::encoding::bytes::encode(2, &value, &mut any);
        prost::encoding::bytes::encode(3, &any, &mut status);
    }
    status
}

fn encode(method: &MethodDescriptor, answer: &Answer) -> Bytes {
    let payload = if let Some(raw) = &answer.raw {
        raw.clone().into_bytes()
    } else {
        let body = answer.body.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        DynamicMessage::deserialize(method.output(), body)
            .unwrap_or_else(|error| panic!("reply of {}: {error}", method.full_name()))
            .encode_to_vec()
    };
    let mut frame = BytesMut::with_capacity(payload.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(payload.len()).expect("a short message"));
    frame.put_slice(&payload);
    frame.freeze()
}
