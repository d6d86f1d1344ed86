//! Loads SDL into a [`Graph`](super::Graph): the order of all steps.

use super::binding::{self, Bindings};
use super::{
    Graph, alias, api_schema, cache, call_policy, check, cost, entity, global_id, guard, input,
    lookup, merge, reference, requirement, sdl::Sdl,
};
use crate::problem::{Place, Problem, any_error};
use crate::source::Connector;
use apollo_compiler::validation::Valid;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Maximum number of problems that are reported; more do not help.
const MAX_PROBLEMS: usize = 500;

static VERSION: AtomicU64 = AtomicU64::new(1);

/// Loads a graph with the process's environment. Returns the graph with its warnings.
///
/// # Errors
/// If there is any error. Returns all problems found, including warnings, sorted by file and place.
pub fn load(
    sdl: &Sdl,
    connectors: &[Box<dyn Connector>],
) -> Result<(Graph, Vec<Problem>), Vec<Problem>> {
    load_with_env(sdl, connectors, &|name| std::env::var(name).ok())
}

/// Like [`load`], with another environment: the value of each variable that texts use with `$env`.
///
/// # Errors
/// Like [`load`].
pub fn load_with_env(
    sdl: &Sdl,
    connectors: &[Box<dyn Connector>],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Graph, Vec<Problem>), Vec<Problem>> {
    load_in(sdl, connectors, &Surroundings { env, verifies_tokens: true })
}

/// Environment that a schema is loaded into.
pub struct Surroundings<'a> {
    /// Returns the value of each variable that texts use with `$env`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Tokens are verified, so callers may have claims.
    pub verifies_tokens: bool,
}

/// Like [`load`], in an environment other than the process's own.
///
/// # Errors
/// Like [`load`].
pub fn load_in(
    sdl: &Sdl,
    connectors: &[Box<dyn Connector>],
    surroundings: &Surroundings<'_>,
) -> Result<(Graph, Vec<Problem>), Vec<Problem>> {
    let mut problems = Vec::new();
    let merged = merge::merge(sdl, connectors, &mut problems);
    if merged.whole {
        input::check_directives(&merged, &mut problems);
    }
    let mut bindings = binding::compile(&merged, connectors, &mut problems);
    call_policy::read(&merged, &mut bindings, &mut problems);
    if !merged.whole {
        merged.drop_guesses(&mut problems);
        return Err(in_order(sdl, problems));
    }
    let defaults = input::check(&merged, &bindings, &mut problems);
    let aliases = alias::read(&merged, &mut problems);
    let costs = cost::read(&merged, &mut problems);
    let mut types = entity::read(&merged, &bindings, &costs, &mut problems);
    let lookups = lookup::read(&merged, &types, &mut bindings, &mut problems);
    let global_ids = global_id::read(&merged, &mut types, &lookups, &mut problems);
    reference::check(&merged, &types, &mut bindings, &mut problems);
    let guards = guard::read(&merged, &types, &bindings, &mut problems);
    requirement::check(&merged, &types, &bindings, &guards, &mut problems);
    let cache_hints = cache::read(&merged, &mut bindings, &mut problems);
    let env = reference::env(&bindings, surroundings.env, &mut problems);
    if !surroundings.verifies_tokens {
        guard::warn_without_callers(&merged, &bindings, &mut problems);
    }
    check::filled(&merged, &types, &bindings, &lookups, &mut problems);
    if any_error(&problems) {
        return Err(in_order(sdl, problems));
    }
    let api_schema = match api_schema::build(&merged) {
        Ok(schema) => Arc::new(schema),
        Err(found) => {
            problems.extend(found);
            return Err(in_order(sdl, problems));
        }
    };
    let graph = Graph {
        api_schema,
        // The merged schema passed validation; otherwise there would have been errors.
        schema: Arc::new(Valid::assume_valid(merged.schema)),
        types,
        bindings: Bindings::into_list(bindings),
        lookups: lookups.into_iter().map(|lookup| lookup.lookup).collect(),
        guards,
        costs,
        aliases: Arc::new(aliases),
        global_ids: Arc::new(global_ids),
        defaults,
        cache_hints,
        env,
        version: VERSION.fetch_add(1, Ordering::Relaxed),
    };
    Ok((graph, in_order(sdl, problems)))
}

/// Turns the warnings with this code into errors (`--deny n+1`).
pub fn deny(problems: &mut [Problem], code: &str) {
    for problem in problems.iter_mut().filter(|problem| problem.code == code) {
        problem.severity = crate::problem::Severity::Error;
    }
}

/// Sorts problems by file and place, removes duplicates, and limits their number.
fn in_order(sdl: &Sdl, mut problems: Vec<Problem>) -> Vec<Problem> {
    let rank = |place: &Option<Place>| {
        place.as_ref().map(|place| {
            let file = sdl.files.iter().position(|file| Arc::ptr_eq(file, &place.file));
            (file.unwrap_or(usize::MAX), place.span.start, place.span.end)
        })
    };
    problems.sort_by_cached_key(|problem| {
        (rank(&problem.place), problem.severity, problem.code, problem.message.clone())
    });
    problems.dedup_by(|a, b| {
        a.code == b.code && a.message == b.message && rank(&a.place) == rank(&b.place)
    });
    if problems.len() > MAX_PROBLEMS {
        // Errors first: the limit must not leave a failed load with warnings only.
        problems.sort_by_key(|problem| problem.severity);
        let more = problems.len() - MAX_PROBLEMS;
        problems.truncate(MAX_PROBLEMS);
        problems
            .push(Problem::warning("more-problems", format!("{more} more problems are not shown")));
    }
    problems
}
