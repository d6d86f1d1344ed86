//! One forward proxy for all requests of the gateway: services, token endpoints, and the keys of providers.

use crate::support::client::Http;
use crate::support::process::Process;
use crate::support::tls::{self, Pair};
use portcullis::demo::{AUDIENCE, ISSUER, Issuer, PEOPLE};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const SDL: &str = r#"
type Query {
  me: String @rest(source: "outside", GET: "/me", select: "$.seen") @authenticated
  inside: String @rest(source: "inside", GET: "/inside", select: "$.seen")
  listed: String @rest(source: "listed", GET: "/listed", select: "$.seen")
}
"#;

/// Received requests: the first line of each, and its `authorization` and `proxy-authorization`.
type Log = Arc<Mutex<Vec<String>>>;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Serves one connection, as services, token endpoint and provider at once; tunnels end here as well, in TLS.
async fn answer(stream: TcpStream, tls: Option<TlsAcceptor>, jwks: Arc<str>, log: Log) {
    let mut stream: BufReader<Box<dyn Duplex>> = BufReader::new(Box::new(stream));
    loop {
        let (mut lines, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.to_lowercase().strip_prefix("content-length: ") {
                length = text.parse().unwrap();
            }
            if lines.is_empty() || line.to_lowercase().contains("authorization: ") {
                lines.push(line);
            }
        }
        drop(stream.read_exact(&mut vec![0; length]).await);
        let seen = lines.join(" ");
        log.lock().unwrap().push(seen.clone());
        if let Some(tls) = tls.as_ref().filter(|_| seen.starts_with("CONNECT ")) {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let inner = tls.accept(stream.into_inner()).await.expect("the certificate is trusted");
            stream = BufReader::new(Box::new(inner));
            continue;
        }
        let path = seen.split(' ').nth(1).unwrap_or_default();
        let body = match path {
            "/jwks.json" => jwks.to_string(),
            "/token" => json!({ "access_token": "t0ken", "token_type": "Bearer" }).to_string(),
            _ => json!({ "seen": seen }).to_string(),
        };
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        drop(stream.write_all(reply.as_bytes()).await);
    }
}

async fn serve(tls: Option<TlsAcceptor>, jwks: &str) -> (std::net::SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, log) = (listener.local_addr().unwrap(), Log::default());
    let (jwks, seen): (Arc<str>, _) = (jwks.into(), Arc::clone(&log));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, tls.clone(), Arc::clone(&jwks), Arc::clone(&seen)));
        }
    });
    (address, log)
}

fn acceptor(pair: &Pair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_token_endpoints_and_keys_are_reached_through_one_proxy() {
    let (folder, pair, issuer) =
        (tempfile::tempdir().unwrap(), tls::pair("id.test"), Issuer::new());
    tls::write(folder.path(), &pair);
    let (proxy, asked) = serve(Some(acceptor(&pair)), &issuer.jwks()).await;
    let (direct, asked_directly) = serve(None, "").await;
    let port = direct.port();
    let config = format!(
        "proxy: \"http://me:${{PASSWORD}}@{proxy}\"\nno_proxy: [\"[::1]:1\", \"localhost:{port}\"]\n\
         auth: {{ providers: [{{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks_url: \"https://id.test/jwks.json\" }}] }}\n\
         sources:\n  \
           outside: {{ rest: {{ url: \"http://outside.test\" }}, auth: {{ client_credentials: {{ \
             token_url: \"https://id.test/token\", client_id: gateway, client_secret: geheim }} }} }}\n  \
           inside: {{ rest: {{ url: \"http://{direct}\" }}, proxy: none }}\n  \
           listed: {{ rest: {{ url: \"http://localhost:{port}\" }} }}\n"
    );
    let roots = folder.path().join("cert.pem");
    let variables = [("SSL_CERT_FILE", roots.to_str().unwrap()), ("PASSWORD", "hushhush")];
    let process = Process::serve(folder.path(), SDL, &config, &variables);
    let bearer = format!("Bearer {}", issuer.token(PEOPLE[0], SystemTime::now()));
    let headers = [("authorization", bearer.as_str())];
    let query = r#"{"query":"{ me inside listed }"}"#;
    let answer = Http::new().post(&process.url, &headers, query).await.json();
    let seen = |field: &str| answer["data"][field].as_str().unwrap_or_default().to_lowercase();
    assert_eq!(answer.get("errors"), None::<&Value>, "{answer}");
    assert_eq!(
        seen("me"),
        "get http://outside.test/me http/1.1 authorization: bearer t0ken \
         proxy-authorization: basic bwu6ahvzagh1c2g="
    );
    assert_eq!(
        (&*seen("inside"), &*seen("listed")),
        ("get /inside http/1.1", "get /listed http/1.1")
    );
    let asked = asked.lock().unwrap().clone();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let tunnel = "CONNECT id.test:443 HTTP/1.1 proxy-authorization: Basic bWU6aHVzaGh1c2g=";
    let [keys, "GET /jwks.json HTTP/1.1", token, request, _] = asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!((keys, token), (tunnel, tunnel));
    assert!(request.starts_with("POST /token HTTP/1.1 authorization: Basic "), "{request}");
    assert_eq!(asked_directly.lock().unwrap().len(), 2);
}
