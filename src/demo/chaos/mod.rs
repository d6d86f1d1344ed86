//! Fault drills: a fault is injected under steady load, and figures are compared with their bounds.
//!
//! A drill starts small instances and a whole gateway on loopback sockets, sends requests over HTTP, injects a fault
//! and measures from the outside: the answers to clients, the calls at instances, and the content of
//! `/admin/upstreams`. Tests and `portcullis demo --chaos` run the same drills. If a time is compared with that of a
//! healthy source, the healthy one is called at the same time, so that a busy machine slows both. Gateways have the
//! product's defaults unless a drill's text says otherwise. Every drill ends by itself, and leaves nothing running.

mod cancelled;
mod consul;
mod failing;
mod figures;
mod graceful;
mod hanging;
mod hedged;
mod hung;
mod instance;
mod killed;
mod killed_most;
mod load;
mod moved;
mod names;
mod outage;
mod overload;
mod process;
mod recovery;
mod restarts;
mod retries;
mod rolling;
mod served;
mod service;
mod silent;
mod slow;
mod unavailable;

pub use figures::{Finding, Findings};
pub use process::{Plan, Programs, run_instance};

use self::instance::Instance;
use self::served::{Served, Source};
use futures_util::future::BoxFuture;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Length of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As short, and with as little load, as the bounds allow.
    Short,
    Full,
}

impl Ground {
    /// Returns the program of gateways, if they are separate processes.
    fn gateway(&self) -> Option<&Path> {
        self.programs.as_ref().map(|programs| &*programs.gateway)
    }

    /// Starts instances, each with this many slots; see [`Instance::start_in`].
    fn instances(
        &self,
        count: usize,
        latency: Duration,
        slots: Option<usize>,
    ) -> io::Result<Vec<Instance>> {
        let program = self.programs.as_ref().map(|programs| &*programs.instance);
        (0..count).map(|_| Instance::start_in(program, latency, slots)).collect()
    }

    async fn serve(&self, sources: &[Source]) -> Result<Served, Trouble> {
        Served::start_in(self.gateway(), sources).await
    }
}

impl Length {
    fn seconds(self, short: u64, full: u64) -> Duration {
        Duration::from_secs(if self == Self::Short { short } else { full })
    }

    /// Requests per second.
    fn rate(self, short: u32, full: u32) -> u32 {
        if self == Self::Short { short } else { full }
    }
}

/// Length of drills, and the processes in which they run.
#[derive(Debug, Clone)]
pub struct Ground {
    pub length: Length,
    /// Programs for instances and gateways in separate processes, for the drills that support it. `None`: everything is
    /// in this process.
    pub programs: Option<Arc<Programs>>,
}

/// A fault, and what must hold meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Drill {
    pub name: &'static str,
    pub what: &'static str,
    pub must_hold: &'static str,
    pub steps: fn(Ground) -> BoxFuture<'static, Result<Findings, Trouble>>,
}

/// Result of a drill.
#[derive(Debug)]
pub struct Report {
    pub took: Duration,
    /// Measured figures, or the reason why there are none.
    pub findings: Result<Findings, Trouble>,
}

/// A drill could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("no socket: {0}")]
    Socket(#[from] io::Error),
    #[error("the drill's own configuration is refused:\n{0}")]
    Configuration(String),
    #[error("it did not end in {} s", .0.as_secs())]
    Endless(Duration),
}

/// Maximum duration of a drill.
const PATIENCE: Duration = Duration::from_mins(2);

/// All drills, in the order in which they run.
pub const DRILLS: [Drill; 18] = [
    killed::DRILL,
    hanging::DRILL,
    failing::DRILL,
    outage::DRILL,
    retries::DRILL,
    hedged::DRILL,
    rolling::DRILL,
    slow::DRILL,
    moved::DRILL,
    cancelled::DRILL,
    killed_most::DRILL,
    restarts::DRILL,
    unavailable::DRILL,
    graceful::DRILL,
    silent::DRILL,
    hung::DRILL,
    recovery::DRILL,
    overload::DRILL,
];

impl Drill {
    pub async fn run(&self, ground: &Ground) -> Report {
        let began = Instant::now();
        let findings = match tokio::time::timeout(PATIENCE, (self.steps)(ground.clone())).await {
            Ok(findings) => findings,
            Err(_) => Err(Trouble::Endless(PATIENCE)),
        };
        Report { took: began.elapsed(), findings }
    }
}

impl Report {
    /// Returns whether it could be run and all its bounds held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.as_ref().is_ok_and(Findings::all_hold)
    }

    /// Returns a line per figure, or one with the reason why there is none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &self.findings {
            Ok(findings) => findings.iter().map(ToString::to_string).collect(),
            Err(trouble) => vec![format!("it could not be run: {trouble}")],
        }
    }
}

/// Waits while the load runs.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Returns the time until a condition held, checked every two milliseconds; at most `patience`.
async fn until(patience: Duration, holds: impl Fn() -> bool) -> Option<Duration> {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > patience {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Some(began.elapsed())
}
