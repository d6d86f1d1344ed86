//! A service in Consul: which queries are sent, which answers are accepted, and what happens while Consul is
//! unavailable.

use super::agent::{Agent, Mood, instance};
use super::*;
use crate::upstream::discovery::consul::Service;
use http::HeaderValue;
use serde_json::{Value, json};

fn settings(agent: &Agent) -> Settings {
    Settings::Consul {
        agent: agent.uri(),
        service: "users".to_owned(),
        tag: Vec::new(),
        passing: true,
        datacenter: None,
        token: None,
    }
}

fn discovery(agent: &Agent) -> Discovery {
    Discovery::new(settings(agent)).unwrap()
}

fn service(discovery: &mut Discovery) -> &mut Service {
    match &mut discovery.source {
        Source::Consul(service) => service,
        _ => unreachable!("made for Consul"),
    }
}

fn well(address: &str, port: u16) -> Value {
    instance(address, port, "passing", &[])
}

#[tokio::test]
async fn an_instance_has_its_own_address_or_its_nodes() {
    let agent = Agent::start().await;
    let mut of_node = well("", 8080);
    of_node["Service"]["Weights"]["Passing"] = json!(3);
    let mut own = well("users-2.internal", 80);
    own["Service"]["Meta"] = json!({ "zone": "own", "version": "2" });
    own["Service"]["Weights"] = json!(null);
    let mut nowhere = well("fd00::7", 80);
    nowhere["Node"]["Meta"] = json!(null);
    nowhere["Service"]["Weights"]["Passing"] = json!(0);
    agent.list(&[own, nowhere, of_node.clone(), of_node]);
    let found = within(discovery(&agent).next()).await;
    let addresses =
        ["10.9.9.9:8080 weight 3 zone of-node", "[fd00::7]:80", "users-2.internal:80 zone own"];
    expect(&found, &addresses);
}

#[tokio::test]
async fn the_question_names_all_that_was_set() {
    let agent = Agent::start().await;
    agent.want_token("geheim");
    let both = instance("a", 1, "passing", &["v2", "eu"]);
    agent.list(&[both, instance("b", 1, "passing", &["v2"]), instance("c", 1, "passing", &[])]);
    let all = Settings::Consul {
        agent: agent.uri(),
        service: "users".to_owned(),
        tag: vec!["v2".to_owned(), "eu".to_owned()],
        passing: true,
        datacenter: Some("dc1".to_owned()),
        token: Some(HeaderValue::from_static("geheim")),
    };
    let mut discovery = Discovery::new(all).unwrap();
    assert!(!format!("{discovery:?}").contains("geheim"));
    expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
    let asked = agent.until_asked(1).await;
    assert_eq!(asked.what, "GET /v1/health/service/users?passing=true&tag=v2&tag=eu&dc=dc1");
    assert_eq!(asked.token.as_deref(), Some("geheim"));
}

#[tokio::test]
async fn names_and_tags_are_encoded() {
    let agent = Agent::start().await;
    let odd = Settings::Consul {
        agent: format!("{}/behind/", agent.uri()).replace("//behind", "/behind").parse().unwrap(),
        service: "a/b?c".to_owned(),
        tag: vec!["x&dc=y".to_owned()],
        passing: false,
        datacenter: None,
        token: None,
    };
    expect_error(&within(Discovery::new(odd).unwrap().next()).await, &[], "status 404");
    let asked = agent.until_asked(1).await;
    assert_eq!(asked.what, "GET /behind/v1/health/service/a%2Fb%3Fc?tag=x%26dc%3Dy");
}

#[tokio::test]
async fn a_change_is_told_by_the_agent() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1)]);
    let mut discovery = discovery(&agent);
    expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
    let mut next = Box::pin(discovery.next());
    tokio::select! {
        found = &mut next => panic!("{found:?}"),
        asked = agent.until_asked(2) => {
            let (question, wait) = asked.what.split_once("&wait=").unwrap();
            assert_eq!(question, "GET /v1/health/service/users?passing=true&index=11");
            let wait: u64 = wait.strip_suffix("ms").unwrap().parse().unwrap();
            assert!((270_000..=300_000).contains(&wait), "{wait}");
        }
    }
    agent.list(&[well("a", 1), well("b", 2), instance("c", 3, "critical", &[])]);
    expect(&within(next).await, &["a:1 zone of-node", "b:2 zone of-node"]);
    assert_eq!(agent.asked().len(), 2);
    // Scaled to zero.
    agent.list(&[]);
    expect(&within(discovery.next()).await, &[]);
}

