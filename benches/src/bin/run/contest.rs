//! One measurement: the same question to every contestant, the answers proved equal before, every reply compared after.

use anyhow::{Context, Result, bail};
use portcullis_benches::{
    exchange::Question,
    load::{self, Target},
    process::Server,
};
use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

/// How long and how often.
pub struct Rules {
    pub rounds: usize,
    /// Of one contestant's turn in a round, behind a warm-up of a quarter of it.
    pub length: Duration,
    /// Each of these numbers of connections is a table of its own.
    pub connections: Vec<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { rounds: 5, length: Duration::from_secs(3), connections: vec![64, 1] }
    }
}

/// What a contestant is asked, and with whose answer its own must agree.
#[derive(Clone)]
pub enum Duty {
    /// The upstream's bytes at this path.
    Pass(&'static str),
    /// A query; every contestant answers with equal JSON, members in the same order.
    Answer(Cow<'static, str>),
    /// The same, from somebody who sends members in the order in which they were ready.
    AnswerInAnyOrder(Cow<'static, str>),
}

pub struct Contestant {
    pub server: Server,
    pub duty: Duty,
    answer: Arc<[u8]>,
}

/// The contestants, and the upstreams that they ask.
pub struct Contest {
    contestants: Vec<Contestant>,
    /// Each counts the calls it gets at `/calls`.
    upstreams: Vec<Server>,
}

/// What one contestant did in one turn.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Of the server process, milliseconds per request.
    pub cpu: f64,
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// Upstream calls per request.
    pub calls: f64,
}

/// A contestant's turns.
pub struct Outcome {
    pub name: String,
    pub turns: Vec<Turn>,
    /// MiB, since its start.
    pub peak: f64,
}

impl Contest {
    pub fn new(upstreams: Vec<Server>) -> Self {
        Self { contestants: Vec::new(), upstreams }
    }

    pub fn enter(&mut self, server: Server, duty: Duty) {
        self.contestants.push(Contestant { server, duty, answer: Arc::new([]) });
    }

    /// Asks everyone once: a contestant whose answer is not that of the others ends the run.
    pub async fn verify(&mut self) -> Result<()> {
        let mut agreed: Option<Arc<[u8]>> = None;
        let mut in_order: Option<String> = None;
        for at in 0..self.contestants.len() {
            let name = &self.contestants[at].server.name;
            let answer = self.answer_of(at).await.with_context(|| format!("asking {name}"))?;
            if let Duty::Pass(_) = self.contestants[at].duty {
                self.contestants[at].answer = answer;
                continue;
            }
            let text = plain_answer(&answer).with_context(|| format!("the answer of {name}"))?;
            let agreed = agreed.get_or_insert_with(|| Arc::clone(&answer));
            let ordered = matches!(self.contestants[at].duty, Duty::Answer(_));
            if !load::equal_json(&answer, agreed)
                || ordered && *in_order.get_or_insert_with(|| text.clone()) != text
            {
                bail!("{name} answers other than those before it:\n{text}");
            }
            self.contestants[at].answer = answer;
        }
        Ok(())
    }

    async fn answer_of(&self, at: usize) -> Result<Arc<[u8]>> {
        let Contestant { server, duty, .. } = &self.contestants[at];
        let answer = load::ask(server.address, &duty.question()).await?;
        if let Duty::Pass(_) = duty {
            let upstream = self.upstreams.first().context("a pass-through has an upstream")?;
            if answer != load::ask(upstream.address, &duty.question()).await? {
                bail!("it does not hand the upstream's bytes through");
            }
        }
        Ok(answer.into())
    }

    /// All rounds with so many connections.
    pub async fn run(&self, rules: &Rules, connections: usize) -> Result<Vec<Outcome>> {
        let mut turns = vec![Vec::with_capacity(rules.rounds); self.contestants.len()];
        for round in 0..rules.rounds {
            for place in 0..self.contestants.len() {
                let at = (round + place) % self.contestants.len();
                let contestant = &self.contestants[at];
                let turn = self.turn(contestant, rules.length, connections).await;
                turns[at].push(turn.with_context(|| contestant.server.name.clone())?);
            }
        }
        let outcome = |(contestant, turns): (&Contestant, Vec<Turn>)| {
            let peak = contestant.server.peak_mib()?;
            Ok(Outcome { name: contestant.server.name.clone(), turns, peak })
        };
        self.contestants.iter().zip(turns).map(outcome).collect()
    }

    async fn turn(
        &self,
        contestant: &Contestant,
        length: Duration,
        connections: usize,
    ) -> Result<Turn> {
        let target = Target {
            address: contestant.server.address,
            question: contestant.duty.question(),
            answer: Arc::clone(&contestant.answer),
            any_order: matches!(contestant.duty, Duty::AnswerInAnyOrder(_)),
        };
        load::drive(&target, connections, length / 4).await?;
        let (cpu, calls) = (contestant.server.cpu_seconds()?, self.calls().await?);
        let seen = load::drive(&target, connections, length).await?;
        let cpu = contestant.server.cpu_seconds()? - cpu;
        let calls = self.calls().await? - calls;
        let requests = seen.requests as f64;
        Ok(Turn {
            cpu: cpu * 1e3 / requests,
            per_second: seen.per_second(),
            p50: seen.percentile(0.50),
            p99: seen.percentile(0.99),
            calls: calls as f64 / requests,
        })
    }

    /// Calls that the upstreams have got so far.
    async fn calls(&self) -> Result<u64> {
        let mut sum = 0;
        for upstream in &self.upstreams {
            sum += calls_of(upstream.address).await?;
        }
        Ok(sum)
    }
}

impl Duty {
    fn question(&self) -> Question {
        match self {
            Self::Pass(path) => Question::get(path),
            Self::Answer(query) | Self::AnswerInAnyOrder(query) => Question::graphql(query),
        }
    }
}

async fn calls_of(address: SocketAddr) -> Result<u64> {
    let text = load::ask(address, &Question::get("/calls")).await?;
    Ok(std::str::from_utf8(&text)?.parse()?)
}

/// The answer without insignificant space, members in the order they came. Errors: it holds errors, or no data.
fn plain_answer(bytes: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(bytes)?;
    if answer.get("errors").is_some() || answer.get("data").is_none_or(serde_json::Value::is_null) {
        bail!("not a clean answer: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(600)]));
    }
    Ok(answer["data"].to_string())
}
