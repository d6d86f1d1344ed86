//! What the storefront must be able to do, call by call.

mod cache;
mod dashboard;
mod identity;
mod mutations;
mod persisted;
mod rate_limits;
mod shared;
mod subscriptions;
