//! Applies the rules of a binding to the result of its call. A reply that is not a success becomes an error with the
//! service's message. A refusal that counts as a success becomes a reply.
//!
//! It decides about the field, and about caching the reply. The upstream layer has handled the status before.

use super::call::{Owned, ReplyVariables};
use crate::engine::replies::{Answer, Served};
use crate::engine::response::{Unreadable, proto_to_json, valid_json};
use crate::graph::{BindingId, Graph};
use crate::graphql::ErrorCode;
use crate::mapping::{self, Failure, Mapping, Reads, TextScope};
use crate::source::{
    self, Body, Call, Caller, ErrorKind, Inputs, MAX_MAPPED_ERROR, MappedError, NotFound,
    OWN_EXTENSIONS, RefusedReply, Reply, excerpt, secrets,
};
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

/// One call, with its binding's rules.
pub(super) struct Judge<'a> {
    pub call: &'a dyn Call,
    pub inputs: Inputs<'a>,
    /// Maximum number of values in memory while a rule is evaluated.
    pub most_values: u64,
}

/// A [`Judge`] that lives as long as a call in flight.
pub(in crate::engine) struct OwnedJudge {
    pub graph: Arc<Graph>,
    pub binding: BindingId,
    pub inputs: Arc<Owned>,
    pub caller: Arc<Caller>,
    pub most_values: u64,
}

impl OwnedJudge {
    fn judge(&self) -> Judge<'_> {
        let call = &*self.graph.binding(self.binding).call;
        let inputs = Inputs {
            args: &self.inputs.arguments,
            this: &self.inputs.this,
            batch: &self.inputs.batch,
            caller: &self.caller,
            env: &self.graph.env,
            config: call.config(),
        };
        Judge { call, inputs, most_values: self.most_values }
    }

    /// Returns `true` if the reply is a success, and may be cached.
    pub fn accepts(&self, reply: &Reply) -> bool {
        let judge = self.judge();
        let rule = judge.call.rules().is_success.as_ref();
        rule.is_none_or(|rule| matches!(judge.holds(rule, reply), Ok(true)))
    }

    /// Returns `true` if the error is a refusal that counts as a success for the field.
    pub fn excuses(&self, error: &source::Error) -> bool {
        let judge = self.judge();
        error.refusal.as_ref().is_some_and(|refusal| judge.excuses(refusal))
    }
}

