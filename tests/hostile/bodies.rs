//! Bodies that grow when they are unpacked, against the built binary.

use crate::support::client::Http;
use crate::support::process::Process;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use std::io::Write as _;

/// A megabyte that would be a gigabyte, from sixteen clients at once.
#[tokio::test]
async fn bombs_are_given_up_with_little_memory() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 1 << 20]).expect("memory");
    let member = encoder.finish().expect("memory");
    let bomb = bytes::Bytes::from(member.repeat((1 << 20) / member.len()));
    assert!(bomb.len() <= 1 << 20 && (1 << 20) / member.len() > 900);
    let mut process = Process::start(&["demo", "--port", "0"]);
    let http = Http::new();
    let before = process.memory();
    let headers = [("content-encoding", "gzip")];
    let answers = (0..16).map(|_| http.post(&process.url, &headers, bomb.clone()));
    for answer in join_all(answers).await {
        assert_eq!(answer.status, 413, "{}", answer.text());
    }
    let grown = process.memory().saturating_sub(before) >> 20;
    assert!(grown < 96, "{grown} MB more after sixteen bombs");
    assert!(process.lives());
}