#[tokio::test]
async fn whoever_does_not_want_passing_ones_only_gets_all() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1), instance("b", 2, "critical", &[])]);
    let Settings::Consul { agent: uri, service, tag, datacenter, token, .. } = settings(&agent)
    else {
        unreachable!("made for Consul")
    };
    let all = Settings::Consul { agent: uri, service, tag, passing: false, datacenter, token };
    let found = within(Discovery::new(all).unwrap().next()).await;
    expect(&found, &["a:1 zone of-node", "b:2 zone of-node"]);
    assert_eq!(agent.until_asked(1).await.what, "GET /v1/health/service/users");
}

#[tokio::test]
async fn the_last_good_set_stays_whatever_consul_does() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1)]);
    let mut discovery = discovery(&agent);
    let set = ["a:1 zone of-node"];
    expect(&round(&mut discovery).await, &set);
    for (mood, part) in [
        (
            Mood::Says(500, "No cluster leader"),
            "status 500 Internal Server Error: No cluster leader",
        ),
        (Mood::Says(404, ""), "status 404 Not Found"),
        (Mood::Says(403, "ACL not found\u{7}\nsecond line"), "403 Forbidden: ACL not found"),
        (Mood::Says(204, ""), "status 204"),
        (Mood::Redirects, "status 301"),
        (Mood::Says(200, "<html>"), "no list of instances: expected value at line 1 column 1"),
        (Mood::Says(200, "{}"), "no list of instances"),
        (Mood::Says(200, "null"), "no list of instances"),
        (Mood::Says(200, ""), "no list of instances"),
        (Mood::Says(200, r#"[{"Node":{}}]"#), "no list of instances: missing field `Service`"),
        (Mood::Says(200, r#"[{"Node":{},"Service":{}}]"#), "none"),
        (Mood::Endless, "larger than 8388608 bytes"),
        (Mood::Breaks, "unavailable"),
        (Mood::Filters, "the token may not read instances of `users`"),
    ] {
        agent.turn(mood);
        let found = round(&mut discovery).await;
        let part =
            if part == "none" { "1 of 1 instances of `users` cannot be called" } else { part };
        expect_error(&found, &set, part);
        assert!(found.error.unwrap().starts_with("Consul at http://127.0.0.1:"));
        assert!(due(&discovery) > Duration::from_millis(100), "no hurry");
    }
    assert!(due(&discovery) >= Duration::from_secs(14), "after so many failures");
    agent.turn(Mood::Well);
    expect(&round(&mut discovery).await, &set);
    assert_eq!(due(&discovery), Duration::ZERO, "the agent is what waits");
}

#[tokio::test]
async fn an_agent_that_hangs_is_left_when_its_time_is_over() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1)]);
    let mut discovery = discovery(&agent);
    let set = ["a:1 zone of-node"];
    expect(&round(&mut discovery).await, &set);
    let patient = service(&mut discovery).grace;
    service(&mut discovery).wait = Duration::from_millis(160);
    for mood in [Mood::Hangs, Mood::Stalls] {
        agent.turn(mood);
        service(&mut discovery).grace = Duration::from_millis(200);
        // With an index, and then without one.
        let start = Instant::now();
        expect_error(&round(&mut discovery).await, &set, "no reply within 3");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(350) && took < DEADLINE, "{took:?}");
        expect_error(&round(&mut discovery).await, &set, "no reply within 200 ms");
        agent.turn(Mood::Well);
        service(&mut discovery).grace = patient;
        expect(&round(&mut discovery).await, &set);
    }
}

#[tokio::test]
async fn an_agent_that_comes_back_is_asked_anew() {
    let agent = Agent::start().await;
    let address = agent.address;
    agent.list(&[well("a", 1)]);
    let mut discovery = discovery(&agent);
    expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
    drop(agent);
    let found = within(discovery.next()).await;
    expect_error(&found, &["a:1 zone of-node"], "unavailable");
    let agent = Agent::start_at(address).await;
    agent.list(&[well("b", 1)]);
    expect(&found_well(&mut discovery).await, &["b:1 zone of-node"]);
    assert!(!agent.asked()[0].what.contains("index"));
}

