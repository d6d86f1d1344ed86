use super::super::terminal::Captured;
use super::*;
use crate::gateway::admin;
use crate::gateway::admin::tests::{Fixed, status};
use crate::upstream::Position;
use axum::Router;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

fn view(up_ms: u64) -> View {
    View { version: "1.2.3".to_owned(), up_ms, sources: vec![status("users")] }
}

#[test]
fn a_table_says_how_sources_are() {
    let (before, mut now) = (view(10_000), view(12_000));
    now.sources[0].calls += 5;
    now.sources[0].instances[1].calls += 100;
    let shown = table::table(&now, Some(&before));
    let expected = "\
Portcullis 1.2.3, up 12 s

SOURCE, INSTANCE        IS             CALLS/S  FAILED     P50     P95 IN FLIGHT
users                   refused            2.5       8 1.50 ms       -   3 of 32
  10.0.0.1:8080         well               0.0       7 12.3 ms 45.6 ms         2
  10.0.0.2:8080         ejected, 12 s     50.0       7 12.3 ms 45.6 ms         2
  breaker open, for 4.2 s; budget 30; moves 2; waiting 1; p99 -
  3.0 s ago, 10.0.0.2:8080: no reply within 5000 ms
";
    assert_eq!(shown, expected);
    assert!(table::table(&now, None).contains("      -       8"), "nothing to compare with");
    // One that was restarted did all of that in its half second.
    now.up_ms = 500;
    assert!(table::table(&now, Some(&before)).contains("      -       8"), "{now:?}");
}

#[test]
fn nothing_is_wider_than_a_terminal_and_nothing_moves_its_cursor() {
    let mut view = view(1000);
    let long = format!("\x1b[2J\r\n\u{9b}31m{}", "ä".repeat(300));
    let source = &mut view.sources[0];
    source.source = "s".repeat(64);
    source.breaker = Position::Open;
    source.refuses_for_ms = Some(59_999);
    source.discovery_error = Some(long.clone());
    source.instances[0].address = long.clone();
    source.instances[1].ejected_for_ms = Some(119_999);
    source.recent_errors[0].error = long.clone();
    (source.failures, source.p50_ms, source.waiting) = (99_999_999, Some(99_999.0), 99_999);
    let table = table::table(&view, None);
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{}: {line}", line.chars().count());
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(table.contains("ejected, 119 s"), "{table}");
}

async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let router = hyper_util::service::TowerToHyperService::new(router.clone());
            let stream = hyper_util::rt::TokioIo::new(stream);
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(stream, router).await;
        }
    });
    (url, server)
}

async fn top(url: &str) -> (Exit, String, String) {
    let (mut terminal, out, err): (_, Captured, Captured) = Terminal::captured();
    let interval = Duration::from_millis(100);
    let arguments = Arguments {
        url: url.to_owned(),
        once: true,
        interval,
        ca: None,
        cert: None,
        key: None,
        insecure: false,
    };
    let exit = run(arguments, &mut terminal).await;
    (exit, out.text(), err.text())
}

#[tokio::test]
async fn once_is_one_table() {
    let (url, server) = serve(admin::router(vec![Arc::new(Fixed(status("users")))])).await;
    for url in [&url, &format!("{url}/"), &format!("{url}/admin/upstreams")] {
        let (exit, out, err) = top(url).await;
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        assert_eq!(out.matches("Portcullis").count(), 1, "{out}");
        assert!(out.contains("\nusers") && out.contains("0.0"), "{out}");
        assert!(!out.contains('\x1b'), "{out:?}");
    }
    server.abort();
}

#[tokio::test]
async fn what_is_no_admin_page_is_told_with_the_remedy() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let (exit, out, err) = top(&nobody).await;
    assert_eq!((exit, out.as_str()), (Exit::NoAnswer, ""));
    assert!(err.contains(&nobody) && err.contains("is the gateway running?"), "{err}");
    let (url, server) = serve(Router::new()).await;
    let (exit, _, err) = top(&url).await;
    assert_eq!(exit, Exit::NoAnswer);
    assert!(err.contains("404") && err.contains("server.admin.listen"), "{err}");
    server.abort();
    let page = axum::routing::get(async || "{}");
    let (url, server) = serve(Router::new().route(PATH, page)).await;
    let (exit, _, err) = top(&url).await;
    assert!(exit == Exit::NoAnswer && err.contains("something else"), "{err}");
    server.abort();
    let (exit, _, err) = top("127.0.0.1:4099").await;
    assert!(exit == Exit::Usage && err.contains("--url http"), "{err}");
}

#[test]
fn intervals_have_a_unit_and_bounds() {
    assert_eq!(interval("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
    for wrong in ["", "1", "s", "50ms", "2h", "61m", "99999999999s", "-1s", "1.5s"] {
        assert!(interval(wrong).is_err(), "{wrong}");
    }
}
