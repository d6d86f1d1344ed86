//! The SDL files of a graph.

use crate::problem::{Place, Problem, SourceFile, read_files};
use std::path::Path;
use std::sync::Arc;

const CODE: &str = "schema-file";

/// The files of a graph, read.
#[derive(Debug, Clone, Default)]
pub struct Sdl {
    pub files: Vec<Arc<SourceFile>>,
    /// Files that cannot be read, and patterns that name none: what the others lack may stand there.
    pub problems: Vec<Problem>,
}

impl Sdl {
    /// Reads every file that one of `patterns` names, relative to `base`. `*` and `?` stand for characters of a name,
    /// `**` for folders. Files come sorted by path, each once. `places`: of the patterns, if they are known.
    #[must_use]
    pub fn read(base: &Path, patterns: &[String], places: &[Place]) -> Self {
        if patterns.is_empty() {
            let problem = Problem::error(CODE, "no schema file is named")
                .help("name them under `schema`, such as `schema: [\"*.graphql\"]`");
            return Self { files: Vec::new(), problems: vec![problem] };
        }
        let (files, problems) = read_files(base, patterns, places, CODE);
        Self { files, problems }
    }

    /// Files from memory: names and texts.
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let file = |(name, text): (N, T)| SourceFile { name: name.into(), text: text.into() };
        let files = texts.into_iter().map(|pair| Arc::new(file(pair))).collect();
        Self { files, problems: Vec::new() }
    }
}
