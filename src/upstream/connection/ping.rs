//! Asks whether a silent HTTP/2 connection lives.
//!
//! Services count pings: by gRPC's default, more than one in five minutes without data in between ends the connection
//! (`ENHANCE_YOUR_CALM`, "too_many_pings"). So there is one ping for each silence, which lasts until the service sends
//! something else than the answer, and another one in the same silence only after those five minutes.

use h2::{Ping, PingPong};
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The silence after which a ping is sent.
const PING_AFTER: Duration = Duration::from_secs(20);

/// The time that an answer may take.
const PING_WITHIN: Duration = Duration::from_secs(5);

/// The time until the next ping of the same silence.
const PING_AGAIN: Duration = Duration::from_secs(310);

pub(super) struct Pings(Mutex<State>);

struct State {
    pings: PingPong,
    /// When the last ping was answered, and what had been heard by then.
    answered: Option<(Instant, u64)>,
}

impl Pings {
    pub fn new(pings: PingPong) -> Self {
        Self(Mutex::new(State { pings, answered: None }))
    }

    /// Done when a ping is not answered. `heard` counts what the service sends.
    pub async fn unanswered(&self, heard: impl Fn() -> u64) {
        loop {
            let before = heard();
            tokio::time::sleep(PING_AFTER).await;
            if heard() == before && !self.is_answered(before, &heard).await {
                return;
            }
        }
    }

    /// Sends a ping, unless this silence had one lately or another stream's was answered meanwhile.
    async fn is_answered(&self, before: u64, heard: &impl Fn() -> u64) -> bool {
        let mut state = self.0.lock().await;
        let had_one = state
            .answered
            .is_some_and(|(when, after)| after == before && when.elapsed() < PING_AGAIN);
        if heard() != before || had_one {
            return true;
        }
        // Fails if one is out already, of a stream that was closed meanwhile: its answer is as good.
        let _ = state.pings.send_ping(Ping::opaque());
        let answer = poll_fn(|context| state.pings.poll_pong(context));
        match tokio::time::timeout(PING_WITHIN, answer).await {
            Ok(Ok(_)) => state.answered = Some((Instant::now(), heard())),
            // The connection broke: its streams get that error.
            Ok(Err(_)) => {}
            Err(_) => return heard() != before,
        }
        true
    }
}
