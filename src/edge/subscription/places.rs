//! Limits the number of open subscriptions: in all, by client, and by connection. A place is returned when it is
//! dropped.
//!
//! A client is an address (behind trusted proxies, the one that they forward) or a caller with a token. Neither may
//! hold more than its share once more than half of all places are taken (see [`Quota`]), over however many connections,
//! streams and transports. Nothing is stored about clients that hold no place.

use crate::edge::forwarded::is_trusted;
use crate::edge::intake::Intake;
use crate::edge::quota::{Quota, client};
use crate::edge::settings::Settings;
use crate::source::Caller;
use ipnet::IpNet;
use serde_json::Value;
use std::any::Any;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of the whole gateway. Cheap to clone.
#[derive(Clone)]
pub(in crate::edge) struct Places(Arc<All>);

struct All {
    most: usize,
    quota: Quota,
    /// Trusted proxies, whose addresses stand for many clients.
    proxies: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_holder: HashMap<Holder, usize>,
}

/// A client that places are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    /// The issuer and the subject of a token.
    Subject(String, String),
}

/// The places of one connection. The server puts them on each of its requests.
#[derive(Clone)]
pub(in crate::edge) struct Here {
    places: Arc<Semaphore>,
    intake: Intake,
    /// Guards that are held while the connection is open, also as a WebSocket.
    _connection: Arc<dyn Any + Send + Sync>,
}

/// One open subscription; counted until it is dropped.
pub(in crate::edge) struct Place {
    all: Arc<All>,
    holders: Vec<Holder>,
    _here: OwnedSemaphorePermit,
}

impl Places {
    pub(in crate::edge) fn new(settings: &Settings) -> Self {
        let most = settings.subscriptions.max;
        Self(Arc::new(All {
            most,
            quota: Quota::new(most, settings.client_share),
            proxies: settings.trusted_proxies.clone(),
            taken: Mutex::default(),
        }))
    }

    /// Takes a place. Returns `None` if all places are taken, or the caller's share is.
    pub(in crate::edge) fn take(&self, here: &Here, caller: &Caller) -> Option<Place> {
        let one = Arc::clone(&here.places).try_acquire_owned().ok()?;
        let holders = self.0.holders(caller);
        let mut taken = self.0.taken();
        let in_all = taken.in_all + 1;
        let held = |holder: &Holder| taken.by_holder.get(holder).map_or(0, |held| *held);
        let fits = |holder: &Holder| self.0.quota.allows(in_all, held(holder) + 1);
        if in_all > self.0.most || !holders.iter().all(fits) {
            return None;
        }
        taken.in_all = in_all;
        for holder in &holders {
            *taken.by_holder.entry(holder.clone()).or_default() += 1;
        }
        drop(taken);
        Some(Place { all: Arc::clone(&self.0), holders, _here: one })
    }
}

impl All {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holders(&self, caller: &Caller) -> Vec<Holder> {
        let address = caller.ip.filter(|ip| !is_trusted(*ip, &self.proxies));
        let address = address.map(|ip| Holder::Address(client(ip)));
        address.into_iter().chain(subject(&caller.claims)).collect()
    }
}

fn subject(claims: &Value) -> Option<Holder> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Holder::Subject(text("iss").unwrap_or_default(), text("sub")?))
}

impl Here {
    pub(in crate::edge) fn new(
        settings: &Settings,
        connection: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let max = settings.subscriptions.max_per_connection;
        let places = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self { places, intake: Intake::new(settings.body_bound()), _connection: connection }
    }

    /// Returns the memory budget of this connection's requests.
    pub(in crate::edge) fn intake(&self) -> &Intake {
        &self.intake
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.taken();
        taken.in_all -= 1;
        for holder in &self.holders {
            if let Some(held) = taken.by_holder.get_mut(holder) {
                *held -= 1;
                if *held == 0 {
                    taken.by_holder.remove(holder);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(max: usize) -> Here {
        let mut settings = Settings::default();
        settings.subscriptions.max_per_connection = max;
        Here::new(&settings, Arc::new(()))
    }

    fn places(max: usize) -> Places {
        let mut settings = Settings {
            trusted_proxies: vec!["10.9.0.0/16".parse().unwrap()],
            ..Settings::default()
        };
        settings.subscriptions.max = max;
        Places::new(&settings)
    }

    fn caller(ip: &str, subject: Option<&str>) -> Caller {
        let claims = subject.map(|subject| Value::from_iter([("sub", subject)]));
        Caller {
            ip: Some(ip.parse().unwrap()),
            claims: claims.unwrap_or_default(),
            ..Caller::default()
        }
    }

    /// Takes places until there are none, each on a connection of its own.
    fn fill(places: &Places, caller: &Caller) -> Vec<Place> {
        std::iter::from_fn(|| places.take(&here(1), caller)).collect()
    }

    #[test]
    fn places_are_counted_in_all_and_on_a_connection() {
        let (one, other) = (here(2), here(2));
        let (places, caller) = (places(3), Caller::default());
        let first = places.take(&one, &caller);
        let second = places.take(&one, &caller);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(&one, &caller).is_none(), "the connection is full");
        let third = places.take(&other, &caller);
        assert!(third.is_some());
        assert!(places.take(&other, &caller).is_none(), "the gateway is full");
        drop(first);
        assert!(places.take(&other, &caller).is_some());
        drop((second, third));
    }

    #[test]
    fn an_address_leaves_half_to_the_others_and_each_of_them_has_a_share() {
        let places = places(100);
        let greedy = fill(&places, &caller("192.0.2.1", None));
        assert_eq!(greedy.len(), 50);
        let next = fill(&places, &caller("192.0.2.2", None));
        assert_eq!(next.len(), 10);
        let network = fill(&places, &caller("2001:db8::1", None));
        assert_eq!(network.len(), 10);
        assert!(fill(&places, &caller("2001:db8::ffff:1", None)).is_empty(), "the same /64");
        assert_eq!(fill(&places, &caller("2001:db8:0:1::1", None)).len(), 10);
        drop(greedy);
        assert!(places.take(&here(1), &caller("192.0.2.1", None)).is_some());
        drop((next, network));
        let taken = places.0.taken();
        assert!(taken.in_all == 0 && taken.by_holder.is_empty(), "nothing is remembered");
    }

    #[test]
    fn a_token_has_a_share_over_all_addresses_and_an_address_over_all_tokens() {
        let places = places(100);
        let _half = fill(&places, &caller("192.0.2.1", None));
        let held: Vec<_> = (0..20)
            .filter_map(|n| places.take(&here(1), &caller(&format!("198.51.100.{n}"), Some("ann"))))
            .collect();
        assert_eq!(held.len(), 10, "one subject");
        let others: Vec<_> = (0..20)
            .filter_map(|n| places.take(&here(1), &caller("203.0.113.1", Some(&format!("u{n}")))))
            .collect();
        assert_eq!(others.len(), 10, "one address");
    }

    #[test]
    fn a_trusted_proxy_is_no_client() {
        let places = places(100);
        assert_eq!(fill(&places, &caller("10.9.0.1", None)).len(), 100);
    }
}
