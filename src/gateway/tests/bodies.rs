//! Compressed bodies, in both directions.

use super::*;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::{Read as _, Write as _};

const QUERY: &[u8] = br#"{"query":"{ hello }"}"#;
const SCHEMA: &str = "/graphql?query={__schema{types{name,fields{name}}}}";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns head and body of an answer, the body as it was sent.
async fn fetch(gateway: &Running, target: &str, accept_encoding: &str) -> (Answer, Vec<u8>) {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    // HTTP/1.0 has no chunks: the body ends with the connection.
    let request = format!("GET {target} HTTP/1.0\r\nhost: t\r\n{accept_encoding}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (Answer { status, head, body: String::new() }, bytes[end + 4..].to_vec())
}

async fn introspecting(compression: bool) -> Running {
    let settings = edge::Settings { compression, ..edge::Settings::default() };
    start_with(settings, engine::Settings { introspection: true, ..engine::Settings::default() })
        .await
}

#[tokio::test]
async fn answers_are_compressed_for_who_asks() {
    let gateway = introspecting(true).await;
    let (plain, text) = fetch(&gateway, SCHEMA, "").await;
    assert_eq!(plain.header("content-encoding"), None);
    for (accepts, coding) in [
        ("gzip", Some("gzip")),
        ("deflate", Some("deflate")),
        ("br", Some("br")),
        ("br;q=0.2, gzip;q=0.9", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip;q=0, deflate;q=0.1", Some("deflate")),
        ("identity", None),
        ("zstd", None),
        ("", None),
        ("gzip;q=nonsense", None),
    ] {
        let accept = format!("accept-encoding: {accepts}\r\n");
        let (answer, body) = fetch(&gateway, SCHEMA, &accept).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding"), coding, "{accepts}");
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("accept-encoding")));
        match coding {
            Some("gzip") => {
                let mut inflated = Vec::new();
                GzDecoder::new(&*body).read_to_end(&mut inflated).unwrap();
                assert!(inflated == text && body.len() < text.len() / 2);
            }
            Some(_) => assert!(body.len() < text.len() / 2),
            None => assert!(body == text),
        }
    }
    let (tiny, _) = fetch(&gateway, "/health", "accept-encoding: gzip\r\n").await;
    assert_eq!(tiny.header("content-encoding"), None, "nothing is gained by it");
}

#[tokio::test]
async fn nothing_is_compressed_where_it_is_off() {
    let gateway = introspecting(false).await;
    let (answer, _) = fetch(&gateway, SCHEMA, "accept-encoding: gzip\r\n").await;
    assert_eq!(answer.header("content-encoding"), None);
    let refused = gateway.post("content-encoding: gzip\r\n", gzip(QUERY)).await;
    assert_eq!((refused.status, refused.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    assert_eq!(refused.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn requests_may_come_compressed() {
    let gateway = start(edge::Settings::default()).await;
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22).write_all(QUERY).unwrap();
    for (coding, body) in [
        ("gzip", gzip(QUERY)),
        ("GZIP", gzip(QUERY)),
        ("deflate", zlib(QUERY)),
        ("br", brotli),
        ("deflate, gzip", gzip(&zlib(QUERY))),
        ("identity", QUERY.to_vec()),
    ] {
        let answer = gateway.post(&format!("content-encoding: {coding}\r\n"), body).await;
        let expected = serde_json::json!({"data": {"hello": "answer"}});
        assert_eq!((answer.status, answer.json()), (200, expected), "{coding}");
    }
}

#[tokio::test]
async fn compressed_requests_are_bounded_and_strict() {
    let gateway = start(edge::Settings::default()).await;
    // A megabyte that becomes a gigabyte.
    let bomb = gzip(&vec![b' '; 1 << 20]).repeat(1024);
    for (coding, body, status) in [
        ("gzip", bomb[..(1 << 20) - 1000].to_vec(), 413),
        ("gzip", gzip(&bomb), 413),
        ("gzip, gzip", gzip(&bomb), 413),
        ("gzip", QUERY.to_vec(), 400),
        ("gzip", gzip(QUERY)[..20].to_vec(), 400),
        ("deflate", gzip(QUERY), 400),
        ("zstd", QUERY.to_vec(), 415),
        ("gzip, compress", QUERY.to_vec(), 415),
        ("gzip, gzip, gzip", gzip(&gzip(&gzip(QUERY))), 415),
    ] {
        let answer = gateway.post(&format!("content-encoding: {coding}\r\n"), body).await;
        assert_eq!(answer.status, status, "{coding}: {answer:?}");
        let understood = (status == 415).then_some("gzip, br, deflate");
        assert_eq!(answer.header("accept-encoding"), understood, "{coding}");
    }
}
