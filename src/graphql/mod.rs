//! Basic types of GraphQL that all rooms share: names, response paths, errors and their codes, formats of scalars.
//!
//! Imports nothing of ours. The table of error codes is only here; the edge takes the HTTP status from it.

mod code;
mod error;
mod extensions;
mod format;
mod lines;
pub mod syntax;

pub use code::ErrorCode;
pub use error::{Error, Location, PathSegment, error_id};
pub use extensions::{EXTENSIONS, ExtensionMember};
pub use format::ScalarFormat;
pub use lines::Lines;

/// A name of the schema: of a type, field, argument or source.
pub type Name = std::sync::Arc<str>;

#[cfg(test)]
mod tests;
