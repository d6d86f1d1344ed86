//! Load: so many connections, each asking its next question when the last one is answered, for so long. Every reply is
//! compared, byte for byte, with the one that was verified before.

use crate::exchange::{Line, Question};
use anyhow::{Context, Result, bail};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// No question of these measurements takes longer, or the measurement is void.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked of whom, and what the answer must be.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub question: Question,
    pub answer: Arc<[u8]>,
    /// An answer with the same members in another order is right, too.
    pub any_order: bool,
}

/// So many orders of one answer are known by their bytes; others are read each time.
const KNOWN_ORDERS: usize = 24;

/// What one run of load saw.
pub struct Seen {
    pub requests: usize,
    pub elapsed: Duration,
    /// Of every request, sorted.
    latencies: Vec<Duration>,
}

impl Seen {
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `part` (0 to 1) of the requests did not exceed, in milliseconds.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn percentile(&self, part: f64) -> f64 {
        let at = ((self.latencies.len() as f64 * part) as usize)
            .min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// One question, one answer.
pub async fn ask(address: SocketAddr, question: &Question) -> Result<Vec<u8>> {
    let mut line = Line::open(address).await?;
    Ok(timeout(PATIENCE, line.ask(question)).await.context("no answer in time")??.to_vec())
}

/// Asks on `connections` lines for `length`; each line finishes the question it is at.
pub async fn drive(target: &Target, connections: usize, length: Duration) -> Result<Seen> {
    let start = Instant::now();
    let end = start + length;
    let mut lines = tokio::task::JoinSet::new();
    for _ in 0..connections {
        lines.spawn(drive_line(target.clone(), end));
    }
    let mut latencies = Vec::new();
    while let Some(line) = lines.join_next().await {
        latencies.extend(line??);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok(Seen { requests: latencies.len(), elapsed, latencies })
}

async fn drive_line(target: Target, end: Instant) -> Result<Vec<Duration>> {
    let mut line = Line::open(target.address).await?;
    let mut latencies = Vec::with_capacity(4096);
    let mut known = vec![Arc::clone(&target.answer)];
    loop {
        let start = Instant::now();
        if start >= end {
            return Ok(latencies);
        }
        let answer =
            timeout(PATIENCE, line.ask(&target.question)).await.context("no answer in time")??;
        latencies.push(start.elapsed());
        if known.iter().any(|known| answer == &**known) {
            continue;
        }
        if !target.any_order || !equal_json(answer, &target.answer) {
            let start = String::from_utf8_lossy(&answer[..answer.len().min(300)]);
            bail!("a reply differs from the verified one: {start}");
        }
        if known.len() < KNOWN_ORDERS {
            known.push(answer.into());
        }
    }
}

/// Whether two texts hold the same JSON; the order of an object's members does not count.
pub fn equal_json(one: &[u8], other: &[u8]) -> bool {
    let read = |text| serde_json::from_slice::<serde_json::Value>(text).ok();
    read(one).is_some_and(|one| read(other) == Some(one))
}
