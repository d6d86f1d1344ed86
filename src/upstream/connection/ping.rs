//! Checks with pings whether a silent HTTP/2 connection is alive.
//!
//! Services count pings. By gRPC's default, more than one ping in five minutes without data in between ends the
//! connection (`ENHANCE_YOUR_CALM`, "too_many_pings"). So one ping is sent per silence. A silence lasts until the
//! service sends something other than the ping's answer. The same silence gets another ping only after those five
//! minutes.

use futures_util::FutureExt as _;
use h2::{Ping, PingPong};
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Silence after which a ping is sent.
const PING_AFTER: Duration = Duration::from_secs(20);

/// Maximum time for the answer.
const PING_WITHIN: Duration = Duration::from_secs(5);

/// Time until the next ping of the same silence.
const PING_AGAIN: Duration = Duration::from_secs(310);

pub(super) struct Pings(Mutex<State>);

struct State {
    pings: PingPong,
    /// Time of the last answer to a ping, and the value of `heard` at that time.
    answered: Option<(Instant, u64)>,
    /// Value of `heard` when a ping was not answered.
    lost: Option<u64>,
}

impl Pings {
    pub fn new(pings: PingPong) -> Self {
        Self(Mutex::new(State { pings, answered: None, lost: None }))
    }

    /// Completes when a ping is not answered. `heard` counts what the service sends.
    pub async fn unanswered(&self, heard: impl Fn() -> u64) {
        loop {
            let before = heard();
            tokio::time::sleep(PING_AFTER).await;
            if heard() == before && !self.is_answered(before, &heard).await {
                return;
            }
        }
    }

    /// Sends a ping, unless one was sent recently in this silence, answered or not, or the silence has ended.
    async fn is_answered(&self, before: u64, heard: &impl Fn() -> u64) -> bool {
        let mut state = self.0.lock().await;
        if state.lost == Some(heard()) {
            return false;
        }
        let had_one = state
            .answered
            .is_some_and(|(when, after)| after == before && when.elapsed() < PING_AGAIN);
        if heard() != before || had_one {
            return true;
        }
        // A late answer to an earlier ping does not count as an answer to this one.
        let _ = poll_fn(|context| state.pings.poll_pong(context)).now_or_never();
        // Fails if a ping of a closed stream is still out: its answer serves as well.
        let _ = state.pings.send_ping(Ping::opaque());
        let answer = poll_fn(|context| state.pings.poll_pong(context));
        match tokio::time::timeout(PING_WITHIN, answer).await {
            Ok(Ok(_)) => state.answered = Some((Instant::now(), heard())),
            Err(_) if heard() == before => {
                state.lost = Some(before);
                return false;
            }
            // Something else was received, or the connection broke and its streams get that error.
            Err(_) | Ok(Err(_)) => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::future::join_all;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    const PING: u8 = 6;
    const ACK: u8 = 1;

    /// Behavior of a service towards pings.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Manner {
        Answers,
        Dead,
        /// Answers the first ping ten seconds late, and no ping afterwards.
        AnswersOnceLate,
    }

    /// Counts pings, and answers them as `manner` says.
    async fn service(mut stream: DuplexStream, manner: Manner, pings: Arc<AtomicU64>) {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("a preface");
        // Its settings frame, which is empty.
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("written");
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.expect("a payload");
            if head[3] == PING && head[4] != ACK {
                let before = pings.fetch_add(1, Ordering::SeqCst);
                let is_late = manner == Manner::AnswersOnceLate && before == 0;
                if is_late {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
                if is_late || manner == Manner::Answers {
                    head[4] = ACK;
                    stream.write_all(&head).await.expect("written");
                    stream.write_all(&payload).await.expect("written");
                }
            }
        }
    }

    struct Watched {
        pings: Pings,
        count: Arc<AtomicU64>,
        _sender: h2::client::SendRequest<Bytes>,
    }

    async fn watched(manner: Manner) -> Watched {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let count = Arc::new(AtomicU64::new(0));
        tokio::spawn(service(theirs, manner, Arc::clone(&count)));
        let opened = h2::client::Builder::new().handshake::<_, Bytes>(ours).await;
        let (sender, mut connection) = opened.expect("a connection");
        let pings = Pings::new(connection.ping_pong().expect("the first to ask"));
        tokio::spawn(async move { drop(connection.await) });
        Watched { pings, count, _sender: sender }
    }

    /// Returns the number of pings in an hour, and whether one of them was not answered. A service that `speaks` sends
    /// something every ten seconds.
    async fn an_hour(lives: bool, speaks: bool) -> (u64, bool) {
        let watched = watched(if lives { Manner::Answers } else { Manner::Dead }).await;
        let began = Instant::now();
        // An answer to a ping counts like anything else that is received.
        let heard = || {
            let answers = if lives { watched.count.load(Ordering::SeqCst) } else { 0 };
            answers + if speaks { began.elapsed().as_secs() / 10 } else { 0 }
        };
        let lost = watched.pings.unanswered(heard);
        let lost = tokio::time::timeout(Duration::from_hours(1), lost).await;
        (watched.count.load(Ordering::SeqCst), lost.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_has_one_ping_and_another_one_after_five_minutes() {
        assert_eq!(an_hour(false, false).await, (1, true), "a dead service");
        let (pings, is_lost) = an_hour(true, false).await;
        assert!(!is_lost && (2..=12).contains(&pings), "a silent service: {pings}");
        assert_eq!(an_hour(true, true).await, (0, false), "one that speaks");
    }

    #[tokio::test(start_paused = true)]
    async fn all_streams_of_a_dead_connection_learn_of_it_together() {
        let watched = watched(Manner::Dead).await;
        let began = Instant::now();
        let streams = (0..100).map(|_| watched.pings.unanswered(|| 0));
        join_all(streams).await;
        assert_eq!(began.elapsed().as_secs(), 25);
        assert_eq!(watched.count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_came_too_late_is_none_to_the_next_ping() {
        let watched = watched(Manner::AnswersOnceLate).await;
        let began = Instant::now();
        // Something is received in time after the first ping, and then its late answer.
        let heard =
            || [22, 30].iter().filter(|at| began.elapsed().as_secs() >= **at).count() as u64;
        let lost = watched.pings.unanswered(heard);
        tokio::time::timeout(Duration::from_secs(100), lost).await.expect("it is dead");
        assert_eq!(watched.count.load(Ordering::SeqCst), 2);
    }
}
