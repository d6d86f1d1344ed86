//! Reading protos, compiling and rendering. `wire_tests.rs` tests real connections.

use super::*;
use crate::connector::testing::{
    binding, bindings, caller, examples, settings, shown, site, with_inputs,
};
use crate::connector::{DescriptorSource, FailureCodes};
use crate::mapping::Failure;
use crate::source::{Argument, Caller, Operation, Request};
use prost_reflect::MessageDescriptor;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connector/grpc/testing/shop.proto")
}

pub(super) fn source(url: http::Uri) -> SourceSettings {
    let mut source = settings(
        "products",
        Protocol::Grpc {
            site: site(url),
            descriptors: DescriptorSource::protos([protos()]),
            failures: FailureCodes::default(),
        },
    );
    source.forward_headers = vec![http::header::AUTHORIZATION];
    source
}

fn compile(directive: &str) -> Result<Arc<dyn Call>, Vec<Problem>> {
    let products = source(http::Uri::from_static("http://products.test:50051"));
    let rest = Protocol::Rest { site: site(http::Uri::from_static("http://users.test")) };
    let grpc = Grpc::new(&[products, settings("users", rest)]).map_err(|found| shown(&found));
    grpc.expect("the protos compile").compile(&binding(directive))
}

fn refused(directive: &str) -> (Vec<String>, Vec<String>) {
    let Err(problems) = compile(directive) else { panic!("{directive} compiles") };
    let help = problems.iter().filter_map(|problem| problem.help.clone()).collect();
    (shown(&problems), help)
}

fn render(directive: &str, args: &Value, caller: &Caller) -> Result<Request, Failure> {
    let call = compile(directive).map_err(|found| shown(&found)).expect("it compiles");
    with_inputs(args, caller, |inputs| call.render(inputs))
}

const BATCH: &str = r#"@grpc(source: "products", method: "shop.v1.Products/BatchGetProducts",
    message: "ids: $args.ids page: { page_size: $args.first }",
    select: "$.products { id name cents: price.price_cents }")"#;

#[test]
fn a_call_is_rendered_and_printed() {
    let call = compile(BATCH).map_err(|found| shown(&found)).expect("it compiles");
    let caller = caller(&[("authorization", "Bearer t"), ("x-other", "no")]);
    let args = json!({ "ids": ["1", 2], "first": "12" });
    let request = with_inputs(&args, &caller, |inputs| call.render(inputs)).expect("it renders");
    assert_eq!(request.target, "/shop.v1.Products/BatchGetProducts");
    assert_eq!(request.headers.len(), 1);
    assert_eq!(request.body, b"\x0a\x011\x0a\x012\x12\x02\x08\x0c".as_slice());
    assert_eq!(
        call.describe(&request),
        "GRPC http://products.test:50051/shop.v1.Products/BatchGetProducts\n\
         authorization: •••\n{\"ids\":[\"1\",\"2\"],\"page\":{\"page_size\":12}}"
    );
    assert_eq!(
        call.message().map(MessageDescriptor::full_name),
        Some("shop.v1.BatchGetProductsReply")
    );
    let named: Vec<_> = call.references().iter().map(|placed| &placed.reference.path).collect();
    assert_eq!(named.len(), 2);
}

#[test]
fn json_names_work_too_and_a_call_may_have_no_message() {
    let directive = r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct",
        message: "productId: $args.id", select: "id price { priceCents }")"#;
    let request = render(directive, &json!({ "id": 5 }), &Caller::default()).expect("it renders");
    assert_eq!(request.body, b"\x0a\x015".as_slice());
    let bare = r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct")"#;
    assert_eq!(render(bare, &json!({}), &Caller::default()).expect("renders").body.len(), 0);
}

#[test]
fn a_value_that_its_field_cannot_hold_makes_no_call() {
    let render = |args: Value| render(BATCH, &args, &Caller::default());
    assert_eq!(
        render(json!({ "ids": ["1"], "first": "a lot" })),
        Err(Failure::Unencodable("page_size".into()))
    );
    assert_eq!(render(json!({ "ids": "1" })), Err(Failure::Unencodable("ids".into())));
}

