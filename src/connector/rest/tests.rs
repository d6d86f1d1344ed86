//! Compiling and rendering. `wire_tests.rs` tests real connections.

use super::*;
use crate::connector::testing::{
    binding, bindings, caller, examples, settings, shown, site, with_inputs,
};
use crate::connector::{DescriptorSource, FailureCodes};
use crate::mapping::{Failure, Mapping};
use crate::source::{Caller, Operation, Request};
use http::HeaderValue;
use serde_json::{Value, json};

fn users() -> SourceSettings {
    let url = http::Uri::from_static("http://users.test:8080/api/");
    let mut users = settings("users", Protocol::Rest { site: site(url) });
    users.forward_headers = vec![http::header::AUTHORIZATION, http::HeaderName::from_static("x-b")];
    let mut secret = HeaderValue::from_static("s3cret");
    secret.set_sensitive(true);
    users.headers = vec![(http::HeaderName::from_static("x-static"), secret)];
    users.config.value = json!({ "version": "v2" });
    users
}

fn grpc() -> SourceSettings {
    let url = http::Uri::from_static("http://products.test");
    settings(
        "products",
        Protocol::Grpc {
            site: site(url),
            descriptors: DescriptorSource::protos([]),
            failures: FailureCodes::default(),
        },
    )
}

fn compile(directive: &str) -> Result<Arc<dyn Call>, Vec<String>> {
    Rest::new(&[users(), grpc()]).compile(&binding(directive)).map_err(|found| shown(&found))
}

fn refused(directive: &str) -> Vec<String> {
    match compile(directive) {
        Ok(_) => panic!("{directive} compiles"),
        Err(problems) => problems,
    }
}

fn render_as(directive: &str, args: &Value, caller: &Caller) -> Result<Request, Failure> {
    let call = compile(directive).expect("it compiles");
    with_inputs(args, caller, |inputs| call.render(inputs))
}

fn render(directive: &str, args: &Value) -> Request {
    render_as(directive, args, &Caller::default()).expect("it renders")
}

fn target(directive: &str, args: &Value) -> String {
    render(directive, args).target
}

#[test]
fn each_method_is_written_with_the_base_urls_path() {
    for verb in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let request = render(&format!("@rest(source: \"users\", {verb}: \"/users\")"), &json!({}));
        assert_eq!((request.verb, request.target.as_str()), (verb, "/api/users"));
    }
    let directive = r#"@rest(source: "users", GET: "/users/{$args.id}/x?n={$args.n}")"#;
    assert_eq!(target(directive, &json!({ "id": "a/b", "n": 3 })), "/api/users/a%2Fb/x?n=3");
}

#[test]
fn query_values_are_encoded_repeated_and_left_out_when_empty() {
    let directive = r#"@rest(source: "users", GET: "/users?a=1", query: [
        { name: "q", value: "{$args.q}" }, { name: "tag[]", value: "{$args.tags}" },
        { name: "all", value: "{$args.all}", skipEmpty: false }, { name: "fix", value: "x" }])"#;
    let full = json!({ "q": "a b&c", "tags": ["x", "", null, "y"], "all": null });
    assert_eq!(
        target(directive, &full),
        "/api/users?a=1&q=a%20b%26c&tag%5B%5D=x&tag%5B%5D=y&all=&fix=x"
    );
    let empty = json!({ "q": "", "tags": [], "all": "" });
    assert_eq!(target(directive, &empty), "/api/users?a=1&all=&fix=x");
    let alone =
        r#"@rest(source: "users", GET: "/users", query: { name: "q", value: "{$args.q}" })"#;
    assert_eq!(target(alone, &json!({ "q": true })), "/api/users?q=true");
    assert_eq!(target(alone, &json!({})), "/api/users");
    let object = render_as(alone, &json!({ "q": { "a": 1 } }), &Caller::default());
    assert_eq!(object, Err(Failure::NotScalar));
}

#[test]
fn a_path_segment_that_would_leave_its_place_is_refused() {
    let directive = r#"@rest(source: "users", GET: "/users/{$args.id}/x")"#;
    let render = |id: &str| render_as(directive, &json!({ "id": id }), &Caller::default());
    assert_eq!(render(".."), Err(Failure::DotSegment));
    assert_eq!(render(""), Err(Failure::EmptySegment));
    assert_eq!(render("../etc").map(|r| r.target), Ok("/api/users/..%2Fetc/x".into()));
}

