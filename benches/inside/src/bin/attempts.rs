//! What the upstream layer adds to an attempt: the CPU of one thread for a call whose attempt does nothing, with one, three
//! and a hundred instances, all well, beside the same attempt without the layer.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --package portcullis-benches-inside --bin attempts`. Time on the
//! processor, as Linux counts it for the thread, so that a busy machine tells the same. The attempts are cut by a timer as
//! all are, so that the timer's price is part of it.

use anyhow::Result;
use portcullis::upstream::discovery::Address;
use portcullis::upstream::{
    Attempt, Balance, Failure, Instances, Repeat, Settings, Site, Terms, Upstream,
};
use portcullis_benches_inside::on_cpu;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: u32 = 300_000;
const ROUNDS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("without the layer: {:?}", median_of(bare().await?));
    for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight] {
        for instances in [1, 3, 100] {
            let upstream = upstream(instances, balance)?;
            println!(
                "{balance:?}, {instances} instances: {:?}",
                median_of(calls(&upstream).await?)
            );
        }
    }
    Ok(())
}

fn upstream(instances: u16, balance: Balance) -> Result<Upstream<u16>> {
    let addresses: Result<Vec<_>, String> =
        (1..=instances).map(|port| Address::new("127.0.0.1", port)).collect();
    let addresses = addresses.map_err(anyhow::Error::msg)?;
    let (name, prefix) = (None, String::new());
    let site = Site { https: false, name, prefix, instances: Instances::Fixed(addresses) };
    let settings = Settings { balance, ..Settings::default() };
    Ok(Upstream::new("measured", settings, site, |uri, _| Ok(uri.port_u16().unwrap_or(80))))
}

async fn attempt(attempt: Attempt<u16>) -> Result<u16, Failure> {
    Ok(black_box(attempt.instance.connection))
}

async fn calls(upstream: &Upstream<u16>) -> Result<Vec<Duration>> {
    let mut means = Vec::new();
    for _ in 0..ROUNDS {
        let deadline = Instant::now() + Duration::from_secs(15);
        let begun = on_cpu()?;
        for _ in 0..CALLS {
            let terms = Terms { deadline, repeat: Repeat::Always };
            upstream.call(terms, attempt).await?;
        }
        means.push((on_cpu()? - begun) / CALLS);
    }
    Ok(means)
}

async fn bare() -> Result<Vec<Duration>> {
    let mut means = Vec::new();
    for _ in 0..ROUNDS {
        let begun = on_cpu()?;
        for number in 0..CALLS {
            black_box(async { Ok::<_, Failure>(black_box(number)) }.await)?;
        }
        means.push((on_cpu()? - begun) / CALLS);
    }
    Ok(means)
}

fn median_of(mut means: Vec<Duration>) -> Duration {
    means.sort_unstable();
    means[means.len() / 2]
}
