//! Loading, with a connector that speaks no protocol.

mod accepts;
mod api;
mod codes;
mod fake;
mod large;
mod refusals;
mod sdl;

use super::{Graph, Sdl, load_with_env};
use crate::problem::Problem;
use crate::source::Connector;

/// Loads one file with the fake `@rest`.
fn load(text: &str) -> Result<(Graph, Vec<Problem>), Vec<Problem>> {
    load_files(&[("graph.graphql", text)])
}

fn load_files(files: &[(&str, &str)]) -> Result<(Graph, Vec<Problem>), Vec<Problem>> {
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(fake::Rest)];
    let env = |name: &str| (name == "REGION").then(|| "eu".to_owned());
    load_with_env(&Sdl::from_texts(files.iter().copied()), &connectors, &env)
}

fn graph(text: &str) -> Graph {
    match load(text) {
        Ok((graph, _)) => graph,
        Err(problems) => panic!("{}", crate::problem::render(&problems, false)),
    }
}

fn all(text: &str) -> Vec<Problem> {
    match load(text) {
        Ok((_, problems)) | Err(problems) => problems,
    }
}

/// Prints `code at "text above the caret": message`, one line each.
fn brief(problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let under = problem.place.as_ref().map_or("nowhere", |place| {
            let text = &place.file.text[place.span.clone()];
            text.lines().next().unwrap_or_default()
        });
        format!("{} at `{under}`: {}", problem.code, problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn warnings(text: &str) -> String {
    match load(text) {
        Ok((_, problems)) => brief(&problems),
        Err(problems) => panic!("{}", crate::problem::render(&problems, false)),
    }
}
