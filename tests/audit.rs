//! The published audit of GraphQL over HTTP (npm's `graphql-http`), against the built binary: every MUST, SHOULD and MAY.

use crate::support::process::Process;
use std::path::Path;
use std::process::Command;

/// The demo, because some audits ask for introspection, which only demos have on by default.
#[test]
fn every_audit_of_graphql_over_http_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    assert!(folder.join("node_modules/graphql-http").exists(), "run `npm ci --prefix tests/node`");
    let process = Process::start(&["demo", "--port", "0"]);
    let audit = Command::new("node").arg(folder.join("audit.mjs")).arg(&process.url).output();
    let audit = audit.expect("node is installed");
    let said = String::from_utf8_lossy(&audit.stdout);
    let failed = String::from_utf8_lossy(&audit.stderr);
    assert!(audit.status.success(), "{said}{failed}");
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed >= 60, "only {passed} audits ran:\n{said}");
}
