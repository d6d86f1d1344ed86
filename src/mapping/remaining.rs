//! The bounds of one evaluation: the values that it may hold, and the work that it may do.
//!
//! A mapping of nested `map`s over a large reply could run for hours, and repeat a large value without end. Every
//! expression that is evaluated takes a step, and so does every piece of text that is read, copied or written.

use super::Failure;
use serde_json::Value;
use std::cell::Cell;

/// Steps that one evaluation may take, besides those that its input's size adds.
pub const MAX_STEPS: u64 = 10_000_000;

/// Steps that each byte of a text adds, so that work which is linear in a reply is never refused.
const STEPS_OF_BYTE: u64 = 2;

/// Bytes that are read or compared in one step.
const READ_IN_STEP: usize = 16;

/// Bytes that are written in one step.
const WRITTEN_IN_STEP: usize = 4;

/// The remaining values and steps; `None`: not bounded.
#[derive(Clone, Copy)]
pub(super) struct Remaining<'a> {
    values: Option<&'a Cell<u64>>,
    steps: Option<&'a Cell<u64>>,
}

impl<'a> Remaining<'a> {
    /// For values that are bounded already.
    pub(super) const UNBOUNDED: Self = Self { values: None, steps: None };

    /// Bounds the steps alone.
    pub(super) fn steps(steps: &'a Cell<u64>) -> Self {
        Self { values: None, steps: Some(steps) }
    }

    /// Bounds of an evaluation that reads `text`.
    pub(super) fn of_text(text: &str, values: &'a Cell<u64>, steps: &'a Cell<u64>) -> Self {
        let added = (text.len() as u64).saturating_mul(STEPS_OF_BYTE);
        steps.set(steps.get().saturating_add(added));
        Self { values: Some(values), steps: Some(steps) }
    }

    /// Takes off values that are about to be held.
    pub(super) fn hold(self, count: u64) -> Result<(), Failure> {
        take(self.values, count, Failure::TooManyValues)
    }

    pub(super) fn work(self, steps: u64) -> Result<(), Failure> {
        take(self.steps, steps, Failure::TooManySteps)
    }

    /// One step, and those of reading so many bytes.
    pub(super) fn read(self, bytes: usize) -> Result<(), Failure> {
        self.work(1 + (bytes / READ_IN_STEP) as u64)
    }

    /// One step, and those of writing so many bytes.
    pub(super) fn written(self, bytes: usize) -> Result<(), Failure> {
        self.work(1 + (bytes / WRITTEN_IN_STEP) as u64)
    }

    /// The steps of copying a tree, or of comparing it with another.
    pub(super) fn walk(self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::Null | Value::Bool(_) => self.work(1),
            Value::Number(number) => self.read(number.as_str().len()),
            Value::String(text) => self.read(text.len()),
            Value::Array(items) => {
                self.work(1)?;
                items.iter().try_for_each(|item| self.walk(item))
            }
            Value::Object(members) => {
                self.work(1)?;
                members.iter().try_for_each(|(key, member)| {
                    self.read(key.len())?;
                    self.walk(member)
                })
            }
        }
    }
}

fn take(left: Option<&Cell<u64>>, count: u64, failure: Failure) -> Result<(), Failure> {
    let Some(left) = left else { return Ok(()) };
    let Some(rest) = left.get().checked_sub(count) else { return Err(failure) };
    left.set(rest);
    Ok(())
}
