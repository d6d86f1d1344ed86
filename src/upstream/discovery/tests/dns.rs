//! Names and their records: which queries are sent, how often, and which answers are accepted.

use super::name_server::{NameServer, Says, a, aaaa, cname, srv};
use super::*;
use hickory_resolver::proto::rr::RecordType;

const USERS: &str = "users.test";
const SERVICE: &str = "_http._tcp.users.test";

fn discovery(server: &NameServer, name: &str, record: Record) -> Discovery {
    let server = Some(server.address);
    Discovery::new(Settings::Dns { name: name.to_owned(), record, port: 8080, server }).unwrap()
}

fn says_a(server: &NameServer, ips: &[&str], ttl: u32) {
    let records = ips.iter().map(|ip| a(USERS, ip, ttl)).collect();
    server.set(USERS, RecordType::A, Says::Records(records));
}

#[tokio::test]
async fn each_address_of_a_name_is_an_instance() {
    let server = NameServer::start().await;
    says_a(&server, &["10.0.0.2", "10.0.0.1", "10.0.0.2"], 60);
    server.set(USERS, RecordType::AAAA, Says::Records(vec![aaaa(USERS, "fd00::1", 60)]));
    let mut four = discovery(&server, USERS, Record::A);
    expect(&within(four.next()).await, &["10.0.0.1:8080", "10.0.0.2:8080"]);
    let mut six = discovery(&server, USERS, Record::Aaaa);
    expect(&within(six.next()).await, &["[fd00::1]:8080"]);
    assert_eq!(server.asked(), ["users.test. A", "users.test. AAAA"]);
}

