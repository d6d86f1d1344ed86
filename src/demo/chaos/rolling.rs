//! Every instance and both gateways are restarted one after another, each as by a SIGTERM. Clients use the gateways in
//! turn, over persistent connections. If a connection is refused, they use the other gateway, as with a load balancer.

use super::figures::Findings;
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "rolling",
    what: "all instances and both gateways are restarted one after another under load",
    must_hold: "no request fails",
    steps: |ground| run(ground.length).boxed(),
};

const PAUSE: Duration = Duration::from_millis(300);

async fn run(length: Length) -> Result<Findings, Trouble> {
    let mut instances = Instance::several(3, Duration::from_millis(20))?;
    let source = [Source::of("a", &instances)];
    let mut gateways = [Served::start(&source).await?, Served::start(&source).await?];
    let addresses = gateways.iter().map(|it| it.address).collect();
    let rate = length.rate(40, 150);
    let load = Load::start(Aim {
        gateways: addresses,
        source: Some("a"),
        rate,
        calls: 1,
        is_mutation: false,
    });
    pass(Duration::from_secs(1)).await;
    let rounds = if length == Length::Short { 2 } else { 4 };
    for _ in 0..rounds {
        for instance in &mut instances {
            instance.stop().await?;
            instance.listen()?;
            pass(PAUSE).await;
        }
        for gateway in &mut gateways {
            gateway.restart().await?;
            pass(PAUSE).await;
        }
    }
    let shots = load.stop().await;

    let mut findings = Findings::default();
    let (failed, text) = shots.failures();
    findings.hold(failed == 0, format!("{text}, in {} restarts", rounds * 5));
    Ok(findings)
}
