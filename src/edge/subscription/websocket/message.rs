//! Messages of the two protocols: parses and checks what a client sends, and writes what it is sent.
//!
//! `graphql-transport-ws` is <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>, the older `graphql-ws`
//! is <https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md>. If a message does not have
//! the protocol's form, the error becomes the reason of the close frame.

use crate::edge::payload::{self, Mistake, Object, Payload};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `graphql-transport-ws`
    Transport,
    /// `graphql-ws`
    Legacy,
}

/// Supported protocols, in the order of preference.
pub(super) const PROTOCOLS: [Protocol; 2] = [Protocol::Transport, Protocol::Legacy];

/// Maximum bytes of an operation's id, which is kept for as long as the operation runs.
const LONGEST_ID: usize = 1024;

pub(super) const ACKNOWLEDGED: &str = r#"{"type":"connection_ack"}"#;

/// Keep-alive of the older protocol.
pub(super) const KEEP_ALIVE: &str = r#"{"type":"ka"}"#;

#[derive(Debug, PartialEq)]
pub(super) enum ClientMessage {
    /// `connection_init`, with an object or null.
    Init(Value),
    Subscribe {
        id: String,
        payload: Box<Payload>,
    },
    Complete(String),
    /// A ping, with the text of its payload.
    Ping(Option<String>),
    Pong,
    /// Closes the connection in the older protocol.
    Terminate,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl ClientMessage {
    /// Parses a message. The error says which rule of the protocol it breaks.
    pub(super) fn read(protocol: Protocol, json: &[u8]) -> Result<Self, Mistake> {
        let Object(wire): Object<Wire<'_>> =
            serde_json::from_slice(json).map_err(|error| format!("Invalid message: {error}"))?;
        match (protocol, &*wire.kind) {
            (_, "connection_init") => wire.object().map(Self::Init),
            (Protocol::Transport, "subscribe") | (Protocol::Legacy, "start") => wire.subscribe(),
            (Protocol::Transport, "complete") | (Protocol::Legacy, "stop") => {
                wire.id().map(Self::Complete)
            }
            (Protocol::Transport, "ping") => {
                wire.object()?;
                Ok(Self::Ping(wire.payload.map(|payload| payload.get().to_owned())))
            }
            (Protocol::Transport, "pong") => wire.object().map(|_| Self::Pong),
            (Protocol::Legacy, "connection_terminate") => Ok(Self::Terminate),
            _ => Err("Invalid message: the client sends no message of this `type`".into()),
        }
    }
}

impl Wire<'_> {
    fn id(&self) -> Result<String, Mistake> {
        let id = self.id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        let id = id.filter(|id| (1..=LONGEST_ID).contains(&id.len()));
        id.ok_or_else(|| "Invalid message: `id` must be a string of 1 to 1024 bytes".into())
    }

    /// Returns the payload of a message in which it is optional.
    fn object(&self) -> Result<Value, Mistake> {
        let payload =
            self.payload.map_or(Ok(Value::Null), |payload| serde_json::from_str(payload.get()));
        match payload {
            Ok(payload @ (Value::Object(_) | Value::Null)) => Ok(payload),
            Ok(_) => Err("Invalid message: `payload` must be an object or null".into()),
            Err(error) => Err(format!("Invalid message: {error}").into()),
        }
    }

    fn subscribe(&self) -> Result<ClientMessage, Mistake> {
        let id = self.id()?;
        let payload = self.payload.map(RawValue::get).filter(|payload| payload.starts_with('{'));
        let Some(payload) = payload else {
            return Err("Invalid message: `payload` must be an object with `query`".into());
        };
        let payload = payload::from_body(payload.as_bytes())
            .map_err(|mistake| format!("Invalid message: in `payload`, {mistake}"))?;
        Ok(ClientMessage::Subscribe { id, payload: Box::new(payload) })
    }
}

