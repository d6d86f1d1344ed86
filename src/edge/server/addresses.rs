//! Connection limits by client address: no address takes all connections, and silent ones make room.
//!
//! Three rules. An address has at most `per_address` connections. Once more than half of all are taken, it has at most
//! its share (see [`Quota`]). One more then replaces its own longest silent connection, if it has one. When all are
//! taken, room is made for the next one. First the longest silent connection is closed, of the address with the most
//! silent ones. Then an idle one is closed, of the address with the most connections, if that has more than the
//! newcomer's, or if the newcomer's has no other. A connection is silent until its first request's head has arrived,
//! and idle between two requests.
//!
//! Connections of trusted proxies belong to many clients. They count in the total only, and are never closed for
//! another one. The map never has more entries than there are open connections.

use crate::edge::connection::Activity;
use crate::edge::quota::{Quota, client};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

pub(super) struct Addresses {
    per_address: usize,
    quota: Quota,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    taken: usize,
    /// The number of the next connection.
    next: u64,
    clients: HashMap<IpAddr, Client>,
    /// Addresses with silent connections, ordered by the number of these.
    silent: BTreeSet<(usize, IpAddr)>,
}

/// The connections of one address, oldest first.
#[derive(Default)]
struct Client {
    connections: BTreeMap<u64, Arc<Link>>,
    silent: BTreeSet<u64>,
}

/// Access to a connection from outside of it.
struct Link {
    cut: Notify,
    activity: Arc<Activity>,
}

/// Counts a connection until it is dropped.
pub(super) struct Counted {
    addresses: Arc<Addresses>,
    link: Arc<Link>,
    /// Its address and its number; `None` for a trusted proxy.
    place: Option<(IpAddr, u64)>,
}

