//! Processes for drills: an instance or a gateway as a child process that can be killed and stopped.
//!
//! An instance is `portcullis demo --instance PLAN`. It writes a line for each call that begins and ends, reads its
//! orders line by line, and ends when its standard input ends, and so with its parent.

use super::Trouble;
use super::instance::listen_at;
use super::service::{Behaviour, Stage, serve};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

/// The programs that drills with processes of their own start.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Program that runs `serve`.
    pub gateway: PathBuf,
    /// Program that runs `demo --instance`.
    pub instance: PathBuf,
}

/// Initial settings of an instance in its own process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Plan {
    address: SocketAddr,
    behaviour: Behaviour,
    slots: Option<usize>,
}

impl FromStr for Plan {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Behave(Behaviour),
    Silence,
    Drain,
}

/// Written by the child when it listens.
const LISTENING: &str = "listening";

/// An instance in a process of its own. Killed when dropped.
pub struct Child {
    process: process::Child,
    orders: Mutex<process::ChildStdin>,
    stage: Arc<Stage>,
    /// Becomes true when its output has ended.
    ended: watch::Receiver<bool>,
}

impl Child {
    /// Starts a child. Returns when it listens.
    pub fn start(
        program: &Path,
        address: SocketAddr,
        slots: Option<usize>,
        stage: Arc<Stage>,
    ) -> io::Result<Self> {
        let behaviour = *stage.behaviour.borrow();
        let plan = serde_json::to_string(&Plan { address, behaviour, slots })?;
        let mut process = Command::new(program)
            .args(["demo", "--instance", &plan])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let piped = || io::Error::other("no pipe to the instance");
        let orders = Mutex::new(process.stdin.take().ok_or_else(piped)?);
        let mut output = BufReader::new(process.stdout.take().ok_or_else(piped)?);
        let mut first = String::new();
        output.read_line(&mut first)?;
        if first.trim() != LISTENING {
            let _ = process.kill();
            let _ = process.wait();
            return Err(io::Error::other(format!("the instance said `{}`", first.trim())));
        }
        let (end, ended) = watch::channel(false);
        let journal = Arc::clone(&stage);
        std::thread::spawn(move || {
            keep_journal(output, &journal);
            end.send_replace(true);
        });
        Ok(Self { process, orders, stage, ended })
    }

    /// Sends the behavior of its stage to the child.
    pub fn behave(&self) {
        self.order(&Order::Behave(*self.stage.behaviour.borrow()));
    }

    pub fn silence(&self) {
        self.order(&Order::Silence);
    }

    /// Sends SIGSTOP, or SIGCONT.
    pub fn suspend(&self, is_suspended: bool) {
        let signal = if is_suspended { "-STOP" } else { "-CONT" };
        // If it fails, the drill notices that the instance continues.
        let _ = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
    }

    /// Drains the child. Returns when it has answered its calls and ended.
    pub async fn drain(mut self) {
        self.order(&Order::Drain);
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    fn order(&self, order: &Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        // A child that has ended does not matter.
        let _ = serde_json::to_writer(&mut *orders, order);
        let _ = orders.write_all(b"\n");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A gateway in a process of its own. Killed when dropped.
pub struct GatewayProcess {
    pub address: SocketAddr,
    process: process::Child,
}

impl GatewayProcess {
    /// Serves a configuration on a free port. Returns when it prints its address.
    pub fn start(program: &Path, config: &Path) -> Result<Self, Trouble> {
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(config)
            .env("PORTCULLIS_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().map(BufReader::new);
        let mut lines = output.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| line.split_whitespace().find_map(endpoint));
        let Some(address) = address else {
            let _ = process.kill();
            let _ = process.wait();
            let program = program.display();
            return Err(Trouble::Configuration(format!("`{program} serve` said no address")));
        };
        // The rest is read, so that the child never blocks on its output.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { address, process })
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn endpoint(word: &str) -> Option<SocketAddr> {
    word.strip_prefix("http://")?.strip_suffix("/graphql")?.parse().ok()
}

/// Reads a child's journal until it ends; see [`Stage::written`].
fn keep_journal(output: impl BufRead, stage: &Stage) {
    let before = stage.visits.borrow().len();
    for line in output.lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("+", _)) => drop(stage.came()),
            Some(("-", number)) => {
                if let Ok(number) = number.parse::<usize>() {
                    stage.left(before + number);
                }
            }
            _ => {}
        }
    }
    // Calls that were open when it ended are over.
    let all = stage.visits.borrow().len();
    for place in before..all {
        let is_open = stage.visits.borrow()[place].left.is_none();
        if is_open {
            stage.left(place);
        }
    }
}

/// Runs the instance of a plan as a drill's child, until it is stopped or its parent has ended.
///
/// # Errors
/// The socket could not be opened.
pub async fn run_instance(plan: Plan) -> Result<(), Trouble> {
    let listener = listen_at(plan.address)?;
    let stage = Arc::new(Stage::new(plan.behaviour, plan.slots).written());
    let (drain, drained) = oneshot::channel();
    let (order, mut orders) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if serde_json::from_str(&line).is_ok_and(|it: Order| order.blocking_send(it).is_err()) {
                return;
            }
        }
    });
    let served = tokio::spawn(serve(listener, Arc::clone(&stage), drained));
    writeln!(io::stdout(), "{LISTENING}")?;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Behave(behaviour) => drop(stage.behaviour.send_replace(behaviour)),
            Order::Silence => stage.silence(),
            Order::Drain => {
                let _ = drain.send(());
                let _ = served.await;
                break;
            }
        }
    }
    Ok(())
}
