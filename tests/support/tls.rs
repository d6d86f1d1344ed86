//! Self-signed certificates, and clients that trust one of them.

use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub type Pair = CertifiedKey<KeyPair>;

/// Creates a certificate for a name or an address.
pub fn pair(name: &str) -> Pair {
    rcgen::generate_simple_self_signed([name.to_owned()]).expect("a name")
}

/// Writes it as `cert.pem` and `key.pem`.
pub fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).expect("a temporary file");
    let key = pair.signing_key.serialize_pem();
    std::fs::write(folder.join("key.pem"), key).expect("a temporary file");
}

/// Opens an HTTP/1.1 connection to a server at this URL, which must present this certificate.
pub async fn connect(url: &str, trusted: &Pair) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let url: http::Uri = url.parse().expect("a URL");
    let socket = TcpStream::connect(url.authority().expect("an address").as_str()).await?;
    let host = url.host().expect("an address").to_owned();
    let name = ServerName::try_from(host).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Sends one request on a connection that stays open.
pub async fn health(socket: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    socket.write_all(b"GET /health HTTP/1.1\r\nhost: here\r\n\r\n").await?;
    let mut received = Vec::new();
    while !received.ends_with(b"ok\n") {
        if socket.read_buf(&mut received).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
