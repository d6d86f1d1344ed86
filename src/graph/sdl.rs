//! The SDL files of a graph.

use crate::problem::{Place, Problem, SourceFile, read_files};
use std::path::Path;
use std::sync::Arc;

const CODE: &str = "schema-file";

/// The files of a graph, read into memory.
#[derive(Debug, Clone, Default)]
pub struct Sdl {
    pub files: Vec<Arc<SourceFile>>,
    /// Files that cannot be read, and patterns that match none. Definitions that other files lack may be in them.
    pub problems: Vec<Problem>,
}

impl Sdl {
    /// Reads every file that matches one of `patterns`, relative to `base`. `*` and `?` match characters of a name,
    /// `**` matches folders. Files are sorted by path, without duplicates. `places`: places of the patterns, if they
    /// are known.
    #[must_use]
    pub fn read(base: &Path, patterns: &[String], places: &[Place]) -> Self {
        if patterns.is_empty() {
            let problem = Problem::error(CODE, "the configuration names no schema file")
                .help("list the files under `schema`, such as `schema: [\"*.graphql\"]`");
            return Self { files: Vec::new(), problems: vec![problem] };
        }
        let (files, problems) = read_files(base, patterns, places, CODE);
        Self { files, problems }
    }

    /// Creates files from memory: names and texts.
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let file = |(name, text): (N, T)| SourceFile { name: name.into(), text: text.into() };
        let files = texts.into_iter().map(|pair| Arc::new(file(pair))).collect();
        Self { files, problems: Vec::new() }
    }
}
