//! The first graph: the storefront's services, and the gateway over them.

use super::atlas::{CALM, CALM_SERVER};
use crate::support::process::Process;
use portcullis::demo::{self, Service, Storefront};
use std::path::Path;
use tempfile::TempDir;

pub struct Shop {
    pub gateway: Process,
    /// The services' addresses, by environment variable.
    pub variables: Vec<(&'static str, String)>,
    _storefront: Storefront,
    _folder: TempDir,
}

impl Shop {
    /// `config` is added to the gateway's configuration.
    pub async fn start(config: &str) -> Self {
        let storefront = demo::start(demo::Settings::default()).await.expect("free ports");
        let variables = Service::ALL.map(|service| {
            let name = service.variable();
            (name, storefront.variable(name).expect("every service has an address"))
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        for file in
            std::fs::read_dir(schema).expect("a folder").map(|file| file.expect("a file").path())
        {
            if file
                .extension()
                .is_some_and(|extension| extension == "graphql" || extension == "proto")
            {
                let name = file.file_name().expect("a name");
                std::fs::copy(&file, folder.path().join(name)).expect("a temporary file");
            }
        }
        let config = format!("{}{config}", calm(demo::CONFIG));
        let given = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let gateway = Process::configured(folder.path(), &config, &given);
        let variables = variables.to_vec();
        Self { gateway, variables, _storefront: storefront, _folder: folder }
    }
}

/// The same, and nothing is ever too slow.
fn calm(config: &str) -> String {
    let lines = config.lines().map(|line| match line.strip_suffix(" }") {
        Some(source) if line.contains("url:") => format!("{source}, {CALM} }}\n"),
        _ if line == "server:" => format!("{line}\n  {}\n", CALM_SERVER.replace(", ", "\n  ")),
        _ => format!("{line}\n"),
    });
    lines.collect()
}
