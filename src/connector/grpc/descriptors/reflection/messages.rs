//! The messages of reflection.proto, as far as they are used. Both of its versions have the same ones.
//!
//! Alternatives (`oneof`) are written as fields of which one is set: the encoding is the same.

use super::super::parts::Fields;
use super::{MAX_FILES, MAX_SERVICES};
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

/// Parsed by hand, so that listed elements are counted before memory is allocated for them.
#[derive(Debug, Default)]
pub(super) struct ReflectionAnswer {
    /// Encoded files.
    pub files: Vec<Bytes>,
    /// Names of services.
    pub services: Vec<String>,
    pub error: Option<AnsweredError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnsweredError {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ListedService {
    #[prost(string, tag = "1")]
    name: String,
}

impl ReflectionAnswer {
    /// Parses an answer.
    ///
    /// # Errors
    /// The answer is invalid, or lists too much; one lowercase sentence.
    pub(super) fn read(answer: &Bytes) -> Result<Self, String> {
        let mut read = Self::default();
        for field in Fields(answer) {
            let field = field.map_err(|error| error.to_string())?;
            let Some(content) = field.content else { continue };
            match field.number {
                4 => {
                    let files = listed(content, MAX_FILES, "files")?;
                    if files.iter().any(|file| file.is_empty()) {
                        return Err("a file without content".to_owned());
                    }
                    read.files = files.into_iter().map(|file| answer.slice_ref(file)).collect();
                }
                6 => {
                    let services = listed(content, MAX_SERVICES, "services")?;
                    let name = |service| ListedService::decode(service).map(|service| service.name);
                    let names: Result<_, _> = services.into_iter().map(name).collect();
                    read.services = names.map_err(|error| error.to_string())?;
                }
                7 => {
                    let error = AnsweredError::decode(content);
                    read.error = Some(error.map_err(|error| error.to_string())?);
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// Returns the elements of a list, which is field 1 of its message.
fn listed<'e>(list: &'e [u8], most: usize, of: &str) -> Result<Vec<&'e [u8]>, String> {
    let mut elements = Vec::new();
    for field in Fields(list) {
        let field = field.map_err(|error| error.to_string())?;
        if let (1, Some(element)) = (field.number, field.content) {
            if elements.len() == most {
                return Err(format!("it has more than {most} {of}"));
            }
            elements.push(element);
        }
    }
    Ok(elements)
}
