//! What stands between an operation and its run. Here is [`access`]: who may see what.

pub(in crate::engine) mod access;

#[cfg(test)]
mod tests;
