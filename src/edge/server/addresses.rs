//! Open connections of each client address, so that one client cannot take them all.
//!
//! An IPv6 client owns a whole /64, so that counts as one address. The map has no more entries than there are open
//! connections: the last connection of an address takes its entry away.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Addresses {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts for as long as this lives.
pub(super) struct Counted {
    addresses: Arc<Addresses>,
    client: IpAddr,
}

impl Addresses {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// `None` where the address has as many connections as it may.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Counted> {
        let client = client(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Counted { addresses: Arc::clone(self), client })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_count() {
        let addresses = Addresses::new(2);
        let first = addresses.admit(ip("10.0.0.1")).unwrap();
        let second = addresses.admit(ip("::ffff:10.0.0.1")).unwrap();
        assert!(addresses.admit(ip("10.0.0.1")).is_none());
        let other = addresses.admit(ip("10.0.0.2"));
        assert!(other.is_some());
        drop(first);
        let third = addresses.admit(ip("10.0.0.1")).unwrap();
        drop((second, third, other));
        assert!(addresses.open.lock().unwrap().is_empty(), "nothing is remembered of who is gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let addresses = Addresses::new(1);
        let _one = addresses.admit(ip("2001:db8:1:2::1")).unwrap();
        assert!(addresses.admit(ip("2001:db8:1:2:ffff::9")).is_none());
        assert!(addresses.admit(ip("2001:db8:1:3::1")).is_some());
    }
}
