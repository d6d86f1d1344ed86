//! Clients hang up while their calls are in flight at an instance that does not answer. For comparison, clients of the
//! instance itself hang up in turn with them: both wait equally for the machine.

use super::figures::{Findings, quantile, shown};
use super::instance::Instance;
use super::load::{Aim, body};
use super::served::{Served, Source};
use super::service::Answer;
use super::{Drill, Length, Trouble};
use futures_util::future::FutureExt as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub const DRILL: Drill = Drill {
    name: "cancelled",
    what: "clients hang up while their calls are under way",
    must_hold: "the call is cancelled within 10 ms",
    steps: |ground| run(ground.length).boxed(),
};

const BOUND: Duration = Duration::from_millis(10);

async fn run(length: Length) -> Result<Findings, Trouble> {
    let instances = Instance::several(1, Duration::ZERO)?;
    let instance = &instances[0];
    instance.answer(Answer::Never);
    let served = Served::start(&[Source::of("a", &instances)]).await?;
    let aim = Aim::at(served.address, "a", 1);
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    let times = if length == Length::Short { 60 } else { 200 };
    for number in 0..times {
        let body = body(&aim, number);
        let head = "POST /graphql HTTP/1.1\r\nhost: drill\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        through.push(hang_up(served.address, &request, instance).await?);
        let request = format!("GET /items/{number} HTTP/1.1\r\nhost: drill\r\n\r\n");
        direct.push(hang_up(instance.address, &request, instance).await?);
    }

    let mut findings = Findings::default();
    let half = quantile(through.iter().copied(), 0.5);
    let text = format!("half of {times} calls were cancelled within {}", shown(half));
    findings.hold(half <= BOUND, text);
    let (most, machine) = (quantile(through, 0.9), quantile(direct, 0.9));
    let text = format!("90 % within {}, without a gateway {}", shown(most), shown(machine));
    findings.hold(most <= machine + BOUND, text);
    Ok(findings)
}

/// Measures how long it takes until the instance notices that the client of a request has gone.
async fn hang_up(to: SocketAddr, request: &str, instance: &Instance) -> Result<Duration, Trouble> {
    let before = instance.visits().len();
    let mut client = TcpStream::connect(to).await?;
    client.write_all(request.as_bytes()).await?;
    instance.seen(|visits| visits.len() > before).await;
    let gone = Instant::now();
    drop(client);
    instance.seen(|visits| visits[before].left.is_some()).await;
    let left = instance.visits()[before].left.unwrap_or(gone);
    Ok(left.saturating_duration_since(gone))
}
