//! The published protocols, with npm's own client and with raw frames as the peer: `tests/node/sockets/protocol.mjs`.

use super::serve;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::interval;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_of_the_published_protocol_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/sockets");
    let packages = folder.join("node_modules/graphql-ws");
    assert!(packages.exists(), "run `npm ci --prefix tests/node/sockets`");
    let top = "limits: { body: 64KiB }\nsubscriptions: { init_timeout: 8s, max_per_connection: 3 }";
    let (feed, gateway) = serve("", top).await;
    let url = gateway.url.clone();
    let peer = tokio::task::spawn_blocking(move || {
        Command::new("node").arg(folder.join("protocol.mjs")).arg(url).output()
    });
    let mut ticks = interval(Duration::from_millis(20));
    let talk = async {
        loop {
            ticks.tick().await;
            feed.say("tick", 1);
        }
    };
    let output = tokio::select! {
        never = talk => never,
        output = peer => output.expect("no panic").expect("node is installed"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{failed}");
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed >= 125, "only {passed} statements were tried:\n{said}");
}
