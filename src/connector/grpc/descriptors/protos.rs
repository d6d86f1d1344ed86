//! Compiles `.proto` files to descriptors, without a `protoc` on the machine.

use super::place_of;
use crate::connector::SourceSettings;
use crate::graphql::Name;
use crate::problem::{Place, Problem, SourceFile, matching_files, reason};
use indexmap::IndexSet;
use miette::{Diagnostic, LabeledSpan};
use prost_reflect::DescriptorPool;
use protox::Compiler;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Number of folders above an entry that are searched for imports.
const MAX_HEIGHT: usize = 8;
/// Maximum number of `.proto` files of one source.
const MAX_FILES: usize = 4_096;
/// Maximum number of files and folders that are listed below a folder.
const MAX_LISTED: usize = 65_536;

const RELATIVE: &str =
    "write paths of `.proto` files, or of folders with them, relative to the configuration file";

const IMPORTS: &str = "imports are searched in the folders of `protos` and in their parents; for other folders, set `proto_paths`";

/// Compiles the files and their imports.
///
/// Imports are searched for in `roots`. Without roots, they are searched for in the folders that entries name and
/// beside the files that they name, then in the folder above them, and so on. So `import "shop/v1/money.proto"` in
/// `proto/shop/v1/order.proto` is found from `proto`.
pub(super) fn load(
    settings: &SourceSettings,
    base: &Path,
    entries: &[PathBuf],
    roots: &[PathBuf],
) -> Result<DescriptorPool, Vec<Problem>> {
    let source = &settings.name;
    let (mut protos, mut problems) = (Protos::default(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        if let Err(problem) = protos.add(source, base, entry) {
            let place = problem.place.clone().or_else(|| place_of(settings, at));
            problems.push(problem.at(place));
        }
    }
    let missing = roots.iter().enumerate().filter(|(_, root)| !root.is_dir());
    problems.extend(missing.map(|(at, root)| {
        let message = format!("folder `{}` does not exist", root.display());
        let place = settings.places.proto_paths.get(at).cloned();
        Problem::error("unreadable-proto", message).at(place).help(
            "write paths of the folders in which imports start, relative to the configuration file",
        )
    }));
    if problems.is_empty() { protos.compile(source, roots) } else { Err(problems) }
}

#[derive(Default)]
struct Protos {
    files: IndexSet<PathBuf>,
    /// Folders in which imports may begin: those that entries name, and those of the files that they name.
    folders: Vec<PathBuf>,
}

impl Protos {
    fn add(&mut self, source: &Name, base: &Path, entry: &Path) -> Result<(), Problem> {
        let path = base.join(entry);
        let shown = path.display();
        let unreadable = |reason: &str| {
            let message = format!("cannot read `{shown}` of source `{source}`: {reason}");
            Problem::error("unreadable-proto", message).help(RELATIVE)
        };
        let (files, folder) = if path.is_dir() {
            let files = below(&path).map_err(|error| unreadable(&reason(&error)))?;
            if files.is_empty() {
                return Err(unreadable("the folder contains no `.proto` files"));
            }
            (files, path.clone())
        } else if let (Some(folder), false) = (folder_of_glob(entry), path.exists()) {
            let pattern = entry.to_string_lossy();
            let files = matching_files(base, &pattern, "unreadable-proto")?;
            (files, base.join(folder))
        } else {
            std::fs::File::open(&path).map_err(|error| unreadable(&reason(&error)))?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            (vec![path.clone()], folder)
        };
        self.files.extend(files);
        if self.files.len() > MAX_FILES {
            let message = format!("source `{source}` has more than {MAX_FILES} `.proto` files");
            return Err(Problem::error("unreadable-proto", message).help(
                "list only the files of the service; their imports are found automatically",
            ));
        }
        if !self.folders.contains(&folder) {
            self.folders.push(folder);
        }
        Ok(())
    }

    fn compile(&self, source: &Name, roots: &[PathBuf]) -> Result<DescriptorPool, Vec<Problem>> {
        if !roots.is_empty() {
            let outside = |folder: &&PathBuf| !roots.iter().any(|root| folder.starts_with(root));
            let mut folders = roots.to_vec();
            folders.extend(self.folders.iter().filter(outside).cloned());
            let compiled = compile(&self.files, &folders);
            return compiled.map_err(|error| to_problems(source, &error, &folders));
        }
        let mut problems = Vec::new();
        for height in 0..MAX_HEIGHT {
            let folders = self.folders_above(height);
            if folders.is_empty() {
                break;
            }
            match compile(&self.files, &folders) {
                Ok(pool) => return Ok(pool),
                Err(error) => {
                    let only_missing = error.is_file_not_found();
                    if problems.is_empty() || !only_missing {
                        problems = to_problems(source, &error, &folders);
                    }
                    if !only_missing {
                        break;
                    }
                }
            }
        }
        Err(problems)
    }

    fn folders_above(&self, height: usize) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in self.folders.iter().filter_map(|folder| folder.ancestors().nth(height)) {
            if !folders.iter().any(|known| known == folder) {
                folders.push(folder.to_owned());
            }
        }
        folders
    }
}

