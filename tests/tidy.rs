//! The house rules, read off the tree. Each rule is a function from text to complaints, tried on small texts that break
//! it; the last tests run all of them over the repository.

mod links;
mod names;
mod programs;
mod prose;
mod text;
mod walls;

use std::path::{Path, PathBuf};

/// The repository's files that git knows or would add, by path from its root.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            // `.git` is a file where the tree is one of several of a repository.
            if ["target", "node_modules", "dist", ".git", ".venv", "__pycache__"].contains(&&*name)
            {
                continue;
            }
            if path.is_dir() {
                if !path.is_symlink() {
                    folders.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((relative(root, &path), text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 40, "the tree was not found");
    files
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/")
}

/// Runs a rule over the files whose path it accepts.
fn hold(accepts: impl Fn(&str) -> bool, rule: impl Fn(&str, &str) -> Vec<String>) {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (path, text) in files() {
        if accepts(&path) {
            seen += 1;
            complaints.extend(rule(&path, &text));
        }
    }
    assert!(seen > 0, "the rule applies to no file");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn extension(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}

fn ours(path: &str) -> bool {
    extension(path, "rs")
        && ["src/", "tests/", "benches/"].iter().any(|folder| path.starts_with(folder))
}

#[test]
fn rooms_import_only_rooms_below_them() {
    hold(|path| path.starts_with("src/") && extension(path, "rs"), walls::complaints);
}

#[test]
fn files_are_short() {
    hold(ours, text::too_long);
}

#[test]
fn modules_begin_with_what_they_are_for() {
    // A file of tests is for the module it stands beside.
    let tests = |path: &str| {
        path.starts_with("src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
    };
    hold(|path| ours(path) && !tests(path), text::headless);
}

#[test]
fn names_say_something() {
    hold(ours, names::complaints);
}

/// At most two idioms in 10,000 words, and relative clauses at the head of one item doc in a hundred.
#[test]
fn prose_is_plain() {
    let (mut pages, mut comments) = (prose::Prose::default(), prose::Prose::default());
    // These rooms are to be redesigned.
    let later = ["src/engine/plan/", "src/engine/execute/loader", "src/graph/check/"];
    for (path, text) in files() {
        let is_page = ["docs/", "examples/"].iter().any(|folder| path.starts_with(folder))
            || !path.contains('/');
        if extension(&path, "md") && is_page {
            pages.add(prose::of_page(&text));
        } else if path.starts_with("src/")
            && extension(&path, "rs")
            && !later.iter().any(|room| path.starts_with(room))
        {
            comments.add(prose::of_comments(&text));
        }
    }
    assert!(pages.words > 20_000 && comments.items > 2_000, "{pages:?} {comments:?}");
    for prose in [pages, comments] {
        assert!(prose.idioms * 10_000 <= prose.words * 2, "{prose:?}");
        assert!(prose.relative * 100 <= prose.items, "{prose:?}");
    }
}

#[test]
fn no_test_is_left_out() {
    hold(ours, text::left_out);
}

#[test]
fn tests_wait_for_events() {
    let tests =
        |path: &str| ours(path) && (path.starts_with("tests/") || path.ends_with("tests.rs"));
    hold(tests, text::sleeps);
}

#[test]
fn no_path_of_somebodys_machine() {
    hold(|path| !path.ends_with("package-lock.json"), text::machine_paths);
}

#[test]
fn links_lead_somewhere() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    hold(
        |path| extension(path, "md") && !path.starts_with("tests/specs/"),
        |path, text| {
            let folder = root.join(path).parent().expect("below the root").to_path_buf();
            links::complaints(path, text, |target| {
                let target = folder.join(target);
                target.exists().then(|| std::fs::read_to_string(target).unwrap_or_default())
            })
        },
    );
}

#[test]
fn every_spec_is_named_after_what_it_shows() {
    hold(
        |path| path.starts_with("tests/specs/") && extension(path, "md"),
        |path, _| {
            let stem = Path::new(path).file_stem().expect("a file").to_string_lossy();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if stem == "README" || stem.chars().all(plain) {
                Vec::new()
            } else {
                vec![format!("{path}: a spec's name is lowercase words with hyphens")]
            }
        },
    );
}
