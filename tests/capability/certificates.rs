//! Certificates of a running process: SIGHUP has them read at once.

use crate::support::PATIENCE;
use crate::support::process::Process;
use crate::support::tls::{self, Pair};
use std::time::{Duration, Instant};

const SDL: &str =
    "type Query { name: String @rest(source: \"s\", GET: \"/name\", select: \"$.name\") }";

const CONFIG: &str = "server: { access_log: false, tls: { cert: cert.pem, key: key.pem } }\n\
                      sources: { s: { rest: { url: http://127.0.0.1:1 } } }\n";

/// Waits until the process shows this certificate to who connects.
async fn until_shown(process: &Process, pair: &Pair) {
    let start = Instant::now();
    while tls::connect(&process.url, pair).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the certificate is not taken");
        tokio::task::yield_now().await;
    }
}

/// How often files are looked at without a signal.
const WITHOUT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn sighup_has_new_certificates_read_at_once() {
    let (folder, mut pair) = (tempfile::tempdir().unwrap(), tls::pair("127.0.0.1"));
    tls::write(folder.path(), &pair);
    let mut process = Process::serve(folder.path(), SDL, CONFIG, &[]);
    let mut open = tls::connect(&process.url, &pair).await.unwrap();
    tls::health(&mut open).await.unwrap();
    let start = Instant::now();
    for _ in 0..6 {
        let old = std::mem::replace(&mut pair, tls::pair("127.0.0.1"));
        tls::write(folder.path(), &pair);
        process.signal("-HUP");
        until_shown(&process, &pair).await;
        assert!(tls::connect(&process.url, &old).await.is_err(), "the old one is gone");
        tls::health(&mut open).await.expect("what was open stays so");
    }
    // Each change begins the time anew after which it would have been seen anyway.
    assert!(start.elapsed() < WITHOUT * 3, "six changes took {:?}", start.elapsed());
    // What cannot be used is not taken, and the process goes on.
    std::fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    process.signal("-HUP");
    for _ in 0..20 {
        tls::health(&mut tls::connect(&process.url, &pair).await.unwrap()).await.unwrap();
    }
    let next = tls::pair("127.0.0.1");
    tls::write(folder.path(), &next);
    process.signal("-HUP");
    until_shown(&process, &next).await;
    assert!(process.lives());
}
