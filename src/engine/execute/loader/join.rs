//! The executor's side: its keys join the loader's next batch, and what comes of them is placed.

use super::{Party, PartyKey};
use crate::engine::execute::call::What;
use crate::engine::execute::{FetchId, Run};
use crate::engine::plan::{Asking, KeysAs};
use crate::engine::replies::Partition;
use crate::engine::response::{Nothing, Value, read_decoded, read_json};
use crate::graph::BatchReply;
use crate::graphql::ErrorCode;
use crate::mapping::{Variable, Variables};
use crate::memory::Held;
use crate::source::{self, Body, Inputs, Placed};
use bytes::Bytes;
use futures_util::FutureExt;
use hashbrown::HashMap;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What came of one key.
#[derive(Clone)]
pub(in crate::engine::execute) enum Loaded {
    /// The mapping's result for the key, as JSON text.
    Value(Bytes),
    Missing,
    /// Asked for alone, and not found.
    NotFound,
    Failed(Arc<source::Error>),
}

/// The same, with what may be done with the reply that it came in.
#[derive(Clone)]
pub(in crate::engine::execute) struct Part {
    pub loaded: Loaded,
    pub left: Duration,
    pub private: bool,
    /// The bytes of that reply.
    pub held: Held,
    /// The reply, in development only.
    pub body: Option<Body>,
}

impl Part {
    /// Nothing that anybody may keep.
    pub fn once(loaded: Loaded) -> Self {
        Self { loaded, left: Duration::ZERO, private: false, held: Held::default(), body: None }
    }
}