/// Returns the next set without an error. A refused connection may be reported in more than one way.
async fn found_well(discovery: &mut Discovery) -> Found {
    loop {
        let found = within(discovery.next()).await;
        if found.error.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_first_failure_is_told_at_once() {
    let agent = Agent::start().await;
    agent.turn(Mood::Says(500, "No cluster leader"));
    let mut discovery = discovery(&agent);
    expect_error(&within(discovery.next()).await, &[], "No cluster leader");
    agent.list(&[well("a", 1)]);
    agent.turn(Mood::Well);
    expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_repeated() {
    let agent = Agent::start().await;
    agent.want_token("right");
    let Settings::Consul { agent: uri, service, tag, datacenter, passing, .. } = settings(&agent)
    else {
        unreachable!("made for Consul")
    };
    let token = Some(HeaderValue::from_static("geheim"));
    let wrong = Settings::Consul { agent: uri, service, tag, passing, datacenter, token };
    let found = within(Discovery::new(wrong).unwrap().next()).await;
    expect_error(&found, &[], "403 Forbidden: Permission denied");
    assert!(!found.error.unwrap().contains("geheim"));
}

#[tokio::test]
async fn an_index_that_goes_backwards_begins_anew() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1)]);
    agent.set_index(100);
    let mut discovery = discovery(&agent);
    round(&mut discovery).await;
    let restored = async {
        agent.until_asked(2).await;
        agent.set_index(7);
    };
    tokio::join!(round(&mut discovery), restored);
    round(&mut discovery).await;
    agent.set_index(8);
    round(&mut discovery).await;
    let asked: Vec<String> = agent.asked().into_iter().map(|asked| asked.what).collect();
    assert!(asked[1].contains("&index=100&"), "{asked:?}");
    assert!(!asked[2].contains("index="), "{asked:?}");
    assert!(asked[3].contains("&index=7&"), "{asked:?}");
}

#[tokio::test]
async fn an_agent_that_never_waits_is_not_asked_without_end() {
    for index in [None, Some("0"), Some("11"), Some("garbage")] {
        let agent = Agent::start().await;
        agent.list(&[well("a", 1)]);
        agent.turn(Mood::AtOnce(index));
        let mut discovery = discovery(&agent);
        expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
        tokio::select! {
            found = discovery.next() => panic!("nothing new: {found:?}"),
            _ = agent.until_asked(3) => {}
        }
        let asked = agent.asked();
        for pair in asked.windows(2) {
            let between = pair[1].at - pair[0].at;
            assert!(between >= Duration::from_millis(250), "{between:?}");
        }
        let told = if index == Some("11") { "&index=11&" } else { "&index=1&" };
        assert!(asked[1].what.contains(told), "{:?}", asked[1]);
    }
}

#[tokio::test]
async fn flapping_makes_news_only_when_the_set_is_another() {
    let agent = Agent::start().await;
    let set = ["a:1 zone of-node", "b:1 zone of-node"];
    agent.list(&[well("a", 1), well("b", 1)]);
    let mut discovery = discovery(&agent);
    expect(&within(discovery.next()).await, &set);
    {
        let mut next = Box::pin(discovery.next());
        for times in 2..4 {
            tokio::select! {
                found = &mut next => panic!("nothing new: {found:?}"),
                _ = agent.until_asked(times) => agent.list(&[well("b", 1), well("a", 1)]),
            }
        }
        // Gone and back while `next` is not polled.
        tokio::select! {
            found = &mut next => panic!("nothing new: {found:?}"),
            _ = agent.until_asked(4) => {}
        }
        agent.list(&[well("a", 1)]);
        agent.list(&[well("a", 1), well("b", 1)]);
        tokio::select! {
            found = &mut next => panic!("nothing new: {found:?}"),
            _ = agent.until_asked(5) => {}
        }
    }
    agent.list(&[well("b", 1)]);
    expect(&within(discovery.next()).await, &set[1..]);
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_nothing_and_hurries_nobody() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1)]);
    let mut discovery = discovery(&agent);
    agent.turn(Mood::Hangs);
    for times in 1..3 {
        tokio::select! {
            found = discovery.next() => panic!("{found:?}"),
            _ = agent.until_asked(times) => {}
        }
    }
    let asked = agent.asked();
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(250));
    agent.turn(Mood::Well);
    expect(&within(discovery.next()).await, &["a:1 zone of-node"]);
}

#[tokio::test]
async fn an_instance_that_cannot_be_called_is_left_out_and_told() {
    let agent = Agent::start().await;
    agent.list(&[well("a", 1), well("b", 0), well("c d", 1)]);
    let found = within(discovery(&agent).next()).await;
    let part = "2 of 3 instances of `users` cannot be called: `b` has no port";
    expect_error(&found, &["a:1 zone of-node"], part);
}

#[test]
fn what_can_never_work_is_said_at_once() {
    let of = |agent: &str, service: &str| {
        let settings = Settings::Consul {
            agent: agent.parse().unwrap(),
            service: service.to_owned(),
            tag: Vec::new(),
            passing: true,
            datacenter: None,
            token: None,
        };
        Discovery::new(settings).map(drop).unwrap_err()
    };
    assert!(of("consul:8500", "users").contains("is not an http or https URL"));
    assert!(of("/v1", "users").contains("is not an http or https URL"));
    assert!(of("ftp://consul", "users").contains("is not an http or https URL"));
    assert!(of("http://consul:8500?dc=a", "users").contains("has a query"));
    let said = of("http://me:geheim@consul:8500", "users");
    assert!(said.contains("it wants a token") && !said.contains("geheim"), "{said}");
    assert!(of("http://consul:8500", "").contains("no name"));
}