#[test]
fn the_binding_wins_over_settings_and_both_over_the_client() {
    let caller = caller(&[("authorization", "Bearer t"), ("x-b", "client"), ("x-static", "no")]);
    let directive = r#"@rest(source: "users", GET: "/", headers: [
        { name: "X-B", value: "b-{$args.id}" }, { name: "x-none", value: "{$args.none}" }])"#;
    let request = render_as(directive, &json!({ "id": 5 }), &caller).expect("it renders");
    let headers: Vec<_> =
        request.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().expect("text"))).collect();
    assert_eq!(headers, [("x-static", "s3cret"), ("x-b", "b-5"), ("authorization", "Bearer t")]);
    let over = r#"@rest(source: "users", GET: "/", headers: { name: "x-static", value: "mine" })"#;
    let request = render_as(over, &json!({}), &caller).expect("it renders");
    assert_eq!(request.headers[0].1, "mine");
    assert_eq!(request.headers.len(), 3);
    let evil = render_as(directive, &json!({ "id": "a\r\nx: y" }), &caller);
    assert_eq!(evil, Err(Failure::ControlCharacter));
}

#[test]
fn callers_with_different_credentials_ask_different_questions() {
    let directive = r#"@rest(source: "users", GET: "/")"#;
    let ask = |token: &str| {
        render_as(directive, &json!({}), &caller(&[("authorization", token)])).expect("renders")
    };
    assert_eq!(ask("a"), ask("a"));
    assert_ne!(ask("a"), ask("b"));
}

