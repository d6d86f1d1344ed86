//! Calls through a forward proxy: absolute form, tunnels, credentials, and proxies that refuse or stall.

use super::*;
use crate::upstream::{Proxies, Proxy};

/// Behavior of a proxy.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers requests in absolute form itself, and opens tunnels to this address whatever their target.
    Proxy(SocketAddr),
    Says(&'static str),
    Stalls,
    /// Opens the tunnel and stalls: TLS never begins.
    Establishes,
    /// Starts an answer that has no end.
    Floods,
}

async fn proxy(manner: Manner) -> (SocketAddr, Arc<std::sync::Mutex<Vec<String>>>) {
    let (listener, address) = listen().await;
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_one(stream, manner, Arc::clone(&seen)));
        }
    });
    (address, heads)
}

async fn serve_one(
    mut stream: TcpStream,
    manner: Manner,
    heads: Arc<std::sync::Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let tunnels = head.starts_with("CONNECT ");
    heads.lock().unwrap().push(head);
    match manner {
        Manner::Proxy(target) if tunnels => {
            let mut there = TcpStream::connect(target).await?;
            // The service's first bytes may directly follow the head.
            stream
                .write_all(
                    b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
                )
                .await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-proxy: a\r\n").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut first = [0; 9];
            there.read_exact(&mut first).await?;
            stream.write_all(&[b"\r\n", &first[..]].concat()).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await?;
        }
        Manner::Proxy(_) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        }
        Manner::Says(answer) => stream.write_all(answer.as_bytes()).await?,
        Manner::Stalls => std::future::pending().await,
        Manner::Establishes => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            std::future::pending::<()>().await;
        }
        Manner::Floods => loop {
            stream.write_all(&[b'a'; 1000]).await?;
        },
    }
    stream.shutdown().await
}

fn through(proxy: SocketAddr, url: &str, versions: Versions) -> Connections {
    let proxy = Proxy::parse(&format!("http://me:hush@{proxy}")).unwrap();
    let settings = Settings {
        proxies: Proxies::always(proxy),
        connect_timeout: Duration::from_millis(700),
        ..Settings::default()
    };
    Connections::new(&settings, &url.parse().unwrap(), None, versions).unwrap()
}

async fn call(connections: &Connections, url: &str) -> Result<String, Failure> {
    let request = Request::post(url).body(Bytes::from_static(b"")).unwrap();
    text(connections.send(request, false).await).await
}

const URL: &str = "http://service.invalid/a?b=1";

#[tokio::test]
async fn plain_http_goes_to_the_proxy_in_absolute_form_with_its_credentials() {
    let (proxy, heads) = proxy(Manner::Proxy(([127, 0, 0, 1], 1).into())).await;
    let reply = call(&through(proxy, URL, Versions::Negotiated), URL).await;
    assert_eq!(reply, Ok("ok".to_owned()));
    let head = heads.lock().unwrap()[0].to_lowercase();
    assert!(head.starts_with("post http://service.invalid/a?b=1 http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: service.invalid\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: basic bwu6ahvzaa==\r\n"), "{head}");
}

#[tokio::test]
async fn http2_goes_through_a_tunnel_and_loses_no_byte_that_follows_the_head() {
    let (service, _) = serve(|_, asked| async move { asked.uri().to_string() }).await;
    let (listener, ahead) = listen().await;
    tokio::spawn(async move {
        // An HTTP/2 server that sends first, as many do.
        let (mut here, _) = listener.accept().await.unwrap();
        here.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut there = TcpStream::connect(service).await.unwrap();
        drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
    });
    let (proxy, heads) = proxy(Manner::Proxy(ahead)).await;
    let reply = call(&through(proxy, URL, Versions::Http2), URL).await;
    assert_eq!(reply, Ok(URL.to_owned()));
    let head = heads.lock().unwrap()[0].clone();
    assert!(
        head.starts_with("CONNECT service.invalid:80 HTTP/1.1\r\nhost: service.invalid:80\r\n")
    );
    assert!(head.contains("proxy-authorization: Basic bWU6aHVzaA=="), "{head}");
}

#[tokio::test]
async fn a_proxy_that_does_not_help_is_named_and_its_credentials_are_not() {
    const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
        HTTP/1.1 200 OK\r\n\r\n";
    const ASKS: &str = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let secure = "https://service.invalid/a";
    for (manner, url, expected) in [
        (Manner::Says(ASKS), URL, "asks for other credentials (status 407); see `proxy`"),
        (Manner::Says(ASKS), secure, "asks for other credentials (status 407); see `proxy`"),
        (
            Manner::Says("HTTP/1.1 403 Forbidden\r\n\r\n"),
            secure,
            "answered CONNECT service.invalid:443 with status 403",
        ),
        (Manner::Says("SSH-2.0-x\r\n\r\n"), secure, "is not HTTP"),
        (Manner::Says(""), secure, "broke off during CONNECT"),
        (Manner::Stalls, secure, "within 700 ms"),
        (Manner::Establishes, secure, "within 700 ms"),
        (Manner::Says(INTERIM), secure, "more than 8 interim replies to CONNECT"),
        (
            Manner::Says("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            secure,
            "answered CONNECT service.invalid:443 with status 101",
        ),
        (Manner::Floods, secure, "or larger than 16 KiB"),
    ] {
        let (proxy, _) = proxy(manner).await;
        match call(&through(proxy, url, Versions::Negotiated), url).await {
            Err(Failure::Unreached(said)) => {
                assert!(said.contains(expected), "{said}");
                assert!(said.contains(&format!("http://{proxy}")), "{said}");
                assert!(!said.contains("hush") && !said.contains("bWU6"), "{said}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let (gone, nobody) = listen().await;
    drop(gone);
    let refused = call(&through(nobody, URL, Versions::Negotiated), URL).await;
    assert!(
        matches!(&refused, Err(Failure::Unreached(said)) if said.contains("no connection to the proxy")),
        "{refused:?}"
    );
}
