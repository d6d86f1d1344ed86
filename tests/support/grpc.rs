//! The gRPC half of the scripted upstream: messages as JSON, by the file's own descriptors.

use super::exchange::Answer;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions, prost::Message,
};
use serde_json::Value;

/// The descriptors of one `.proto` text.
///
/// # Panics
/// On a text that does not compile.
pub fn compile(proto: &std::path::Path) -> DescriptorPool {
    let folder = proto.parent().expect("a file in a folder");
    let files = protox::compile([proto], [folder]).unwrap_or_else(|error| panic!("{error:?}"));
    DescriptorPool::from_file_descriptor_set(files).expect("a descriptor set just compiled")
}

/// The method behind `/package.Service/Method`.
pub fn method(pool: &DescriptorPool, path: &str) -> Option<MethodDescriptor> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    pool.get_service_by_name(service)?.methods().find(|method| method.name() == name)
}

/// A framed request message as JSON with the proto's own field names.
pub fn read(method: &MethodDescriptor, frame: &[u8]) -> Value {
    let payload = frame.get(5..).expect("a frame begins with five bytes");
    let message = DynamicMessage::decode(method.input(), payload).expect("a message of the method");
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).expect("JSON")
}

/// The HTTP response for an answer.
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
    frames.push(Frame::trailers(trailers));
    let body = StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok)));
    http::Response::builder()
        .header("content-type", "application/grpc")
        .body(BodyExt::boxed(body))
        .expect("a response of constants")
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
