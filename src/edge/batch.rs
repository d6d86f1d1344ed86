//! Batched requests: splits a JSON list of operations into its elements, and joins their responses into a list (GraphQL
//! over HTTP, draft appendix "Request Batching").
//!
//! Off by default: a list multiplies the work of one request, and hides it from anything that counts requests. If it is
//! on, the length of a list is limited, and all other limits apply to each element. Elements run concurrently, as the
//! draft asks, so a client that needs an order writes one mutation. An invalid element gets an error of its own. Only a
//! body that is not a list, or a list that is too long, is refused as a whole.

use super::payload::Mistake;
use crate::engine;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Returns `true` if a body is a list and not a single operation.
pub(super) fn is_list(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Returns the texts of the elements. Stops reading at the first element past `most`.
pub(super) fn split(body: &[u8], most: usize) -> Result<Vec<&str>, Mistake> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err("the body is not valid UTF-8".into());
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let elements = deserializer.deserialize_seq(Elements { most });
    let elements = elements.and_then(|elements| deserializer.end().map(|()| elements));
    let elements = match elements {
        Ok(elements) => elements,
        Err(error) if error.is_data() => {
            return Err(format!("a list of operations may have at most {most} of them").into());
        }
        Err(error) => return Err(format!("the body is not JSON: {error}").into()),
    };
    if elements.is_empty() {
        return Err("a list of operations must have at least one".into());
    }
    if elements.iter().any(|element| !element.starts_with('{')) {
        return Err("a list of operations must have JSON objects only".into());
    }
    Ok(elements)
}

/// Joins the responses into a JSON list, in the order of the elements.
pub(super) fn join(responses: &[engine::Response]) -> Bytes {
    let length = responses.iter().map(|response| response.body.len() + 1).sum::<usize>();
    let mut joined = BytesMut::with_capacity(length + 2);
    for (index, response) in responses.iter().enumerate() {
        joined.put_u8(if index == 0 { b'[' } else { b',' });
        joined.put_slice(&response.body);
    }
    joined.put_u8(b']');
    joined.freeze()
}

struct Elements {
    most: usize,
}

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of operations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Element(element)) = list.next_element()? {
            if elements.len() == self.most {
                return Err(A::Error::custom("too many"));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

struct Element<'a>(&'a str);

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(raw.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_its_elements() {
        assert!(is_list(b" \n[{}]") && !is_list(b"{}") && !is_list(b"") && !is_list(b"  "));
        let elements = split(br#" [ {"a":[1]} , {"b":"]"} ] "#, 2).unwrap();
        assert_eq!(elements, [r#"{"a":[1]}"#, r#"{"b":"]"}"#]);
    }

    #[test]
    fn a_list_that_is_none_is_told_why() {
        let endless = format!("[{}", "1,".repeat(500_000));
        let deep = "[".repeat(100_000);
        for (body, part) in [
            ("[]", "at least one"),
            ("[{},{},{}]", "at most 2"),
            ("[{},1]", "JSON objects only"),
            ("[[{}]]", "JSON objects only"),
            ("[null]", "JSON objects only"),
            ("[{}", "not JSON"),
            ("[{}] x", "not JSON"),
            ("[{},]", "not JSON"),
            (&endless, "at most 2"),
            (&deep, "not JSON"),
        ] {
            let mistake = split(body.as_bytes(), 2).unwrap_err();
            assert!(mistake.contains(part), "{}: {mistake}", &body[..body.len().min(20)]);
        }
        assert!(split(b"[{\"a\":\"\xff\"}]", 2).unwrap_err().contains("UTF-8"));
    }
}
