//! Parses a GraphQL request from a JSON body or a query string.
//!
//! Parsing is strict, because a lenient parser hides errors. It refuses wrong JSON types, invalid UTF-8, broken
//! percent-encoding, repeated parameters, two documents at once, and lists of operations. Each error is a sentence that
//! names the cause. A valid body is parsed in one pass; the sentence is found in a second one, only if the first
//! failed. The JSON parser limits the depth (128 levels).

use crate::engine::Document;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::marker::PhantomData;

/// The parameters of a GraphQL request (GraphQL over HTTP, "Request Parameters" and appendix "Persisted Documents").
#[derive(Debug, PartialEq)]
pub(super) struct Payload {
    pub document: Document,
    pub operation_name: Option<String>,
    pub variables: Map<String, Value>,
}

/// Error of a request; a sentence for the client.
pub(super) type Mistake = Cow<'static, str>;

#[derive(Deserialize)]
struct Wire {
    query: Option<String>,
    #[serde(rename = "documentId")]
    document_id: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Object<Extensions>>,
}

/// The extensions that are read.
#[derive(Deserialize)]
struct Extensions {
    #[serde(rename = "persistedQuery")]
    persisted_query: Option<Object<PersistedQuery>>,
}

/// Extension of automatic persisted queries.
#[derive(Deserialize)]
struct PersistedQuery {
    version: u64,
    #[serde(rename = "sha256Hash")]
    hash: String,
}

/// Accepts JSON objects only. A derived deserializer accepts a list of the members, too.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reading<T> {
            type Value = T;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Reading(PhantomData)).map(Object)
    }
}

/// Parses a JSON body.
pub(super) fn from_body(body: &[u8]) -> Result<Payload, Mistake> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err("the body is not valid UTF-8".into());
    };
    match serde_json::from_str::<Object<Wire>>(text) {
        Ok(Object(mut wire)) => {
            let variables = wire.variables.take().unwrap_or_default();
            Ok(Payload {
                document: document(wire.query, wire.document_id, wire.extensions)?,
                operation_name: wire.operation_name,
                variables,
            })
        }
        Err(error) => Err(mistake_of(text, &error)),
    }
}

/// Returns the one document that a request names.
fn document(
    text: Option<String>,
    id: Option<String>,
    extensions: Option<Object<Extensions>>,
) -> Result<Document, Mistake> {
    let persisted = extensions.and_then(|Object(extensions)| extensions.persisted_query);
    let hash = match persisted {
        Some(Object(PersistedQuery { version: 1, hash })) => Some(hash),
        Some(_) => return Err("`extensions.persistedQuery` must have the version 1".into()),
        None => None,
    };
    match (text, id, hash) {
        (Some(text), None, None) => Ok(Document::Text(text)),
        (None, Some(id), None) => Ok(Document::Id(id)),
        (text, None, Some(hash)) => Ok(Document::Hash { hash, text }),
        (None, None, None) => Err("`query` is missing".into()),
        (_, Some(_), _) => {
            Err("`documentId` stands for the whole document; send nothing else that names one"
                .into())
        }
    }
}

/// Describes the error of a body that could not be parsed.
fn mistake_of(text: &str, error: &serde_json::Error) -> Mistake {
    if text.trim().is_empty() {
        return "the body is empty; send a JSON object with `query`".into();
    }
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) if error.to_string().starts_with("recursion limit") => {
            return "the body is nested too deeply".into();
        }
        Err(error) => return format!("the body is not JSON: {error}").into(),
    };
    let object = match &value {
        Value::Object(object) => object,
        Value::Array(_) => {
            return "a list of operations is not taken here; send one JSON object per request"
                .into();
        }
        _ => return "the body must be a JSON object with `query`".into(),
    };
    let present = |name| object.get(name).filter(|value| !value.is_null());
    match present("query") {
        Some(query) if !query.is_string() => "`query` must be a string".into(),
        _ if present("documentId").is_some_and(|id| !id.is_string()) => {
            "`documentId` must be a string".into()
        }
        _ if present("operationName").is_some_and(|name| !name.is_string()) => {
            "`operationName` must be a string".into()
        }
        _ if present("variables").is_some_and(|variables| !variables.is_object()) => {
            "`variables` must be an object".into()
        }
        _ if present("extensions").is_some_and(|extensions| !extensions.is_object()) => {
            "`extensions` must be an object".into()
        }
        _ if present("extensions").is_some_and(|found| !persisted_query_fits(found)) => {
            PERSISTED_QUERY.into()
        }
        _ => format!("the body cannot be read: {error}").into(),
    }
}

const PERSISTED_QUERY: &str =
    "`extensions.persistedQuery` must be `{\"version\": 1, \"sha256Hash\": \"…\"}`";