impl Run<'_> {
    /// Sends keys through the loader of their binding.
    pub(in crate::engine::execute) fn join(&mut self, id: FetchId, group: usize, keys: Vec<u32>) {
        let binding = self.snapshot.plan.fetch(id).binding;
        let Some(loader) = self.snapshot.loaders.by_binding.get(&binding).cloned() else { return };
        let Some(party) = self.party(id, group, &keys).map(Arc::new) else {
            // What cannot be written for one key fails as a call of its own does.
            return self.ask_chunk(id, group, &keys);
        };
        let texts = self.fetches[id.0 as usize].groups[group].keys.texts();
        let mut numbers = HashMap::new();
        let mut party_keys = Vec::new();
        for number in &keys {
            let (arguments, batch) = self.inputs_of(id, group, &[*number]);
            let input = Arc::new(self.input_of(id, &arguments, &batch));
            let key: Arc<[u8]> = texts[*number as usize].into();
            numbers.insert(Arc::clone(&key), *number);
            party_keys.push(PartyKey { party: Arc::clone(&party), key, input });
        }
        let deadline = self.snapshot.deadline;
        let answer = async move {
            let loading = loader.load_many(party_keys);
            match tokio::time::timeout_at(deadline.into(), loading).await {
                Ok(Ok(by_key)) => by_key
                    .into_iter()
                    .filter_map(|(key, part)| Some((*numbers.get(&key.key)?, part)))
                    .collect(),
                Err(_) => {
                    let late = "the request's deadline passed before the batch was answered";
                    let error = Arc::new(source::Error::new(ErrorCode::UpstreamTimeout, late));
                    let failed = |number| (number, Part::once(Loaded::Failed(Arc::clone(&error))));
                    numbers.into_values().map(failed).collect()
                }
            }
        };
        self.send_joined(id, What::Keys { group, keys }, answer.boxed());
    }

    fn input_of(&self, id: FetchId, arguments: &Json, batch: &Json) -> Json {
        let list = match &self.snapshot.plan.fetch(id).asking {
            Asking::Batch { keys: KeysAs::Scalars(name) | KeysAs::Objects(name, _), .. } => {
                &arguments[&**name]
            }
            Asking::Given { argument, .. } => &arguments[&**argument],
            _ => batch,
        };
        list.get(0).cloned().unwrap_or_default()
    }

    /// Who asks, as far as the call can tell.
    fn party(&mut self, id: FetchId, group: usize, keys: &[u32]) -> Option<Party> {
        let fetch = self.snapshot.plan.fetch(id);
        let call = &self.snapshot.graph.binding(fetch.binding).call;
        let (arguments, batch) = self.inputs_of(id, group, keys.get(..1)?);
        let inputs = Inputs {
            args: &arguments,
            this: &Json::Null,
            batch: &batch,
            caller: self.snapshot.caller,
            env: &self.snapshot.graph.env,
            config: call.config(),
        };
        let request = Arc::new(call.render(&inputs).ok()?);
        let asked = self.ask_replies(fetch, &request).map(|(_, asked)| asked);
        let of_select = call.select().map(crate::mapping::Mapping::references);
        let of_texts = call.references().iter().map(|Placed { reference, .. }| reference);
        let named: Vec<(String, Json)> = of_texts
            .chain(of_select.iter().flatten())
            .filter(|reference| {
                matches!(reference.variable, Variable::RequestHeaders | Variable::RequestIp)
            })
            .map(|reference| {
                let value = inputs.value(reference.variable).into_owned();
                let found = reference.path.iter().fold(&value, |value, key| &value[&**key]);
                (reference.path.join("."), found.clone())
            })
            .collect();
        let arguments = self.fetches[id.0 as usize].groups[group].arguments.clone();
        let mut rest = arguments.clone();
        if let Asking::Given { argument, .. } = &fetch.asking {
            // The keys are the batch's, not the party's.
            rest.as_object_mut().and_then(|rest| rest.shift_remove(&**argument));
        }
        let claims = &self.snapshot.caller.claims;
        let mut identity = format!("{rest}\n{claims}\n{named:?}\n{:?}", plain(&request.headers));
        let caller = Arc::clone(self.snapshot.caller);
        let cache = asked.as_ref().map(|_| fetch.cache);
        if let Some(asked) = asked {
            // What was kept for one caller may come up, so only its own keys go out together.
            let partition = asked.partition().map(Partition::as_bytes);
            let _ = write!(identity, "\n{cache:?}{partition:?}");
            self.share.tell_apart(asked.reach());
        }
        Some(Party { arguments, caller, cache, identity })
    }

    /// Places what came of the keys that went out with others.
    pub(in crate::engine::execute) fn place_joined(
        &mut self,
        call: usize,
        parts: Vec<(u32, Part)>,
    ) {
        let id = self.calls[call].fetch;
        let fetch = self.snapshot.plan.fetch(id);
        let What::Keys { group, .. } = self.calls[call].what else { return };
        let (Asking::Batch { rule, .. } | Asking::Given { rule, .. }) = &fetch.asking else {
            return;
        };
        let mut holes: HashMap<*const source::Error, Value> = HashMap::new();
        let mut seen: Vec<*const u8> = Vec::new();
        for (key, Part { loaded, left, private, held, body }) in parts {
            if let Some(body) = body {
                let (Body::Json(bytes) | Body::Proto(bytes)) = &body;
                // One reply has the parts of many keys.
                if !seen.contains(&bytes.as_ptr()) {
                    seen.push(bytes.as_ptr());
                    self.look_for_keys(fetch, &body);
                }
            }
            self.charge.keep(held);
            self.share.meet(left, private);
            let value = match loaded {
                Loaded::Value(text) => self.read_joined(fetch, &text),
                Loaded::Missing if rule.reply == BatchReply::GroupBy => self.store.list([]),
                Loaded::Missing => Value::Null,
                Loaded::NotFound if fetch.nullable => Value::Null,
                Loaded::NotFound => {
                    let detail = "the one key asked for was not found";
                    let error = source::Error::new(ErrorCode::UpstreamStatus, detail);
                    self.hole(fetch, &source::Error { status: Some(404), ..error })
                }
                Loaded::Failed(error) => {
                    *holes.entry(Arc::as_ptr(&error)).or_insert_with(|| self.hole(fetch, &error))
                }
            };
            self.deliver(id, group, key, value);
        }
    }

    fn read_joined(&mut self, fetch: &crate::engine::plan::Fetch, text: &Bytes) -> Value {
        let Some(shape) = &fetch.joined else { return Value::Null };
        self.bytes += text.len();
        // The text was written here, of a mapping's result: it reads, unless it nests too deep.
        let message = self.snapshot.graph.binding(fetch.binding).call.message();
        let read = if message.is_some() { read_decoded } else { read_json };
        match read(&mut self.store, text, shape, &Nothing) {
            Ok(value) => value,
            Err(unreadable) => self.hole(fetch, &unreadable.into()),
        }
    }
}

/// Header values as bytes: `Debug` of a sensitive one hides it, and then two callers would look alike.
fn plain(headers: &[(http::HeaderName, http::HeaderValue)]) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}
