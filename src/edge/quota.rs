//! Fair share of a pool: limits one client, so that no client takes all of it.
//!
//! While at most half of a pool is taken, every client may take more, so the rule costs a single client nothing. Past
//! that, a client that holds its share may not take more. It keeps what it already holds.

use std::net::{IpAddr, Ipv6Addr};

/// Minimum share, so that small pools serve a single client as well.
const LEAST: usize = 4;

#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    pool: usize,
    share: usize,
}

impl Quota {
    /// Creates a quota. `share` is in thousandths of the pool.
    pub(super) fn new(pool: usize, share: u16) -> Self {
        let share = pool / 1000 * usize::from(share) + pool % 1000 * usize::from(share) / 1000;
        Self { pool, share: share.max(LEAST) }
    }

    /// Returns `true` if a client may take one more. Including that one, `taken` of the pool are taken, and the client
    /// holds `held` of them.
    pub(super) fn allows(self, taken: usize, held: usize) -> bool {
        taken <= self.pool / 2 || held <= self.share
    }
}

/// Returns the address that counts as one client. For IPv6 that is the /64, because a client usually owns all of it.
pub(super) fn client(address: IpAddr) -> IpAddr {
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

    #[test]
    fn a_share_counts_past_half_of_the_pool() {
        let quota = Quota::new(100, 100);
        assert!(quota.allows(50, 50), "half of it is anybody's");
        assert!(!quota.allows(51, 51) && !quota.allows(51, 11));
        assert!(quota.allows(51, 10) && quota.allows(100, 10));
    }

    #[test]
    fn a_small_pool_serves_a_single_client() {
        let quota = Quota::new(4, 100);
        assert!((1..=4).all(|held| quota.allows(held, held)));
        assert!(!Quota::new(12, 100).allows(7, 5));
    }

    #[test]
    fn the_whole_is_no_limit_and_large_pools_do_not_overflow() {
        let quota = Quota::new(1_000, 1_000);
        assert!(quota.allows(1_000, 1_000));
        assert!(!Quota::new(usize::MAX, 100).allows(usize::MAX, usize::MAX / 9));
        assert!(Quota::new(usize::MAX, 1_000).allows(usize::MAX, usize::MAX / 1_000));
    }
}
