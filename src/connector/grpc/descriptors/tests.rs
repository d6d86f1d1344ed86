//! Folders, patterns, sets, and what services say of themselves.

use super::*;
use crate::connector::grpc::Grpc;
use crate::connector::testing::{
    Answer, Asked, Server, answer, answer_with, read_asked, settings, shown, site,
};
use crate::connector::{FailureCodes, Protocol};
use bytes::{BufMut, BytesMut};
use futures_util::stream;
use http::header::AUTHORIZATION;
use http_body_util::StreamBody;
use hyper::body::Frame;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

const ORDER: &str = "syntax = \"proto3\"; package shop.v1; import \"shop/v1/money.proto\"; \
    import \"google/protobuf/timestamp.proto\"; \
    service Orders { rpc Get(Order) returns (Order); } \
    message Order { Money total = 1; google.protobuf.Timestamp made = 2; }";
const MONEY: &str = "syntax = \"proto3\"; package shop.v1; message Money { int64 cents = 1; }";
const FILES: [(&str, &str); 2] =
    [("proto/shop/v1/order.proto", ORDER), ("proto/shop/v1/money.proto", MONEY)];

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text.as_bytes());
    }
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn source(url: &str, descriptors: DescriptorSource) -> SourceSettings {
    let (site, failures) = (site(url.parse().expect("a URL")), FailureCodes::default());
    settings("shop", Protocol::Grpc { site, descriptors, failures })
}

#[expect(clippy::needless_pass_by_value, reason = "tests make sources for this alone")]
fn loaded(descriptors: DescriptorSource) -> Result<DescriptorPool, Vec<String>> {
    let settings = source("http://shop.test", descriptors.clone());
    load(&settings, &descriptors, &Reflected::default()).map_err(|found| shown(&found))
}

fn protos(base: &Path, entries: &[&str], roots: &[&str]) -> Result<DescriptorPool, Vec<String>> {
    loaded(DescriptorSource::Protos {
        base: base.to_path_buf(),
        entries: entries.iter().map(PathBuf::from).collect(),
        roots: roots.iter().map(|root| base.join(root)).collect(),
    })
}

fn has_orders(pool: &DescriptorPool) -> bool {
    pool.get_service_by_name("shop.v1.Orders").is_some()
}

#[test]
fn an_entry_may_be_a_folder_or_a_pattern() {
    let folder = folder(&FILES);
    write(folder.path(), "proto/README.md", b"!");
    let check = |entry: &str| {
        let pool = protos(folder.path(), &[entry], &[]);
        assert!(has_orders(&pool.unwrap_or_else(|found| panic!("{entry} {found:?}"))), "{entry}");
    };
    ["proto/**/*.proto", "proto/shop/v?/*.proto"].into_iter().for_each(check);
    write(folder.path(), "proto/.hidden/broken.proto", b"!");
    ["proto", "proto/shop/v1"].into_iter().for_each(check);
    let none = protos(folder.path(), &["proto/x*.proto"], &[]).expect_err("nothing");
    assert!(none[0].contains("matches `proto/x*.proto`"), "{none:?}");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    let none = protos(folder.path(), &["empty"], &[]).expect_err("nothing");
    assert!(none[0].contains("no `.proto` file is in this folder"), "{none:?}");
}

#[test]
fn imports_begin_in_the_folders_that_are_named() {
    let folder = folder(&[("a/order.proto", ORDER), ("vendor/shop/v1/money.proto", MONEY)]);
    let without = protos(folder.path(), &["a/order.proto"], &[]).expect_err("no import");
    assert!(without[0].contains("shop/v1/money.proto"), "{without:?}");
    assert!(has_orders(&protos(folder.path(), &["a/order.proto"], &["vendor"]).expect("found")));
    let gone = protos(folder.path(), &["a/order.proto"], &["vendr"]).expect_err("no folder");
    assert!(gone[0].contains("there is no folder"), "{gone:?}");
}

fn set(with_imports: bool) -> Vec<u8> {
    let folder = folder(&FILES);
    let mut compiler = protox::Compiler::new([folder.path().join("proto")]).expect("a folder");
    compiler.include_imports(with_imports).include_source_info(true);
    compiler.open_file("shop/v1/order.proto").expect("it compiles");
    compiler.encode_file_descriptor_set()
}