impl Addresses {
    pub(super) fn new(per_address: usize, quota: Quota) -> Arc<Self> {
        Arc::new(Self { per_address, quota, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection of a trusted proxy.
    pub(super) fn admit_proxy(self: &Arc<Self>, activity: Arc<Activity>) -> Counted {
        self.open().taken += 1;
        let link = Arc::new(Link { cut: Notify::new(), activity });
        Counted { addresses: Arc::clone(self), link, place: None }
    }

    /// Counts a connection. Returns `None` if the address has the maximum number of connections.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        activity: Arc<Activity>,
    ) -> Option<Counted> {
        let client = client(address);
        let link = Arc::new(Link { cut: Notify::new(), activity });
        let mut open = self.open();
        let held = open.held(client);
        if held >= self.per_address {
            return None;
        }
        if !self.quota.allows(open.taken + 1, held + 1) && !open.cut_silent(client) {
            return None;
        }
        let number = open.next;
        open.next += 1;
        open.taken += 1;
        let connections = &mut open.clients.entry(client).or_default().connections;
        connections.insert(number, Arc::clone(&link));
        drop(open);
        Some(Counted { addresses: Arc::clone(self), link, place: Some((client, number)) })
    }
}

impl Open {
    fn held(&self, client: IpAddr) -> usize {
        self.clients.get(&client).map_or(0, |client| client.connections.len())
    }

    /// Changes the set of silent connections of an address.
    fn silent(&mut self, address: IpAddr, change: impl FnOnce(&mut BTreeSet<u64>)) {
        let Some(client) = self.clients.get_mut(&address) else { return };
        let before = client.silent.len();
        change(&mut client.silent);
        let after = client.silent.len();
        if before != after {
            self.silent.remove(&(before, address));
            if after > 0 {
                self.silent.insert((after, address));
            }
        }
    }

    /// Removes a connection from the count, and returns its link.
    fn remove(&mut self, address: IpAddr, number: u64) -> Option<Arc<Link>> {
        self.silent(address, |silent| {
            silent.remove(&number);
        });
        let client = self.clients.get_mut(&address)?;
        let link = client.connections.remove(&number)?;
        if client.connections.is_empty() {
            self.clients.remove(&address);
        }
        self.taken -= 1;
        Some(link)
    }

    /// Closes a connection, unless a request has just begun on it. Returns `false` in that case.
    fn cut(&mut self, address: IpAddr, number: u64) -> bool {
        let client = self.clients.get(&address);
        let link = client.and_then(|client| client.connections.get(&number));
        if !link.is_some_and(|link| link.activity.retire()) {
            return false;
        }
        if let Some(link) = self.remove(address, number) {
            link.cut.notify_one();
        }
        true
    }

    /// Closes the longest silent connection of an address.
    fn cut_silent(&mut self, address: IpAddr) -> bool {
        let client = self.clients.get(&address);
        let oldest = client.and_then(|client| client.silent.first().copied());
        oldest.is_some_and(|number| self.cut(address, number))
    }

    /// Closes an idle connection in favour of an address that holds `held`. It belongs to the address with the most
    /// connections among those that have more. For the first connection of an address, any address qualifies.
    fn cut_idle(&mut self, held: usize) -> bool {
        let idle = self.clients.iter().filter_map(|(address, client)| {
            let has = client.connections.len();
            let mut connections = client.connections.iter().filter(|_| has > held || held <= 1);
            let (number, _) = connections.find(|(_, link)| link.activity.is_idle())?;
            Some((has, *address, *number))
        });
        idle.max().is_some_and(|(_, address, number)| self.cut(address, number))
    }
}

impl Counted {
    /// Marks the connection as silent: it has a slot, and no request has arrived yet.
    pub(super) fn begin(&self) {
        if let Some((client, number)) = self.place {
            self.addresses.open().silent(client, |silent| {
                silent.insert(number);
            });
        }
    }

    /// Marks the connection as no longer silent: its first request has arrived.
    pub(super) fn heard(&self) {
        if let Some((client, number)) = self.place {
            self.addresses.open().silent(client, |silent| {
                silent.remove(&number);
            });
        }
    }

    /// Closes another connection in favour of this one. Returns `false` if none may be closed.
    pub(super) fn make_room(&self) -> bool {
        let mut open = self.addresses.open();
        let greediest = open.silent.last().map(|(_, address)| *address);
        if greediest.is_some_and(|address| open.cut_silent(address)) {
            return true;
        }
        let held = self.place.map_or(0, |(client, _)| open.held(client));
        open.cut_idle(held)
    }

    /// Returns `true` if its address has other connections, and other addresses have some, too.
    pub(super) fn is_one_of_many(&self) -> bool {
        let open = self.addresses.open();
        self.place.is_some_and(|(client, _)| open.held(client) > 1) && open.clients.len() > 1
    }

    /// Returns when the connection has to be closed for another one.
    pub(super) async fn cut(&self) {
        self.link.cut.notified().await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.addresses.open();
        match self.place {
            None => open.taken -= 1,
            // A connection that was closed for another is no longer counted.
            Some((client, number)) => drop(open.remove(client, number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::time::Duration;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn activity() -> Arc<Activity> {
        Activity::new(Duration::from_secs(1), Duration::from_secs(1))
    }

    fn all(per_address: usize) -> Arc<Addresses> {
        Addresses::new(per_address, Quota::new(1_000, 1_000))
    }

    /// Opens a connection that has begun.
    fn open(addresses: &Arc<Addresses>, address: &str) -> Option<Counted> {
        let counted = addresses.admit(ip(address), activity());
        counted.iter().for_each(Counted::begin);
        counted
    }

    fn is_cut(counted: &Counted) -> bool {
        counted.cut().now_or_never().is_some()
    }

    #[test]
    fn each_address_has_its_own_count() {
        let addresses = all(2);
        let first = open(&addresses, "10.0.0.1").unwrap();
        let second = open(&addresses, "::ffff:10.0.0.1").unwrap();
        assert!(open(&addresses, "10.0.0.1").is_none());
        let other = open(&addresses, "10.0.0.2");
        assert!(other.is_some());
        let proxy = addresses.admit_proxy(activity());
        assert_eq!(addresses.open().taken, 4);
        drop(first);
        let third = open(&addresses, "10.0.0.1").unwrap();
        drop((second, third, other, proxy));
        let open = addresses.open();
        assert!(open.clients.is_empty() && open.silent.is_empty() && open.taken == 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let addresses = all(1);
        let _one = open(&addresses, "2001:db8:1:2::1").unwrap();
        assert!(open(&addresses, "2001:db8:1:2:ffff::9").is_none());
        assert!(open(&addresses, "2001:db8:1:3::1").is_some());
    }

    #[test]
    fn past_half_an_address_has_its_share_and_its_silent_ones_make_room_for_its_own() {
        let addresses = Addresses::new(1_000, Quota::new(100, 100));
        let silent: Vec<_> = (0..50).map(|_| open(&addresses, "10.0.0.1").unwrap()).collect();
        let next = open(&addresses, "10.0.0.1").expect("in place of a silent one");
        assert!(is_cut(&silent[0]) && !is_cut(&silent[1]) && !is_cut(&next));
        silent.iter().for_each(Counted::heard);
        next.heard();
        assert!(open(&addresses, "10.0.0.1").is_none(), "none of them is silent");
        let others: Vec<_> = (0..10).filter_map(|_| open(&addresses, "10.0.0.2")).collect();
        assert_eq!(others.len(), 10);
        others.iter().for_each(Counted::heard);
        assert!(open(&addresses, "10.0.0.2").is_none(), "a tenth is its share");
    }

    #[test]
    fn room_is_made_by_the_longest_silent_one_of_the_greediest() {
        let addresses = all(1_000);
        let few: Vec<_> = (0..2).map(|_| open(&addresses, "10.0.0.1").unwrap()).collect();
        let many: Vec<_> = (0..3).map(|_| open(&addresses, "10.0.0.2").unwrap()).collect();
        many[0].heard();
        let newcomer = addresses.admit(ip("10.0.0.3"), activity()).unwrap();
        many[1].heard();
        assert!(newcomer.make_room());
        assert!(is_cut(&few[0]) && !is_cut(&few[1]), "two are silent there, and one here");
        assert!(newcomer.make_room() && newcomer.make_room());
        assert!(is_cut(&few[1]) && is_cut(&many[2]));
    }

    #[test]
    fn without_silent_ones_room_is_made_by_idle_ones_of_whoever_has_more() {
        let addresses = all(1_000);
        let held: Vec<_> = (0..3).map(|_| open(&addresses, "10.0.0.2").unwrap()).collect();
        held.iter().for_each(Counted::heard);
        let busy = held[0].link.activity.begin().unwrap();
        for counted in &held[1..] {
            drop(counted.link.activity.begin());
        }
        let newcomer = addresses.admit(ip("10.0.0.3"), activity()).unwrap();
        assert!(newcomer.make_room());
        assert!(is_cut(&held[1]) && !is_cut(&held[0]));
        assert!(!newcomer.is_one_of_many() && held[0].is_one_of_many());
        let second = addresses.admit(ip("10.0.0.3"), activity()).unwrap();
        assert!(!second.make_room(), "both have two");
        drop(second);
        assert!(newcomer.make_room() && is_cut(&held[2]));
        assert!(!newcomer.make_room(), "one is busy");
        drop(busy);
    }

    #[test]
    fn a_connection_is_not_cut_while_its_first_request_begins() {
        let addresses = all(1_000);
        let silent = open(&addresses, "10.0.0.1").unwrap();
        let newcomer = addresses.admit(ip("10.0.0.3"), activity()).unwrap();
        let request = silent.link.activity.begin().unwrap();
        assert!(!newcomer.make_room() && !is_cut(&silent), "it is not counted as heard yet");
        drop(request);
        assert!(newcomer.make_room() && is_cut(&silent));
        assert!(silent.link.activity.begin().is_none(), "a request that arrives now is not run");
    }

    #[test]
    fn proxies_make_no_room() {
        let addresses = all(1_000);
        let proxy = addresses.admit_proxy(activity());
        proxy.begin();
        let newcomer = addresses.admit(ip("10.0.0.3"), activity()).unwrap();
        assert!(!newcomer.make_room() && !is_cut(&proxy));
    }
}
