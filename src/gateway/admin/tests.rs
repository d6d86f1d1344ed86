//! Answers to machines and to people, with texts of services and discovery.

use super::*;
use crate::upstream::Position;
use crate::upstream::status::{InstanceStatus, RecentError, Wellness};
use axum::extract::Request;
use futures_util::future::{BoxFuture, FutureExt as _, pending};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

/// A source with a fixed status.
pub(crate) struct Fixed(pub Status);

impl Watched for Fixed {
    fn status(&self, _: Instant) -> Status {
        self.0.clone()
    }

    fn follow(self: Arc<Self>) -> BoxFuture<'static, ()> {
        pending().boxed()
    }

    fn is_found(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

/// One of two instances is ejected, and the breaker is open.
pub(crate) fn status(source: &str) -> Status {
    let instance = |address: &str, health, ejected_for_ms| InstanceStatus {
        address: address.to_owned(),
        zone: None,
        weight: 1,
        health,
        ejected_for_ms,
        in_flight: 2,
        p50_ms: Some(12.34),
        p95_ms: Some(45.6),
        p99_ms: None,
        calls: 50,
        failures: 7,
    };
    Status {
        source: source.to_owned(),
        breaker: Position::Open,
        refuses_for_ms: Some(4200),
        calls: 100,
        failures: 8,
        in_flight: 3,
        waiting: 1,
        limit: 32,
        retries_left: 30,
        moves: 2,
        p50_ms: Some(1.5),
        p95_ms: None,
        p99_ms: None,
        discovery_error: None,
        instances: vec![
            instance("10.0.0.1:8080", Wellness::Well, None),
            instance("10.0.0.2:8080", Wellness::Ejected, Some(12_000)),
        ],
        recent_errors: vec![RecentError {
            ago_ms: 3000,
            instance: "10.0.0.2:8080".to_owned(),
            error: "no reply within 5000 ms".to_owned(),
        }],
    }
}

async fn ask(status: Status, accept: Option<&str>) -> (Response<()>, String) {
    let router = router(vec![Arc::new(Fixed(status))]);
    let mut request = Request::get(PATH);
    if let Some(accept) = accept {
        request = request.header(ACCEPT, accept);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn machines_get_json_and_browsers_a_page() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for accept in [None, Some("*/*"), Some("application/json"), Some("application/json, text/html")]
    {
        let (head, body) = ask(status("users"), accept).await;
        assert_eq!(head.headers()[CONTENT_TYPE], "application/json", "{accept:?}");
        let view: View = serde_json::from_str(&body).unwrap();
        assert_eq!(view.sources[0].instances.len(), 2);
        assert!(body.contains(r#""p50_ms":1.5"#) && !body.contains("p99_ms"), "{body}");
        assert!(body.contains(r#""breaker":"open""#) && body.contains(r#""health":"ejected""#));
    }
    let (head, page) = ask(status("users"), Some(browser)).await;
    assert_eq!(head.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(head.headers()[VARY], "accept");
    for part in [
        "open, for 4.2 s",
        "ejected, 12 s",
        "1 of 2",
        "3.0 s ago",
        "no reply within 5000 ms",
        "12.3 ms<td class=\"n\">45.6 ms<td class=\"n\">-</tr>",
        "http-equiv=\"refresh\"",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
}

#[tokio::test]
async fn what_comes_from_elsewhere_is_text_and_nothing_else() {
    let evil = "<script>alert('1')</script>&amp;\"'<img src=x>";
    let mut status = status(evil);
    status.discovery_error = Some(evil.to_owned());
    status.instances[0].address = evil.to_owned();
    status.instances[0].zone = Some(evil.to_owned());
    status.recent_errors[0].instance = evil.to_owned();
    status.recent_errors[0].error = evil.to_owned();
    let (_, page) = ask(status, Some("text/html")).await;
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("alert('"));
    let escaped =
        "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;&quot;&#39;&lt;img src=x&gt;";
    // Its name in tables and in the section, and other places.
    assert_eq!(page.matches(escaped).count(), 9, "{page}");
}

/// Uses neither a script nor another host, so it works without a network.
#[tokio::test]
async fn the_page_needs_nothing_but_its_style() {
    let (_, page) = ask(status("users"), Some("text/html")).await;
    assert!(!page.contains("<script") && !page.contains("://") && !page.contains("style="));
    let router = router(Vec::new());
    let request = Request::get(page::STYLE_PATH).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
    let style = response.into_body().collect().await.unwrap().to_bytes();
    let style = std::str::from_utf8(&style).unwrap();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    let classes = page.split("class=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for class in classes {
        assert!(style.contains(&format!(".{class} ")), "{class} has no style");
    }
}

#[test]
fn times_are_short() {
    let spans = [400, 12_000, 119_000, 300_000, 10_800_000, 259_200_000].map(words::span);
    assert_eq!(spans, ["0.4 s", "12 s", "119 s", "5 min", "3 h", "3 d"]);
    let times = [None, Some(0.421), Some(12.34), Some(421.6), Some(1200.0)].map(words::latency);
    assert_eq!(times, ["-", "0.42 ms", "12.3 ms", "422 ms", "1.20 s"]);
}
