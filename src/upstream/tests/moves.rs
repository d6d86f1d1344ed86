//! Calls that their service did not process, asks to wait with, or has not replied to yet.

use super::*;

fn unprocessed() -> Failure {
    Failure::Unprocessed("REFUSED_STREAM".to_owned())
}

#[tokio::test(start_paused = true)]
async fn one_instance_that_processes_nothing_is_asked_twice_and_then_out_of_the_budget() {
    let upstream = upstream(&["a"], |settings| {
        settings.breaker.failures = f64::INFINITY;
        (settings.retry.budget, settings.retry.free, settings.retry.burst) = (0.0, 0, 1);
    });
    let script = Script::new(|_| Err(unprocessed()));
    let start = now();
    assert_eq!(script.call(&upstream, Repeat::IfNotSent).await, Err(unprocessed()));
    assert_eq!((script.all_calls(), upstream.status(now()).moves), (3, 1), "one was paid for");
    assert!(now() > start, "and waited for");
    assert_eq!(script.call(&upstream, Repeat::IfNotSent).await, Err(unprocessed()));
    assert_eq!((script.all_calls(), upstream.status(now()).moves), (5, 2));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_processes_nothing_gets_fewer_calls_and_is_not_ejected() {
    let upstream = upstream(&["a", "b"], |_| {});
    let script = Script::new(|name| if name == "a" { Err(unprocessed()) } else { Ok(()) });
    for _ in 0..200 {
        assert_eq!(script.call(&upstream, Repeat::IfNotSent).await, Ok("b".to_owned()));
    }
    assert!(script.calls("a") < 30, "{} of 200", script.calls("a"));
    assert_eq!(upstream.status(now()).instances[0].health, status::Wellness::Well);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_processes_nothing_has_its_breaker_open() {
    let upstream = upstream(&["a"], |_| {});
    let script = Script::new(|_| Err(unprocessed()));
    for _ in 0..20 {
        let _ = script.call(&upstream, Repeat::IfNotSent).await;
    }
    assert_eq!(upstream.status(now()).breaker, Position::Open);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_answers_something_else_fails_no_call_and_is_ejected() {
    for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight] {
        let upstream = upstream(&["a", "b", "c"], |settings| settings.balance = balance);
        let script = Script::new(|name| match name {
            "a" => Err(Failure::Invalid("content-type `text/html` is not JSON".to_owned())),
            _ => Ok(()),
        });
        for _ in 0..300 {
            let outcome = script.call(&upstream, Repeat::Always).await;
            assert!(outcome.is_ok(), "{balance:?}: {outcome:?}");
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert_eq!(script.calls("a"), 5, "{balance:?}: five failures in a row");
        assert_eq!(upstream.status(now()).instances[0].health, status::Wellness::Ejected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_no_instance_gives_in_the_promised_form_opens_no_breaker() {
    let upstream = upstream(&["a"], |_| {});
    let script = Script::new(|_| Err(Failure::Invalid("not JSON".to_owned())));
    for _ in 0..50 {
        assert!(script.call(&upstream, Repeat::IfNotSent).await.is_err());
    }
    assert_eq!(upstream.status(now()).breaker, Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_gives_calls_up_is_ejected_and_not_down() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let script = Script::new(|name| match name {
        "a" => Err(Failure::Reset("INTERNAL_ERROR".to_owned())),
        _ => Ok(()),
    });
    for _ in 0..300 {
        assert!(script.call(&upstream, Repeat::IfAway).await.is_ok());
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert_eq!(script.calls("a"), 5, "five failures in a row");
    assert_eq!(upstream.status(now()).instances[0].health, status::Wellness::Ejected);
}

#[tokio::test(start_paused = true)]
async fn a_call_has_no_place_while_its_service_wants_to_be_left_alone() {
    let upstream = upstream(&["a"], |settings| settings.concurrency.max = 1);
    let tries = AtomicUsize::new(0);
    let asked_to_wait = upstream.call(terms(Repeat::Always), |_| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        let retry_after = Some(Duration::from_secs(2));
        let (number, reason, fault) = (429, String::new(), Fault::Load);
        let busy = Failure::Status { number, reason, fault, retry_after };
        async move { if first { Err(busy) } else { Ok(now()) } }
    });
    let start = now();
    let other = upstream.call(terms(Repeat::IfNotSent), |_| async { Ok(now()) });
    let (first, second) = tokio::join!(asked_to_wait, other);
    assert_eq!(second, Ok(start), "the other one did not wait");
    assert_eq!(first, Ok(start + Duration::from_secs(2)));
    assert_eq!(upstream.status(now()).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_place_again_ends_with_what_its_service_said() {
    let upstream = upstream(&["a"], |settings| {
        settings.concurrency = Concurrency { max: 1, waiting: 1, ..settings.concurrency };
    });
    let busy = || {
        let (reason, retry_after) = (String::new(), Some(Duration::from_secs(1)));
        Failure::Status { number: 503, reason, fault: Fault::Away, retry_after }
    };
    let start = now();
    let asked_to_wait = async {
        let reply = upstream.call(terms(Repeat::Always), |_| async { Err::<(), _>(busy()) }).await;
        (reply, now() - start)
    };
    // One has the place, and the other one waits for it.
    let other = || {
        upstream.call(terms(Repeat::IfNotSent), |_| async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok(())
        })
    };
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other().await
    };
    let (first, second, third) = tokio::join!(asked_to_wait, other(), later);
    assert_eq!(first, (Err(busy()), Duration::from_secs(1)));
    assert_eq!((second, third), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_finds_no_instance_leaves_the_first_attempt_alone() {
    let upstream = upstream(&["a"], |settings| settings.hedge = true);
    let taking = |time: Duration| {
        move |_: Attempt<String>| async move {
            tokio::time::sleep(time).await;
            Ok(())
        }
    };
    for _ in 0..20 {
        let _ = upstream.call(terms(Repeat::Always), taking(Duration::from_millis(10))).await;
    }
    let slow = upstream.call(terms(Repeat::Always), taking(Duration::from_secs(3)));
    let gone = async { upstream.update(Found { addresses: Vec::new(), error: None }) };
    let (outcome, ()) = tokio::join!(slow, gone);
    assert_eq!(outcome, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_has_not_begun_says_nothing_of_the_service() {
    let upstream = upstream(&["a"], |_| {});
    for _ in 0..20 {
        let attempt = |_: Attempt<String>| async {
            tokio::time::sleep(Duration::from_millis(4_900)).await;
            Ok(())
        };
        assert_eq!(upstream.open(terms(Repeat::Always), attempt, |()| false).await, Ok(()));
    }
    let status = upstream.status(now());
    assert_eq!((status.p50_ms, status.p95_ms, status.breaker), (None, None, Position::Closed));
    let instance = &status.instances[0];
    assert_eq!((instance.p50_ms, instance.calls, instance.in_flight), (None, 0, 0));
    assert_eq!(upstream.members.set().all[0].health().answered(), None);
}
