//! What the programs of this package share: how a server announces itself, how load is made, how a process is measured.

pub mod exchange;
pub mod load;
pub mod process;
pub mod serve;

pub use anyhow::Result;

/// The query of the first measurement: one upstream call, one field of each of 100 rows.
pub const TITLES: &str = "{posts{title}}";
/// The query of the second measurement: 100 rows joined with their 10 users, two upstream calls at best.
pub const AUTHORS: &str = "{posts{id userId title user{id name email}}}";

/// The address of the REST upstream, without a final slash: from `UPSTREAM_URL`.
#[must_use]
pub fn upstream_url() -> String {
    std::env::var("UPSTREAM_URL").unwrap_or_else(|_| "http://127.0.0.1:3000".into())
}
