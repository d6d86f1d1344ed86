//! Drives attempts on a paused clock: which instances are called, how often and for how long, and that everything held
//! is released.

mod instances;
mod moves;

use super::*;
use futures_util::future::{Either, select};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Instances named `a`, `b` and so on. An attempt sees the name of its instance.
fn upstream(names: &[&str], change: impl FnOnce(&mut Settings)) -> Upstream<String> {
    let mut settings = Settings::default();
    change(&mut settings);
    let addresses = names.iter().map(|name| address(name)).collect();
    let site = Site {
        https: false,
        name: None,
        prefix: String::new(),
        instances: Instances::Fixed(addresses),
    };
    Upstream::new("users", settings, site, |uri, _| Ok(uri.host().unwrap_or_default().to_owned()))
}

fn address(name: &str) -> Address {
    Address::new(name, 80).unwrap()
}

fn terms(repeat: Repeat) -> Terms {
    Terms { deadline: now() + Duration::from_secs(15), repeat }
}

fn away() -> Failure {
    Failure::status(503, "not now", Fault::Away)
}

fn refused() -> Failure {
    Failure::Unreached("connection refused".to_owned())
}

/// Outcome of a call by the name of its instance, and the number of calls to each.
struct Script {
    calls: Mutex<HashMap<String, usize>>,
    answer: fn(&str) -> Result<(), Failure>,
}

impl Script {
    fn new(answer: fn(&str) -> Result<(), Failure>) -> Self {
        Self { calls: Mutex::default(), answer }
    }

    async fn call(&self, upstream: &Upstream<String>, repeat: Repeat) -> Result<String, Failure> {
        let attempt = |attempt: Attempt<String>| {
            let name = attempt.instance.connection.clone();
            *self.calls.lock().unwrap().entry(name.clone()).or_default() += 1;
            let answer = (self.answer)(&name);
            async move { answer.map(|()| name) }
        };
        upstream.call(terms(repeat), attempt).await
    }

