pub mod agent;
mod consul;
mod dns;
mod file;
pub(super) mod name_server;
mod register;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("within the deadline")
}

/// Runs one round, whether or not it is due.
async fn round(discovery: &mut Discovery) -> Found {
    discovery.due = None;
    let round = within(discovery.source.round()).await;
    discovery.take(round)
}

/// Returns the time until the next round is due.
fn due(discovery: &Discovery) -> Duration {
    discovery.due.unwrap().saturating_duration_since(Instant::now())
}

/// Asserts that the next round is due in this many seconds.
#[track_caller]
fn expect_due(discovery: &Discovery, seconds: u64) {
    let (due, at_most) = (due(discovery), Duration::from_secs(seconds));
    assert!(due <= at_most && due > at_most.saturating_sub(Duration::from_secs(1)), "{due:?}");
}

/// Returns each address as `host:port`, with whatever differs from the defaults.
fn shown(found: &Found) -> Vec<String> {
    let of = |address: &Address| {
        let mut text = address.authority();
        if address.weight != 1 {
            text.push_str(&format!(" weight {}", address.weight));
        }
        if let Some(zone) = &address.zone {
            text.push_str(&format!(" zone {zone}"));
        }
        text
    };
    found.addresses.iter().map(of).collect()
}

/// Asserts the set, and that there is no error.
#[track_caller]
fn expect(found: &Found, addresses: &[&str]) {
    assert_eq!(found.error, None);
    assert_eq!(shown(found), addresses);
}

/// Asserts the set, and a part of the error.
#[track_caller]
fn expect_error(found: &Found, addresses: &[&str], part: &str) {
    assert_eq!(shown(found), addresses, "{:?}", found.error);
    let error = found.error.as_deref().expect("an error");
    assert!(error.contains(part), "{error}");
}

#[test]
fn following_can_be_spawned() {
    fn can_be_sent<T: Send>(_: T) {}
    let settings = Settings::File { path: "instances.json".into() };
    can_be_sent(Discovery::new(settings).unwrap().next());
}