fn persisted_query_fits(extensions: &Value) -> bool {
    let query = &extensions["persistedQuery"];
    query.is_null() || (query["version"].is_u64() && query["sha256Hash"].is_string())
}

/// Parses the parameters of a `GET`.
pub(super) fn from_query(query: Option<&str>) -> Result<Payload, Mistake> {
    let (mut text, mut id, mut name) = (None, None, None);
    let (mut variables, mut extensions) = (None, None);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, slot) = match &*decode(key)? {
            "query" => ("query", &mut text),
            "documentId" => ("documentId", &mut id),
            "operationName" => ("operationName", &mut name),
            "variables" => ("variables", &mut variables),
            "extensions" => ("extensions", &mut extensions),
            _ => continue,
        };
        if slot.replace(decode(value)?).is_some() {
            return Err(format!("the parameter `{key}` stands twice in the URL").into());
        }
    }
    let given =
        |value: Option<Cow<'_, str>>| value.filter(|text| !text.is_empty()).map(Cow::into_owned);
    let extensions = match given(extensions) {
        Some(text) => {
            let read = Object::deserialize(Value::Object(object("extensions", &text)?));
            Some(read.map_err(|_| PERSISTED_QUERY)?)
        }
        None => None,
    };
    let variables = match given(variables) {
        None => Map::new(),
        Some(text) => object("variables", &text)?,
    };
    Ok(Payload {
        document: document(given(text), given(id), extensions)?,
        operation_name: given(name),
        variables,
    })
}

fn object(name: &str, text: &str) -> Result<Map<String, Value>, Mistake> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(format!("`{name}` must be an object").into()),
        Err(error) => Err(format!("`{name}` is not JSON: {error}").into()),
    }
}

