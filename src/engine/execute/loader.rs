//! Batches that keys of other requests may join (`waitMs` > 0), through async-graphql's `DataLoader`.
//!
//! Only keys of the same caller go out together: with the same claims, the same forwarded headers, and the same values
//! of whatever else of the request the call's texts name. Without `waitMs` nothing here is used, and no timer runs.

mod join;
mod split;

pub(super) use join::{Loaded, Part};

use super::batch::splits_allowed;
use super::call::{Owned, deadline_of};
use super::judge::{Judge, OwnedJudge};
use super::reuse::Pool;
use crate::engine::plan::KeysAs;
use crate::engine::replies::Served;
use crate::graph::{Batch, BindingId, CacheHint, Graph, LookupArguments, LookupElement};
use crate::graphql::{ErrorCode, Name};
use crate::source::{self, Caller, ErrorKind, Inputs};
use async_graphql::dataloader::{DataLoader, Loader};
use futures_util::future::join_all;
use hashbrown::HashMap;
use serde_json::Value as Json;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

/// A loader for each binding that waits.
#[derive(Default)]
pub(in crate::engine) struct Loaders {
    by_binding: HashMap<BindingId, Arc<DataLoader<KeyLoader>>>,
}

/// Loads keys of one binding for several requests at once.
pub(super) struct KeyLoader {
    graph: Arc<Graph>,
    pool: Pool,
    binding: BindingId,
    keys: KeysAs,
    batch: Batch,
}

/// What keys must have in common to go out in one call.
pub(super) struct Party {
    arguments: Json,
    caller: Arc<Caller>,
    /// Of the types that are read from the replies; `None`: no reply may be kept.
    cache: Option<CacheHint>,
    /// Everything of the caller that reaches the call, as text.
    identity: String,
}

/// A key, of one party.
#[derive(Clone)]
pub(super) struct PartyKey {
    party: Arc<Party>,
    key: Arc<[u8]>,
    /// As it stands in `$batch` or in the list argument.
    input: Arc<Json>,
}

impl PartialEq for PartyKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.party.identity == other.party.identity
    }
}

impl Eq for PartyKey {}

impl Hash for PartyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.party.identity.hash(state);
        self.key.hash(state);
    }
}

impl Loaders {
    pub fn new(graph: &Arc<Graph>, pool: &Pool) -> Self {
        let waiting = graph.bindings.iter().enumerate().filter_map(|(index, binding)| {
            let batch = binding.batch.clone().filter(|batch| !batch.wait.is_zero())?;
            let id = BindingId(index as u32);
            let (wait, keys) = (batch.wait, keys_of(graph, id));
            let (graph, pool) = (Arc::clone(graph), pool.clone());
            let loader = KeyLoader { graph, pool, binding: id, keys, batch };
            let loader = DataLoader::new(loader, tokio::spawn).delay(wait);
            Some((id, Arc::new(loader.max_batch_size(usize::MAX))))
        });
        Self { by_binding: waiting.collect() }
    }
}

fn keys_of(graph: &Graph, binding: BindingId) -> KeysAs {
    let lookup = graph.lookups.iter().find(|lookup| lookup.binding == binding);
    match lookup.map(|lookup| &lookup.arguments) {
        Some(LookupArguments::Many { argument, element: LookupElement::Scalar(_) }) => {
            KeysAs::Scalars(Name::clone(argument))
        }
        Some(LookupArguments::Many { argument, element: LookupElement::Object(fields) }) => {
            let names = fields.iter().map(|(name, _)| Name::clone(name)).collect();
            KeysAs::Objects(Name::clone(argument), names)
        }
        Some(LookupArguments::One(_)) | None => KeysAs::Parents,
    }
}

impl Loader<PartyKey> for KeyLoader {
    type Value = Part;
    type Error = std::convert::Infallible;

    async fn load(
        &self,
        keys: &[PartyKey],
    ) -> Result<std::collections::HashMap<PartyKey, Part>, Self::Error> {
        let mut parties: HashMap<&str, Vec<&PartyKey>> = HashMap::new();
        for key in keys {
            parties.entry(&key.party.identity).or_default().push(key);
        }
        // They come in no order; equal batches should be equal calls.
        for keys in parties.values_mut() {
            keys.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        }
        let chunks = parties.values().flat_map(|keys| keys.chunks(self.batch.max));
        let answers = join_all(chunks.map(|chunk| self.load_chunk(chunk))).await;
        Ok(answers.into_iter().flatten().collect())
    }
}

