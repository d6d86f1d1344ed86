//! What is counted, as Prometheus reads it.

use super::*;
use crate::upstream::discovery::{Address, Found};
use crate::upstream::{Attempt, Instances, Repeat, Settings, Site, Terms, Upstream, now};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use std::time::Duration;

/// Creates an upstream with instances `a`, `b` and so on, counted in its own recorder.
fn upstream(
    recorder: &PrometheusRecorder,
    source: &str,
    names: &[&str],
    change: impl FnOnce(&mut Settings),
) -> Upstream<String> {
    let mut settings = Settings::default();
    change(&mut settings);
    let instances = Instances::Fixed(names.iter().map(|name| address(name)).collect());
    let site = Site { https: false, name: None, prefix: String::new(), instances };
    metrics::with_local_recorder(recorder, || {
        Upstream::new(source, settings, site, |uri, _| Ok(uri.host().unwrap_or("").to_owned()))
    })
}

fn address(name: &str) -> Address {
    Address::new(name, 80).unwrap()
}

/// Makes calls whose attempts end as `answer` returns for their instance.
async fn call(upstream: &Upstream<String>, times: usize, answer: fn(&str) -> Result<(), Failure>) {
    for _ in 0..times {
        let terms = Terms { deadline: now() + Duration::from_secs(15), repeat: Repeat::Always };
        let attempt = |attempt: Attempt<String>| {
            let outcome = answer(&attempt.instance.connection);
            async move { outcome }
        };
        let _ = upstream.call(terms, attempt).await;
    }
}

fn away() -> Failure {
    Failure::status(503, "", Fault::Away)
}

/// Returns the value of a series of `portcullis_upstream_…`; `None` if there is no such series.
fn value(recorder: &PrometheusRecorder, series: &str) -> Option<f64> {
    let (text, series) = (recorder.handle().render(), format!("portcullis_upstream_{series} "));
    text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
}

