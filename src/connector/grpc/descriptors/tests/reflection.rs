//! Descriptions by services, and hostile ones.

use super::*;
use crate::connector::testing::{Answer, Asked, Server, answer, answer_with, read_asked};
use bytes::{BufMut, BytesMut};
use futures_util::stream;
use http::header::AUTHORIZATION;
use http_body_util::StreamBody;
use hyper::body::Frame;
use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    MessageOptions, SourceCodeInfo, UninterpretedOption,
};
use std::convert::Infallible;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

/// Returns the descriptors of the service at this URL.
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

/// An answer of a reflection server: its encoded fields.
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

/// Answers with one service, and with `file` to each request for a file or a symbol.
async fn serving(file: impl Fn(&str) -> FileDescriptorProto + Clone + Send + 'static) -> Server {
    answering(move |name| field(4, &field(1, &file(name).encode_to_vec()))).await
}

/// Answers with one service, and with the result of `to` to each request for a file or a symbol.
async fn answering(to: impl Fn(&str) -> Vec<u8> + Clone + Send + 'static) -> Server {
    Server::start(move |asked: Asked| {
        let to = to.clone();
        async move {
            let (_, body) = read_asked(asked).await;
            // The frame's head, the field's key and its length.
            if body.get(5) == Some(&0x3a) {
                said(&field(6, &field(1, &field(1, b"shop.v1.Orders"))))
            } else {
                said(&to(&String::from_utf8_lossy(&body[7..])))
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
        (serving(wide).await, "4096 files"),
        (serving(long).await, "larger than 4194304 bytes"),
        (serving(ill).await, "its descriptors are invalid"),
    ] {
        let problem = reflected(&server.url().to_string()).await.expect_err(reason);
        assert!(problem.message.contains(reason), "{}", problem.message);
        server.stop().await;
    }
}

/// Small encodings of large trees.
fn large(name: &str) -> [FileDescriptorProto; 5] {
    const MANY: usize = 600_000;
    let with = |message| FileDescriptorProto { message_type: vec![message], ..named(name) };
    let uninterpreted = vec![UninterpretedOption::default(); MANY];
    [
        FileDescriptorProto { message_type: vec![DescriptorProto::default(); MANY], ..named(name) },
        with(DescriptorProto {
            field: vec![FieldDescriptorProto::default(); MANY],
            ..DescriptorProto::default()
        }),
        FileDescriptorProto {
            enum_type: vec![EnumDescriptorProto {
                value: vec![EnumValueDescriptorProto::default(); MANY],
                ..EnumDescriptorProto::default()
            }],
            ..named(name)
        },
        FileDescriptorProto { dependency: vec![String::new(); MANY], ..named(name) },
        with(DescriptorProto {
            options: Some(MessageOptions {
                uninterpreted_option: uninterpreted,
                ..MessageOptions::default()
            }),
            ..DescriptorProto::default()
        }),
    ]
}

#[tokio::test]
async fn files_are_counted_before_they_are_decoded() {
    for number in 0..large("a").len() {
        let server = serving(move |name| large(name)[number].clone()).await;
        let problem = reflected(&server.url().to_string()).await.expect_err("too many parts");
        let said = &problem.message;
        assert!(said.contains("more than 131072 messages, fields"), "{number}: {said}");
        server.stop().await;
        let set = FileDescriptorSet { file: vec![large("a")[number].clone()] };
        let found = of_set(&set.encode_to_vec()).expect_err("too many parts");
        assert!(found.contains("has more than 524288 messages, fields"), "{number}: {found}");
    }
}

#[tokio::test]
async fn an_answer_lists_a_bounded_number_of_files_with_content() {
    let list = |file: &[u8], count| field(4, &field(1, file).repeat(count));
    for (answer, reason) in [
        (list(b"", 1), "a file without content"),
        (list(&named("a").encode_to_vec(), 5_000), "more than 4096 files"),
        (list(&field(2, b"shop"), 1), "a file has no name"),
        (list(&[0x0a], 1), "its descriptors are invalid"),
        (vec![0x22, 9, 0x0a], "invalid reply"),
    ] {
        let server = answering(move |_| answer.clone()).await;
        let problem = reflected(&server.url().to_string()).await.expect_err(reason);
        assert!(problem.message.contains(reason), "{}", problem.message);
        server.stop().await;
    }
    let services = field(6, &field(1, &field(1, b"a.B")).repeat(2_000));
    let server = Server::start(move |_| {
        let services = services.clone();
        async move { said(&services) }
    })
    .await;
    let problem = reflected(&server.url().to_string()).await.expect_err("too many services");
    assert!(problem.message.contains("more than 1024 services"), "{}", problem.message);
    server.stop().await;
}

#[tokio::test]
async fn a_reason_for_no_description_is_cut_in_the_log() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let writer = std::sync::Arc::new(log.reopen().expect("the file"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let error = [&[8, 5][..], &field(2, "x".repeat(100_000).as_bytes())].concat();
    let server = answering(move |_| field(7, &error)).await;
    reflected(&server.url().to_string()).await.expect("a pool without the service");
    server.stop().await;
    let lines = std::fs::read_to_string(log.path()).expect("the log");
    assert!(lines.contains("not described by reflection"), "{lines}");
    assert_eq!(lines.matches("xxx").count(), 100, "300 characters");
}

/// Comments and positions are most of a set that `buf` writes.
#[test]
fn comments_and_positions_are_not_counted() {
    let location = Location { path: vec![4, 0], span: vec![1, 2, 3], ..Location::default() };
    let source_code_info = Some(SourceCodeInfo { location: vec![location; 600_000] });
    let file = FileDescriptorProto { source_code_info, ..named("a.proto") };
    of_set(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).expect("a set");
}

#[tokio::test]
async fn a_service_without_reflection_is_named_with_its_address_and_the_fix() {
    let headers = [("content-type", "application/grpc"), ("grpc-status", "12")];
    let server = Server::start(move |_| async move { answer(200, &headers, "") }).await;
    let problem = reflected(&server.url().to_string()).await.expect_err("server reflection at");
    assert!(problem.message.contains("UNIMPLEMENTED"), "{}", problem.message);
    let address = server.address.to_string();
    server.stop().await;
    let gone = reflected(&format!("http://{address}")).await.expect_err("nobody listens");
    for problem in [problem, gone] {
        assert!(problem.message.contains(&address), "{}", problem.message);
        assert!(problem.help.expect("a help").contains("`descriptors: service.binpb`"));
    }
}

/// The paused clock advances as soon as every task waits.
#[tokio::test(start_paused = true)]
async fn a_silent_service_is_waited_for_within_seconds() {
    let server = Server::start(|_| std::future::pending::<Answer>()).await;
    let began = tokio::time::Instant::now();
    let problem = reflected(&server.url().to_string()).await.expect_err("no response");
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
