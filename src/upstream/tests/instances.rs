//! Which instance a call goes to: health, discovery, zones.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_instance_that_fails_is_ejected_and_comes_back() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let script = Script::new(|name| if name == "a" { Err(away()) } else { Ok(()) });
    for _ in 0..300 {
        assert!(script.call(&upstream, Repeat::Always).await.is_ok());
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert_eq!(script.calls("a"), 5, "five failures in a row");
    tokio::time::advance(Duration::from_secs(30)).await;
    let well = Script::new(|_| Ok(()));
    for _ in 0..3000 {
        assert!(well.call(&upstream, Repeat::Always).await.is_ok());
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert!((500..1100).contains(&well.calls("a")), "{} of 3000", well.calls("a"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_down_is_checked_and_comes_back() {
    let mut upstream = upstream(&["a", "b"], |_| {});
    let (checks, accepts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let seen = (Arc::clone(&checks), Arc::clone(&accepts));
    upstream.reach = Box::new(move |_, _| {
        seen.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(futures_util::future::ready(seen.1.load(Ordering::SeqCst)))
    });
    let upstream = Arc::new(upstream);
    let _following = tokio::spawn(Arc::clone(&upstream).follow());
    let script = Script::new(|name| if name == "a" { Err(refused()) } else { Ok(()) });
    for _ in 0..100 {
        assert!(script.call(&upstream, Repeat::IfNotSent).await.is_ok());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(script.calls("a"), 1);
    let checked = checks.load(Ordering::SeqCst);
    assert!((19..=25).contains(&checked), "{checked} in ten seconds");
    accepts.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(501)).await;
    assert_eq!(upstream.status(now()).instances[0].health, status::Wellness::Starting);
    let checked = checks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(checks.load(Ordering::SeqCst), checked, "only while it is down");
    upstream.update(Found { addresses: vec![address("b"), address("c")], error: None });
    let gone = Script::new(|name| if name == "c" { Err(refused()) } else { Ok(()) });
    accepts.store(false, Ordering::SeqCst);
    while gone.calls("c") == 0 {
        assert!(gone.call(&upstream, Repeat::IfNotSent).await.is_ok());
    }
    upstream.update(Found { addresses: vec![address("b")], error: None });
    let checked = checks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(checks.load(Ordering::SeqCst), checked, "not after it has left");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_hangs_is_hardly_called() {
    let upstream = upstream(&["a", "b", "c"], |_| {});
    let at_a = AtomicUsize::new(0);
    let attempt = |attempt: Attempt<String>| {
        let hangs = attempt.instance.connection == "a";
        at_a.fetch_add(usize::from(hangs), Ordering::SeqCst);
        async move {
            let time = if hangs { Duration::from_hours(1) } else { Duration::from_millis(5) };
            tokio::time::sleep(time).await;
            Ok(())
        }
    };
    let mut calls = Vec::new();
    for _ in 0..1000 {
        calls.push(Box::pin(upstream.call(terms(Repeat::Always), attempt)));
        let pass = tokio::time::sleep(Duration::from_millis(5));
        let under_way = futures_util::future::select_all(calls.iter_mut());
        let _ = select(pin!(pass), under_way).await;
        let mut left = Vec::new();
        for mut call in calls {
            if futures_util::poll!(&mut call).is_pending() {
                left.push(call);
            }
        }
        calls = left;
        if calls.is_empty() {
            tokio::time::advance(Duration::from_millis(5)).await;
        }
    }
    let at_a = at_a.load(Ordering::SeqCst);
    assert!(at_a <= 20, "{at_a} of 1000 calls went to the one that hangs");
}

#[tokio::test(start_paused = true)]
async fn without_an_instance_the_reason_is_said() {
    let upstream = upstream(&[], |_| {});
    let script = Script::new(|_| Ok(()));
    upstream.update(Found { addresses: Vec::new(), error: Some("consul is away".to_owned()) });
    let outcome = script.call(&upstream, Repeat::Always).await;
    assert_eq!(outcome, Err(Failure::NoInstance("consul is away".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn instances_come_and_go_while_calls_are_under_way() {
    let upstream = upstream(&["a"], |_| {});
    let slow = |attempt: Attempt<String>| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(attempt.instance.connection.clone())
    };
    let under_way = upstream.call(terms(Repeat::Always), slow);
    let change = async {
        upstream.update(Found { addresses: vec![address("b")], error: None });
        Script::new(|_| Ok(())).call(&upstream, Repeat::Always).await
    };
    let (before, after) = futures_util::future::join(under_way, change).await;
    assert_eq!((before, after), (Ok("a".to_owned()), Ok("b".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_instance_stays_with_it() {
    let upstream = upstream(&["a", "b"], |_| {});
    let script = Script::new(|name| if name == "a" { Err(away()) } else { Ok(()) });
    while script.calls("a") < 5 {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    let heavier = Address { weight: 7, ..address("a") };
    upstream.update(Found { addresses: vec![heavier, address("b"), address("c")], error: None });
    let status = upstream.status(now());
    assert_eq!(status.instances[0].health, status::Wellness::Ejected);
    assert_eq!((status.instances[0].weight, status.instances[0].calls), (7, 5));
    assert_eq!(status.instances[2].health, status::Wellness::Starting);
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_weight_changes_was_tried_all_the_same() {
    for weight in 2..20 {
        let upstream = upstream(&["a", "b"], |settings| settings.retry.attempts = 2);
        let names = Mutex::new(Vec::new());
        let outcome = upstream.call(terms(Repeat::Always), |attempt| {
            names.lock().unwrap().push(attempt.instance.connection.clone());
            let addresses = ["a", "b"].map(|name| Address { weight, ..address(name) }).to_vec();
            upstream.update(Found { addresses, error: None });
            async { Err::<(), _>(away()) }
        });
        assert_eq!(outcome.await, Err(away()));
        let names = names.into_inner().unwrap();
        assert_ne!(names[0], names[1], "of {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_own_zone_is_called_first_while_it_is_well() {
    let upstream = upstream(&[], |settings| settings.zone = Some("here".to_owned()));
    let at = |name: &str, zone: &str| Address { zone: Some(zone.to_owned()), ..address(name) };
    let addresses = vec![at("a", "here"), at("b", "there"), at("c", "there"), at("d", "there")];
    upstream.update(Found { addresses, error: None });
    let script = Script::new(|_| Ok(()));
    for _ in 0..100 {
        let _ = script.call(&upstream, Repeat::Always).await;
    }
    assert_eq!(script.calls("a"), 100);
    let ill = Script::new(|name| if name == "a" { Err(away()) } else { Ok(()) });
    for _ in 0..100 {
        assert!(ill.call(&upstream, Repeat::Always).await.is_ok());
    }
    assert!((5..=12).contains(&ill.calls("a")), "until it is ejected: {}", ill.calls("a"));
}
