//! Driving an attempt: time limits and what becomes of what it held.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

fn upstream(timeout: Duration) -> Upstream<()> {
    let settings = Settings { timeout, ..Settings::default() };
    Upstream::fixed(settings, Uri::from_static("http://127.0.0.1:1"), ())
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn hands_the_attempt_its_instance_and_returns_its_outcome() {
    let upstream = upstream(Duration::from_secs(5));
    let port = upstream
        .call(in_an_hour(), |attempt| async move { Ok(attempt.instance.uri.port_u16()) })
        .await;
    assert_eq!(port, Ok(Some(1)));
    let refused =
        upstream.call(in_an_hour(), |_| async { Err::<(), _>(Failure::TooLarge(3)) }).await;
    assert_eq!(refused, Err(Failure::TooLarge(3)));
}

#[tokio::test]
async fn cuts_an_attempt_at_the_timeout_and_drops_it() {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = SetOnDrop(Arc::clone(&dropped));
    let flag = std::sync::Mutex::new(Some(flag));
    let outcome = upstream(Duration::from_millis(20))
        .call(in_an_hour(), |_| {
            let held = flag.lock().expect("only one attempt").take();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(())
            }
        })
        .await;
    assert_eq!(outcome, Err(Failure::Timeout(Duration::from_millis(20))));
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn cuts_an_attempt_at_the_deadline_when_that_is_nearer() {
    let outcome = upstream(Duration::from_hours(1))
        .call(Instant::now() + Duration::from_millis(10), |_| std::future::pending())
        .await;
    let Err::<(), _>(Failure::Timeout(limit)) = outcome else { panic!("{outcome:?}") };
    assert!(limit <= Duration::from_millis(10));
}

#[tokio::test]
async fn a_deadline_in_the_past_makes_no_wait() {
    let outcome = upstream(Duration::from_hours(1))
        .call(Instant::now(), |_| std::future::pending::<Result<(), Failure>>())
        .await;
    assert!(matches!(outcome, Err(Failure::Timeout(_))), "{outcome:?}");
}
