//! This process at an agent: registered, registered again, and deregistered.

use super::agent::{Agent, Mood};
use super::*;
use crate::upstream::discovery::register::{Registration, Settings};
use http::HeaderValue;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const ID: &str = "gateway-10.0.0.5-4000";

fn settings(agent: &Agent) -> Settings {
    Settings {
        agent: agent.uri(),
        token: Some(HeaderValue::from_static("geheim")),
        service: "gateway".to_owned(),
        host: "10.0.0.5".to_owned(),
        port: 4000,
        tags: vec!["graphql".to_owned()],
        check: "http://10.0.0.5:4000/ready".parse().unwrap(),
        check_every: Duration::from_secs(10),
        forget_after: Duration::from_mins(5),
    }
}

/// Runs a registration, and returns its task and what makes it drain.
fn run(registration: Registration) -> (JoinHandle<()>, oneshot::Sender<()>) {
    let (drain, drained) = oneshot::channel::<()>();
    (tokio::spawn(registration.run(async { drop(drained.await) })), drain)
}

fn started(agent: &Agent) -> (JoinHandle<()>, oneshot::Sender<()>) {
    run(Registration::new(&settings(agent)).unwrap())
}

#[tokio::test]
async fn it_is_registered_until_it_drains() {
    let agent = Agent::start().await;
    agent.want_token("geheim");
    let (running, drain) = started(&agent);
    agent.until_registered(|registered| !registered.is_empty()).await;
    let expected = json!({
        "ID": ID, "Name": "gateway", "Tags": ["graphql"], "Address": "10.0.0.5", "Port": 4000,
        "Check": { "Name": "ready", "HTTP": "http://10.0.0.5:4000/ready", "Method": "GET",
            "Interval": "10000ms", "Timeout": "2000ms", "DeregisterCriticalServiceAfter": "300000ms" },
    });
    assert_eq!(agent.registered()[ID], expected);
    drain.send(()).unwrap();
    within(running).await.unwrap();
    assert!(agent.registered().is_empty());
    let asked: Vec<String> = agent.asked().into_iter().map(|asked| asked.what).collect();
    assert_eq!(
        asked,
        [
            "PUT /v1/agent/service/register?replace-existing-checks=true".to_owned(),
            format!("PUT /v1/agent/service/deregister/{ID}"),
        ]
    );
}

#[tokio::test]
async fn an_agent_that_forgot_it_is_told_again() {
    let agent = Agent::start().await;
    let mut registration = Registration::new(&settings(&agent)).unwrap();
    registration.look_every = Duration::from_millis(20);
    let (running, drain) = run(registration);
    agent.until_registered(|registered| !registered.is_empty()).await;
    agent.until_asked(3).await;
    let looks = agent.asked().into_iter().skip(1);
    assert!(looks.into_iter().all(|asked| asked.what == format!("GET /v1/agent/service/{ID}")));
    agent.forget_all();
    agent.until_registered(|registered| registered.contains_key(ID)).await;
    // An agent that answers with an error says nothing about its registrations.
    agent.turn(Mood::Says(500, "No cluster leader"));
    let before = agent.asked().len();
    let asked = agent.until_asked(before + 2).await;
    assert!(asked.what.starts_with("GET"), "{asked:?}");
    agent.turn(Mood::Well);
    drain.send(()).unwrap();
    within(running).await.unwrap();
    assert!(agent.registered().is_empty());
}

#[tokio::test]
async fn an_agent_that_is_not_there_yet_is_tried_again() {
    let agent = Agent::start().await;
    agent.turn(Mood::Says(500, "No cluster leader"));
    let (_running, _drain) = started(&agent);
    let second = agent.until_asked(2).await;
    assert!(second.at - agent.asked()[0].at >= Duration::from_millis(250), "no hurry");
    agent.turn(Mood::Well);
    agent.until_registered(|registered| registered.contains_key(ID)).await;
}

#[tokio::test]
async fn draining_waits_four_seconds_at_most() {
    let agent = Agent::start().await;
    let (running, drain) = started(&agent);
    agent.until_registered(|registered| !registered.is_empty()).await;
    agent.turn(Mood::Hangs);
    let start = Instant::now();
    drain.send(()).unwrap();
    within(running).await.unwrap();
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(2900) && took < Duration::from_secs(6), "{took:?}");
    let asked = agent.asked();
    assert_eq!(asked.len(), 3, "tried twice: {asked:?}");
}

#[tokio::test]
async fn what_is_under_way_when_draining_begins_comes_first() {
    let agent = Agent::start().await;
    agent.turn(Mood::Hangs);
    let (running, drain) = started(&agent);
    agent.until_asked(1).await;
    drain.send(()).unwrap();
    agent.turn(Mood::Well);
    // The first one is never answered; its effect is undone all the same.
    within(running).await.unwrap();
    let asked = agent.asked();
    let last = asked.last().unwrap();
    assert_eq!(last.what, format!("PUT /v1/agent/service/deregister/{ID}"));
    assert!(last.at - asked[0].at >= Duration::from_millis(700), "it had a second to finish");
}

#[test]
fn what_can_never_work_is_said_at_once() {
    let good = || Settings {
        agent: "http://consul:8500".parse().unwrap(),
        token: None,
        service: "gateway".to_owned(),
        host: "gateway.internal".to_owned(),
        port: 80,
        tags: Vec::new(),
        check: "http://gateway.internal/ready".parse().unwrap(),
        check_every: Duration::from_secs(10),
        forget_after: Duration::from_mins(1),
    };
    let of = |settings: Settings| Registration::new(&settings).map(drop);
    assert_eq!(of(good()), Ok(()));
    assert!(of(Settings { port: 0, ..good() }).unwrap_err().contains("no port"));
    assert!(of(Settings { host: "a/b".to_owned(), ..good() }).unwrap_err().contains("host name"));
    assert!(of(Settings { service: String::new(), ..good() }).unwrap_err().contains("no name"));
    assert!(of(Settings { agent: "consul".parse().unwrap(), ..good() }).is_err());
    assert!(of(Settings { check: "/ready".parse().unwrap(), ..good() }).is_err());
    assert!(of(Settings { check_every: Duration::ZERO, ..good() }).is_err());
    let secret = Settings { token: Some(HeaderValue::from_static("geheim")), ..good() };
    assert!(!format!("{:?}", Registration::new(&secret)).contains("geheim"));
}