/// Writes a message about one operation.
fn of_operation(kind: &str, id: &str, payload: Option<&[u8]>) -> Vec<u8> {
    let id = serde_json::to_string(id).expect("a string is JSON");
    let mut text = Vec::with_capacity(64 + id.len() + payload.map_or(0, <[u8]>::len));
    text.extend_from_slice(format!(r#"{{"id":{id},"type":"{kind}""#).as_bytes());
    if let Some(payload) = payload {
        text.extend_from_slice(br#","payload":"#);
        text.extend_from_slice(payload);
    }
    text.push(b'}');
    text
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Transport => "graphql-transport-ws",
            Self::Legacy => "graphql-ws",
        }
    }

    /// Writes a result of an operation; `body` is the GraphQL response.
    pub(super) fn next(self, id: &str, body: &[u8]) -> Vec<u8> {
        let kind = match self {
            Self::Transport => "next",
            Self::Legacy => "data",
        };
        of_operation(kind, id, Some(body))
    }

    /// Writes the end of an operation that was refused; `body` is the GraphQL response with the errors.
    pub(super) fn error(self, id: &str, body: &[u8]) -> Vec<u8> {
        #[derive(Deserialize)]
        struct Refused<'a> {
            #[serde(borrow)]
            errors: &'a RawValue,
        }
        let errors = match serde_json::from_slice::<Refused<'_>>(body) {
            Ok(Refused { errors }) => errors.get(),
            Err(error) => {
                tracing::error!("a refusal cannot be read: {error}");
                r#"[{"message":"the gateway failed on this request"}]"#
            }
        };
        match self {
            Self::Transport => of_operation("error", id, Some(errors.as_bytes())),
            Self::Legacy => of_operation("error", id, Some(one_error(errors).as_bytes())),
        }
    }
}

/// Writes the end of an operation that ran.
pub(super) fn complete(id: &str) -> Vec<u8> {
    of_operation("complete", id, None)
}

/// Returns the payload of an error in the older protocol: one error. Clients look for further ones under `errors`.
fn one_error(errors: &str) -> String {
    let all: Vec<Map<String, Value>> = serde_json::from_str(errors).unwrap_or_default();
    let mut first = all.first().cloned().unwrap_or_default();
    if all.len() > 1 {
        first.insert("errors".to_owned(), all.into());
    }
    Value::Object(first).to_string()
}

pub(super) fn pong(payload: Option<&str>) -> Vec<u8> {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#).into_bytes(),
        None => br#"{"type":"pong"}"#.to_vec(),
    }
}

