//! A service moves to new addresses: in DNS, with records that may be kept for a second, and in Consul.

use super::consul::Consul;
use super::figures::Findings;
use super::instance::Instance;
use super::load::{Aim, Load};
use super::names::NameServer;
use super::served::{Served, Source};
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "moved",
    what: "one service gets new addresses in DNS (TTL 1 s), another one in Consul",
    must_hold: "all calls go to the new ones within TTL + 5 s; no request fails",
    steps: |ground| run(ground.length).boxed(),
};

const LATENCY: Duration = Duration::from_millis(20);
const TTL: Duration = Duration::from_secs(1);
const SPARE: Duration = Duration::from_secs(5);

async fn run(length: Length) -> Result<Findings, Trouble> {
    let old = Instance::start(LATENCY)?;
    // A records contain no port, so the new instance has the same port at another loopback address.
    let there = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), old.address.port()));
    let new = Instance::start_at(there, LATENCY)?;
    let (registered, next) = (Instance::several(2, LATENCY)?, Instance::several(2, LATENCY)?);
    let names = NameServer::start(Ipv4Addr::LOCALHOST, TTL).await?;
    let consul = Consul::start(&registered).await?;
    let served = Served::start(&[by_name(&names, &old), by_consul(&consul)]).await?;
    let rate = length.rate(30, 80);
    let aim = |source| Aim {
        gateways: vec![served.address],
        source: Some(source),
        rate,
        calls: 1,
        is_mutation: false,
    };
    let (by_name, by_consul) = (Load::start(aim("a")), Load::start(aim("b")));
    pass(Duration::from_secs(2)).await;

    let change = Instant::now();
    names.say(Ipv4Addr::new(127, 0, 0, 2));
    consul.list(&next);
    pass(TTL + SPARE + length.seconds(1, 4)).await;
    let (by_name, by_consul) = (by_name.stop().await, by_consul.stop().await);

    let mut findings = Findings::default();
    let of_one = std::slice::from_ref;
    let moves = [
        ("DNS", of_one(&old), of_one(&new), TTL + SPARE, by_name),
        ("Consul", &registered, &next, SPARE, by_consul),
    ];
    for (what, before, after, bound, shots) in moves {
        let last = before.iter().flat_map(Instance::visits).map(|it| it.came).max();
        let last = last.map(|last| last.saturating_duration_since(change));
        findings.within(&format!("{what}: the last call of an old address came"), last, bound);
        let calls: usize = after.iter().map(|it| it.visits().len()).sum();
        findings.hold(calls > 50, format!("{what}: the new ones had {calls} calls"));
        let (failed, text) = shots.failures();
        findings.hold(failed == 0, format!("{what}: {text}"));
    }
    Ok(findings)
}

fn by_name(names: &NameServer, instance: &Instance) -> Source {
    let (server, port) = (names.address, instance.address.port());
    let dns = format!("name: service.drill., type: A, port: {port}, server: \"{server}\"");
    Source::found("a", format!("rest: {{ dns: {{ {dns} }} }}"))
}

fn by_consul(consul: &Consul) -> Source {
    let consul = format!("service: service, agent: \"http://{}\"", consul.address);
    Source::found("b", format!("rest: {{ consul: {{ {consul} }} }}"))
}
