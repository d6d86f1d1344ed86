//! What bad input gets: a clear error, nothing lost, and a process that goes on.

mod bodies;
mod cop;
mod corpus;
mod descriptors;
mod flood;
mod requests;
mod services;
mod sockets;
mod startup;
mod tokens;
mod upstreams;
