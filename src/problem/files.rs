//! Reads the files that a configuration names: by pattern, as UTF-8, in an order that does not depend on the disk.

use super::{Place, Problem, SourceFile};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads every file that one of `patterns` matches, relative to `base`. `*` and `?` match characters of a name, `**`
/// matches folders.
///
/// Returns the files sorted by path, each once. Also returns a problem with this `code` for every pattern that matches
/// no file, and for every file that cannot be read or is not UTF-8. Problems of a pattern have its place, if `places`
/// has one for each.
#[must_use]
pub fn read_files(
    base: &Path,
    patterns: &[String],
    places: &[Place],
    code: &'static str,
) -> (Vec<Arc<SourceFile>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut paths = BTreeSet::new();
    for (at, pattern) in patterns.iter().enumerate() {
        match matching_files(base, pattern, code) {
            Ok(found) => paths.extend(found),
            Err(problem) => {
                let place = places.get(at).filter(|_| places.len() == patterns.len());
                problems.push(problem.at(place.cloned()));
            }
        }
    }
    let mut files = Vec::new();
    for path in paths {
        match read_file(&path, code) {
            Ok(file) => files.push(Arc::new(file)),
            Err(problem) => problems.push(problem),
        }
    }
    (files, problems)
}

/// Returns the files that a pattern matches, sorted.
///
/// # Errors
/// No file matches, or the pattern is invalid; a problem with this `code`.
pub fn matching_files(
    base: &Path,
    pattern: &str,
    code: &'static str,
) -> Result<Vec<PathBuf>, Problem> {
    let refuse = |why: String| Problem::error(code, why);
    let base_text = base.to_str().ok_or_else(|| {
        refuse(format!("the folder `{}` has a name that is not UTF-8", base.display()))
    })?;
    let whole = if Path::new(pattern).is_absolute() || base_text.is_empty() {
        pattern.to_owned()
    } else {
        format!("{}/{pattern}", glob::Pattern::escape(base_text.trim_end_matches('/')))
    };
    let found = glob::glob(&whole).map_err(|error| {
        refuse(format!("`{pattern}` is not a valid file pattern: {}", error.msg))
    })?;
    let files: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if files.is_empty() {
        let folder = if base_text.is_empty() { "." } else { base_text };
        return Err(refuse(format!("no file in `{folder}` matches `{pattern}`"))
            .help("correct the pattern, or add the file; patterns are relative to the configuration file, and `**` matches folders"));
    }
    Ok(files)
}

/// Returns why a file cannot be read, without the system's error number.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn read_file(path: &Path, code: &'static str) -> Result<SourceFile, Problem> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::error(code, format!("cannot read `{name}`: {}", reason(&error)))
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { name, text }),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let valid = String::from_utf8_lossy(&error.as_bytes()[..offset]).into_owned();
            let file = Arc::new(SourceFile { name: name.clone(), text: valid });
            let message = format!("`{name}` is not valid UTF-8 at byte {offset}");
            Err(Problem::error(code, message)
                .at(Place::new(&file, offset..offset))
                .help("save the file as UTF-8"))
        }
    }
}
