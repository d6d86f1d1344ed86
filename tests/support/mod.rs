//! Shared by tests: scripted upstreams, gateways on free ports, and comparison of answers.

use std::time::Duration;

pub mod answer;
pub mod client;
pub mod exchange;
pub mod feed;
pub mod gateway;
pub mod grpc;
pub mod listener;
pub mod mock;
pub mod process;
pub mod random;
pub mod redis;
pub mod tls;
pub mod upstream;
pub mod websocket;

/// Maximum wait for an event before its test fails; longer than any timeout that a test sets.
pub const PATIENCE: Duration = Duration::from_secs(20);
