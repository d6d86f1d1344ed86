//! Settings of a source's calls: timeouts, load balancing, ejection, circuit breaker, retries and so on.

use super::section::Section;
use super::values::{self, Mistake, Read};
use super::yaml::Scalar;
use crate::upstream::{Balance, Settings, Tls};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Maximum time between two probes of an open breaker.
const LONGEST_OPEN: Duration = Duration::from_secs(5);

pub(super) fn read(section: &Section<'_>, base: &Path, zone: Option<&String>) -> Settings {
    let mut settings = Settings { zone: zone.cloned(), ..Settings::default() };
    section.read("timeout", &mut settings.timeout, values::timeout);
    section.read("connect_timeout", &mut settings.connect_timeout, values::timeout);
    section.read("max_reply", &mut settings.max_reply, |scalar| {
        values::size(scalar).map(|bytes| bytes as usize)
    });
    section.read("keep_alive", &mut settings.keep_alive, values::duration);
    section.read("max_age", &mut settings.max_age, values::timeout);
    section.read("stream_idle", &mut settings.stream_idle, values::timeout);
    section.read("balance", &mut settings.balance, balance);
    section.read("slow_start", &mut settings.slow_start, values::duration);
    section.read("hedge", &mut settings.hedge, values::boolean);
    if let Some(section) = section.section("tls") {
        settings.tls = tls(&section, base);
    }
    if let Some(section) = section.section("ejection") {
        section.check_keys();
        section.read("failures", &mut settings.ejection.failures, number);
        section.read("time", &mut settings.ejection.time, values::timeout);
        section.read("max", &mut settings.ejection.max, share);
    }
    if let Some(section) = section.section("breaker") {
        breaker(&section, &mut settings);
    }
    if let Some(section) = section.section("retry") {
        retry(&section, &mut settings);
    }
    if let Some(section) = section.section("concurrency") {
        section.check_keys();
        section.read("max", &mut settings.concurrency.max, values::positive);
        section.read("waiting", &mut settings.concurrency.waiting, values::count);
        section.read("age", &mut settings.concurrency.age, |it| values::timeout(it).map(Some));
        section.read("adapt", &mut settings.concurrency.adapt, values::boolean);
    }
    settings
}

fn tls(section: &Section<'_>, base: &Path) -> Tls {
    section.check_keys();
    let file = |key: &str| -> Option<PathBuf> {
        let path = section.get(key).and_then(|node| section.scalar(node, values::text))?;
        Some(base.join(path))
    };
    let (cert, key) = (file("cert"), file("key"));
    let lonely = match (&cert, &key) {
        (Some(_), None) => Some(("cert", "key")),
        (None, Some(_)) => Some(("key", "cert")),
        _ => None,
    };
    if let Some((one, other)) = lonely.filter(|(_, other)| section.get(other).is_none()) {
        let message = format!("`{one}` has no effect without `{other}`");
        let help = Some("set both the client certificate and its private key".to_owned());
        section.reading.problem("missing-key", &section.span, Mistake { message, help });
    }
    Tls { ca: file("ca"), identity: cert.zip(key), any_certificate: false }
}

fn breaker(section: &Section<'_>, settings: &mut Settings) {
    section.check_keys();
    let breaker = &mut settings.breaker;
    let mut enabled = true;
    section.read("enabled", &mut enabled, values::boolean);
    section.read("failures", &mut breaker.failures, share);
    section.read("calls", &mut breaker.calls, |scalar| values::positive(scalar).map(|n| n as u32));
    section.read("window", &mut breaker.window, values::timeout);
    section.read("open", &mut breaker.open, values::timeout);
    let warn = |key: &str, message: String, help: &str| {
        let span = section.get(key).map_or(&section.span, |node| &node.span);
        let help = Some(help.to_owned());
        section.reading.warning("no-effect", span, Mistake { message, help });
    };
    if breaker.open > LONGEST_OPEN {
        let longest = LONGEST_OPEN.as_secs();
        warn(
            "open",
            format!("`open` is at most {longest}s: {longest}s is used"),
            "write `open: 5s`",
        );
        breaker.open = LONGEST_OPEN;
    }
    let mut max_open = Duration::ZERO;
    section.read("max_open", &mut max_open, values::timeout);
    if section.get("max_open").is_some() {
        let message = "`max_open` is no longer used: the open time does not grow".to_owned();
        warn("max_open", message, "remove it; `open` is the time between two probes");
    }
    if !enabled {
        breaker.failures = f64::INFINITY;
    }
}

fn retry(section: &Section<'_>, settings: &mut Settings) {
    section.check_keys();
    let retry = &mut settings.retry;
    section.read("attempts", &mut retry.attempts, |scalar| {
        values::positive(scalar).map(|number| number as u32)
    });
    section.read("budget", &mut retry.budget, share);
    section.read("free", &mut retry.free, number);
    section.read("burst", &mut retry.burst, number);
    section.read("backoff", &mut retry.backoff, values::duration);
    section.read("max_backoff", &mut retry.max_backoff, values::duration);
}

fn number(scalar: &Scalar) -> Read<u32> {
    values::count(scalar).map(|number| number as u32)
}

/// Reads a percentage as a number from 0 to 1.
fn share(scalar: &Scalar) -> Read<f64> {
    values::share(scalar).map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn balance(scalar: &Scalar) -> Read<Balance> {
    match scalar.text.as_str() {
        "p2c" => Ok(Balance::P2c),
        "round_robin" => Ok(Balance::RoundRobin),
        "least_in_flight" => Ok(Balance::LeastInFlight),
        _ => Err(Mistake {
            message: "this is not a load balancing policy".to_owned(),
            help: Some("write `p2c`, `round_robin` or `least_in_flight`".to_owned()),
        }),
    }
}
