//! Compiled descriptor sets, as written by `protoc --descriptor_set_out` and `buf build -o`.

use super::parts::{Fields, Parts, Undecodable};
use super::{Files, Unusable, place_of, pool};
use crate::connector::SourceSettings;
use crate::problem::{Problem, reason};
use prost_reflect::DescriptorPool;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Maximum size of a file in bytes; a larger one is not a descriptor set.
const MAX_BYTES: u64 = 64 << 20;
/// Maximum number of parts of all sets of one source.
const MAX_PARTS: usize = 524_288;

/// `FileDescriptorSet.file`.
const FILE: u32 = 1;

const SPLIT: &str = "write a set with only the files of the services and their imports";

const MAKE_BINARY: &str = "write a binary descriptor set: `buf build -o set.binpb`, or `protoc --include_imports --descriptor_set_out=set.binpb …`";

/// Reads the sets. A file in several of them counts once.
pub(super) fn load(
    settings: &SourceSettings,
    paths: &[PathBuf],
) -> Result<DescriptorPool, Vec<Problem>> {
    let (mut files, mut parts, mut problems) = (Files::new(), Parts::new(MAX_PARTS), Vec::new());
    for (at, path) in paths.iter().enumerate() {
        let shown = path.display();
        let added = read(path).and_then(|bytes| add(&mut files, &mut parts, &bytes));
        if let Err(Unreadable { what, help }) = added {
            let message = format!("`{shown}` of source `{}` {what}", settings.name);
            let problem = Problem::error("invalid-descriptors", message).help(help);
            problems.push(problem.at(place_of(settings, at)));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    pool(files).map_err(|unusable| vec![to_problem(settings, paths, unusable)])
}

struct Unreadable {
    /// Problem, which follows the name of the file in a message.
    what: String,
    help: &'static str,
}

fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let unreadable = |error: std::io::Error| Unreadable {
        what: format!("cannot be read: {}", reason(&error)),
        help: "write paths of descriptor sets relative to the configuration file",
    };
    let is_file = std::fs::metadata(path).map_err(unreadable)?.is_file();
    if !is_file {
        let help =
            "write the path of a descriptor set; folders of `.proto` files belong under `protos`";
        return Err(Unreadable { what: "is not a file".to_owned(), help });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        let what = "is larger than 64 MiB".to_owned();
        let help = "omit source information (`--exclude-source-info` of buf), or split the set";
        return Err(Unreadable { what, help });
    }
    Ok(bytes)
}

/// Adds the files of a set. A file that was added already is not counted again.
fn add(files: &mut Files, parts: &mut Parts, set: &[u8]) -> Result<(), Unreadable> {
    let not = |what: &str, help| Unreadable { what: what.to_owned(), help };
    let text = std::str::from_utf8(set).ok().map(str::trim_start);
    match text {
        Some("") => return Err(not("is empty", MAKE_BINARY)),
        Some(text) if text.starts_with('{') => {
            return Err(not("is a descriptor set in JSON", MAKE_BINARY));
        }
        _ if set.starts_with(&[0x1f, 0x8b]) => return Err(not("is compressed", MAKE_BINARY)),
        _ => {}
    }
    let invalid = || match text {
        Some(_) => {
            let help =
                "list `.proto` files under `protos`; `descriptors` takes compiled descriptor sets";
            not("is a text file, not a compiled descriptor set", help)
        }
        None => not("is not a compiled descriptor set", MAKE_BINARY),
    };
    let mut is_empty = true;
    for field in Fields(set) {
        let field = field.map_err(|_| invalid())?;
        if field.number != FILE {
            continue;
        }
        is_empty = false;
        let left = *parts;
        let file = parts.decode(field.content.ok_or_else(invalid)?);
        let file = file.map_err(|error| match error {
            Undecodable::Invalid(_) => invalid(),
            error => Unreadable { what: format!("has {error}"), help: SPLIT },
        })?;
        match files.get(file.name()) {
            Some(known) if *known != file => {
                let what = format!("defines `{}` differently than an earlier set", file.name());
                let help = "write all sets from the same version of the `.proto` files";
                return Err(Unreadable { what, help });
            }
            Some(_) => *parts = left,
            None => {
                files.insert(file.name().to_owned(), file);
            }
        }
    }
    if is_empty { Err(not("contains no files", MAKE_BINARY)) } else { Ok(()) }
}

fn to_problem(settings: &SourceSettings, paths: &[PathBuf], unusable: Unusable) -> Problem {
    let source = &settings.name;
    let shown = match paths {
        [path] => format!("`{}` of source `{source}`", path.display()),
        _ => format!("the descriptor sets of source `{source}`"),
    };
    let lacks = if paths.len() == 1 { "lacks" } else { "lack" };
    let problem = match unusable {
        Unusable::Missing { import, importer } => {
            let message = format!("{shown} {lacks} `{import}`, which `{importer}` imports");
            Problem::error("invalid-descriptors", message).help(
                "write the set with all imports: `protoc --include_imports --descriptor_set_out=…`, or `buf build -o …`",
            )
        }
        Unusable::Invalid(reason) => {
            Problem::error("invalid-descriptors", format!("{shown}: {reason}")).help(
                "write the set again with `protoc --include_imports --descriptor_set_out=…`, or `buf build -o …`",
            )
        }
    };
    problem.at(place_of(settings, 0))
}