impl Judge<'_> {
    /// Returns the result for the field.
    pub fn settle(&self, answer: Answer) -> Answer {
        let rules = self.call.rules();
        match (answer, &rules.is_success) {
            (Ok(served), None) => Ok(served),
            (Ok(served), Some(rule)) => match self.holds(rule, &served.reply) {
                Ok(true) => Ok(served),
                Ok(false) => Err(self.unsuccessful(&served.reply)),
                Err(unreadable) => Err(unreadable.into()),
            },
            (Err(mut error), _) => {
                if error.kind == ErrorKind::NotFound && rules.not_found == NotFound::Error {
                    error.kind = ErrorKind::Refused;
                }
                let Some(refusal) = error.refusal.clone() else { return Err(error) };
                if self.excuses(&refusal) {
                    return Ok(Served::once(refusal.reply.clone()));
                }
                error.mapped = self.map_refusal(&refusal);
                Err(error)
            }
        }
    }

    fn holds(&self, rule: &Mapping, reply: &Reply) -> Result<bool, Unreadable> {
        let text = if rule.expr().reads() == Reads::default() {
            Cow::Borrowed("null")
        } else {
            self.text_of(reply)?
        };
        match self.evaluate(rule, &text, reply) {
            Ok(verdict) => Ok(verdict == "true"),
            Err(Failure::TooManyValues) => Err(Unreadable::TooManyValues(self.most_values)),
            Err(failure @ Failure::TooManySteps) => Err(Unreadable::Invalid(failure.to_string())),
            // The rule expects a reply of another form, that of a success.
            Err(_) => Ok(false),
        }
    }

    fn excuses(&self, refusal: &RefusedReply) -> bool {
        let Some(rule) = self.call.rules().is_success.as_ref().filter(|_| refusal.is_whole) else {
            return false;
        };
        let words = readable(&refusal.words);
        self.evaluate(rule, words, &refusal.reply).is_ok_and(|verdict| verdict == "true")
    }

    fn text_of<'r>(&self, reply: &'r Reply) -> Result<Cow<'r, str>, Unreadable> {
        match &reply.body {
            Body::Json(body) => valid_json(body).map(Cow::Borrowed).map_err(Unreadable::Invalid),
            Body::Proto(body) => {
                let unknown = || Unreadable::Invalid("a reply of an unknown type".to_owned());
                let message = self.call.message().ok_or_else(unknown)?;
                proto_to_json(message, body, self.most_values).map(Cow::Owned)
            }
        }
    }

    fn evaluate(&self, mapping: &Mapping, current: &str, reply: &Reply) -> Result<String, Failure> {
        let variables = ReplyVariables { inputs: self.inputs, reply };
        let values = Cell::new(self.most_values);
        let (values, steps) = (&values, &Cell::new(mapping::MAX_STEPS));
        let scope = TextScope { current, variables: &variables, values, steps };
        mapping.expr().evaluate_text(&scope).map(Cow::into_owned)
    }

    /// Returns the error of a reply that is a success for the protocol, but not for `isSuccess`.
    fn unsuccessful(&self, reply: &Reply) -> source::Error {
        let rules = self.call.rules();
        let detail = format!("status {}, and `isSuccess` does not hold", reply.status);
        let mut error = source::Error::new(ErrorCode::UpstreamStatus, detail);
        error.status = Some(reply.status);
        let (Body::Json(body) | Body::Proto(body)) = &reply.body;
        let is_large = body.len() > MAX_MAPPED_ERROR;
        let text = match self.text_of(reply) {
            Ok(text) if !is_large => text,
            _ => Cow::Borrowed("null"),
        };
        if rules.shows_replies {
            let body = match &reply.body {
                Body::Json(body) => body,
                Body::Proto(_) => text.as_bytes(),
            };
            error.detail = format!("{}{}: {}", self.shown(), error.detail, excerpt(body));
        }
        if is_large {
            let (reply, words) = (reply.clone(), Bytes::new());
            let excerpt = String::new();
            let refusal = RefusedReply { reply, words, is_whole: true, is_large, excerpt };
            error.refusal = Some(Arc::new(refusal));
        } else {
            error.mapped = self.map(&text, reply);
        }
        error
    }

    /// Describes the call, for the beginning of a developer's error message.
    pub fn shown(&self) -> String {
        let Ok(request) = self.call.render(&self.inputs) else { return String::new() };
        let described = self.call.describe(&request);
        described.lines().next().map(|call| format!("{call}: ")).unwrap_or_default()
    }

    fn map_refusal(&self, refusal: &RefusedReply) -> Option<Arc<MappedError>> {
        if refusal.is_too_large() {
            return None;
        }
        self.map(readable(&refusal.words), &refusal.reply)
    }

    /// Maps a reply to an error for clients; `None` if the mapping cannot be evaluated.
    fn map(&self, words: &str, reply: &Reply) -> Option<Arc<MappedError>> {
        let rules = self.call.rules();
        if !rules.map_errors() {
            return None;
        }
        let value = |mapping: &Mapping| {
            let text = self.evaluate(mapping, words, reply).ok()?;
            serde_json::from_str::<Json>(&secrets::mask(&text)).ok()
        };
        let message = rules.message.as_ref().and_then(value).and_then(|value| match value {
            Json::String(text) if !text.is_empty() => Some(text),
            Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
            _ => None,
        });
        let mut extensions = Map::new();
        for mapping in &rules.extensions {
            let Some(Json::Object(fields)) = value(mapping) else { continue };
            let said = |(name, value): &(String, Json)| match (name.as_str(), value) {
                (_, Json::Null) => false,
                // Clients compare codes: one that is no text and no number would replace the gateway's with nothing.
                ("code", Json::String(code)) => !code.is_empty(),
                ("code", value) => value.is_number(),
                (name, _) => !OWN_EXTENSIONS.contains(&name),
            };
            extensions.extend(fields.into_iter().filter(said));
        }
        Some(Arc::new(MappedError { message, extensions }))
    }
}