fn expect(recorder: &PrometheusRecorder, expected: &[(&str, f64)]) {
    for (series, wanted) in expected {
        let text = recorder.handle().render();
        assert_eq!(value(recorder, series), Some(*wanted), "{series} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_attempts_retries_and_ejections_are_counted() {
    fastrand::seed(7);
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "counted", &["a", "b"], |settings| {
        settings.ejection.failures = 2;
        settings.retry.free = 1000;
    });
    call(&upstream, 20, |name| if name == "a" { Err(away()) } else { Ok(()) }).await;
    call(&upstream, 1, |_| Err(Failure::status(404, "", Fault::Call))).await;
    expect(
        &recorder,
        &[
            (r#"calls_total{source="counted",outcome="ok"}"#, 20.0),
            (r#"calls_total{source="counted",outcome="client_error"}"#, 1.0),
            (r#"calls_total{source="counted",outcome="server_error"}"#, 0.0),
            (r#"attempts_total{source="counted",instance="a:80",outcome="server_error"}"#, 2.0),
            (r#"attempts_total{source="counted",instance="b:80",outcome="ok"}"#, 20.0),
            (r#"retries_total{source="counted"}"#, 2.0),
            (r#"hedges_total{source="counted"}"#, 0.0),
            (r#"moves_total{source="counted"}"#, 0.0),
            (r#"ejections_total{source="counted",instance="a:80"}"#, 1.0),
            (r#"attempt_duration_seconds_count{source="counted"}"#, 23.0),
            (r#"instances{source="counted"}"#, 2.0),
            (r#"calls_in_flight{source="counted"}"#, 0.0),
        ],
    );
    let status = upstream.status(now());
    assert_eq!((status.calls, status.failures), (21, 0));
}

#[tokio::test(start_paused = true)]
async fn moves_are_counted_apart_from_retries() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "moving", &["a", "b"], |_| {});
    let answer = |name: &str| match name {
        "a" => Err(Failure::Unreached("connection refused".to_owned())),
        _ => Ok(()),
    };
    call(&upstream, 40, answer).await;
    expect(
        &recorder,
        &[
            (r#"calls_total{source="moving",outcome="ok"}"#, 40.0),
            (r#"attempts_total{source="moving",instance="a:80",outcome="unreached"}"#, 1.0),
            (r#"moves_total{source="moving"}"#, 1.0),
            (r#"retries_total{source="moving"}"#, 0.0),
            (r#"downs_total{source="moving",instance="a:80"}"#, 1.0),
        ],
    );
    assert_eq!(upstream.status(now()).moves, 1);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_seen_to_turn() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "broken", &["a"], |settings| {
        settings.breaker.calls = 4;
        (settings.retry.free, settings.retry.burst) = (0, 0);
    });
    call(&upstream, 5, |_| Err(away())).await;
    expect(
        &recorder,
        &[
            (r#"breaker_position{source="broken"}"#, 2.0),
            (r#"calls_total{source="broken",outcome="circuit_open"}"#, 1.0),
            (r#"budget_empty_total{source="broken"}"#, 4.0),
        ],
    );
    tokio::time::advance(Duration::from_secs(6)).await;
    call(&upstream, 1, |_| Ok(())).await;
    expect(
        &recorder,
        &[
            (r#"breaker_position{source="broken"}"#, 0.0),
            (r#"breaker_transitions_total{source="broken",to="open"}"#, 1.0),
            (r#"breaker_transitions_total{source="broken",to="half_open"}"#, 1.0),
            (r#"breaker_transitions_total{source="broken",to="closed"}"#, 1.0),
        ],
    );
    let status = upstream.status(now());
    assert_eq!((status.calls, status.failures), (6, 5));
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_and_waiting_are_seen_and_so_are_those_given_up() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "full", &["a"], |settings| {
        settings.concurrency =
            crate::upstream::Concurrency { max: 1, waiting: 1, ..settings.concurrency };
    });
    let terms = Terms { deadline: now() + Duration::from_secs(15), repeat: Repeat::Always };
    let hang = || upstream.call(terms, |_| std::future::pending::<Result<(), Failure>>());
    {
        let (mut first, mut second) = (Box::pin(hang()), Box::pin(hang()));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(matches!(hang().await, Err(Failure::Overloaded(_))));
        let (under_way, waiting) =
            (r#"calls_in_flight{source="full"}"#, r#"calls_waiting{source="full"}"#);
        expect(&recorder, &[(under_way, 1.0), (waiting, 1.0)]);
    }
    expect(
        &recorder,
        &[
            (r#"calls_in_flight{source="full"}"#, 0.0),
            (r#"calls_waiting{source="full"}"#, 0.0),
            (r#"calls_total{source="full",outcome="cancelled"}"#, 2.0),
            (r#"calls_total{source="full",outcome="overloaded"}"#, 1.0),
            (r#"attempts_total{source="full",instance="a:80",outcome="cancelled"}"#, 1.0),
        ],
    );
}

#[test]
fn discovery_that_fails_is_seen() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "sought", &[], |_| {});
    let (failing, errors) =
        (r#"discovery_failing{source="sought"}"#, r#"discovery_errors_total{source="sought"}"#);
    expect(&recorder, &[(failing, 0.0), (errors, 0.0)]);
    let error = Some("no answer from the name server".to_owned());
    metrics::with_local_recorder(&recorder, || {
        upstream.update(Found { addresses: vec![address("a")], error });
    });
    let known = r#"instances{source="sought"}"#;
    expect(&recorder, &[(failing, 1.0), (errors, 1.0), (known, 1.0)]);
    metrics::with_local_recorder(&recorder, || {
        upstream.update(Found { addresses: vec![address("a")], error: None });
    });
    expect(&recorder, &[(failing, 0.0), (errors, 1.0)]);
}

/// Whatever discovery finds, and however often.
#[test]
fn a_hundred_instances_have_a_name() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let upstream = upstream(&recorder, "many", &[], |_| {});
    for round in 0..10 {
        let names = (0..40).map(|number| address(&format!("host-{round}-{number}"))).collect();
        metrics::with_local_recorder(&recorder, || {
            upstream.update(Found { addresses: names, error: None });
        });
    }
    let text = recorder.handle().render();
    let series = |line: &&str| line.starts_with("portcullis_upstream_ejections_total{");
    let lines: Vec<_> = text.lines().filter(series).collect();
    assert_eq!(lines.len(), MOST_INSTANCES + 1, "{text}");
    assert!(lines.iter().any(|line| line.contains(r#"instance="other""#)));
    assert!(!text.contains("host-9-"));
}

#[test]
fn outcomes_are_named_in_their_order() {
    assert_eq!(Outcome::Ok.label(), "ok");
    assert_eq!(Outcome::Cancelled.label(), "cancelled");
    assert_eq!(Outcome::Cancelled as usize, OF_ATTEMPTS - 1, "the last one of attempts");
    assert_eq!(Outcome::Overloaded.label(), "overloaded");
    assert_eq!(Outcome::Overloaded as usize, OUTCOMES.len() - 1);
}