#[tokio::test]
async fn a_name_is_asked_for_again_when_its_ttl_is_over() {
    let server = NameServer::start().await;
    says_a(&server, &["10.0.0.1"], 1);
    let mut discovery = discovery(&server, USERS, Record::A);
    let start = Instant::now();
    expect(&within(discovery.next()).await, &["10.0.0.1:8080"]);
    says_a(&server, &["10.0.0.2", "10.0.0.1"], 60);
    expect(&within(discovery.next()).await, &["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(server.asked().len(), 2);
    for (ttl, seconds) in [(60, 60), (0, 1), (86_400, 300)] {
        says_a(&server, &["10.0.0.1"], ttl);
        round(&mut discovery).await;
        expect_due(&discovery, seconds);
    }
}

#[tokio::test]
async fn the_shortest_ttl_on_the_way_counts() {
    let server = NameServer::start().await;
    let alias = vec![cname(USERS, "pool.test", 7), a("pool.test", "10.0.0.1", 60)];
    server.set(USERS, RecordType::A, Says::Records(alias));
    let mut discovery = discovery(&server, USERS, Record::A);
    expect(&round(&mut discovery).await, &["10.0.0.1:8080"]);
    expect_due(&discovery, 7);
}

#[tokio::test]
async fn a_set_that_does_not_fit_into_a_datagram_is_whole() {
    let server = NameServer::start().await;
    let ips: Vec<String> = (0..500).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    let records = ips.iter().map(|ip| a(USERS, ip, 60)).collect();
    server.set(USERS, RecordType::A, Says::Long(records));
    let found = within(discovery(&server, USERS, Record::A).next()).await;
    assert_eq!((found.addresses.len(), found.error), (500, None));
}

#[tokio::test]
async fn nothing_is_believed_when_three_answers_say_it() {
    let server = NameServer::start().await;
    let mut discovery = discovery(&server, USERS, Record::A);
    for (nothing, part) in [
        (Says::NoSuchName, "`users.test.` has no A records: Non-Existent Domain"),
        (Says::NoSuchRecords(20), "`users.test.` has no A records: No Error"),
    ] {
        says_a(&server, &["10.0.0.1"], 60);
        let set = ["10.0.0.1:8080"];
        expect(&round(&mut discovery).await, &set);
        server.set(USERS, RecordType::A, nothing.clone());
        expect_error(&round(&mut discovery).await, &set, part);
        assert!(due(&discovery) <= Duration::from_secs(1), "asked again soon");
        expect_error(&round(&mut discovery).await, &set, part);
        // An answer in between starts the count over; a missing one does not.
        says_a(&server, &["10.0.0.1"], 60);
        expect(&round(&mut discovery).await, &set);
        server.set(USERS, RecordType::A, nothing.clone());
        round(&mut discovery).await;
        expect_error(&round(&mut discovery).await, &set, part);
        server.set(USERS, RecordType::A, Says::Fails);
        expect_error(&round(&mut discovery).await, &set, "Server Failure");
        server.set(USERS, RecordType::A, nothing.clone());
        expect_error(&round(&mut discovery).await, &[], part);
        expect_error(&round(&mut discovery).await, &[], part);
    }
    expect_due(&discovery, 20);
}

#[tokio::test]
async fn a_server_that_fails_or_says_nothing_changes_nothing() {
    let server = NameServer::start().await;
    says_a(&server, &["10.0.0.1"], 60);
    let mut discovery = discovery(&server, USERS, Record::A);
    let set = ["10.0.0.1:8080"];
    expect(&round(&mut discovery).await, &set);
    server.set(USERS, RecordType::A, Says::Fails);
    for _ in 0..5 {
        expect_error(&round(&mut discovery).await, &set, "no answer for `users.test.`");
    }
    assert!(due(&discovery) >= Duration::from_secs(7), "after so many failures");
    server.set(USERS, RecordType::A, Says::Silence);
    let start = Instant::now();
    expect_error(&round(&mut discovery).await, &set, "timed out");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let gone = server.address;
    drop(server);
    let settings =
        Settings::Dns { name: USERS.to_owned(), record: Record::A, port: 1, server: Some(gone) };
    let mut nobody = Discovery::new(settings).unwrap();
    expect_error(&within(nobody.next()).await, &[], "no answer for `users.test.`");
}

#[tokio::test]
async fn a_failure_is_told_once_and_so_is_its_end() {
    let server = NameServer::start().await;
    server.set(USERS, RecordType::A, Says::Fails);
    let mut discovery = discovery(&server, USERS, Record::A);
    expect_error(&within(discovery.next()).await, &[], "Server Failure");
    // A query may be sent twice in a round; when the third round has begun, the second has ended.
    let in_a_round = server.asked().len();
    tokio::select! {
        found = discovery.next() => panic!("nothing new: {found:?}"),
        () = server.until_asked(2 * in_a_round + 1) => {}
    }
    says_a(&server, &["10.0.0.1"], 60);
    expect(&within(discovery.next()).await, &["10.0.0.1:8080"]);
}

#[tokio::test]
async fn targets_of_srv_bring_port_and_weight() {
    let server = NameServer::start().await;
    let records = vec![
        srv(SERVICE, [10, 5, 81], "one.test", 60),
        srv(SERVICE, [10, 0, 82], "two.test", 60),
        srv(SERVICE, [20, 9, 83], "spare.test", 60),
        srv(SERVICE, [10, 1, 0], "one.test", 60),
    ];
    server.set(SERVICE, RecordType::SRV, Says::Records(records));
    let both = vec![a("one.test", "10.0.0.1", 60), a("one.test", "10.0.0.3", 60)];
    server.set("one.test", RecordType::A, Says::Records(both));
    server.set("one.test", RecordType::AAAA, Says::Records(vec![aaaa("one.test", "fd00::1", 60)]));
    server.set("two.test", RecordType::A, Says::NoSuchRecords(60));
    server.set("two.test", RecordType::AAAA, Says::Records(vec![aaaa("two.test", "fd00::2", 9)]));
    server.set("spare.test", RecordType::A, Says::Records(vec![a("spare.test", "10.0.0.9", 60)]));
    let mut discovery = discovery(&server, SERVICE, Record::Srv);
    let found = within(discovery.next()).await;
    expect(&found, &["10.0.0.1:81 weight 5", "10.0.0.3:81 weight 5", "[fd00::2]:82"]);
    expect_due(&discovery, 9);
    let mut asked = server.asked();
    asked.sort();
    let expected = ["_http._tcp.users.test. SRV", "one.test. A", "two.test. A", "two.test. AAAA"];
    assert_eq!(asked, expected, "neither spares nor what is not needed");
}

#[tokio::test]
async fn spares_stand_in_where_no_target_of_the_first_choice_has_an_address() {
    let server = NameServer::start().await;
    let records =
        vec![srv(SERVICE, [1, 1, 81], "gone.test", 60), srv(SERVICE, [2, 1, 82], "spare.test", 60)];
    server.set(SERVICE, RecordType::SRV, Says::Records(records));
    server.set("spare.test", RecordType::A, Says::Records(vec![a("spare.test", "10.0.0.9", 60)]));
    let mut discovery = discovery(&server, SERVICE, Record::Srv);
    expect(&round(&mut discovery).await, &["10.0.0.9:82"]);
    // No spare either: accepted like any empty answer.
    server.set("spare.test", RecordType::A, Says::NoSuchName);
    let part = "no target of `_http._tcp.users.test` has an address";
    expect_error(&round(&mut discovery).await, &["10.0.0.9:82"], part);
    round(&mut discovery).await;
    expect_error(&round(&mut discovery).await, &[], part);
    // The root: the domain does not offer the service.
    let root = vec![srv(SERVICE, [0, 0, 0], ".", 60)];
    server.set(SERVICE, RecordType::SRV, Says::Records(root));
    expect_error(&round(&mut discovery).await, &[], part);
}

#[tokio::test]
async fn a_target_nobody_answers_for_keeps_its_addresses_and_stops_no_other() {
    let server = NameServer::start().await;
    let one_and_two = |ttl| {
        let of = |port, target| srv(SERVICE, [1, 1, port], target, ttl);
        Says::Records(vec![of(81, "one.test"), of(82, "two.test")])
    };
    server.set(SERVICE, RecordType::SRV, one_and_two(300));
    server.set("one.test", RecordType::A, Says::Records(vec![a("one.test", "10.0.0.1", 300)]));
    server.set("two.test", RecordType::A, Says::Fails);
    let mut discovery = discovery(&server, SERVICE, Record::Srv);
    let part = "no answer for `two.test.`";
    expect_error(&round(&mut discovery).await, &["10.0.0.1:81"], part);
    expect_due(&discovery, 30);
    server.set("two.test", RecordType::A, Says::Records(vec![a("two.test", "10.0.0.2", 300)]));
    expect(&round(&mut discovery).await, &["10.0.0.1:81", "10.0.0.2:82"]);
    server.set("one.test", RecordType::A, Says::Records(vec![a("one.test", "10.0.0.7", 300)]));
    server.set("two.test", RecordType::A, Says::Fails);
    expect_error(&round(&mut discovery).await, &["10.0.0.2:82", "10.0.0.7:81"], part);
    // All of them, and then their names too.
    server.set("one.test", RecordType::A, Says::Fails);
    let set = ["10.0.0.2:82", "10.0.0.7:81"];
    expect_error(&round(&mut discovery).await, &set, "no answer for `one.test.`");
    server.set(SERVICE, RecordType::SRV, Says::Fails);
    expect_error(&round(&mut discovery).await, &set, "no answer for `_http._tcp.users.test.`");
}

#[tokio::test]
async fn targets_nobody_ever_answered_for_are_not_taken_for_nothing() {
    let server = NameServer::start().await;
    let records = vec![srv(SERVICE, [1, 1, 81], "one.test", 60)];
    server.set(SERVICE, RecordType::SRV, Says::Records(records));
    server.set("one.test", RecordType::A, Says::Records(vec![a("one.test", "10.0.0.1", 60)]));
    let mut discovery = discovery(&server, SERVICE, Record::Srv);
    expect(&round(&mut discovery).await, &["10.0.0.1:81"]);
    let others = vec![srv(SERVICE, [1, 1, 81], "other.test", 60)];
    server.set(SERVICE, RecordType::SRV, Says::Records(others));
    server.set("other.test", RecordType::A, Says::Fails);
    for _ in 0..4 {
        expect_error(&round(&mut discovery).await, &["10.0.0.1:81"], "no answer for `other.test.`");
    }
}

#[test]
fn what_can_never_work_is_said_at_once() {
    let of = |name: &str, record, port| {
        let server = Some("127.0.0.1:53".parse().unwrap());
        Discovery::new(Settings::Dns { name: name.to_owned(), record, port, server }).map(drop)
    };
    for name in ["", ".", "a..b", "a b..", &"a".repeat(64), "a\nb..c"] {
        let said = of(name, Record::A, 80).unwrap_err();
        assert!(said.ends_with("is not a DNS name") && !said.contains('\n'), "{said}");
    }
    assert_eq!(of("a", Record::A, 0), Err("the instances of `a` have no port".to_owned()));
    assert_eq!(of("_http._tcp.a", Record::Srv, 0), Ok(()));
}
