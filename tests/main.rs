//! The one binary of integration tests: it links once, and every test in it sees the product from outside.
//!
//! - `tidy`: the house rules, read off the tree.
//! - `specs`: one markdown file per behaviour, under `tests/specs/`.
//! - `differential`: random operations against graphql-js over the same services.
//! - `examples`: one folder per feature, under `examples/`.
//! - `grpcio`: against a service in Python.
//! - `hostile`: what bad input gets.
//! - `audit`: the published audit of GraphQL over HTTP, against the built binary.
//! - `schemas`: graphql-js reads what `portcullis schema` prints.
//! - `capability`: what the storefront must be able to do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test stops at the first thing that is not as it says"
)]

mod audit;
mod capability;
mod differential;
mod examples;
mod grpcio;
mod hostile;
mod schemas;
mod specs;
mod support;
mod tidy;