#[test]
fn a_body_is_json_or_a_form() {
    let directive =
        r#"@rest(source: "users", POST: "/u", body: "name: $args.name tags: $args.tags")"#;
    let request = render(directive, &json!({ "name": "a b", "tags": [1, "é&"] }));
    assert_eq!(request.body, r#"{"name":"a b","tags":[1,"é&"]}"#);
    let form = directive.replace(')', ", encoding: FORM)");
    let request = render(&form, &json!({ "name": "a b", "tags": [1, "é&", null] }));
    assert_eq!(request.body, "name=a+b&tags=1&tags=%C3%A9%26");
    assert_eq!(request.headers[0].1, "application/x-www-form-urlencoded");
    let nested = render_as(&form, &json!({ "name": {} }), &Caller::default());
    assert_eq!(nested, Err(Failure::NotScalar));
    let typed = r#"@rest(source: "users", DELETE: "/u", body: "$args", headers: { name: "content-type", value: "application/merge-patch+json" })"#;
    let request = render(typed, &json!({ "a": 1 }));
    assert_eq!((request.body.as_ref(), request.headers.len()), (br#"{"a":1}"#.as_slice(), 2));
}

#[test]
fn config_comes_from_the_source() {
    let directive = r#"@rest(source: "users", GET: "/{$config.version}/me")"#;
    assert_eq!(target(directive, &json!({})), "/api/v2/me");
}

#[test]
fn references_are_those_of_all_texts_but_select() {
    let directive = r#"@rest(source: "users", POST: "/{$this.id}", query: { name: "a", value: "{$args.a}" },
        headers: { name: "x-h", value: "{$claims.sub}" }, body: "$args.input { a }", select: "$.x { id }")"#;
    let call = compile(directive).expect("it compiles");
    let named: Vec<_> = call
        .references()
        .iter()
        .map(|placed| placed.place.file.text[placed.place.span.clone()].to_owned())
        .collect();
    assert_eq!(named, ["$this.id", "$args.a", "a", "$claims.sub"]);
    assert_eq!(call.select().map(Mapping::text), Some("$.x { id }"));
}

#[test]
fn mistakes_are_reported_together_at_their_places() {
    assert_eq!(
        refused(r#"@rest(source: "user", GET: "/a", POST: "/b", query: { name: "a", value: "{$arg.x}" })"#).len(),
        3
    );
    assert_eq!(
        refused(r#"@rest(source: "users", GET: "/a", POST: "/b")"#),
        [r#"several-methods: "\"/b\"" `@rest` must have one method, but has `GET` and `POST`"#]
    );
    assert_eq!(
        refused(r#"@rest(source: "users")"#),
        [r#"missing-method: "@rest(source: \"users\")" `@rest` has no method and URL"#]
    );
    assert_eq!(
        refused(r#"@rest(source: "users", GET: "/", body: "a: $args.a")"#),
        [r#"body-on-get: "\"a: $args.a\"" a `GET` call cannot have a body"#]
    );
    assert_eq!(
        refused(r#"@rest(source: "products", GET: "/")"#),
        [
            r#"unknown-source: "\"products\"" source `products` uses grpc, so it cannot be used with `@rest`"#
        ]
    );
    assert_eq!(
        refused(r#"@rest(source: "users", GET: "/{$status}")"#),
        [r#"unavailable-variable: "$status" the reply is not available in the request"#]
    );
}

#[test]
fn reserved_and_impossible_headers_are_refused() {
    for name in ["Host", "content-length", "Connection", "transfer-encoding", "te", "keep-alive"] {
        let entry = format!(r#"headers: {{ name: "{name}", value: "x" }}"#);
        let problems = refused(&format!(r#"@rest(source: "users", GET: "/", {entry})"#));
        assert!(problems[0].starts_with("reserved-header: "), "{problems:?}");
    }
    let problems =
        refused(r#"@rest(source: "users", GET: "/", headers: { name: "a b", value: "x" })"#);
    assert_eq!(problems, [r#"invalid-header: "\"a b\"" `a b` is not a valid header name"#]);
}

#[test]
fn help_shows_the_nearest_source_or_what_to_add() {
    let help = |name: &str| {
        let spec = binding(&format!(r#"@rest(source: "{name}", GET: "/")"#));
        let problems = Rest::new(&[users(), grpc()]).compile(&spec).err().expect("a problem");
        problems[0].help.clone().expect("help")
    };
    assert_eq!(help("user"), "did you mean `users`?");
    assert_eq!(
        help("billing"),
        "add it to the configuration, under `sources`: \
         `billing: { rest: { url: \"http://localhost:8080\" } }`"
    );
    assert!(help("products").contains("`@grpc`"));
}

#[test]
fn a_subscription_field_has_a_stream_and_no_other_field_has() {
    let compile = |directive: &str, operation: Operation| {
        let spec = crate::source::BindingSpec { operation, ..binding(directive) };
        Rest::new(&[users()]).compile(&spec)
    };
    let (once, stream) =
        (r#"@rest(source: "users", GET: "/")"#, r#"@rest(source: "users", GET: "/", stream: SSE)"#);
    let problems = compile(once, Operation::Subscription).err().expect("a problem");
    assert_eq!(problems[0].code, "missing-stream");
    for operation in [Operation::Query, Operation::Mutation] {
        let problems = shown(&compile(stream, operation).err().expect("a problem"));
        assert!(problems[0].starts_with("misplaced-stream: \"SSE\" "), "{problems:?}");
        assert!(!compile(once, operation).expect("it compiles").streams());
    }
    assert!(compile(stream, Operation::Subscription).expect("it compiles").streams());
}

#[test]
fn a_call_is_printed_with_its_secrets_masked() {
    let directive = r#"@rest(source: "users", POST: "/users/{$args.id}", body: "a: $args.id", headers: [
        { name: "x-plain", value: "shown" }, { name: "x-api-key", value: "k" }, { name: "x-sub", value: "{$claims.sub}" }])"#;
    let call = compile(directive).expect("it compiles");
    let caller = caller(&[("authorization", "Bearer t")]);
    let text = with_inputs(&json!({ "id": 1 }), &caller, |inputs| {
        call.describe(&call.render(inputs).expect("it renders"))
    });
    assert_eq!(
        text,
        "POST http://users.test:8080/api/users/1\nx-plain: shown\nx-api-key: •••\nx-static: •••\n\
         x-sub: •••\nauthorization: •••\n{\"a\":1}"
    );
}

#[test]
fn the_examples_of_the_reference_compile() {
    let rest = Rest::new(&[users()]);
    let specs: Vec<_> = examples(include_str!("../../../docs/rest.md"), "graphql")
        .into_iter()
        .flat_map(bindings)
        .collect();
    assert_eq!(specs.len(), 9);
    for mut spec in specs {
        if spec.argument("stream").is_some() {
            spec.operation = Operation::Subscription;
        }
        let problems = rest.compile(&spec).err().unwrap_or_default();
        assert_eq!(shown(&problems), [""; 0]);
    }
}
