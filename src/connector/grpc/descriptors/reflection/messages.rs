//! The messages of reflection.proto, which are the same in both of its versions: as much of them as is asked and read.
//!
//! Alternatives (`oneof`) are written as fields of which one is there: they are the same on the wire.

use bytes::Bytes;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReflectionRequest {
    #[prost(string, optional, tag = "3")]
    pub file: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub list_services: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReflectionAnswer {
    #[prost(message, optional, tag = "4")]
    pub files: Option<FileList>,
    #[prost(message, optional, tag = "6")]
    pub services: Option<ServiceList>,
    #[prost(message, optional, tag = "7")]
    pub error: Option<AnsweredError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileList {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub files: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceList {
    #[prost(message, repeated, tag = "1")]
    pub services: Vec<ListedService>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ListedService {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnsweredError {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}
