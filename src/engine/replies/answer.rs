//! Fetches a reply that may be cached: revalidates a stale one, stores the new one, and serves the stale one on errors.

use super::control::Stated;
use super::freshness::{Audience, Lifetime, Use, is_covered};
use super::identity::Identity;
use super::kept::{Kept, Served};
use super::metrics::{self, Lookup};
use super::{Answer, Asked, Replies};
use crate::graphql::ErrorCode;
use crate::source::{self, Body, Call, ErrorKind, Reply};
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// gRPC status codes that may be temporary: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE.
const GRPC_FAILURES: [u16; 4] = [2, 4, 13, 14];

impl Replies {
    /// Sends the call, and caches its reply if that is allowed. `stale` is the cached reply found before.
    pub async fn fetch(
        self: Arc<Self>,
        call: Arc<dyn Call>,
        asked: Asked,
        stale: Option<Arc<Kept>>,
        deadline: Instant,
    ) -> Answer {
        let stale = match self.found_elsewhere(&asked).await {
            Some(kept) => match kept.lifetime.at(kept.age(self.clock.now()), asked.most) {
                Use::Serve(left) => {
                    self.memory.put(asked.identity(None), Arc::clone(&kept));
                    return Ok(Served { reply: kept.reply(), left, private: kept.private });
                }
                // The one that is already known also records the last attempt to renew it.
                Use::ServeAndRefresh | Use::Ask { .. } => stale.or_else(|| {
                    self.memory.put(asked.identity(None), Arc::clone(&kept));
                    Some(kept)
                }),
            },
            None => stale,
        };
        let sent = self.clock.now();
        let (request, source) = (Arc::clone(&asked.request), &asked.policy.source);
        let asks_whether = stale.as_ref().filter(|stale| !stale.validators().is_empty());
        let answer = match asks_whether {
            Some(stale) => call.revalidate(request, &stale.validators(), deadline).await,
            None => call.send(request, deadline).await,
        };
        let (now, asks_whether) = (self.clock.now(), asks_whether.is_some());
        match (answer.and_then(|reply| readable(&*call, reply)), stale) {
            (Ok(reply), Some(stale)) if asks_whether && reply.status == NOT_MODIFIED => {
                metrics::revalidated(source, true);
                let renewed = stale.renewed(&reply.headers);
                Ok(self.keep(&asked, renewed, now - sent, now))
            }
            (Ok(reply), _) => {
                if asks_whether {
                    metrics::revalidated(source, false);
                }
                let keeps = asked.judge.as_ref().is_none_or(|judge| judge.accepts(&reply));
                Ok(if keeps {
                    self.keep(&asked, reply, now - sent, now)
                } else {
                    Served::once(reply)
                })
            }
            (Err(error), _) if asked.judge.as_ref().is_some_and(|judge| judge.excuses(&error)) => {
                Err(error)
            }
            (Err(error), Some(stale)) if stands_in(&stale, &asked, &error, now) => {
                metrics::looked_up(source, Lookup::StaleOnError);
                let (coordinate, trace) = (&*asked.policy.coordinate, &asked.request.trace);
                tracing::warn!(
                    request_id = trace.request_id(),
                    trace_id = trace.trace_id(),
                    source = &**source,
                    coordinate,
                    %error,
                    "a stale reply stands in for a failed call"
                );
                Ok(Served { reply: stale.reply(), left: Duration::ZERO, private: true })
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Returns a reply that another gateway cached. A reply that only its upstream declares private is not looked up:
    /// identical calls in flight are shared by all who send them.
    async fn found_elsewhere(&self, asked: &Asked) -> Option<Arc<Kept>> {
        let shared = self.shared.as_ref().filter(|_| !asked.anew)?;
        let identity = asked.identity(None);
        shared.get(&identity, &asked.policy, self.clock.now()).await.map(Arc::new)
    }

    fn keep(&self, asked: &Asked, reply: Reply, took: Duration, now: Instant) -> Served {
        let policy = &*asked.policy;
        let stated = match &reply.body {
            Body::Json(_) => Stated::read(&reply.headers, SystemTime::now()),
            // Its headers are metadata, which says nothing about reuse.
            Body::Proto(_) => Stated::default(),
        };
        let private = asked.private || stated.private;
        let audience = if private { Audience::Caller } else { Audience::All };
        let partition = asked.partition.clone().filter(|_| private);
        let is_covered = is_covered(&stated.vary, &asked.request.headers);
        let has_audience = partition.is_some() || !private;
        let is_whole = match &reply.body {
            Body::Json(_) => matches!(reply.status, 200 | 203 | 204),
            // With another status there is no message.
            Body::Proto(_) => true,
        };
        let has_validators = !source::Validators::of(&reply.headers).is_empty();
        let lifetime = Lifetime::of(&policy.allowed, &stated, audience, took, has_validators);
        let Some(lifetime) = lifetime.filter(|_| is_covered && has_audience && is_whole) else {
            return Served::once(reply);
        };
        let kept = Arc::new(Kept::new(policy, &reply, lifetime, private, now));
        if kept.size() as u64 <= self.largest {
            metrics::stored(&policy.source);
            let identity = Identity::new(Arc::clone(&asked.request), partition);
            if let Some(shared) = self.shared.as_ref().filter(|_| asked.private == private) {
                shared.put(&identity, policy, &kept);
            }
            self.memory.put(identity, kept);
        }
        let left = match lifetime.at(Duration::ZERO, asked.most) {
            Use::Serve(left) => left,
            Use::ServeAndRefresh | Use::Ask { .. } => Duration::ZERO,
        };
        Served { reply, left, private }
    }
}

const NOT_MODIFIED: u16 = 304;

/// Fails if the reply cannot be parsed. Then it is a failed call: it is not cached, and a stale reply may replace it.
fn readable(call: &dyn Call, reply: Reply) -> Result<Reply, source::Error> {
    let wrong = match &reply.body {
        Body::Json(body) if body.trim_ascii().is_empty() => None,
        Body::Json(body) => serde_json::from_slice::<IgnoredAny>(body).err().map(|e| e.to_string()),
        Body::Proto(body) => call.message().and_then(|message| {
            let read = prost_reflect::DynamicMessage::decode(message.clone(), body.clone());
            read.err().map(|error| error.to_string())
        }),
    };
    match wrong {
        None => Ok(reply),
        Some(detail) => Err(source::Error::new(ErrorCode::UpstreamInvalidReply, detail)),
    }
}

fn stands_in(stale: &Kept, asked: &Asked, error: &source::Error, now: Instant) -> bool {
    let good_for = stale.lifetime.at(stale.age(now), asked.most);
    is_failure(error) && matches!(good_for, Use::Ask { serves_on_error: true })
}

/// Returns `true` for a server's failure (RFC 5861, section 4), as opposed to a refusal. A refusal may mean that the
/// right to see the reply was revoked.
fn is_failure(error: &source::Error) -> bool {
    match error.code {
        ErrorCode::UpstreamStatus => {
            let fails = |status| status >= 500 || GRPC_FAILURES.contains(&status);
            error.kind == ErrorKind::Failed && error.status.is_some_and(fails)
        }
        ErrorCode::UpstreamUnavailable
        | ErrorCode::UpstreamTimeout
        | ErrorCode::UpstreamInvalidReply
        | ErrorCode::UpstreamTooLarge
        | ErrorCode::CircuitOpen
        | ErrorCode::NoInstance
        | ErrorCode::Overloaded => true,
        _ => false,
    }
}
