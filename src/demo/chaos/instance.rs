//! A small backing service that behaves as it is told, and keeps a journal of its visits.
//!
//! It speaks HTTP/1.1 on loopback, and can stop listening and listen again on the same port. While it does not listen it
//! still holds the port, so that nobody else gets it and connections are refused.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

const BACKLOG: u32 = 1_024;

/// For calls under way when it stops.
const GRACE: Duration = Duration::from_secs(5);

/// What it does with a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    Well,
    /// Not at all.
    Never,
    /// With status 500.
    Error,
    /// With status 500 to this share of calls, 0 to 1, at random.
    ErrorShare(f64),
    /// Well, but after `late` for one item in `every`, that whose number leaves the remainder `rest`.
    Late {
        late: Duration,
        every: usize,
        rest: usize,
    },
}

/// One call, as the instance saw it.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    pub came: Instant,
    /// It was answered, or whoever called went away.
    pub left: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Behaviour {
    answer: Answer,
    latency: Duration,
}

/// Stops when dropped, and closes its connections.
pub struct Instance {
    pub address: SocketAddr,
    stage: Arc<Stage>,
    state: State,
}

enum State {
    Listens(Server),
    /// Holds its port.
    Away(TcpSocket),
    /// Only for a moment.
    Between,
}

struct Stage {
    behaviour: watch::Sender<Behaviour>,
    visits: watch::Sender<Vec<Visit>>,
}

struct Server {
    task: JoinHandle<()>,
    drain: oneshot::Sender<()>,
}

impl Instance {
    /// Listens on a free port, and answers well after `latency`.
    pub fn start(latency: Duration) -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), latency)
    }

    pub fn start_at(address: SocketAddr, latency: Duration) -> io::Result<Self> {
        let socket = hold(address)?;
        let address = socket.local_addr()?;
        let behaviour = watch::Sender::new(Behaviour { answer: Answer::Well, latency });
        let stage = Arc::new(Stage { behaviour, visits: watch::Sender::new(Vec::new()) });
        let mut instance = Self { address, stage, state: State::Away(socket) };
        instance.listen()?;
        Ok(instance)
    }

    pub fn several(count: usize, latency: Duration) -> io::Result<Vec<Self>> {
        (0..count).map(|_| Self::start(latency)).collect()
    }

    /// From the next call on.
    pub fn answer(&self, answer: Answer) {
        self.stage.behaviour.send_modify(|behaviour| behaviour.answer = answer);
    }

    /// From the next call on.
    pub fn take(&self, latency: Duration) {
        self.stage.behaviour.send_modify(|behaviour| behaviour.latency = latency);
    }

    /// Listens again.
    pub fn listen(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Away(socket) => {
                let (drain, drained) = oneshot::channel();
                let listener = socket.listen(BACKLOG)?;
                let task = tokio::spawn(serve(listener, Arc::clone(&self.stage), drained));
                self.state = State::Listens(Server { task, drain });
            }
            state => self.state = state,
        }
        Ok(())
    }

    /// Ends at once, as a process that is killed: its connections break.
    pub async fn kill(&mut self) -> io::Result<()> {
        if let State::Listens(server) = std::mem::replace(&mut self.state, State::Between) {
            server.task.abort();
            // Aborted is how it ends.
            let _ = server.task.await;
        }
        self.state = State::Away(hold(self.address)?);
        Ok(())
    }

    /// Ends as a service that is told to: calls under way are answered.
    pub async fn stop(&mut self) -> io::Result<()> {
        if let State::Listens(server) = std::mem::replace(&mut self.state, State::Between) {
            let _ = server.drain.send(());
            let _ = server.task.await;
        }
        self.state = State::Away(hold(self.address)?);
        Ok(())
    }

    /// So far.
    pub fn visits(&self) -> Vec<Visit> {
        self.stage.visits.borrow().clone()
    }

    /// How many came since then.
    pub fn visits_since(&self, since: Instant) -> usize {
        self.stage.visits.borrow().iter().filter(|visit| visit.came >= since).count()
    }

    /// Comes back when the visits are so.
    pub async fn seen(&self, is_so: impl Fn(&[Visit]) -> bool) {
        let mut visits = self.stage.visits.subscribe();
        // It is not closed while this holds its sender.
        let _ = visits.wait_for(|visits| is_so(visits)).await;
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let State::Listens(server) = &self.state {
            server.task.abort();
        }
    }
}

/// Of several instances, the most calls that were under way at a moment.
pub fn most_under_way(instances: &[Instance]) -> usize {
    let mut changes: Vec<(Instant, bool)> = Vec::new();
    for visit in instances.iter().flat_map(Instance::visits) {
        changes.push((visit.came, true));
        changes.extend(visit.left.map(|left| (left, false)));
    }
    // Who leaves at the moment at which another comes makes room first.
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, comes) in changes {
        now = if comes { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}

/// Bound, and nobody listens.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn serve(listener: TcpListener, stage: Arc<Stage>, mut drained: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = &mut drained => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let stage = Arc::clone(&stage);
        let service = service_fn(move |request| answer(request, Arc::clone(&stage)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(graceful.watch(connection));
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

async fn answer(
    request: Request<Incoming>,
    stage: Arc<Stage>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let _guest = Guest::enter(Arc::clone(&stage));
    let Behaviour { answer, mut latency } = *stage.behaviour.borrow();
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    if let Answer::Late { late, every, rest } = answer
        && id.parse::<usize>().is_ok_and(|id| id % every == rest)
    {
        latency = late;
    }
    tokio::time::sleep(latency).await;
    let fails = match answer {
        Answer::Well | Answer::Late { .. } => false,
        Answer::Error => true,
        Answer::ErrorShare(share) => fastrand::f64() < share,
        Answer::Never => std::future::pending().await,
    };
    let mut response = Response::new(Full::from(format!(r#"{{"id":"{id}"}}"#)));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    if fails {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}

/// A visit that is under way.
struct Guest {
    stage: Arc<Stage>,
    place: usize,
}

impl Guest {
    fn enter(stage: Arc<Stage>) -> Self {
        let mut place = 0;
        stage.visits.send_modify(|visits| {
            place = visits.len();
            visits.push(Visit { came: Instant::now(), left: None });
        });
        Self { stage, place }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let left = Some(Instant::now());
        self.stage.visits.send_modify(|visits| visits[self.place].left = left);
    }
}
