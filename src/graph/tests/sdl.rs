//! Files found by pattern, and those that cannot be read.

use super::brief;
use crate::graph::Sdl;
use std::fs;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("more/deep")).unwrap();
    for name in ["b.graphql", "a.graphql", "notes.txt", "more/c.graphql", "more/deep/d.graphql"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

fn names(folder: &tempfile::TempDir, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let sdl = Sdl::read(folder.path(), &patterns, &[]);
    assert_eq!(brief(&sdl.problems), "");
    sdl.files.iter().map(|file| file.text.clone()).collect()
}

#[test]
fn patterns_find_files_in_order_each_once() {
    let folder = folder();
    assert_eq!(names(&folder, &["*.graphql"]), ["a.graphql", "b.graphql"]);
    assert_eq!(
        names(&folder, &["b.graphql", "?.graphql", "*.graphql"]),
        ["a.graphql", "b.graphql"]
    );
    assert_eq!(
        names(&folder, &["**/*.graphql"]),
        ["a.graphql", "b.graphql", "more/c.graphql", "more/deep/d.graphql"]
    );
}

#[test]
fn brackets_in_the_folders_own_name_are_no_pattern() {
    let folder = tempfile::Builder::new().prefix("a[b]").tempdir().unwrap();
    fs::write(folder.path().join("x.graphql"), "x").unwrap();
    assert_eq!(names(&folder, &["*.graphql"]), ["x"]);
}

#[test]
fn what_cannot_be_read_is_told_all_at_once() {
    let folder = folder();
    fs::write(folder.path().join("bad.graphql"), b"type \xff").unwrap();
    let patterns = ["*.gql", "[", "bad.graphql"].map(str::to_owned);
    let problems = Sdl::read(folder.path(), &patterns, &[]).problems;
    let said = brief(&problems).replace(&folder.path().display().to_string(), "FOLDER");
    let expected = "schema-file at `nowhere`: no file in `FOLDER` matches `*.gql`
schema-file at `nowhere`: `[` is not a valid file pattern: invalid range pattern
schema-file at ``: `FOLDER/bad.graphql` is not valid UTF-8 at byte 5";
    assert_eq!(said, expected);
    assert_eq!(Sdl::read(folder.path(), &[], &[]).problems[0].code, "schema-file");
}
