//! `.proto` files become descriptors, without a `protoc` on the machine.

use crate::connector::SourceSettings;
use crate::graphql::Name;
use crate::problem::{Place, Problem, SourceFile, reason};
use miette::{Diagnostic, LabeledSpan};
use prost_reflect::DescriptorPool;
use protox::Compiler;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many folders above a file its imports are looked for.
const MAX_HEIGHT: usize = 8;

/// Compiles the files and what they import. Imports are looked for beside the files, then from the folder above them,
/// and so on: `import "shop/v1/money.proto"` in `proto/shop/v1/order.proto` is found from `proto`.
///
/// # Errors
/// Every file that cannot be read; otherwise the first mistake, at its place where that is known.
pub(super) fn load(
    settings: &SourceSettings,
    protos: &[PathBuf],
) -> Result<DescriptorPool, Vec<Problem>> {
    let source = &settings.name;
    let places = &settings.places.protos;
    let place = |at: usize| places.get(at).filter(|_| places.len() == protos.len()).cloned();
    let unreadable: Vec<Problem> = protos
        .iter()
        .enumerate()
        .filter_map(|(at, path)| Some(unreadable(source, path)?.at(place(at))))
        .collect();
    if !unreadable.is_empty() {
        return Err(unreadable);
    }
    let mut problems = Vec::new();
    for height in 1..=MAX_HEIGHT {
        let folders = folders(protos, height);
        if folders.is_empty() {
            break;
        }
        match compile(protos, &folders) {
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

fn unreadable(source: &Name, path: &Path) -> Option<Problem> {
    let error = std::fs::File::open(path).err()?;
    let path = path.display();
    let message = format!("cannot read `{path}` of source `{source}`: {}", reason(&error));
    let help = "name .proto files relative to the configuration file";
    Some(Problem::error("unreadable-proto", message).help(help))
}

fn folders(protos: &[PathBuf], height: usize) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in protos.iter().filter_map(|path| path.ancestors().nth(height)) {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

fn compile(protos: &[PathBuf], folders: &[PathBuf]) -> Result<DescriptorPool, protox::Error> {
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
