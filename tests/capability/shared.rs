//! State in Redis, as seen by callers: the effect of a server that is healthy, gone, back, silent or slow on a command.

use crate::support::PATIENCE;
use crate::support::redis::Redis;
use portcullis::shared::{Failure, Script, Value};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(100);

/// Time that a command may take beyond its timeout on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// Repeats a command until there is an answer; the pauses in between are the connection's own.
async fn until_answered(redis: &portcullis::shared::Redis) {
    let start = Instant::now();
    while redis.get(b"any").await.is_err() {
        assert!(start.elapsed() < PATIENCE, "it does not come back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_set_read_removed_and_expire() {
    let server = Redis::start();
    let redis = server.shared(PATIENCE);
    assert_eq!(redis.get(b"a").await, Ok(None));
    redis.set(b"a", b"\x00\xff", Duration::from_mins(1)).await.unwrap();
    assert_eq!(redis.get(b"a").await.unwrap().as_deref(), Some(&b"\x00\xff"[..]));
    let left = server.ask(&["PTTL", "portcullis:a"]);
    assert!(left.starts_with("int(59") || left == "int(60000)", "{left}");
    redis.delete(b"a").await.unwrap();
    assert_eq!(redis.get(b"a").await, Ok(None));
    redis.set(b"b", b"", Duration::MAX).await.unwrap();
    redis.set(b"b", b"", Duration::ZERO).await.unwrap();
    let start = Instant::now();
    while redis.get(b"b").await.unwrap().is_some() {
        assert!(start.elapsed() < PATIENCE, "it does not expire");
    }
}

#[tokio::test]
async fn a_script_is_sent_once_and_then_named() {
    let server = Redis::start();
    let redis = server.shared(PATIENCE);
    let script = Script::new("return {KEYS[1], tonumber(ARGV[1]) + 1, {}, false}");
    let expected = Value::List(vec![
        Value::Bytes("portcullis:k".into()),
        Value::Number(42),
        Value::List(Vec::new()),
        Value::Nothing,
    ]);
    for _ in 0..3 {
        assert_eq!(redis.run(&script, &[b"k"], &[b"41"]).await, Ok(expected.clone()));
    }
    assert_eq!(
        (server.calls("script|load"), server.calls("evalsha"), server.calls("eval")),
        (1, 4, 0)
    );
}

#[tokio::test]
async fn all_commands_share_one_connection() {
    let server = Redis::start();
    let redis = server.shared(PATIENCE);
    let commands = (0..200_u32).map(|number| {
        let redis = redis.clone();
        async move { redis.set(&number.to_be_bytes(), b"x", PATIENCE).await }
    });
    for outcome in futures_util::future::join_all(commands).await {
        outcome.unwrap();
    }
    // Our connection, and the one of the query.
    assert_eq!(server.ask(&["CLIENT", "LIST"]).lines().count(), 2);
}

#[tokio::test]
async fn a_server_that_is_gone_costs_one_try_and_then_nothing_until_it_is_back() {
    let mut server = Redis::start();
    let redis = server.shared(TIMEOUT);
    redis.set(b"a", b"1", PATIENCE).await.unwrap();
    server.kill();
    let failure = redis.get(b"a").await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    assert_eq!(redis.get(b"a").await, Err(Failure::Resting));
    server.restart();
    until_answered(&redis).await;
    assert_eq!(redis.get(b"a").await, Ok(None), "it forgot");
}

#[tokio::test]
async fn a_server_that_is_silent_takes_no_longer_than_the_timeout() {
    let server = Redis::start();
    let redis = server.shared(TIMEOUT);
    redis.set(b"a", b"1", PATIENCE).await.unwrap();
    server.stop();
    let start = Instant::now();
    assert_eq!(redis.get(b"a").await, Err(Failure::Timeout(TIMEOUT)));
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    assert_eq!(redis.get(b"a").await, Err(Failure::Resting));
    server.resume();
    until_answered(&redis).await;
    assert_eq!(
        redis.get(b"a").await.unwrap().as_deref(),
        Some(&b"1"[..]),
        "answers are not mixed up"
    );
}

#[tokio::test]
async fn a_server_that_is_silent_from_the_start_takes_no_longer_either() {
    let server = Redis::start();
    server.stop();
    let redis = server.shared(TIMEOUT);
    let start = Instant::now();
    assert_eq!(redis.get(b"a").await, Err(Failure::Timeout(TIMEOUT)));
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    server.resume();
    until_answered(&redis).await;
}

#[tokio::test]
async fn a_server_that_is_slow_is_waited_for_within_the_timeout() {
    let server = Redis::start();
    let (patient, hurried) = (server.shared(PATIENCE), server.shared(TIMEOUT));
    patient.get(b"a").await.unwrap();
    hurried.get(b"a").await.unwrap();
    server.slow(Duration::from_millis(600));
    let (answer, failure) = tokio::join!(patient.get(b"a"), hurried.get(b"a"));
    assert_eq!(answer, Ok(None));
    assert_eq!(failure, Err(Failure::Timeout(TIMEOUT)));
}

#[tokio::test]
async fn after_a_failover_the_demoted_server_is_left() {
    let mut server = Redis::start();
    let redis = server.shared(PATIENCE);
    redis.set(b"a", b"1", PATIENCE).await.unwrap();
    // A replica without a master: it still answers, but refuses writes.
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(redis.set(b"a", b"2", PATIENCE).await, Err(Failure::Refused("READONLY".to_owned())));
    assert_eq!(redis.set(b"a", b"2", PATIENCE).await, Err(Failure::Resting));
    // Its successor at the same address.
    server.restart();
    until_answered(&redis).await;
    redis.set(b"a", b"2", PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_said_and_never_shown() {
    let server = Redis::start();
    server.ask(&["CONFIG", "SET", "requirepass", "r1ght"]);
    let url = server.url().replace("redis://", "redis://:wr0ng@").parse().unwrap();
    let settings = portcullis::shared::Settings::new(url);
    let redis = portcullis::shared::Redis::new(portcullis::shared::Settings {
        timeout: PATIENCE,
        ..settings
    })
    .unwrap();
    let failure = redis.get(b"a").await.unwrap_err();
    assert_eq!(failure, Failure::Refused("WRONGPASS".to_owned()));
    let shown = format!("{redis:?} {failure:?} {failure}");
    assert!(!shown.contains("wr0ng"), "{shown}");
}
