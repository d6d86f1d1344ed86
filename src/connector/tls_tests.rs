//! Real TLS: which certificates a source trusts, which one the gateway presents, and that a certificate's name must be
//! the service's.

use super::grpc::{Grpc, reflect};
use super::rest::Rest;
use super::testing::{
    Answer, Asked, Server, answer, answer_json, binding, caller, in_an_hour, settings, with_inputs,
};
use super::{DescriptorSource, FailureCodes, Protocol, SourceSettings, Unread};
use crate::graphql::ErrorCode;
use crate::problem::render;
use crate::source::{Call, Connector, Error, Reply};
use crate::upstream::discovery::Address;
use crate::upstream::{Instances, Proxies, Proxy, Site, Tls};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::TcpIncoming;

/// A certificate authority that signs for servers and for the gateway.
struct Authority {
    folder: TempDir,
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, certificate, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates a certificate for `name`, also written as `NAME.pem` and `NAME.key`.
    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate, key)
    }

    /// Creates a server known as `users.test`, which may ask for a certificate of this authority.
    fn server(&self, asks_for_one: bool) -> ServerConfig {
        let (certificate, key) = self.sign("users.test");
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks_for_one {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn tls(&self, identity: Option<&str>) -> Tls {
        let identity = identity.map(|name| {
            self.sign(name);
            (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
        });
        Tls { ca: Some(self.path("ca.pem")), identity, ..Tls::default() }
    }
}

/// Creates a site: calls are addressed to `name`, and connections go to the server.
fn site(server: &Server, name: &str) -> Site {
    let address = Address::new("127.0.0.1", server.address.port()).unwrap();
    let (name, prefix) = (Some(name.to_owned()), String::new());
    Site { https: true, name, prefix, instances: Instances::Fixed(vec![address]) }
}

fn rest(site: Site, tls: Tls) -> Arc<dyn Call> {
    let mut source = settings("users", Protocol::Rest { site });
    source.upstream.tls = tls;
    let directive = binding(r#"@rest(source: "users", GET: "/")"#);
    Rest::new(&[source]).compile(&directive).unwrap_or_else(|found| panic!("{found:?}"))
}

fn grpc_source(site: Site, tls: Tls) -> SourceSettings {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connector/grpc/testing");
    let mut source = settings(
        "products",
        Protocol::Grpc {
            site,
            descriptors: DescriptorSource::protos([folder.join("shop.proto")]),
            failures: FailureCodes::default(),
        },
    );
    source.upstream.tls = tls;
    source
}

fn grpc(site: Site, tls: Tls) -> Arc<dyn Call> {
    let grpc = Grpc::new(&[grpc_source(site, tls)]).unwrap_or_else(|found| panic!("{found:?}"));
    let directive = binding(r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct")"#);
    grpc.compile(&directive).unwrap_or_else(|found| panic!("{found:?}"))
}

async fn ask(call: &Arc<dyn Call>) -> Result<Reply, Error> {
    let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
    call.send(Arc::new(request.expect("it renders")), in_an_hour()).await
}

/// Answers JSON to clients that ask for JSON, and NOT_FOUND to gRPC clients.
async fn reply(asked: Asked) -> Answer {
    assert_eq!(asked.uri().host().or(asked.headers().get("host").map(host)), Some("users.test"));
    if asked.headers().get("content-type").is_some_and(|kind| kind == "application/grpc") {
        let headers = [("content-type", "application/grpc"), ("grpc-status", "5")];
        return answer(200, &headers, "");
    }
    answer_json(&json!({ "well": true }))
}

fn host(value: &http::HeaderValue) -> &str {
    value.to_str().unwrap().split(':').next().unwrap_or_default()
}

#[tokio::test]
async fn roots_of_its_own_are_trusted_and_no_others() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::start_tls(ours.server(false), reply).await;
    let at = || site(&server, "users.test");
    assert!(ask(&rest(at(), ours.tls(None))).await.is_ok());
    assert_eq!(ask(&grpc(at(), ours.tls(None))).await.unwrap_err().status, Some(5));
    for tls in [other.tls(None), Tls::default()] {
        let rest = ask(&rest(at(), tls.clone())).await.unwrap_err();
        assert_eq!(rest.code, ErrorCode::UpstreamUnavailable, "{rest}");
        let grpc = ask(&grpc(at(), tls)).await.unwrap_err();
        assert_eq!(grpc.code, ErrorCode::UpstreamUnavailable, "{grpc}");
    }
}

/// Creates a certificate as `openssl req -x509` makes it: its own authority, for `users.test`, valid between these
/// years. It is written as `ca.pem`, and the server presents it.
fn self_signed(folder: &Path, years: (i32, i32)) -> ServerConfig {
    self_signed_for(folder, years, &["users.test"])
}

fn self_signed_for(folder: &Path, years: (i32, i32), names: &[&str]) -> ServerConfig {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_by_its_very_file() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tls = |folder: &TempDir| Tls { ca: Some(folder.path().join("ca.pem")), ..Tls::default() };
    let server = Server::start_tls(self_signed(ours.path(), (2000, 4000)), reply).await;
    let at = |name: &str| site(&server, name);
    ask(&rest(at("users.test"), tls(&ours))).await.expect("a reply");
    let known = ask(&grpc(at("users.test"), tls(&ours))).await.unwrap_err();
    assert_eq!(known.status, Some(5), "{known}");
    // With the same names, but another certificate.
    self_signed(other.path(), (2000, 4000));
    for (name, folder) in [("orders.test", &ours), ("users.test", &other)] {
        let error = ask(&rest(at(name), tls(folder))).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{name}: {error}");
        let error = ask(&grpc(at(name), tls(folder))).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{name}: {error}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_without_a_name_is_trusted_by_its_very_file() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tls = |folder: &TempDir| Tls { ca: Some(folder.path().join("ca.pem")), ..Tls::default() };
    let server = Server::start_tls(self_signed_for(ours.path(), (2000, 4000), &[]), reply).await;
    ask(&rest(site(&server, "users.test"), tls(&ours))).await.expect("a reply");
    self_signed_for(other.path(), (2000, 4000), &[]);
    let error = ask(&rest(site(&server, "users.test"), tls(&other))).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{error}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_between_its_dates() {
    for (years, said) in [((2000, 2001), "expired"), ((3999, 4000), "not valid yet")] {
        let ours = tempfile::tempdir().unwrap();
        let server = Server::start_tls(self_signed(ours.path(), years), reply).await;
        let tls = Tls { ca: Some(ours.path().join("ca.pem")), ..Tls::default() };
        let error = ask(&rest(site(&server, "users.test"), tls)).await.unwrap_err();
        assert!(error.detail.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let ours = Authority::new();
    let server = Server::start_tls(ours.server(false), reply).await;
    let elsewhere = || site(&server, "orders.test");
    let rest = ask(&rest(elsewhere(), ours.tls(None))).await.unwrap_err();
    assert_eq!(rest.code, ErrorCode::UpstreamUnavailable, "{rest}");
    let grpc = ask(&grpc(elsewhere(), ours.tls(None))).await.unwrap_err();
    assert_eq!(grpc.code, ErrorCode::UpstreamUnavailable, "{grpc}");
}

#[tokio::test]
async fn the_gateway_shows_its_certificate_to_who_asks() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::start_tls(ours.server(true), reply).await;
    let at = || site(&server, "users.test");
    assert!(ask(&rest(at(), ours.tls(Some("gateway.test")))).await.is_ok());
    let known = ask(&grpc(at(), ours.tls(Some("gateway.test")))).await.unwrap_err();
    assert_eq!(known.status, Some(5));
    let forged = Tls { ca: ours.tls(None).ca, ..other.tls(Some("gateway.test")) };
    for tls in [ours.tls(None), forged] {
        assert!(ask(&rest(at(), tls.clone())).await.is_err());
        assert_eq!(ask(&grpc(at(), tls)).await.unwrap_err().status, None);
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_a_problem_of_the_load() {
    let ours = Authority::new();
    let server = Server::start_tls(ours.server(false), reply).await;
    std::fs::write(ours.path("empty.pem"), "nothing").unwrap();
    let swapped = |name: &str| (ours.path("users.test.pem"), ours.path(name));
    for (tls, said) in [
        (Tls { ca: Some(ours.path("none.pem")), ..Tls::default() }, "cannot read"),
        (Tls { ca: Some(ours.path("empty.pem")), ..Tls::default() }, "holds no certificate in PEM"),
        (
            Tls { identity: Some(swapped("empty.pem")), ..Tls::default() },
            "holds no private key in PEM",
        ),
    ] {
        let mut source = settings("users", Protocol::Rest { site: site(&server, "users.test") });
        source.upstream.tls = tls.clone();
        let problems = Rest::new(&[source]).problems();
        assert!(render(&problems, false).contains(said), "{}", render(&problems, false));
        let grpc = Grpc::new(&[grpc_source(site(&server, "users.test"), tls)]);
        let Err(problems) = grpc else { panic!("{said}") };
        assert!(render(&problems, false).contains(said), "{}", render(&problems, false));
    }
}

/// Starts a forward proxy whose tunnels all lead to `target`. Also returns what was requested of it.
async fn tunnels(target: std::net::SocketAddr) -> (Proxies, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:hush@{}", listener.local_addr().unwrap());
    let (asked, heads) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(here.read_u8().await.unwrap());
            }
            asked.send(String::from_utf8(head).unwrap()).await.unwrap();
            here.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut there = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
            });
        }
    });
    (Proxies::always(Proxy::parse(&url).unwrap()), heads)
}

#[tokio::test]
async fn a_tunnel_through_a_proxy_ends_at_the_service_whose_certificate_is_checked() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(false), reply).await;
    let (proxies, mut heads) = tunnels(server.address).await;
    let of = |name: &str| Site::at(&format!("https://{name}").parse().unwrap()).unwrap();
    let through = |mut source: SourceSettings| {
        source.upstream.proxies = proxies.clone();
        source.upstream.tls = authority.tls(None);
        source
    };
    let rest = |name: &str| {
        let source = through(settings("users", Protocol::Rest { site: of(name) }));
        let directive = binding(r#"@rest(source: "users", GET: "/")"#);
        Rest::new(&[source]).compile(&directive).unwrap_or_else(|found| panic!("{found:?}"))
    };
    ask(&rest("users.test")).await.expect("the service answers");
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("CONNECT users.test:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: Basic bWU6aHVzaA==\r\n"), "{head}");
    let error = ask(&rest("other.test")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{error:?}");
    let source = through(grpc_source(of("users.test"), Tls::default()));
    let grpc = Grpc::new(&[source]).unwrap_or_else(|found| panic!("{found:?}"));
    let method = binding(r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct")"#);
    let call = grpc.compile(&method).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(ask(&call).await.unwrap_err().status, Some(5));
    server.stop().await;
}

#[tokio::test]
async fn http2_only_has_to_be_negotiated() {
    let authority = Authority::new();
    let rest = |server: &Server| {
        let mut source = settings("users", Protocol::Rest { site: site(server, "users.test") });
        source.upstream.tls = authority.tls(None);
        source.upstream.http2 = true;
        let directive = binding(r#"@rest(source: "users", GET: "/")"#);
        Rest::new(&[source]).compile(&directive).unwrap_or_else(|found| panic!("{found:?}"))
    };
    let server = Server::start_tls(authority.server(false), reply).await;
    ask(&rest(&server)).await.expect("a reply");
    for alpn in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = authority.server(false);
        config.alpn_protocols = alpn;
        let server = Server::start_tls(config, reply).await;
        let error = ask(&rest(&server)).await.unwrap_err();
        let said = "TLS did not negotiate HTTP/2; remove `http2`";
        assert!(error.detail.contains(said), "{error}");
    }
}

/// A service that describes itself, behind TLS.
async fn described(tls: ServerConfig) -> std::net::SocketAddr {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connector/grpc/testing");
    let set = protox::compile(["shop.proto"], [folder]).unwrap().encode_to_vec();
    let builder = tonic_reflection::server::Builder::configure();
    let service = builder.register_encoded_file_descriptor_set(&set).build_v1().unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (target, tls) = (plain.local_addr().unwrap(), TlsAcceptor::from(Arc::new(tls)));
    let router = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(plain)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut here = tls.accept(stream).await?;
                let mut there = TcpStream::connect(target).await?;
                tokio::io::copy_bidirectional(&mut here, &mut there).await
            });
        }
    });
    address
}

