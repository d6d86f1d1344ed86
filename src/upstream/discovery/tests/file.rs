//! A file of instances: its forms, its errors, and how it is followed.

use super::*;
use std::path::Path;

fn discovery(path: &Path) -> Discovery {
    Discovery::new(Settings::File { path: path.to_owned() }).unwrap()
}

#[tokio::test]
async fn texts_and_objects_name_instances() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instances.json");
    let text = r#"[
        "users-2.internal:80",
        { "address": "10.0.0.1:8080", "weight": 3, "zone": "a" },
        { "zone": null, "address": "[::1]:80" },
        "users-2.internal:80"
    ]"#;
    std::fs::write(&path, text).unwrap();
    let found = within(discovery(&path).next()).await;
    expect(&found, &["10.0.0.1:8080 weight 3 zone a", "[::1]:80", "users-2.internal:80"]);
}

#[tokio::test]
async fn a_change_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instances.json");
    std::fs::write(&path, r#"["a:1"]"#).unwrap();
    let mut discovery = discovery(&path);
    let start = Instant::now();
    expect(&within(discovery.next()).await, &["a:1"]);
    // Of the same length, and perhaps within one tick of the clock.
    std::fs::write(&path, r#"["b:1"]"#).unwrap();
    expect(&within(discovery.next()).await, &["b:1"]);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    // An empty list.
    std::fs::write(&path, "[]").unwrap();
    expect(&round(&mut discovery).await, &[]);
    assert!(due(&discovery) <= Duration::from_secs(1));
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_swapped_behind_a_link_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("1"), r#"["a:1"]"#).unwrap();
    std::fs::write(at("2"), r#"["b:1"]"#).unwrap();
    std::os::unix::fs::symlink(at("1"), at("instances.json")).unwrap();
    let mut discovery = discovery(&at("instances.json"));
    expect(&round(&mut discovery).await, &["a:1"]);
    std::os::unix::fs::symlink(at("2"), at("new")).unwrap();
    std::fs::rename(at("new"), at("instances.json")).unwrap();
    expect(&round(&mut discovery).await, &["b:1"]);
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_where_it_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instances.json");
    let mut discovery = discovery(&path);
    expect_error(&round(&mut discovery).await, &[], "instances.json` cannot be read");
    std::fs::write(&path, r#"["a:1"]"#).unwrap();
    expect(&round(&mut discovery).await, &["a:1"]);
    let huge = format!("[{}]", " ".repeat(1 << 20));
    for (text, part) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[\"a:1\",\n", "EOF while parsing a value at line 2 column 0"),
        ("[\n  \"a:1\"\n  \"b:1\"]", "expected `,` or `]` at line 3 column 3"),
        ("{}", "expected a sequence at line 1 column 0"),
        ("[\n  \"a:1\",\n  \"b\"]", "`b` is not `host:port` at line 3 column 5"),
        ("[7]", r#"invalid type: integer `7`, expected "host:port" or {"address": "host:port"}"#),
        ("[\n{\"address\": \"b\"}]", "`b` is not `host:port` at line 2 column 15"),
        ("[{\"weight\": 1}]", "missing field `address` at line 1 column 14"),
        ("[{\"address\": \"b:1\", \"wieght\": 1}]", "unknown field `wieght`"),
        ("[{\"address\": \"b:1\", \"weight\": 0}]", "a nonzero u32 at line 1 column 31"),
        ("[{\"address\": \"b:1\", \"weight\": -1}]", "a nonzero u32 at line 1 column 32"),
        ("[] []", "trailing characters at line 1 column 4"),
        (&huge, "is larger than 1 MiB"),
    ] {
        std::fs::write(&path, text).unwrap();
        expect_error(&round(&mut discovery).await, &["a:1"], part);
        assert!(due(&discovery) <= Duration::from_secs(1), "looked at as often as before");
    }
    std::fs::remove_file(&path).unwrap();
    expect_error(&round(&mut discovery).await, &["a:1"], "cannot be read");
    std::fs::create_dir(&path).unwrap();
    expect_error(&round(&mut discovery).await, &["a:1"], "is not a file");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, r#"["a:1"]"#).unwrap();
    expect(&round(&mut discovery).await, &["a:1"]);
}
