//! Measures the gateway against what it can be compared with, in one run on one machine, and prints tables in Markdown.
//!
//! `run [--gateway FILE] [--rounds N] [--seconds S] [--connections 64,1] [--only titles,authors,dashboard]`
//!
//! `run --gateway NEW --against OLD` measures two builds of the gateway alone, in at least 15 rounds, and ends with exit code 1
//! if the new one is slower.
//!
//! Without `--gateway` only the competitors run. In every round each contestant has its turn, in rotating order, while the
//! others idle, so that a disturbance of the machine does not strike one of them alone. Figures are medians over the rounds.

mod against;
mod bootstrap;
mod contest;
mod figures;
mod gateway;
mod posts;
mod storefront;

use anyhow::{Context, Result, bail};
use contest::{Contest, Rules};
use portcullis_benches::{AUTHORS, TITLES};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

const CONTESTS: [(&str, &str); 3] = [
    ("titles", "(a) One field of a list: `{posts{title}}`"),
    ("authors", "(b) A join through a batch: `{posts{id userId title user{id name email}}}`"),
    ("dashboard", "(c) The dashboard of the storefront: four services, REST and gRPC"),
];

/// What the command line asks for.
pub struct Wanted {
    /// The gateway's release binary.
    gateway: Option<PathBuf>,
    /// Another build of it, to compare with.
    against: Option<PathBuf>,
    /// Names of the measurements to make; all when empty.
    only: Vec<String>,
    rules: Rules,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let wanted = Wanted::read(std::env::args().skip(1))?;
    if let Some(old) = &wanted.against {
        return compare(&wanted, old).await;
    }
    figures::print_machine(&wanted.rules);
    for (name, title) in CONTESTS {
        if wanted.wants(name) {
            println!("\n### {title}");
            let gateway = wanted.gateway.as_deref();
            let contest = match name {
                "titles" => posts::titles(gateway).await?,
                "authors" => posts::authors(gateway).await?,
                _ => storefront::dashboard(gateway).await?,
            };
            measure(contest, &wanted.rules).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn compare(wanted: &Wanted, old: &Path) -> Result<ExitCode> {
    let new = wanted.gateway.as_deref().context("--against needs --gateway")?;
    figures::print_machine(&wanted.rules);
    let mut holds = true;
    for (name, title) in CONTESTS {
        if wanted.wants(name) {
            println!("\n### {title}");
            let contest = match name {
                "titles" => posts::pair(TITLES, old, new).await?,
                "authors" => posts::pair(AUTHORS, old, new).await?,
                _ => storefront::pair(old, new).await?,
            };
            holds &= against::compare(contest, &wanted.rules).await?;
        }
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(mut contest: Contest, rules: &Rules) -> Result<()> {
    contest.verify().await?;
    for &connections in &rules.connections {
        let results = contest.run(rules, connections).await?;
        figures::print_table(connections, &results);
    }
    Ok(())
}

impl Wanted {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let (rules, only) = (Rules::default(), Vec::new());
        let mut wanted = Self { gateway: None, against: None, only, rules };
        let (mut rounds, mut connections) = (None, None);
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--gateway" => wanted.gateway = Some(value.into()),
                "--against" => wanted.against = Some(value.into()),
                "--only" => wanted.only = value.split(',').map(Into::into).collect(),
                "--rounds" => rounds = Some(value.parse()?),
                "--seconds" => wanted.rules.length = Duration::from_secs_f64(value.parse()?),
                "--connections" => {
                    let counts: Result<_, _> = value.split(',').map(str::parse).collect();
                    connections = Some(counts?);
                }
                _ => bail!("unknown option {name}"),
            }
        }
        if wanted.against.is_some() {
            wanted.rules.rounds = against::LEAST_ROUNDS;
            // One connection leaves the machine idle, which makes the CPU time of a request an accident.
            wanted.rules.connections = vec![64];
        }
        if let Some(rounds) = rounds {
            if wanted.against.is_some() && rounds < against::LEAST_ROUNDS {
                bail!("--against needs {} rounds at least", against::LEAST_ROUNDS);
            }
            wanted.rules.rounds = rounds;
        }
        wanted.rules.connections = connections.unwrap_or(wanted.rules.connections);
        Ok(wanted)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}
