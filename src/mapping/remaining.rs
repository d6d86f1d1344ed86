//! Budget of one evaluation: the values that it may hold, and the steps that it may take.
//!
//! A mapping of nested `map`s over a large reply could run for hours, and repeat a large value without end. Every
//! evaluated expression takes a step, and so does every piece of text that is read, copied or written.

use super::Failure;
use serde_json::Value;
use std::cell::Cell;

/// Steps that one evaluation may take, besides those that its input's size adds.
pub const MAX_STEPS: u64 = 1_000_000;

/// Steps that each byte of a text adds, so that work that is linear in a reply is never refused.
const STEPS_OF_BYTE: u64 = 2;

/// Bytes that are read or compared in one step.
const READ_IN_STEP: usize = 16;

/// Bytes that are written in one step.
const WRITTEN_IN_STEP: usize = 4;

/// Remaining values and steps; `None` if unlimited.
#[derive(Clone, Copy)]
pub(super) struct Remaining<'a> {
    values: Option<&'a Cell<u64>>,
    steps: Option<&'a Cell<u64>>,
}

impl<'a> Remaining<'a> {
    /// For values whose size is already limited.
    pub(super) const UNBOUNDED: Self = Self { values: None, steps: None };

    /// Limits the steps only.
    pub(super) fn steps(steps: &'a Cell<u64>) -> Self {
        Self { values: None, steps: Some(steps) }
    }

    /// Returns the budget of an evaluation that reads `text`.
    pub(super) fn of_text(text: &str, values: &'a Cell<u64>, steps: &'a Cell<u64>) -> Self {
        let added = (text.len() as u64).saturating_mul(STEPS_OF_BYTE);
        steps.set(steps.get().saturating_add(added));
        Self { values: Some(values), steps: Some(steps) }
    }

    /// Deducts values before they are held.
    pub(super) fn hold(self, count: u64) -> Result<(), Failure> {
        take(self.values, count, Failure::TooManyValues)
    }

    pub(super) fn work(self, steps: u64) -> Result<(), Failure> {
        take(self.steps, steps, Failure::TooManySteps)
    }

    /// Deducts one step, and those for reading `bytes`.
    pub(super) fn read(self, bytes: usize) -> Result<(), Failure> {
        self.work(1 + (bytes / READ_IN_STEP) as u64)
    }

    /// Deducts one step, and those for writing `bytes`.
    pub(super) fn written(self, bytes: usize) -> Result<(), Failure> {
        self.work(1 + (bytes / WRITTEN_IN_STEP) as u64)
    }

    /// Deducts the steps for copying a tree, or for comparing it with another.
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
