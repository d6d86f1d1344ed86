//! The gateway as a contestant: the release binary, once with identical calls shared and once without.

use anyhow::{Context, Result};
use portcullis_benches::process::{Server, free_address};
use std::path::{Path, PathBuf};

/// The repository, which this package is a folder of.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Two gateways with this configuration; `env` names the upstreams.
pub async fn both(binary: &Path, config: &str, env: &[(String, String)]) -> Result<[Server; 2]> {
    let alone = one("Portcullis", binary, config, env, "false").await?;
    let shared = one("Portcullis, identical calls shared", binary, config, env, "true").await?;
    Ok([alone, shared])
}

/// The gateways of two builds with this configuration, identical calls not shared.
pub async fn pair(
    old: &Path,
    new: &Path,
    config: &str,
    env: &[(String, String)],
) -> Result<[Server; 2]> {
    let old = one("old", old, config, env, "false").await?;
    let new = one("new", new, config, env, "false").await?;
    Ok([old, new])
}

async fn one(
    name: &str,
    binary: &Path,
    config: &str,
    env: &[(String, String)],
    reuse: &str,
) -> Result<Server> {
    let address = free_address()?;
    let config = repository().join(config);
    let args = ["serve", "--config", config.to_str().context("a path in UTF-8")?];
    let mut env = env.to_vec();
    env.push(("LISTEN".into(), address.to_string()));
    env.push(("REUSE".into(), reuse.into()));
    Server::at(name, address, binary, &args, &env).await
}
