//! The files of a graph: found by pattern, read as UTF-8, in an order that does not depend on the disk.

use crate::problem::{Problem, SourceFile};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Every pattern that names no file, and every file that cannot be read or is not UTF-8.
    pub fn read(base: &Path, patterns: &[String]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut paths = BTreeSet::new();
        if patterns.is_empty() {
            problems.push(
                Problem::error("schema-file", "no schema file is named")
                    .help("name them under `schema`, such as `schema: [\"*.graphql\"]`"),
            );
        }
        for pattern in patterns {
            match matches(base, pattern) {
                Ok(found) => paths.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        let mut files = Vec::new();
        for path in paths {
            match read_file(&path) {
                Ok(file) => files.push(Arc::new(file)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self { files }) } else { Err(problems) }
    }

    /// Files from memory: names and texts.
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let file = |(name, text): (N, T)| SourceFile { name: name.into(), text: text.into() };
        Self { files: texts.into_iter().map(|pair| Arc::new(file(pair))).collect() }
    }
}

fn matches(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, Problem> {
    let refuse = |why: String| Problem::error("schema-file", why);
    let base_text = base.to_str().ok_or_else(|| {
        refuse(format!("the folder `{}` has a name that is not UTF-8", base.display()))
    })?;
    let whole = if Path::new(pattern).is_absolute() || base_text.is_empty() {
        pattern.to_owned()
    } else {
        format!("{}/{pattern}", glob::Pattern::escape(base_text.trim_end_matches('/')))
    };
    let found = glob::glob(&whole)
        .map_err(|error| refuse(format!("`{pattern}` is no file pattern: {}", error.msg)))?;
    let files: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if files.is_empty() {
        let folder = if base_text.is_empty() { "." } else { base_text };
        return Err(refuse(format!("no file in `{folder}` matches `{pattern}`"))
            .help("patterns are relative to the configuration file; `**` stands for folders"));
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<SourceFile, Problem> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::error("schema-file", format!("`{name}` cannot be read: {error}"))
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { name, text }),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let valid = String::from_utf8_lossy(&error.as_bytes()[..offset]).into_owned();
            let file = Arc::new(SourceFile { name: name.clone(), text: valid });
            Err(Problem::error(
                "schema-file",
                format!("`{name}` is not UTF-8: byte {offset} begins no character"),
            )
            .at(crate::problem::Place::new(&file, offset..offset))
            .help("save the file as UTF-8"))
        }
    }
}
