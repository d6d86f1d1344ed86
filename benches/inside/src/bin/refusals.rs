//! What a hostile document costs the engine before it is refused: as large as `limits.document` lets one be, each of another
//! kind of excess, and one of a mebibyte, with the limits that hold where nothing is said. Prints microseconds of
//! CPU for all that is done with one, medians of rounds.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --package portcullis-benches-inside --bin refusals`

use anyhow::{Result, bail};
use portcullis::engine::{Engine, Settings};
use portcullis_benches_inside::{on_cpu, posts};
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
/// The clock goes in steps of some milliseconds.
const TURNS: u32 = 400;
const SIZE: usize = (256 << 10) - 64;

fn main() -> Result<()> {
    let engine = Engine::new(Arc::new(posts()?), Settings::default());
    println!("| 256 KiB of | µs of CPU until it is refused | with |");
    println!("|---|---|---|");
    for (name, text) in texts() {
        let (took, code) = median(&engine, &text)?;
        println!("| {name} | {:.0} | `{code}` |", took.as_secs_f64() * 1e6);
    }
    Ok(())
}

fn texts() -> Vec<(&'static str, String)> {
    let of = |before: &str, piece: &str, after: &str| -> String {
        [before, &piece.repeat(SIZE / piece.len()), after].concat()
    };
    let numbered = |before: &str, piece: &dyn Fn(usize) -> String, after: &str| -> String {
        let mut text = before.to_owned();
        let mut number = 0;
        while text.len() + 32 < SIZE {
            text.push_str(&piece(number));
            number += 1;
        }
        text.push_str(after);
        text
    };
    vec![
        ("fields", of("{posts{", "id ", "}}")),
        ("aliases", numbered("{", &|n| format!("x{n}:posts{{id}} "), "}")),
        ("directives", of("{posts ", "@skip(if:false)", "{id}}")),
        ("items of a list", of("{posts(ids:[", "1,", "]){id}}")),
        ("one string", of("{posts(id:\"", "x", "\"){id}}")),
        ("fragments", numbered("", &|n| format!("fragment F{n} on Post{{...F{}}}", n + 1), "")),
        ("operations", numbered("", &|n| format!("query Q{n}{{posts{{id}}}}"), "")),
        ("variables", numbered("query(", &|n| format!("$v{n}:Int "), "){posts{id}}")),
        ("selections in selections", of("", "{posts", "")),
        ("lists in lists", of("{posts(id:", "[", "")),
        ("commas", of("{posts{id}", ",", "}")),
        ("comments", of("{posts{id}", "#\n", "}")),
        ("spreads", of("{", "...{posts{id}}", "}")),
        ("signs", of("", "!", "")),
        ("strings without an end", of("{", "\"\n", "")),
        ("whatever else, 1 MiB in all", "x".repeat(1 << 20)),
    ]
}

fn median(engine: &Engine, text: &str) -> Result<(Duration, String)> {
    let mut code = String::new();
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = on_cpu()?;
        for _ in 0..TURNS {
            let Err(errors) = engine.stages().prepare(text) else {
                bail!("{} … is not refused", &text[..40]);
            };
            code = errors.first().map_or_else(String::new, |error| error.code.as_str().to_owned());
        }
        rounds.push((on_cpu()? - begun) / TURNS);
    }
    rounds.sort_unstable();
    Ok((rounds[ROUNDS / 2], code))
}
