//! The grammar of GraphQL (specification of September 2025, appendix C) as a strict check in front of a lenient parser.
//!
//! Finds the first error and describes it in words. Builds no tree. A valid text is returned with everything that the
//! parser does not support blanked out, byte for byte, so that positions stay the same.

mod advice;
mod executable;
mod lexer;
mod quotes;
#[cfg(test)]
mod tests;
mod tokens;
mod type_system;
mod values;

pub use advice::advice;

use std::borrow::Cow;
use std::ops::Range;
use tokens::Tokens;

/// Maximum nesting of brackets, or of lists in a type.
const MAX_LEVELS: usize = 256;

/// The first error in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Lowercase, without a final full stop and without the location.
    pub message: String,
    /// The invalid bytes; empty at the end of the text.
    pub span: Range<usize>,
}

/// Checks a document of operations and fragments, and returns it in the form that the parser supports: without commas,
/// byte-order marks and descriptions.
///
/// # Errors
/// If the text is invalid. Returns the first error.
pub fn executable(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let mut tokens = Tokens::new(text)?;
    executable::document(&mut tokens)?;
    Ok(tokens.finish())
}

/// Checks a document of type definitions and extensions, and returns it without commas and byte-order marks.
///
/// # Errors
/// If the text is invalid. Returns the first error.
pub fn type_system(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let read = || {
        let mut tokens = Tokens::new(text)?;
        type_system::document(&mut tokens)?;
        Ok(tokens.finish())
    };
    read().map_err(|error| quotes::explained(text, error))
}
