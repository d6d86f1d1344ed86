//! A small backing service with adjustable behavior and a journal of its visits. It runs in this process, or in its
//! own, which can be killed and stopped.
//!
//! It listens on loopback, and can stop listening and listen again on the same port. While it does not listen, the port
//! is reserved, so that no other program gets it and connections are refused.

use super::process::Child;
use super::service::{self, Answer, Behaviour, Stage, Visit};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const BACKLOG: u32 = 1_024;

/// Stops when dropped, and closes its connections.
pub struct Instance {
    pub address: SocketAddr,
    stage: Arc<Stage>,
    place: Place,
}

enum Place {
    Here(State),
    Apart {
        /// Bound, but not listening: reserves the port while the child is not running.
        _held: TcpSocket,
        program: Box<Path>,
        slots: Option<usize>,
        child: Option<Child>,
    },
}

enum State {
    Listens(Server),
    /// Reserves its port.
    Away(TcpSocket),
    /// Only for a moment.
    Between,
}

struct Server {
    task: JoinHandle<()>,
    drain: oneshot::Sender<()>,
}

impl Instance {
    /// Listens on a free port, and answers correctly after `latency`.
    pub fn start(latency: Duration) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), latency)
    }

    pub fn start_at(address: SocketAddr, latency: Duration) -> io::Result<Self> {
        Self::start_here(address, latency, None)
    }

    pub fn several(count: usize, latency: Duration) -> io::Result<Vec<Self>> {
        (0..count).map(|_| Self::start(latency)).collect()
    }

    /// Starts in a process of `program`, if there is one. Answers as many concurrent calls as it has slots.
    pub fn start_in(
        program: Option<&Path>,
        latency: Duration,
        slots: Option<usize>,
    ) -> io::Result<Self> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let Some(program) = program else { return Self::start_here(free, latency, slots) };
        let held = hold(free)?;
        let address = held.local_addr()?;
        let stage = Arc::new(Stage::new(Behaviour { answer: Answer::Well, latency }, None));
        let place = Place::Apart { _held: held, program: program.into(), slots, child: None };
        let mut instance = Self { address, stage, place };
        instance.listen()?;
        Ok(instance)
    }

    fn start_here(
        address: SocketAddr,
        latency: Duration,
        slots: Option<usize>,
    ) -> io::Result<Self> {
        let socket = hold(address)?;
        let address = socket.local_addr()?;
        let stage = Arc::new(Stage::new(Behaviour { answer: Answer::Well, latency }, slots));
        let mut instance = Self { address, stage, place: Place::Here(State::Away(socket)) };
        instance.listen()?;
        Ok(instance)
    }

    /// Sets the answer from the next call on.
    pub fn answer(&self, answer: Answer) {
        self.stage.behaviour.send_modify(|behaviour| behaviour.answer = answer);
        self.order(Child::behave);
    }

    /// Sets the latency from the next call on.
    pub fn take(&self, latency: Duration) {
        self.stage.behaviour.send_modify(|behaviour| behaviour.latency = latency);
        self.order(Child::behave);
    }

    /// Silences the existing connections; new ones work.
    pub fn silence(&self) {
        match &self.place {
            Place::Here(_) => self.stage.silence(),
            Place::Apart { .. } => self.order(Child::silence),
        }
    }

    /// Suspends or resumes its process. While it is suspended, the system accepts connections and nothing is answered.
    /// In this process, it only stops answering.
    pub fn suspend(&self, is_suspended: bool) {
        match &self.place {
            Place::Here(_) => {
                self.answer(if is_suspended { Answer::Never } else { Answer::Well });
            }
            Place::Apart { .. } => self.order(|child| child.suspend(is_suspended)),
        }
    }

    fn order(&self, order: impl FnOnce(&Child)) {
        if let Place::Apart { child: Some(child), .. } = &self.place {
            order(child);
        }
    }

    /// Listens again.
    pub fn listen(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Here(state) => match std::mem::replace(state, State::Between) {
                State::Away(bound) => {
                    let (drain, drained) = oneshot::channel();
                    let listener = bound.listen(BACKLOG)?;
                    let shared = Arc::clone(&self.stage);
                    let task = tokio::spawn(service::serve(listener, shared, drained));
                    *state = State::Listens(Server { task, drain });
                }
                other => *state = other,
            },
            Place::Apart { child: Some(_), .. } => {}
            Place::Apart { program, slots, child, .. } => {
                *child =
                    Some(Child::start(program, self.address, *slots, Arc::clone(&self.stage))?);
            }
        }
        Ok(())
    }

    /// Ends at once, like a killed process: its connections break.
    pub async fn kill(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Here(state) => {
                if let State::Listens(server) = std::mem::replace(state, State::Between) {
                    server.task.abort();
                    // It ends by being aborted.
                    let _ = server.task.await;
                }
                *state = State::Away(hold(self.address)?);
            }
            // Dropping kills it.
            Place::Apart { child, .. } => drop(child.take()),
        }
        Ok(())
    }

    /// Ends gracefully: calls in flight are answered.
    pub async fn stop(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Here(state) => {
                if let State::Listens(server) = std::mem::replace(state, State::Between) {
                    let _ = server.drain.send(());
                    let _ = server.task.await;
                }
                *state = State::Away(hold(self.address)?);
            }
            Place::Apart { child, .. } => {
                if let Some(child) = child.take() {
                    child.drain().await;
                }
            }
        }
        Ok(())
    }

    /// Returns the visits so far.
    pub fn visits(&self) -> Vec<Visit> {
        self.stage.visits.borrow().clone()
    }

    /// Returns the number of visits since then.
    pub fn visits_since(&self, since: Instant) -> usize {
        self.stage.visits.borrow().iter().filter(|visit| visit.came >= since).count()
    }

    /// Returns the number of visits in this period.
    pub fn visits_in(&self, from: Instant, to: Instant) -> usize {
        let came = |visit: &&Visit| visit.came >= from && visit.came < to;
        self.stage.visits.borrow().iter().filter(came).count()
    }

    /// Returns the time of the first visit since then.
    pub fn first_visit_since(&self, since: Instant) -> Option<Instant> {
        let visits = self.stage.visits.borrow();
        visits.iter().map(|visit| visit.came).find(|came| *came >= since)
    }

    /// Waits until `is_so` holds for the visits.
    pub async fn seen(&self, is_so: impl Fn(&[Visit]) -> bool) {
        let mut visits = self.stage.visits.subscribe();
        // It is not closed while this holds its sender.
        let _ = visits.wait_for(|visits| is_so(visits)).await;
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Place::Here(State::Listens(server)) = &self.place {
            server.task.abort();
        }
    }
}

/// Returns the maximum number of calls that were in flight at once at these instances.
pub fn most_in_flight(instances: &[Instance]) -> usize {
    let mut changes: Vec<(Instant, bool)> = Vec::new();
    for visit in instances.iter().flat_map(Instance::visits) {
        changes.push((visit.came, true));
        changes.extend(visit.left.map(|left| (left, false)));
    }
    // A call that ends when another begins makes room first.
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, comes) in changes {
        now = if comes { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}

/// Binds the port without listening.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves as an instance that its parent started; see [`Child`].
pub(super) fn listen_at(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    hold(address)?.listen(BACKLOG)
}
