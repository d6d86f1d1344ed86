//! Data that the services share: users and prices.
//!
//! A real orders service would call others, or get events. Here the services share this state, so that an order for a
//! user or a product created a moment ago is accepted, and its buyer is notified.

use super::post::Post;
use super::seed::{self, PRODUCTS, USERS};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

pub(super) struct Town {
    users: AtomicU32,
    /// Cents, for product 1, 2, 3 …
    prices: RwLock<Vec<i64>>,
    pub post: Arc<Post>,
}

impl Town {
    pub(super) fn new() -> Self {
        let prices = (1..=PRODUCTS).map(seed::seeded_price).collect();
        Self { users: AtomicU32::new(USERS), prices: RwLock::new(prices), post: Post::new() }
    }

    pub(super) fn has_user(&self, id: u32) -> bool {
        (1..=self.users.load(Relaxed)).contains(&id)
    }

    pub(super) fn user_created(&self, id: u32) {
        self.users.fetch_max(id, Relaxed);
    }

    /// Returns the price in cents; `None` if there is no such product.
    pub(super) fn price(&self, number: u32) -> Option<i64> {
        let prices = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        prices.get((number as usize).checked_sub(1)?).copied()
    }

    pub(super) fn product_created(&self, cents: i64) {
        self.prices.write().unwrap_or_else(PoisonError::into_inner).push(cents);
    }
}
