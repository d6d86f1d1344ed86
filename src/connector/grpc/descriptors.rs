//! The descriptors of a source: from `.proto` files, from compiled descriptor sets, or from the service by reflection.
//!
//! Only reflection calls a service, and only in [`reflect`], which runs before a gateway is assembled.

mod parts;
mod protos;
mod reflection;
mod sets;

pub use reflection::{Reflected, reflect};

use crate::connector::{DescriptorSource, SourceSettings};
use crate::problem::{Place, Problem};
use indexmap::IndexMap;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;
use protox::file::{FileResolver, GoogleFileResolver};

/// Loads the descriptors that the settings name. Those of reflection are taken from `reflected`.
///
/// # Errors
/// Every file that cannot be read; otherwise the first mistake, at its place if known.
pub(super) fn load(
    settings: &SourceSettings,
    from: &DescriptorSource,
    reflected: &Reflected,
) -> Result<DescriptorPool, Vec<Problem>> {
    match from {
        DescriptorSource::Protos { base, entries, roots } => {
            protos::load(settings, base, entries, roots)
        }
        DescriptorSource::Sets(files) => sets::load(settings, files),
        DescriptorSource::Reflection => reflected.of(settings).map_err(|problem| vec![problem]),
    }
}

/// Returns the place of an entry in the configuration.
fn place_of(settings: &SourceSettings, entry: usize) -> Option<Place> {
    settings.places.descriptors.get(entry).cloned()
}

/// Compiled files by name.
type Files = IndexMap<String, FileDescriptorProto>;

/// Reasons why files do not make a pool.
enum Unusable {
    /// `importer` imports a file that is not among them.
    Missing { import: String, importer: String },
    /// Invalid descriptors; one sentence.
    Invalid(String),
}

/// Makes a pool of files and all their imports. Google's well-known types may be missing.
fn pool(mut files: Files) -> Result<DescriptorPool, Unusable> {
    loop {
        let Some((importer, import)) = missing_imports(&files).next() else { break };
        let Some(file) = well_known(import) else {
            let (import, importer) = (import.to_owned(), importer.to_owned());
            return Err(Unusable::Missing { import, importer });
        };
        files.insert(file.name().to_owned(), file);
    }
    // `prost-reflect` panics on some indices that are out of range, and services send descriptors. Nothing is shared
    // with it.
    let built = std::panic::catch_unwind(move || {
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_protos(files.into_values()).map(|()| pool)
    });
    match built {
        Ok(built) => built.map_err(|error| Unusable::Invalid(error.to_string())),
        Err(_) => Err(Unusable::Invalid("an index in a file points nowhere".to_owned())),
    }
}

/// Returns each import that is missing, with the importing file.
fn missing_imports(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    let imports = |file| {
        let file: &FileDescriptorProto = file;
        file.dependency.iter().map(|import| (file.name(), import.as_str()))
    };
    files.values().flat_map(imports).filter(|(_, import)| !files.contains_key(*import))
}

/// Returns a file of Google's that every compiler has.
fn well_known(name: &str) -> Option<FileDescriptorProto> {
    let file = GoogleFileResolver::new().open_file(name).ok()?;
    Some(file.file_descriptor_proto().clone()).filter(|file| file.name() == name)
}

#[cfg(test)]
mod tests;