impl KeyLoader {
    /// Asks for a chunk; what is refused is split in two and asked for again, as in a request's own batches.
    async fn load_chunk(&self, keys: &[&PartyKey]) -> Vec<(PartyKey, Part)> {
        let mut splits = splits_allowed(self.batch.max);
        let mut open = vec![keys];
        let mut loaded = Vec::with_capacity(keys.len());
        while let Some(part) = open.pop() {
            match self.ask(part).await {
                Ok(answers) => loaded.extend(part.iter().copied().cloned().zip(answers)),
                Err(error) if error.kind == ErrorKind::NotFound && part.len() == 1 => {
                    let not_found = Part::once(Loaded::NotFound);
                    loaded.extend(part.iter().map(|key| (PartyKey::clone(key), not_found.clone())));
                }
                Err(error) if error.kind.is_refused() && part.len() > 1 && splits > 0 => {
                    splits -= 1;
                    let (left, right) = part.split_at(part.len() / 2);
                    open.extend([right, left]);
                }
                Err(error) => {
                    let failed = Part::once(Loaded::Failed(Arc::new(error)));
                    loaded.extend(part.iter().map(|key| (PartyKey::clone(key), failed.clone())));
                }
            }
        }
        loaded
    }

    async fn ask(&self, keys: &[&PartyKey]) -> Result<Vec<Part>, source::Error> {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let call = Arc::clone(&self.graph.binding(self.binding).call);
        let list: Json = keys.iter().map(|key| Json::clone(&key.input)).collect();
        let (arguments, batch) = match &self.keys {
            KeysAs::Parents => (first.party.arguments.clone(), list),
            KeysAs::Scalars(name) | KeysAs::Objects(name, _) => {
                let mut arguments = first.party.arguments.clone();
                arguments[&**name] = list;
                (arguments, Json::Null)
            }
        };
        let owned = Arc::new(Owned { arguments, this: Json::Null, batch });
        let inputs = Inputs {
            args: &owned.arguments,
            this: &owned.this,
            batch: &owned.batch,
            caller: &first.party.caller,
            env: &self.graph.env,
            config: call.config(),
        };
        let request = call.render(&inputs).map_err(|failure| {
            source::Error::new(ErrorCode::InvalidRequest, failure.to_string())
        })?;
        let most = self.pool.most_values;
        let judge = Judge { call: &*call, inputs, most_values: most };
        let served = judge.settle(self.answer(&call, request, &first.party, &owned).await)?;
        let keys: Vec<&[u8]> = keys.iter().map(|key| &*key.key).collect();
        let loaded = split::split(&*call, &self.batch, inputs, &served.reply, &keys, most)?;
        let Served { reply, left, private } = served;
        let body = self.pool.shows_missing.then(|| reply.body.clone());
        let held = &reply.held;
        let part = |loaded| {
            let (held, body) = (held.clone(), body.clone());
            Part { loaded, left, private, held, body }
        };
        Ok(loaded.into_iter().map(part).collect())
    }

    async fn answer(
        &self,
        call: &Arc<dyn source::Call>,
        request: source::Request,
        party: &Party,
        inputs: &Arc<Owned>,
    ) -> Result<Served, source::Error> {
        let request = Arc::new(request);
        let deadline =
            deadline_of(self.graph.binding(self.binding), Instant::now() + call.timeout());
        let asked = party.cache.and_then(|hint| {
            let replies = self.pool.replies.as_ref()?;
            let asked = replies.ask(self.binding, hint, &request, &party.caller)?;
            let has_rule = call.rules().is_success.is_some();
            let judge = has_rule.then(|| {
                Arc::new(OwnedJudge {
                    graph: Arc::clone(&self.graph),
                    binding: self.binding,
                    inputs: Arc::clone(inputs),
                    caller: Arc::clone(&party.caller),
                    most_values: self.pool.most_values,
                })
            });
            Some((replies, asked.judged(judge)))
        });
        match asked {
            Some((replies, asked)) => self.pool.answer(replies, call, asked, deadline).await,
            None => call.send(request, deadline).await.map(Served::once),
        }
    }
}
