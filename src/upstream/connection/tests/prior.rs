//! HTTP/2 without TLS by prior knowledge, for REST: what it needs, and services that do not speak it.

use super::*;
use crate::upstream::http::HttpClient;

fn client(address: SocketAddr) -> HttpClient {
    let settings = Settings { http2: true, ..Settings::default() };
    let uri = format!("http://{address}").parse().expect("a URL");
    HttpClient::new(&settings, &uri, None).expect("an instance")
}

#[tokio::test]
async fn calls_share_one_connection_of_http2() {
    let (address, accepted) =
        serve(|_, asked| async move { format!("{:?} {}", asked.version(), asked.uri()) }).await;
    let client = client(address);
    let calls: FuturesUnordered<_> = (0..20)
        .map(|_| async {
            let (_, body, _) = client.send(request(address, "/a?b=1")).await?.read().await?;
            Ok::<_, Failure>(body)
        })
        .collect();
    let replies: Vec<_> = calls.collect().await;
    let expected = format!("HTTP/2.0 http://{address}/a?b=1");
    assert!(replies.iter().all(|reply| reply.as_deref() == Ok(expected.as_bytes())), "{replies:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// A server that reads the preface and answers in these pieces.
async fn answers(pieces: &'static [&'static str]) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                stream.read_exact(&mut [0; 24]).await?;
                for piece in pieces {
                    stream.write_all(piece.as_bytes()).await?;
                    tokio::task::yield_now().await;
                }
                stream.shutdown().await?;
                // Until the client closes: unread bytes would reset the connection.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
            });
        }
    });
    address
}

#[tokio::test]
async fn a_service_that_answers_with_http1_is_told_apart() {
    const WHOLE: &[&str] = &["HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"];
    const PIECES: &[&str] = &["H", "TTP/1", ".0 505 HTTP Version Not Supported\r\n\r\n"];
    for pieces in [WHOLE, PIECES] {
        let address = answers(pieces).await;
        let failure = client(address).send(request(address, "/")).await.map(|_| ()).unwrap_err();
        let text = "the service answered with HTTP/1.1; remove `http2` from the source's `rest`";
        assert_eq!(failure, Failure::Invalid(text.to_owned()), "{pieces:?}");
        let grpc = connections(address, Versions::Http2, &Settings::default());
        let failure = text_of(&grpc, address).await.unwrap_err();
        assert!(failure.to_string().contains("HTTP/1.1; gRPC needs HTTP/2"), "{failure}");
    }
}

#[tokio::test]
async fn another_answer_that_is_not_http2_is_not_taken_for_http1() {
    for pieces in [&["SSH-2.0-x\r\n"] as &[&str], &["HT", "ML"], &["HT"]] {
        let address = answers(pieces).await;
        let failure = client(address).send(request(address, "/")).await.map(|_| ()).unwrap_err();
        assert!(!failure.to_string().contains("HTTP/1.1"), "{failure}");
    }
}

async fn text_of(connections: &Connections, address: SocketAddr) -> Result<String, Failure> {
    text(connections.send(request(address, "/"), false).await).await
}