/// Decodes `application/x-www-form-urlencoded` text (WHATWG URL). Unlike WHATWG, invalid UTF-8 is refused.
fn decode(text: &str) -> Result<Cow<'_, str>, Mistake> {
    let spaced = if text.contains('+') { text.replace('+', " ").into() } else { Cow::from(text) };
    let refused = |_| Mistake::from("the URL's parameters are not valid UTF-8");
    match spaced {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8().map_err(refused),
        Cow::Owned(text) => percent_decode_str(&text)
            .decode_utf8()
            .map(|decoded| Cow::Owned(decoded.into_owned()))
            .map_err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_read() {
        let body = r#"{"query":"{a}","operationName":"A","variables":{"x":[1]},"extensions":{"k":{}},"more":1}"#;
        let payload = from_body(body.as_bytes()).unwrap();
        assert_eq!(payload.document, "{a}".into());
        assert_eq!(payload.operation_name.as_deref(), Some("A"));
        assert_eq!(Value::Object(payload.variables), json!({"x": [1]}));
        let nulls = br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#;
        assert_eq!(from_body(nulls), from_body(br#"{"query":"{a}"}"#));
    }

    #[test]
    fn a_bad_body_is_told_what_is_wrong() {
        let deep = format!(
            r#"{{"query":"{{a}}","variables":{{"x":{}1{}}}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        for (body, part) in [
            ("", "empty"),
            ("{", "not JSON"),
            ("nonsense", "not JSON"),
            ("[]", "list of operations"),
            (r#"[{"query":"{a}"}]"#, "list of operations"),
            ("1", "must be a JSON object"),
            ("{}", "`query` is missing"),
            (r#"{"query":null}"#, "`query` is missing"),
            (r#"{"query":1}"#, "`query` must be a string"),
            (r#"{"query":["{a}"]}"#, "`query` must be a string"),
            (r#"{"query":"{a}","operationName":{}}"#, "`operationName` must be a string"),
            (r#"{"query":"{a}","variables":"{}"}"#, "`variables` must be an object"),
            (r#"{"query":"{a}","variables":[]}"#, "`variables` must be an object"),
            (r#"{"query":"{a}","extensions":[]}"#, "`extensions` must be an object"),
            (r#"{"query":"{a}","extensions":true}"#, "`extensions` must be an object"),
            (r#"{"query":"{a}","query":"{b}"}"#, "duplicate field `query`"),
            (r#"["{a}",null,null,null,null]"#, "list of operations"),
            (r#"{"documentId":1}"#, "`documentId` must be a string"),
            (r#"{"documentId":"a","query":"{a}"}"#, "nothing else"),
            (r#"{"documentId":"a","documentId":"b"}"#, "duplicate field"),
            (
                r#"{"documentId":"a","extensions":{"persistedQuery":{"version":1,"sha256Hash":"b"}}}"#,
                "nothing else",
            ),
            (
                r#"{"query":"{a}","extensions":{"persistedQuery":{"version":2,"sha256Hash":"b"}}}"#,
                "version 1",
            ),
            (r#"{"query":"{a}","extensions":{"persistedQuery":{"version":1}}}"#, "sha256Hash"),
            (r#"{"query":"{a}","extensions":{"persistedQuery":[1,"b"]}}"#, "sha256Hash"),
            (
                r#"{"query":"{a}","extensions":{"persistedQuery":{"version":1,"sha256Hash":7}}}"#,
                "sha256Hash",
            ),
            (r#"{"query":"{a}"} x"#, "not JSON"),
            (r#"{"query":"\ud800"}"#, "not JSON"),
            (&deep, "nested too deeply"),
        ] {
            let mistake = from_body(body.as_bytes()).unwrap_err();
            assert!(mistake.contains(part), "{}: {mistake}", &body[..body.len().min(60)]);
        }
        assert!(from_body(b"{\"query\":\"\xff\"}").unwrap_err().contains("UTF-8"));
        assert!(from_body(b"{\"query\":\"{a}\",\"x\":\"\xc3\"}").unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn a_query_string_is_read() {
        let payload = from_query(Some(
            "query=%7B+a%28x%3A%22%C3%A4%2B%22%29+%7D&operationName=A&variables=%7B%22x%22%3A1%7D&x=y&&extensions={}",
        ))
        .unwrap();
        assert_eq!(payload.document, "{ a(x:\"ä+\") }".into());
        assert_eq!(payload.operation_name.as_deref(), Some("A"));
        assert_eq!(Value::Object(payload.variables), json!({"x": 1}));
        for (query, part) in [
            (None, "`query` is missing"),
            (Some("query="), "`query` is missing"),
            (Some("operationName=A"), "`query` is missing"),
            (Some("query={a}&query={b}"), "twice"),
            (Some("documentId=a&documentId=b"), "twice"),
            (Some("documentId=a&query={a}"), "nothing else"),
            (Some("extensions={\"persistedQuery\":1}"), "sha256Hash"),
            (Some("query=%ff"), "UTF-8"),
            (Some("query={a}&variables=[1]"), "`variables` must be an object"),
            (Some("query={a}&variables={"), "`variables` is not JSON"),
            (Some("query={a}&extensions=1"), "`extensions` must be an object"),
        ] {
            let mistake = from_query(query).unwrap_err();
            assert!(mistake.contains(part), "{query:?}: {mistake}");
        }
        let blank = from_query(Some("query={a}&variables=&operationName=")).unwrap();
        assert_eq!((blank.operation_name, blank.variables.len()), (None, 0));
    }

    #[test]
    fn the_digits_of_variables_are_kept() {
        for variables in [r#"{"x":1e+309}"#, r#"{"x":[{"y":-1e+999}]}"#, r#"{"x":0.10}"#] {
            let body = format!(r#"{{"query":"{{a}}","variables":{variables}}}"#);
            let query = format!("query={{a}}&variables={}", variables.replace('+', "%2B"));
            for payload in [from_body(body.as_bytes()).unwrap(), from_query(Some(&query)).unwrap()]
            {
                assert_eq!(Value::from(payload.variables).to_string(), variables);
            }
        }
    }

    #[test]
    fn an_empty_name_is_a_name_in_a_body_and_none_in_a_url() {
        let payload = from_body(br#"{"query":"{a}","operationName":""}"#).unwrap();
        assert_eq!(payload.operation_name.as_deref(), Some(""));
        assert_eq!(from_query(Some("query={a}&operationName=")).unwrap().operation_name, None);
    }

    #[test]
    fn a_document_is_named_by_id_or_hash() {
        let of = |body: &str| from_body(body.as_bytes()).unwrap().document;
        assert_eq!(of(r#"{"documentId":"a"}"#), Document::Id("a".into()));
        let persisted = r#"{"persistedQuery":{"version":1,"sha256Hash":"b","x":1},"y":[2]}"#;
        let (hash, text) = ("b".to_owned(), Some("{a}".to_owned()));
        let body = format!(r#"{{"query":"{{a}}","extensions":{persisted}}}"#);
        assert_eq!(of(&body), Document::Hash { hash: hash.clone(), text: text.clone() });
        let body = format!(r#"{{"query":null,"extensions":{persisted}}}"#);
        assert_eq!(of(&body), Document::Hash { hash: hash.clone(), text: None });
        let get = |query: &str| from_query(Some(query)).unwrap().document;
        assert_eq!(get("documentId=a%3Ab&query="), Document::Id("a:b".into()));
        assert_eq!(
            get(&format!("extensions={persisted}")),
            Document::Hash { hash: hash.clone(), text: None }
        );
        assert_eq!(
            get(&format!("query={{a}}&extensions={persisted}")),
            Document::Hash { hash, text }
        );
        assert_eq!(of(r#"{"query":"{a}","extensions":{"persistedQuery":null}}"#), "{a}".into());
    }
}