/// Writes the refusal of a connection in the older protocol.
pub(super) fn connection_error(message: &str) -> Vec<u8> {
    let payload = Value::from_iter([("message", message)]);
    format!(r#"{{"type":"connection_error","payload":{payload}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Document;
    use serde_json::json;

    fn read(text: &str) -> Result<ClientMessage, String> {
        let message = ClientMessage::read(Protocol::Transport, text.as_bytes());
        message.map_err(Mistake::into_owned)
    }

    #[test]
    fn messages_of_the_protocol_are_read() {
        for init in
            [r#"{"type":"connection_init"}"#, r#"{"type":"connection_init","payload":null}"#]
        {
            assert_eq!(read(init), Ok(ClientMessage::Init(Value::Null)));
        }
        assert_eq!(
            read(r#"{"payload":{"a":[1]},"type":"connection_init","more":1}"#),
            Ok(ClientMessage::Init(json!({ "a": [1] })))
        );
        assert_eq!(read(r#"{"type":"ping","payload":null}"#), Ok(ClientMessage::Ping(None)));
        assert_eq!(
            read(r#"{"type":"ping","payload":{ "a" : 1.0 }}"#),
            Ok(ClientMessage::Ping(Some(r#"{ "a" : 1.0 }"#.into())))
        );
        assert_eq!(read(r#"{"type":"pong"}"#), Ok(ClientMessage::Pong));
        assert_eq!(
            read(r#"{"type":"complete","id":"\u0061"}"#),
            Ok(ClientMessage::Complete("a".into()))
        );
    }

    /// Returns a `subscribe` message with an id of `id` bytes.
    fn subscribe(id: usize) -> String {
        let id = "i".repeat(id);
        format!(r#"{{"type":"subscribe","id":"{id}","payload":{{"query":"{{a}}"}}}}"#)
    }

    #[test]
    fn a_subscribe_names_one_document() {
        assert!(read(&subscribe(1024)).is_ok());
        for (payload, document) in [
            (r#"{"query":"{a}","variables":null,"extensions":{}}"#, Document::Text("{a}".into())),
            (r#"{"documentId":"a"}"#, Document::Id("a".into())),
            (
                r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"h"}}}"#,
                Document::Hash { hash: "h".into(), text: None },
            ),
        ] {
            let text = format!(r#"{{"type":"subscribe","id":"a","payload":{payload}}}"#);
            match read(&text) {
                Ok(ClientMessage::Subscribe { id, payload }) => {
                    assert_eq!((id.as_str(), payload.document), ("a", document));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn all_else_is_invalid() {
        let deep = format!(r#"{{"type":"ping","payload":{}"#, "[".repeat(100_000));
        let deeper = format!(
            r#"{{"type":"connection_init","payload":{{"a":{}{}}}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        for text in [
            "",
            "{",
            "[]",
            "1",
            "null",
            "{}",
            "\0",
            r#""ping""#,
            r#"["ping",null,null]"#,
            r#"{"type":1}"#,
            r#"{"type":null}"#,
            r#"{"type":"x"}"#,
            r#"{"type":"PING"}"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"pong","payload":[]}"#,
            r#"{"type":"connection_init","payload":"a"}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"connection_init","payload":false}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"next","id":"a","payload":{}}"#,
            r#"{"type":"error","id":"a","payload":[]}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":""}"#,
            r#"{"type":"complete","id":1}"#,
            r#"{"type":"subscribe","id":"a"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":null,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"a","payload":null}"#,
            r#"{"type":"subscribe","id":"a","payload":[]}"#,
            r#"{"type":"subscribe","id":"a","payload":{}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":null}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":"{a}","operationName":1}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":"{a}","extensions":1}}"#,
            r#"{"type":"subscribe","id":"a","payload":{"query":"{a}","documentId":"a"}}"#,
            r#"{"type":"start","id":"a","payload":{"query":"{a}"}}"#,
            r#"{"type":"connection_terminate"}"#,
            &deep,
            &deeper,
            &subscribe(1025),
            &subscribe(1_000_000),
        ] {
            assert!(read(text).is_err(), "{}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn the_older_protocol_has_words_of_its_own() {
        let old = |text: &str| ClientMessage::read(Protocol::Legacy, text.as_bytes());
        assert_eq!(old(r#"{"type":"connection_terminate"}"#), Ok(ClientMessage::Terminate));
        assert_eq!(old(r#"{"type":"stop","id":"a"}"#), Ok(ClientMessage::Complete("a".into())));
        let start = r#"{"type":"start","id":"a","payload":{"query":"{a}"}}"#;
        assert!(matches!(old(start), Ok(ClientMessage::Subscribe { .. })));
        for kind in ["subscribe", "complete", "ping", "pong", "ka"] {
            let text = format!(r#"{{"type":"{kind}","id":"a","payload":{{"query":"{{a}}"}}}}"#);
            assert!(old(&text).is_err(), "{kind}");
        }
    }

    #[test]
    fn messages_of_the_gateway() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (new, old) = (Protocol::Transport, Protocol::Legacy);
        assert_eq!(
            text(new.next("a\"", br#"{"data":1}"#)),
            r#"{"id":"a\"","type":"next","payload":{"data":1}}"#
        );
        assert_eq!(text(old.next("a", b"{}")), r#"{"id":"a","type":"data","payload":{}}"#);
        assert_eq!(text(complete("a")), r#"{"id":"a","type":"complete"}"#);
        let one = br#"{"errors":[{"message":"no"}],"extensions":{}}"#;
        assert_eq!(
            text(new.error("a", one)),
            r#"{"id":"a","type":"error","payload":[{"message":"no"}]}"#
        );
        assert_eq!(
            text(old.error("a", one)),
            r#"{"id":"a","type":"error","payload":{"message":"no"}}"#
        );
        let two = br#"{"errors":[{"message":"no"},{"message":"never"}]}"#;
        assert_eq!(
            text(old.error("a", two)),
            r#"{"id":"a","type":"error","payload":{"message":"no","errors":[{"message":"no"},{"message":"never"}]}}"#
        );
        assert_eq!(text(pong(None)), r#"{"type":"pong"}"#);
        assert_eq!(text(pong(Some("{}"))), r#"{"type":"pong","payload":{}}"#);
        assert_eq!(
            text(connection_error("no")),
            r#"{"type":"connection_error","payload":{"message":"no"}}"#
        );
    }
}
