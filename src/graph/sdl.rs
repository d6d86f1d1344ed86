//! The SDL files of a graph.

use crate::problem::{Problem, SourceFile, read_files};
use std::path::Path;
use std::sync::Arc;

const CODE: &str = "schema-file";

/// The files of a graph, read.
#[derive(Debug, Clone, Default)]
pub struct Sdl {
    pub files: Vec<Arc<SourceFile>>,
}

impl Sdl {
    /// Reads every file that one of `patterns` names, relative to `base`. `*` and `?` stand for characters of a name,
    /// `**` for folders. Files come sorted by path, each once.
    ///
    /// # Errors
    /// No pattern, every pattern that names no file, and every file that cannot be read or is not UTF-8.
    pub fn read(base: &Path, patterns: &[String]) -> Result<Self, Vec<Problem>> {
        if patterns.is_empty() {
            return Err(vec![
                Problem::error(CODE, "no schema file is named")
                    .help("name them under `schema`, such as `schema: [\"*.graphql\"]`"),
            ]);
        }
        read_files(base, patterns, CODE).map(|files| Self { files })
    }

    /// Files from memory: names and texts.
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let file = |(name, text): (N, T)| SourceFile { name: name.into(), text: text.into() };
        Self { files: texts.into_iter().map(|pair| Arc::new(file(pair))).collect() }
    }
}
