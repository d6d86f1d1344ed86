//! `mistakes/*.md`: the output of `portcullis check` for whole folders with mistakes, case by case. `BLESS=1` writes the
//! current output into the files.
//!
//! A case has the files of its folder, each a block with the file's name after its language, and the expected text.
//! Without a `portcullis.yaml` it uses `CONFIG`.

use crate::config::Config;
use crate::gateway::assemble;
use crate::problem::render;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CONFIG: &str = "\
sources:
  users: { rest: { url: http://127.0.0.1:4101 } }
  orders: { rest: { url: http://127.0.0.1:4103 } }
";

struct Case {
    title: String,
    files: Vec<(String, String)>,
    /// Markdown between title and text.
    written: String,
    due: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway/tests/mistakes")
}

fn documents() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn cases(text: &str) -> (String, Vec<Case>) {
    let mut parts = text.split("\n## ");
    let head = parts.next().unwrap_or_default().to_owned();
    (head, parts.map(case).collect())
}

fn case(text: &str) -> Case {
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (written, due) = rest.split_once("```text\n").unwrap_or((rest, "```"));
    let due = due.split_once("```").map_or(due, |(due, _)| due);
    let mut files = Vec::new();
    for block in written.split("```").skip(1).step_by(2) {
        let (name, text) = block.split_once('\n').unwrap();
        let name = name.split_once(' ').map_or("schema.graphql", |(_, name)| name);
        files.push((name.to_owned(), text.to_owned()));
    }
    let written = written.trim_end().to_owned();
    Case { title: title.to_owned(), files, written, due: due.to_owned() }
}

/// Returns the output of `portcullis check`, with paths relative to the folder.
async fn said(case: &Case) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), CONFIG).unwrap();
    for (name, text) in &case.files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let config = Config::read(&folder.path().join("portcullis.yaml"));
    let assembled = match config {
        Ok(config) => assemble(&config).await,
        Err(problems) => Err(problems),
    };
    let problems = match assembled {
        Ok((_, problems)) | Err(problems) => problems,
    };
    let folder = format!("{}", folder.path().display());
    render(&problems, false).replace(&format!("{folder}/"), "").replace(&folder, "FOLDER")
}

async fn reported_as_written(name: &str) {
    let path = folder().join(name.replace('_', "-")).with_extension("md");
    let (head, cases) = cases(&std::fs::read_to_string(&path).unwrap());
    assert!(!cases.is_empty(), "no cases");
    let (mut wrong, mut blessed) = (String::new(), head);
    for case in cases {
        let said = said(&case).await;
        let Case { title, written, due, .. } = &case;
        if said != *due {
            let _ = writeln!(wrong, "## {title}\ndue:\n{due}\nsaid:\n{said}");
        }
        let _ = write!(blessed, "\n## {title}\n{written}\n```text\n{said}```\n");
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, blessed).unwrap();
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
}

/// Each document is a test of its own, named after the file.
macro_rules! documents {
    ($($name:ident)*) => {
        const LISTED: &[&str] = &[$(stringify!($name)),*];
        $(#[tokio::test] async fn $name() { reported_as_written(stringify!($name)).await; })*
    };
}

documents! { computed configuration directives global_ids grpc joins syntax texts }

#[test]
fn every_document_is_listed() {
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().replace('-', "_");
    let names: Vec<String> = documents().iter().map(name).collect();
    assert_eq!(names, LISTED, "`documents!` lists the files of the folder `mistakes`");
}

/// A mistake has one problem, unless its title says "and".
#[tokio::test]
async fn one_mistake_is_one_problem() {
    for path in documents() {
        for case in cases(&std::fs::read_to_string(&path).unwrap()).1 {
            if case.title.contains(" and ") {
                continue;
            }
            let due = case.due.lines().last().unwrap_or_default();
            let counts = ["1 error, 0 warnings", "0 errors, 1 warning"];
            assert!(counts.contains(&due), "{}: {due}", case.title);
        }
    }
}