#[tokio::test]
async fn a_service_describes_itself_over_tls_also_through_a_proxy() {
    const METHOD: &str = r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct")"#;
    let (ours, other) = (Authority::new(), Authority::new());
    let address = described(ours.server(true)).await;
    let (proxies, mut heads) = tunnels(address).await;
    let shown = ours.tls(Some("gateway.test"));
    let forged = Tls { ca: other.tls(None).ca, ..shown.clone() };
    for (tls, proxies, works) in [
        (shown.clone(), Proxies::default(), true),
        (shown, proxies, true),
        (ours.tls(None), Proxies::default(), false),
        (forged, Proxies::default(), false),
    ] {
        let url = format!("https://users.test:{}", address.port()).parse().unwrap();
        let mut site = Site::at(&url).unwrap();
        let is_direct = proxies == Proxies::default();
        if is_direct {
            let address = Address::parse(&address.to_string()).unwrap();
            site.name = Some("users.test".to_owned());
            site.instances = Instances::Fixed(vec![address]);
        }
        let mut source = grpc_source(site, tls);
        source.upstream.proxies = proxies;
        let Protocol::Grpc { descriptors, .. } = &mut source.protocol else { panic!("gRPC") };
        *descriptors = DescriptorSource::Reflection;
        let sources = [source];
        let reflected = reflect(&sources).await;
        let (grpc, problems) = Grpc::read(&sources, Unread::default(), &reflected);
        let text = render(&problems, false);
        assert_eq!(problems.is_empty(), works, "{text}");
        if works {
            assert!(grpc.compile(&binding(METHOD)).is_ok());
        } else {
            assert!(text.contains("server reflection at 127.0.0.1:"), "{text}");
        }
        if !is_direct {
            let head = heads.recv().await.unwrap();
            assert!(head.starts_with("CONNECT users.test:"), "{head}");
        }
    }
}