fn of_set(bytes: &[u8]) -> Result<DescriptorPool, String> {
    let folder = folder(&[]);
    let path = write(folder.path(), "shop.binpb", bytes);
    loaded(DescriptorSource::Sets(vec![path])).map_err(|found| found.join("\n"))
}

#[test]
fn a_compiled_set_describes_a_service() {
    assert!(has_orders(&of_set(&set(true)).expect("a set")));
    // As `protoc` writes it without imports; Google's own are built in.
    let file = FileDescriptorSet::decode(&*set(true)).expect("a set");
    let own = file.file.into_iter().filter(|file| !file.name().starts_with("google/"));
    assert!(has_orders(
        &of_set(&FileDescriptorSet { file: own.collect() }.encode_to_vec()).expect("a set")
    ));
    let folder = folder(&[]);
    let twice = ["a", "b"].map(|name| write(folder.path(), name, &set(true)));
    assert!(has_orders(&loaded(DescriptorSource::Sets(twice.to_vec())).expect("the same twice")));
}

#[test]
fn what_is_not_a_set_is_refused_with_what_to_do() {
    let folder = folder(&[]);
    let path = write(folder.path(), "shop.binpb", &set(false));
    let from = DescriptorSource::Sets(vec![path]);
    let found = load(&source("http://h", from.clone()), &from, &Reflected::default());
    let [problem] = &found.expect_err("no imports")[..] else { panic!("one problem") };
    assert!(problem.message.contains("`shop/v1/money.proto`, which `shop/v1/order.proto` imports"));
    assert!(problem.help.as_ref().is_some_and(|help| help.contains("--include_imports")));
    for (bytes, said) in [
        (&b"{ \"file\": [] }"[..], "is a descriptor set in JSON"),
        (b"syntax = \"proto3\";", "is a text"),
        (b"", "is empty"),
        (&[0x1f, 0x8b, 8, 0, 0, 0], "is compressed"),
        (&[0xff; 9], "is not a compiled descriptor set"),
    ] {
        let found = of_set(bytes).expect_err(said);
        assert!(found.contains(said), "{found}");
    }
    let gone = loaded(DescriptorSource::Sets(vec!["/gone.binpb".into()])).expect_err("gone");
    assert!(gone[0].contains("cannot be read"), "{gone:?}");
}

proptest! {
    /// Whatever stands in descriptors, they make a pool or a reason.
    #[test]
    fn no_descriptors_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(), cuts: bool) {
        let mut bytes = set(true);
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(set) = FileDescriptorSet::decode(&*bytes) {
            let files = set.file.into_iter().map(|file| (file.name().to_owned(), file));
            let _ = pool(files.collect());
        }
    }
}

/// What the service at this URL says of itself.
async fn reflected(url: &str) -> Result<DescriptorPool, Problem> {
    of(source(url, DescriptorSource::Reflection)).await
}

async fn of(settings: SourceSettings) -> Result<DescriptorPool, Problem> {
    let sources = [settings];
    reflect(&sources).await.of(&sources[0])
}

#[tokio::test]
async fn services_of_tonic_describe_themselves_in_both_versions() {
    for is_alpha in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let set = set(true);
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&set);
        let mut server = tonic::transport::Server::builder();
        let router = if is_alpha {
            server.add_service(builder.build_v1alpha().expect("a set"))
        } else {
            server.add_service(builder.build_v1().expect("a set"))
        };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = router.serve_with_incoming_shutdown(TcpIncoming::from(listener), async {
            let _ = stopped.await;
        });
        let serving = tokio::spawn(serving);
        let pool = reflected(&url).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        assert!(has_orders(&pool), "alpha: {is_alpha}");
        assert!(pool.get_message_by_name("google.protobuf.Timestamp").is_some());
        drop(stop);
        serving.await.expect("no panic").expect("it served");
    }
}

/// An answer as a server of reflection sends it: fields of the answer, encoded.
fn said(fields: &[u8]) -> Answer {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(fields.len()).expect("small"));
    frame.put_slice(fields);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Frame::data(frame.freeze()), Frame::trailers(trailers)];
    let frames = stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    answer_with(200, &[("content-type", "application/grpc")], StreamBody::new(frames))
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut bytes);
    bytes
}

