//! What the storefront must be able to do, call by call.

mod dashboard;
mod mutations;
mod shared;