    fn calls(&self, name: &str) -> usize {
        self.calls.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    fn all_calls(&self) -> usize {
        self.calls.lock().unwrap().values().sum()
    }
}

async fn forever(_: Attempt<String>) -> Result<(), Failure> {
    std::future::pending().await
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_cut_at_its_timeout_and_dropped() {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Mutex::new(Some(SetOnDrop(Arc::clone(&dropped))));
    let upstream = upstream(&["a"], |settings| settings.timeout = Duration::from_millis(20));
    let outcome = upstream
        .call(terms(Repeat::IfNotSent), |_| {
            let held = flag.lock().unwrap().take();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(())
            }
        })
        .await;
    assert_eq!(outcome, Err(Failure::Timeout(Duration::from_millis(20))));
    assert!(dropped.load(Ordering::SeqCst));
    assert_eq!(upstream.status(now()).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_cut_at_the_deadline_when_that_is_nearer() {
    let upstream = upstream(&["a"], |_| {});
    let deadline = now() + Duration::from_millis(10);
    let repeat = Repeat::Always;
    let outcome = upstream.call(Terms { deadline, repeat }, forever).await;
    assert_eq!(outcome, Err(Failure::Timeout(Duration::from_millis(10))));
    let late = upstream.call(Terms { deadline, repeat }, forever).await;
    assert!(matches!(late, Err(Failure::Timeout(_))), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_tried_at_another_instance() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let script = Script::new(|name| if name == "c" { Ok(()) } else { Err(away()) });
    for _ in 0..4 {
        assert_eq!(script.call(&upstream, Repeat::IfAway).await, Ok("c".to_owned()));
    }
    assert_eq!(script.calls("c"), 4);
    assert!(script.calls("a") <= 4 && script.calls("b") <= 4, "each once a call");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_been_made_is_not_made_again() {
    let upstream = upstream(&["a", "b"], |_| {});
    let script = Script::new(|_| Err(Failure::Unavailable("it broke".to_owned())));
    let outcome = script.call(&upstream, Repeat::IfNotSent).await;
    assert_eq!(outcome, Err(Failure::Unavailable("it broke".to_owned())));
    assert_eq!(script.all_calls(), 1);
    let _ = script.call(&upstream, Repeat::IfAway).await;
    assert_eq!(script.all_calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn further_tries_are_paid_out_of_the_budget() {
    let upstream = upstream(&["a", "b"], |settings| settings.breaker.failures = f64::INFINITY);
    let script = Script::new(|_| Err(away()));
    for _ in 0..200 {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    let retries = script.all_calls() - 200;
    assert!((20..=60).contains(&retries), "{retries} retries of 200 calls");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_left_alone_and_tried_again_by_one() {
    let upstream = upstream(&["a", "b"], |settings| settings.retry.attempts = 1);
    let script = Script::new(|_| Err(away()));
    for _ in 0..20 {
        assert_eq!(script.call(&upstream, Repeat::Always).await, Err(away()));
    }
    let refused = script.call(&upstream, Repeat::Always).await;
    assert!(matches!(refused, Err(Failure::CircuitOpen(_))), "{refused:?}");
    assert_eq!(script.all_calls(), 20);
    tokio::time::advance(Duration::from_secs(2)).await;
    let well = Script::new(|_| Ok(()));
    assert!(well.call(&upstream, Repeat::Always).await.is_ok());
    assert_eq!(upstream.status(now()).breaker, Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_takes_a_new_connection_to_the_instance_called_longest_ago() {
    let upstream = upstream(&["a", "b", "c"], |settings| settings.retry.attempts = 1);
    let script = Script::new(|_| Err(away()));
    while upstream.status(now()).breaker == Position::Closed {
        let _ = script.call(&upstream, Repeat::Always).await;
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let probed = Mutex::new(Vec::new());
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(2)).await;
        let probe = upstream.call(terms(Repeat::Always), |attempt| {
            assert!(attempt.fresh);
            probed.lock().unwrap().push(attempt.instance.connection.clone());
            async { Err::<(), _>(away()) }
        });
        assert_eq!(probe.await, Err(away()));
    }
    let mut probed = probed.into_inner().unwrap();
    probed.sort();
    assert_eq!(probed, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_tried_at_the_other_instances_too() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let script = Script::new(|_| Err(away()));
    while upstream.status(now()).breaker == Position::Closed {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    let one_is_back = Script::new(|name| if name == "c" { Ok(()) } else { Err(away()) });
    assert_eq!(one_is_back.call(&upstream, Repeat::Always).await, Ok("c".to_owned()));
    assert_eq!(upstream.status(now()).breaker, Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_does_not_open_while_an_instance_is_healthy() {
    let upstream = upstream(&["a", "b", "c"], |settings| {
        settings.retry.attempts = 1;
        settings.balance = Balance::RoundRobin;
    });
    let script = Script::new(|name| if name == "c" { Ok(()) } else { Err(away()) });
    for _ in 0..200 {
        let _ = script.call(&upstream, Repeat::Always).await;
        assert_eq!(upstream.status(now()).breaker, Position::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_moves_on_without_budget_until_it_is_sent() {
    let upstream = upstream(&["a", "b", "c", "d", "e", "f", "g"], |settings| {
        (settings.retry.budget, settings.retry.free, settings.retry.burst) = (0.0, 0, 0);
        settings.retry.attempts = 1;
    });
    let script = Script::new(|name| if name == "g" { Ok(()) } else { Err(refused()) });
    let start = now();
    let mut failed = 0;
    for _ in 0..10 {
        failed += usize::from(script.call(&upstream, Repeat::IfNotSent).await.is_err());
    }
    assert_eq!(now(), start, "at once");
    assert!(failed <= 1, "six instances are down, and a call moves on five times");
    let status = upstream.status(now());
    assert_eq!((status.moves, script.all_calls()), (6 - failed as u64, 6 + 10 - failed));
    let down = status.instances.iter().filter(|it| it.health == status::Wellness::Down);
    assert_eq!((down.count(), status.breaker), (6, Position::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closing_is_replaced_at_the_same_instance() {
    let upstream = upstream(&["a"], |settings| settings.retry.attempts = 1);
    let tries = AtomicUsize::new(0);
    let outcome = upstream.call(terms(Repeat::IfNotSent), |_| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { Err(Failure::Unprocessed("GOAWAY".to_owned())) } else { Ok(()) } }
    });
    assert_eq!(outcome.await, Ok(()));
    assert_eq!(upstream.status(now()).moves, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_never_moves_past_its_deadline() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let deadline = now() + Duration::from_millis(10);
    let tries = AtomicUsize::new(0);
    let outcome = upstream.call(Terms { deadline, repeat: Repeat::Always }, |_| {
        tries.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Err::<(), _>(refused())
        }
    });
    assert!(outcome.await.is_err());
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_retried_only_where_another_instance_has_answered_since() {
    let upstream = upstream(&["a", "b"], |_| {});
    let hanging = Mutex::new(String::new());
    let hang_first = |attempt: Attempt<String>| {
        let name = attempt.instance.connection.clone();
        let mut first = hanging.lock().unwrap();
        if first.is_empty() {
            first.clone_from(&name);
        }
        let hangs = *first == name;
        async move {
            tokio::time::sleep(Duration::from_millis(if hangs { 60_000 } else { 20 })).await;
            Ok(name)
        }
    };
    let start = now();
    let alone = upstream.call(terms(Repeat::Always), hang_first).await;
    assert_eq!(
        (alone, now() - start),
        (Err(Failure::Timeout(upstream.settings.timeout)), upstream.settings.timeout)
    );
    hanging.lock().unwrap().clear();
    let (upstream, hang_first) = (&upstream, &hang_first);
    let first = upstream.call(terms(Repeat::Always), hang_first);
    // Meanwhile other calls find the other instance, whichever is drawn first.
    let others = futures_util::future::join_all((1..=20).map(|number| async move {
        tokio::time::sleep(Duration::from_millis(100 * number)).await;
        upstream.call(terms(Repeat::Always), hang_first).await
    }));
    let (first, others) = futures_util::future::join(first, others).await;
    assert!(first.is_ok() && others.iter().all(Result::is_ok), "{first:?} {others:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_client_goes_away_makes_room_for_another() {
    let upstream = upstream(&["a"], |settings| settings.retry.attempts = 1);
    let script = Script::new(|_| Err(away()));
    for _ in 0..20 {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    let probe = tokio::time::timeout(
        Duration::from_millis(1),
        upstream.call(terms(Repeat::Always), forever),
    );
    assert!(probe.await.is_err(), "it hangs until its client goes away");
    assert!(Script::new(|_| Ok(())).call(&upstream, Repeat::Always).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_place_behind_a_probe() {
    let upstream = upstream(&["a"], |settings| {
        settings.retry.attempts = 1;
        settings.concurrency = Concurrency { max: 1, waiting: 1, ..settings.concurrency };
    });
    let failing = Script::new(|_| Err(away()));
    for _ in 0..20 {
        let _ = failing.call(&upstream, Repeat::Always).await;
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    let probe = pin!(upstream.call(terms(Repeat::Always), forever));
    let other = async {
        let asked = now();
        let outcome = upstream.call(terms(Repeat::Always), forever).await;
        assert_eq!(
            (outcome, now() - asked),
            (Err(Failure::CircuitOpen(Duration::from_secs(2))), Duration::ZERO)
        );
    };
    assert!(matches!(select(probe, pin!(other)).await, Either::Right(_)), "it waited");
}

#[tokio::test(start_paused = true)]
async fn past_the_bulkhead_calls_wait_and_past_that_they_fail() {
    let upstream = upstream(&["a"], |settings| {
        settings.concurrency = Concurrency { max: 2, waiting: 1, ..settings.concurrency };
    });
    let slow = |_: Attempt<String>| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    };
    let start = now();
    let call = || async { (upstream.call(terms(Repeat::Always), slow).await, now() - start) };
    let (first, second, third, fourth) = tokio::join!(call(), call(), call(), call());
    let second_long = Duration::from_secs(1);
    assert_eq!((first, second), ((Ok(()), second_long), (Ok(()), second_long)));
    assert_eq!(third, (Ok(()), 2 * second_long));
    let overloaded = Failure::Overloaded("too many calls wait for their turn");
    assert_eq!(fourth, (Err(overloaded), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_try_is_hedged_and_the_first_answer_counts() {
    let upstream = upstream(&["a", "b"], |settings| settings.hedge = true);
    let quick = |_: Attempt<String>| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(String::new())
    };
    for _ in 0..20 {
        let _ = upstream.call(terms(Repeat::Always), quick).await;
    }
    let tries = AtomicUsize::new(0);
    let second_is_quick = |attempt: Attempt<String>| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let time = if first { Duration::from_secs(3) } else { Duration::from_millis(10) };
            tokio::time::sleep(time).await;
            Ok(attempt.instance.connection.clone())
        }
    };
    let start = now();
    assert!(upstream.call(terms(Repeat::Always), second_is_quick).await.is_ok());
    let took = now() - start;
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert!(took < Duration::from_millis(40), "{took:?}");
    tries.store(0, Ordering::SeqCst);
    let start = now();
    assert!(upstream.call(terms(Repeat::IfAway), second_is_quick).await.is_ok());
    assert_eq!((tries.load(Ordering::SeqCst), now() - start), (1, Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn hedges_are_paid_out_of_the_budget() {
    let upstream = upstream(&["a", "b"], |settings| {
        settings.hedge = true;
        (settings.retry.budget, settings.retry.free, settings.retry.burst) = (0.0, 1, 0);
    });
    let tries = AtomicUsize::new(0);
    let taking = |time: Duration| {
        let tries = &tries;
        move |_: Attempt<String>| {
            tries.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    };
    for _ in 0..400 {
        let _ = upstream.call(terms(Repeat::Always), taking(Duration::from_millis(10))).await;
    }
    tries.store(0, Ordering::SeqCst);
    // One per second is free, and they take somewhat more than a second.
    for _ in 0..15 {
        let _ = upstream.call(terms(Repeat::Always), taking(Duration::from_millis(100))).await;
    }
    assert_eq!(tries.load(Ordering::SeqCst), 15 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_near_accuses_nobody() {
    let upstream = upstream(&["a", "b"], |_| {});
    let quick = |_: Attempt<String>| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    };
    for _ in 0..40 {
        let _ = upstream.call(terms(Repeat::Always), quick).await;
    }
    for _ in 0..100 {
        let near = Terms { deadline: now() + Duration::from_millis(50), repeat: Repeat::Always };
        let _ = upstream.call(near, quick).await;
    }
    let status = upstream.status(now());
    assert_eq!(status.breaker, Position::Closed);
    assert!(status.instances.iter().all(|instance| instance.failures == 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_errors_are_remembered() {
    let upstream = upstream(&["a"], |settings| settings.retry.attempts = 1);
    let script = Script::new(|_| Err(Failure::Unavailable("ä".repeat(1000))));
    for _ in 0..15 {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    let recent = upstream.status(now()).recent_errors;
    assert_eq!((recent.len(), recent[0].instance.as_str()), (10, "a:80"));
    assert!(recent[0].error.len() <= 300);
}

/// Lines logged while it lives, by attempts and everything else.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Listens with a filter such as those of `PORTCULLIS_LOG`.
    fn listen(filter: &str) -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn attempts(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &serde_json::Value| line["message"] == "attempt").collect()
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_a_line_for_whoever_asks() {
    let upstream = upstream(&["a", "b"], |settings| settings.balance = Balance::RoundRobin);
    let script = Script::new(|name| match name {
        "a" => Err(Failure::Status {
            number: 503,
            reason: "geheim".to_owned(),
            fault: Fault::Away,
            retry_after: None,
        }),
        _ => Ok(()),
    });
    let (lines, listening) = Lines::listen("info,portcullis::upstream=debug");
    for _ in 0..2 {
        script.call(&upstream, Repeat::Always).await.unwrap();
    }
    drop(listening);
    let lines = lines.attempts();
    let failed = lines.iter().find(|line| line["instance"] == "a:80").unwrap();
    assert_eq!((&failed["outcome"], &failed["status"]), (&"server_error".into(), &503.into()));
    assert_eq!((&failed["attempt"], &failed["level"]), (&1.into(), &"DEBUG".into()));
    assert_eq!(failed["target"], "portcullis::upstream");
    assert!(!failed.to_string().contains("geheim"), "{failed}");
    let again = lines.iter().find(|line| line["attempt"] == 2).unwrap();
    assert_eq!((&again["instance"], &again["outcome"]), (&"b:80".into(), &"ok".into()));
    assert!(again["ms"].is_number() && again["source"] == "users", "{again}");
    let (lines, _listening) = Lines::listen("info");
    script.call(&upstream, Repeat::Always).await.unwrap();
    assert_eq!(lines.attempts(), Vec::<serde_json::Value>::new());
}

/// Reading the status does not block calls: while one instance's state is locked, that of the source is free.
#[test]
fn a_look_holds_one_lock_at_a_time() {
    let upstream = Arc::new(upstream(&["a"], |_| {}));
    let set = upstream.members.set();
    let held = set.all[0].health();
    let looker = Arc::clone(&upstream);
    let (go, started) = std::sync::mpsc::channel();
    let look = std::thread::spawn(move || {
        go.send(()).unwrap();
        looker.status(Instant::now())
    });
    started.recv().unwrap();
    for _ in 0..1000 {
        assert!(upstream.state.try_lock().is_ok());
        std::thread::yield_now();
    }
    drop(held);
    assert_eq!(look.join().unwrap().instances.len(), 1);
}
