//! Certificates of a running process: SIGHUP reloads them at once.

use crate::support::PATIENCE;
use crate::support::process::Process;
use crate::support::tls::{self, Pair};
use std::time::{Duration, Instant};

const SDL: &str =
    "type Query { name: String @rest(source: \"s\", GET: \"/name\", select: \"$.name\") }";

const CONFIG: &str = "server: { access_log: false, tls: { cert: cert.pem, key: key.pem } }\n\
                      sources: { s: { rest: { url: http://127.0.0.1:1 } } }\n";

/// Waits until the process presents this certificate to clients.
async fn until_shown(process: &Process, pair: &Pair) {
    let start = Instant::now();
    while tls::connect(&process.url, pair).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the certificate is not taken");
        tokio::task::yield_now().await;
    }
}

/// Interval at which files are checked without a signal.
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
    // Each change restarts the interval after which it would have been found anyway.
    assert!(start.elapsed() < WITHOUT * 3, "six changes took {:?}", start.elapsed());
    // Invalid files are ignored, and the process continues.
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

#[tokio::test]
async fn sighup_ends_no_process_without_certificates_and_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let config = "server: { access_log: false, admin: { enabled: false } }\n\
                  sources: { s: { rest: { url: http://127.0.0.1:1 } } }\n";
    let log = [("PORTCULLIS_LOG", "info")];
    let mut serve = Process::serve_logging(folder.path(), SDL, config, &log);
    let mut demo = Process::start_logging(&["demo", "--port", "0"], &log);
    for process in [&mut serve, &mut demo] {
        for _ in 0..3 {
            process.signal("-HUP");
            process.until_logged("SIGHUP: nothing is read again");
        }
        assert!(process.lives());
        let health = process.url.replace("/graphql", "/health");
        assert_eq!(crate::support::client::Http::new().get(&health).await.status, 200);
    }
}

#[tokio::test]
async fn a_process_whose_log_nobody_reads_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = "server: { admin: { enabled: false } }\n\
                  sources: { s: { rest: { url: http://127.0.0.1:1 } } }\n";
    let log = [("PORTCULLIS_LOG", "trace")];
    let mut process = Process::serve_logging(folder.path(), SDL, config, &log);
    process.close_log();
    for _ in 0..20 {
        let body = serde_json::json!({ "query": "{ name }" }).to_string();
        let answer = crate::support::client::Http::new().post(&process.url, &[], body).await;
        assert_eq!(answer.status, 200);
    }
    process.signal("-HUP");
    let health = process.url.replace("/graphql", "/health");
    assert_eq!(crate::support::client::Http::new().get(&health).await.status, 200);
    assert!(process.lives());
}

#[tokio::test]
async fn top_shows_a_gateway_with_tls_whatever_its_admin_page_speaks() {
    for (setting, scheme) in [("", "http"), (", tls: true", "https")] {
        let (folder, pair) = (tempfile::tempdir().unwrap(), tls::pair("127.0.0.1"));
        tls::write(folder.path(), &pair);
        let config = format!(
            "server: {{ access_log: false, tls: {{ cert: cert.pem, key: key.pem }}, \
             admin: {{ listen: \"127.0.0.1:0\"{setting} }} }}\n\
             sources: {{ s: {{ rest: {{ url: http://127.0.0.1:1 }} }} }}\n"
        );
        let process = Process::serve(folder.path(), SDL, &config, &[]);
        let url = process.admin.as_deref().expect("it says where its admin page is");
        assert!(url.starts_with(&format!("{scheme}://")), "{url}");
        let ca = folder.path().join("cert.pem");
        let ca = ca.to_str().expect("a path");
        let top = |more: &[&str]| {
            let always = ["top", "--once", "--interval", "100ms", "--url", url];
            crate::support::process::run(&[&always[..], more].concat())
        };
        for more in [&["--ca", ca][..], &["--insecure"]] {
            let output = top(more);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("\ns "), "{output:?}");
        }
        assert_eq!(top(&[]).status.success(), scheme == "http", "an unknown root is not trusted");
    }
}
