//! Portcullis: a GraphQL gateway over the services a company already has.
//!
//! The rooms in reading order. Each imports only rooms named below it here
//! (`tests/tidy.rs` keeps the walls; ARCHITECTURE.md has the reasons).
//!
//! 1. [`cli`], [`demo`], [`gateway`]: commands, the built-in storefront, and the one room that knows all others.
//! 2. [`config`]: the YAML file. [`edge`]: HTTP in and out.
//! 3. [`engine`]: one operation from start to finish, without a socket.
//! 4. [`connector`]: protocols. [`upstream`]: the instances behind a source. [`identity`]: who asks, out of a token.
//! 5. [`graph`]: SDL becomes a graph. [`source`]: the port between engine and connectors.
//! 6. [`mapping`]: the expression language. [`shared`]: what several gateways hold in common, in Redis.
//!    [`problem`], [`graphql`]: words all rooms share.

pub mod cli;
pub mod config;
pub mod connector;
pub mod demo;
pub mod edge;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod graph;
pub mod graphql;
pub mod identity;
pub mod mapping;
pub mod memory;
pub mod overhead;
pub mod problem;
pub mod shared;
pub mod source;
pub mod upstream;