/// Answers with one service, and with `file` to each question for a file or a symbol.
async fn serving(file: impl Fn(&str) -> FileDescriptorProto + Clone + Send + 'static) -> Server {
    Server::start(move |asked: Asked| {
        let file = file.clone();
        async move {
            let (_, body) = read_asked(asked).await;
            // The frame's head, the field's key and its length.
            if body.get(5) == Some(&0x3a) {
                said(&field(6, &field(1, &field(1, b"shop.v1.Orders"))))
            } else {
                let name = String::from_utf8_lossy(&body[7..]).into_owned();
                said(&field(4, &field(1, &file(&name).encode_to_vec())))
            }
        }
    })
    .await
}

fn named(name: &str) -> FileDescriptorProto {
    FileDescriptorProto { name: Some(name.to_owned()), ..FileDescriptorProto::default() }
}

#[tokio::test]
async fn a_service_that_never_ends_describing_itself_is_given_up() {
    let endless =
        |name: &str| FileDescriptorProto { dependency: vec![format!("{name}x")], ..named(name) };
    let many = |name: &str| FileDescriptorProto {
        message_type: vec![DescriptorProto::default(); 70_000],
        ..named(name)
    };
    let wide = |name: &str| FileDescriptorProto {
        dependency: match name {
            "shop.v1.Orders" => (0..5_000).map(|number| format!("{number}.proto")).collect(),
            _ => Vec::new(),
        },
        ..named(name)
    };
    let long =
        |name: &str| FileDescriptorProto { package: Some("x".repeat(17 << 20)), ..named(name) };
    let ill = |name: &str| FileDescriptorProto {
        message_type: vec![DescriptorProto::default(); 2],
        ..named(name)
    };
    for (server, reason) in [
        (serving(endless).await, "more than 64 levels"),
        (serving(many).await, "65536 messages"),
        (serving(wide).await, "4096 files"),
        (serving(long).await, "larger than 16777216 bytes"),
        (serving(ill).await, "its descriptors are invalid"),
    ] {
        let problem = reflected(&server.url().to_string()).await.expect_err(reason);
        assert!(problem.message.contains(reason), "{}", problem.message);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_service_without_reflection_is_named_with_its_address_and_the_fix() {
    let headers = [("content-type", "application/grpc"), ("grpc-status", "12")];
    let server = Server::start(move |_| async move { answer(200, &headers, "") }).await;
    let problem = reflected(&server.url().to_string()).await.expect_err("no reflection");
    assert!(problem.message.contains("UNIMPLEMENTED"), "{}", problem.message);
    let address = server.address.to_string();
    server.stop().await;
    let gone = reflected(&format!("http://{address}")).await.expect_err("nobody listens");
    for problem in [problem, gone] {
        assert!(problem.message.contains(&address), "{}", problem.message);
        assert!(problem.help.expect("a help").contains("`descriptors: service.binpb`"));
    }
}

/// The clock goes on as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn a_silent_service_is_waited_for_within_seconds() {
    let server = Server::start(|_| std::future::pending::<Answer>()).await;
    let began = tokio::time::Instant::now();
    let problem = reflected(&server.url().to_string()).await.expect_err("no answer");
    assert!(began.elapsed() < std::time::Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!(problem.code, "grpc-reflection");
}

#[tokio::test]
async fn reflection_has_the_headers_of_the_source_and_tells_no_secret() {
    let server = Server::start(|asked: Asked| async move {
        let token = asked.headers()[AUTHORIZATION].to_str().expect("text").to_owned();
        let message = format!("unknown%20{token}");
        let headers = [
            ("content-type", "application/grpc"),
            ("grpc-status", "16"),
            ("grpc-message", &message),
        ];
        answer(200, &headers, "")
    })
    .await;
    let mut settings = source(&server.url().to_string(), DescriptorSource::Reflection);
    let token = http::HeaderValue::from_static("geheimnis-of-the-source");
    settings.headers = vec![(AUTHORIZATION, token)];
    crate::source::secrets::keep(["geheimnis-of-the-source".to_owned()]);
    let problem = of(settings).await.expect_err("refused");
    assert!(problem.message.ends_with("UNAUTHENTICATED: unknown ***"), "{}", problem.message);
    server.stop().await;
}

#[tokio::test]
async fn a_source_that_did_not_describe_itself_is_one_problem() {
    let settings = [source("http://127.0.0.1:1", DescriptorSource::Reflection)];
    let reflected = reflect(&settings).await;
    let (_, problems) = Grpc::read(&settings, crate::connector::Unread::default(), &reflected);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let unasked = Grpc::new(&settings).err().expect("a problem");
    assert!(unasked[0].message.contains("it was not asked"));
}