/// Returns all `.proto` files in a folder and its subfolders, sorted. Hidden ones, and folders behind links, are
/// skipped.
fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders, mut listed) = (Vec::new(), vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            listed += 1;
            if listed > MAX_LISTED {
                let reason = format!("it has more than {MAX_LISTED} files and folders");
                return Err(io::Error::other(reason));
            }
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "proto") && path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the folder in which a pattern begins; `None` for a plain path.
fn folder_of_glob(entry: &Path) -> Option<PathBuf> {
    let is_pattern = |part: &str| part.contains(['*', '?', '[']);
    if !is_pattern(&entry.to_string_lossy()) {
        return None;
    }
    let plain = |part: &std::path::Component<'_>| !is_pattern(&part.as_os_str().to_string_lossy());
    Some(entry.components().take_while(plain).collect())
}

fn compile(
    protos: &IndexSet<PathBuf>,
    folders: &[PathBuf],
) -> Result<DescriptorPool, protox::Error> {
    let mut compiler = Compiler::new(folders)?;
    compiler.include_imports(true).include_source_info(false).open_files(protos)?;
    Ok(compiler.descriptor_pool())
}

fn to_problems(source: &Name, error: &protox::Error, folders: &[PathBuf]) -> Vec<Problem> {
    let file = error.file().and_then(|name| {
        let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
        let text = std::fs::read_to_string(&path).ok()?;
        Some(Arc::new(SourceFile { name: path.display().to_string(), text }))
    });
    let mut problems = vec![to_problem(source, error, file.as_ref())];
    for related in error.related().into_iter().flatten() {
        problems.push(to_problem(source, related, file.as_ref()));
    }
    if error.is_file_not_found() {
        for problem in problems.iter_mut().filter(|problem| problem.help.is_none()) {
            problem.help = Some(IMPORTS.to_owned());
        }
    }
    problems
}

fn to_problem(
    source: &Name,
    diagnostic: &dyn Diagnostic,
    file: Option<&Arc<SourceFile>>,
) -> Problem {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    let place = file.zip(label).and_then(|(file, label)| place(file, &label));
    let message = match (&place, file) {
        (Some(_), _) => diagnostic.to_string(),
        (None, Some(file)) => format!("{}: {diagnostic}", file.name),
        (None, None) => format!("the protos of source `{source}`: {diagnostic}"),
    };
    let problem = Problem::error("invalid-proto", message).at(place);
    match diagnostic.help() {
        Some(help) => problem.help(help.to_string()),
        None => problem,
    }
}

fn place(file: &Arc<SourceFile>, label: &LabeledSpan) -> Option<Place> {
    let span = label.offset()..label.offset() + label.len();
    file.text.get(span.clone()).map(|_| Place::new(file, span))
}