#[test]
fn unknown_and_streaming_methods_are_refused() {
    let method = |name: &str| refused(&format!(r#"@grpc(source: "products", method: "{name}")"#));
    let (problems, help) = method("shop.v1.Products/GetProdct");
    assert_eq!(
        problems,
        [
            r#"unknown-method: "\"shop.v1.Products/GetProdct\"" the protos have no method `shop.v1.Products/GetProdct`"#
        ]
    );
    assert_eq!(help, ["did you mean `shop.v1.Products/GetProduct`?"]);
    assert_eq!(method("Products.GetProduct").1, ["did you mean `shop.v1.Products/GetProduct`?"]);
    assert!(
        method("x").1[0]
            .starts_with("write it as `package.Service/Method`; the services are `shop")
    );
    assert!(method("shop.v1.Products/Watch").0[0].starts_with("streaming-method: "));
}

#[test]
fn names_that_no_message_has_are_found_at_their_place() {
    let (problems, help) = refused(
        r#"@grpc(source: "products", method: "shop.v1.Products/BatchGetProducts",
            message: "id: $args.ids page: { page_sise: $(3) sorts: $args.sorts { By } }",
            select: "$.prodcts { id } $.products->first { nam price { cents: price_cent } } n: products.price.foo ok: by_id.x.y at: products.made.z")"#,
    );
    let wrong: Vec<_> = problems
        .iter()
        .map(|problem| problem.trim_start_matches("unknown-message-field: "))
        .collect();
    assert_eq!(
        wrong,
        [
            r#""id" message `shop.v1.BatchGetProductsRequest` has no field `id`"#,
            r#""page_sise" message `shop.v1.Page` has no field `page_sise`"#,
            r#""By" message `shop.v1.Sort` has no field `By`"#,
            r#""prodcts" message `shop.v1.BatchGetProductsReply` has no field `prodcts`"#,
            r#""nam" message `shop.v1.Product` has no field `nam`"#,
            r#""price_cent" message `shop.v1.Money` has no field `price_cent`"#,
            r#""foo" message `shop.v1.Money` has no field `foo`"#,
        ]
    );
    assert_eq!(help[3], "did you mean `products`?");
    assert_eq!(help[6], "it has price_cents, currency");
}

#[test]
fn metadata_is_checked_and_sources_are_known() {
    let entry = |name: &str| {
        refused(&format!(
            r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct", metadata: {{ name: "{name}", value: "x" }})"#
        ))
        .0
        .remove(0)
    };
    for name in ["grpc-timeout", "te", "content-type", "user-agent", "host"] {
        assert!(entry(name).starts_with("reserved-header: "), "{name}");
    }
    assert!(entry("é").starts_with("invalid-header: "));
    let (problems, help) = refused(r#"@grpc(source: "users", method: "a/B")"#);
    assert!(problems[0].ends_with("source `users` uses rest, so it cannot be used with `@grpc`"));
    assert!(help[0].contains("`@rest`"));
    assert_eq!(
        refused(r#"@grpc(source: "product", method: "a/B")"#).1,
        ["did you mean `products`?"]
    );
    assert!(
        refused(r#"@grpc(source: "x", method: "a/B")"#).1[0].contains("protos: [service.proto]")
    );
}

#[test]
fn a_subscription_field_has_a_streaming_method_and_no_other_field_has() {
    let compile = |method: &str, operation: Operation| {
        let directive =
            format!(r#"@grpc(source: "products", method: "shop.v1.Products/{method}")"#);
        let spec = crate::source::BindingSpec { operation, ..binding(&directive) };
        let url = http::Uri::from_static("http://products.test");
        let grpc = Grpc::new(&[source(url)]).map_err(|found| shown(&found)).expect("it compiles");
        grpc.compile(&spec)
    };
    let unary = compile("GetProduct", Operation::Subscription).err().expect("a problem");
    assert_eq!(unary[0].code, "missing-stream");
    for operation in [Operation::Query, Operation::Mutation] {
        let stream = compile("Watch", operation).err().expect("a problem");
        assert_eq!(stream[0].code, "streaming-method");
        assert!(!compile("GetProduct", operation).expect("it compiles").streams());
    }
    assert!(compile("Watch", Operation::Subscription).expect("it compiles").streams());
}

fn load(files: &[(&str, &str)], protos: &[&str]) -> Result<Grpc, Vec<Problem>> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let protos = protos.iter().map(|name| folder.path().join(name));
    let url = http::Uri::from_static("http://products.test");
    Grpc::new(&[settings(
        "products",
        Protocol::Grpc {
            site: site(url),
            descriptors: DescriptorSource::protos(protos),
            failures: FailureCodes::default(),
        },
    )])
}

#[test]
fn imports_are_found_beside_a_file_or_from_a_folder_above() {
    let a = "syntax = \"proto3\"; package a; import \"shop/v1/b.proto\"; message A { b.B b = 1; }";
    let b = "syntax = \"proto3\"; package b; message B {}";
    let files = [("protos/shop/v1/a.proto", a), ("protos/shop/v1/b.proto", b)];
    assert!(load(&files, &["protos/shop/v1/a.proto"]).is_ok());
    assert!(load(&files, &["protos/shop/v1/a.proto", "protos/shop/v1/b.proto"]).is_ok());
}

#[test]
fn mistakes_in_protos_have_their_place() {
    let problems = |files: &[(&str, &str)], protos: &[&str]| {
        shown(&load(files, protos).err().expect("a problem"))
    };
    let syntax = "syntax = \"proto3\";\nmessage A { string = 1; }";
    let found = problems(&[("a.proto", syntax)], &["a.proto"]);
    assert!(found[0].starts_with("invalid-proto: \"=\" "), "{found:?}");
    let kind = "syntax = \"proto3\";\nmessage A { Nope x = 1; Never y = 2; }";
    let found = problems(&[("a.proto", kind)], &["a.proto"]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("invalid-proto: \"Nope\" "), "{found:?}");
    assert!(found[1].starts_with("invalid-proto: \"Never\" "), "{found:?}");
    let import = "syntax = \"proto3\"; import \"gone.proto\";";
    let found = problems(&[("a.proto", import)], &["a.proto"]);
    assert_eq!(found, [r#"invalid-proto: "import \"gone.proto\";" import 'gone.proto' not found"#]);
    let found = problems(&[], &["x.proto", "y.proto"]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("unreadable-proto: "), "{found:?}");
}

#[test]
fn the_examples_of_the_reference_compile() {
    let url = http::Uri::from_static("http://products.test");
    let grpc = Grpc::new(&[source(url)]).map_err(|found| shown(&found)).expect("it compiles");
    let specs: Vec<_> = examples(include_str!("../../../docs/grpc.md"), "graphql")
        .into_iter()
        .flat_map(bindings)
        .collect();
    assert_eq!(specs.len(), 4);
    for mut spec in specs {
        if spec
            .argument("method")
            .and_then(Argument::text)
            .is_some_and(|name| name.ends_with("/Watch"))
        {
            spec.operation = Operation::Subscription;
        }
        let problems = grpc.compile(&spec).err().unwrap_or_default();
        assert_eq!(shown(&problems), [""; 0]);
    }
}