/// Returns the message as JSON text; `null` if it is not JSON, or nests too deep.
fn readable(words: &Bytes) -> &str {
    valid_json(words).unwrap_or("null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::failure;
    use crate::graphql::Name;
    use crate::source::{Error, Placed, ReplyRules, Request};
    use futures_util::future::BoxFuture;
    use serde_json::json;
    use std::time::{Duration, Instant};

    struct Ruled {
        name: Name,
        rules: ReplyRules,
    }

    impl Call for Ruled {
        fn source(&self) -> &Name {
            &self.name
        }

        fn references(&self) -> &[Placed] {
            &[]
        }

        fn select(&self) -> Option<&Mapping> {
            None
        }

        fn rules(&self) -> &ReplyRules {
            &self.rules
        }

        fn timeout(&self) -> Duration {
            Duration::ZERO
        }

        fn render(&self, _: &Inputs<'_>) -> Result<Request, Failure> {
            unreachable!("it is not called")
        }

        fn send(&self, _: Arc<Request>, _: Instant) -> BoxFuture<'static, Result<Reply, Error>> {
            unreachable!("it is not called")
        }

        fn describe(&self, _: &Request) -> String {
            String::new()
        }
    }

    fn mapping(text: &str) -> Mapping {
        Mapping::parse(text).unwrap()
    }

    fn settle(rules: ReplyRules, answer: Answer) -> Answer {
        let call = Ruled { name: "api".into(), rules };
        let (null, caller) = (Json::Null, Caller::default());
        let inputs = Inputs {
            args: &null,
            this: &null,
            batch: &null,
            caller: &caller,
            env: &null,
            config: &null,
        };
        Judge { call: &call, inputs, most_values: 1_000 }.settle(answer)
    }

    fn refused(status: u16, words: &Json) -> Answer {
        let reply = Reply { status, ..Reply::json(words) };
        let words = Bytes::from(words.to_string());
        let (is_large, excerpt) = (false, String::new());
        let refusal = RefusedReply { reply, words, is_whole: true, is_large, excerpt };
        let mut error = failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound);
        (error.status, error.refusal) = (Some(status), Some(Arc::new(refusal)));
        Err(error)
    }

    fn mapped(rules: ReplyRules, words: &Json) -> MappedError {
        let error = settle(rules, refused(404, words)).expect_err("an error");
        MappedError::clone(error.mapped.as_ref().expect("it is mapped"))
    }

    #[test]
    fn the_gateways_own_extensions_and_nulls_are_left_out_and_the_last_mapping_wins() {
        let rules = ReplyRules {
            extensions: vec![
                mapping("code: $.a errorId: $.a kind: $.a"),
                mapping("source: $.a code: $.b kind: $.none"),
            ],
            ..ReplyRules::default()
        };
        let found = mapped(rules, &json!({ "a": 1, "b": 2 }));
        assert_eq!(Json::from(found.extensions), json!({ "code": 2, "kind": 1 }));
        assert_eq!(found.message, None);
    }

    #[test]
    fn a_code_is_a_text_or_a_number() {
        for code in [json!({}), json!([1]), json!(""), json!(true)] {
            let rules =
                ReplyRules { extensions: vec![mapping("code: $.a")], ..ReplyRules::default() };
            assert_eq!(Json::from(mapped(rules, &json!({ "a": code })).extensions), json!({}));
        }
    }

    #[test]
    fn a_message_is_a_text_that_says_something() {
        for (words, message) in [
            (json!("no"), Some("no")),
            (json!(7), Some("7")),
            (json!(""), None),
            (json!(null), None),
            (json!(["no"]), None),
            (json!({ "m": "no" }), None),
        ] {
            let rules = ReplyRules { message: Some(mapping("$")), ..ReplyRules::default() };
            assert_eq!(mapped(rules, &words).message.as_deref(), message, "{words}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_is_no_success() {
        let rules =
            ReplyRules { is_success: Some(mapping("$.ok->size->eq(1)")), ..ReplyRules::default() };
        let reply = Reply::json(&json!({ "ok": 1 }));
        let error = settle(rules, Ok(Served::once(reply))).expect_err("an error");
        assert_eq!((error.code, error.status), (ErrorCode::UpstreamStatus, Some(200)));
    }

    #[test]
    fn a_reply_that_was_not_read_to_its_end_is_not_a_success() {
        let rules = || ReplyRules {
            is_success: Some(mapping("$status->eq(404)")),
            ..ReplyRules::default()
        };
        assert!(settle(rules(), refused(404, &Json::Null)).is_ok());
        let mut cut = refused(404, &Json::Null).expect_err("a refusal");
        let refusal = RefusedReply::clone(cut.refusal.as_ref().expect("a reply"));
        cut.refusal = Some(Arc::new(RefusedReply { is_whole: false, ..refusal }));
        let error = settle(rules(), Err(cut)).expect_err("an error");
        assert_eq!((error.code, error.status), (ErrorCode::UpstreamStatus, Some(404)));
    }

    #[test]
    fn not_found_is_what_the_binding_says() {
        for (not_found, kind) in
            [(NotFound::Null, ErrorKind::NotFound), (NotFound::Error, ErrorKind::Refused)]
        {
            let rules = ReplyRules { not_found, ..ReplyRules::default() };
            let error = settle(rules, refused(404, &Json::Null)).expect_err("an error");
            assert_eq!(error.kind, kind);
        }
    }
}
