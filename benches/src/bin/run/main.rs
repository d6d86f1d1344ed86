//! Measures the gateway against what it can be compared with, in one run on one machine, and prints tables in Markdown.
//!
//! `run [--gateway FILE] [--rounds N] [--seconds S] [--connections 64,1] [--only titles,authors,dashboard]`
//!
//! Without `--gateway` only the competitors run. In every round each contestant has its turn, in rotating order, while the
//! others idle, so that a disturbance of the machine does not strike one of them alone. Figures are medians over the rounds.

mod contest;
mod figures;
mod gateway;
mod posts;
mod storefront;

use anyhow::{Context, Result, bail};
use contest::{Contest, Rules};
use std::{path::PathBuf, time::Duration};

const CONTESTS: [(&str, &str); 3] = [
    ("titles", "(a) One field of a list: `{posts{title}}`"),
    ("authors", "(b) A join through a batch: `{posts{id userId title user{id name email}}}`"),
    ("dashboard", "(c) The dashboard of the storefront: four services, REST and gRPC"),
];

/// What the command line asks for.
pub struct Wanted {
    /// The gateway's release binary.
    gateway: Option<PathBuf>,
    /// Names of the measurements to make; all when empty.
    only: Vec<String>,
    rules: Rules,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let wanted = Wanted::read(std::env::args().skip(1))?;
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
    Ok(())
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
        let mut wanted = Self { gateway: None, only: Vec::new(), rules: Rules::default() };
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--gateway" => wanted.gateway = Some(value.into()),
                "--only" => wanted.only = value.split(',').map(Into::into).collect(),
                "--rounds" => wanted.rules.rounds = value.parse()?,
                "--seconds" => wanted.rules.length = Duration::from_secs_f64(value.parse()?),
                "--connections" => {
                    let counts: Result<_, _> = value.split(',').map(str::parse).collect();
                    wanted.rules.connections = counts?;
                }
                _ => bail!("unknown option {name}"),
            }
        }
        Ok(wanted)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}
