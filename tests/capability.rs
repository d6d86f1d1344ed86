//! What the storefront must be able to do, call by call.

mod buckets;
mod cache;
mod certificates;
mod dashboard;
mod drills;
mod identity;
mod mutations;
mod persisted;
mod proxied;
mod rate_limits;
mod secrets;
mod secure_redis;
mod shared;
#[cfg(unix)]
mod sockets;
mod subscriptions;
