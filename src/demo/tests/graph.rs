//! The storefront's graph and those of the examples load, without a warning, and their operations are valid.

use super::super::{DASHBOARD, FILES, Service, Settings, Storefront, start};
use crate::connector::grpc::Grpc;
use crate::connector::rest::Rest;
use crate::connector::{DescriptorSource, FailureCodes, Protocol, SourceSettings};
use crate::graph::{BatchReply, Graph, Sdl, load};
use crate::mapping::Scope;
use crate::problem::render;
use crate::source::{Body, Call, Caller, Connector, Inputs};
use apollo_compiler::ExecutableDocument;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// URL for sources that are not called.
const NOWHERE: &str = "http://127.0.0.1:1";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn source(name: &str, url: &str, proto: Option<PathBuf>) -> SourceSettings {
    let site = crate::upstream::Site::at(&url.parse().unwrap()).unwrap();
    let protocol = match proto {
        Some(proto) => Protocol::Grpc {
            site,
            descriptors: DescriptorSource::protos([proto]),
            failures: FailureCodes::default(),
        },
        None => Protocol::Rest { site },
    };
    SourceSettings { reuse: true, ..SourceSettings::new(name.into(), protocol) }
}

fn loaded(texts: Vec<(String, String)>, sources: &[SourceSettings]) -> Graph {
    let rest = Rest::new(sources);
    let grpc = Grpc::new(sources).unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(rest), Box::new(grpc)];
    match load(&Sdl::from_texts(texts), &connectors) {
        Ok((graph, warnings)) => {
            assert!(warnings.is_empty(), "{}", render(&warnings, false));
            graph
        }
        Err(problems) => panic!("{}", render(&problems, false)),
    }
}

/// Loads the storefront's graph, over running services or over none.
fn graph_over(storefront: Option<&Storefront>) -> Graph {
    let sources = Service::ALL.map(|service| {
        let url = storefront.and_then(|storefront| storefront.variable(service.variable()));
        let proto = (service == Service::Products).then(|| folder("schema/products.proto"));
        source(service.name(), url.as_deref().unwrap_or(NOWHERE), proto)
    });
    let sdl = FILES.iter().filter(|(name, _)| name.ends_with(".graphql"));
    let sdl = sdl.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    loaded(sdl, &sources)
}

#[test]
fn the_storefront_loads_and_its_dashboard_is_valid() {
    let graph = graph_over(None);
    let dashboard =
        ExecutableDocument::parse_and_validate(&graph.api_schema, DASHBOARD, "dashboard.graphql");
    dashboard.unwrap();
}

#[test]
fn the_storefronts_joins_are_batched() {
    let graph = graph_over(None);
    let batch = |parent: &str, field: &str| {
        let binding = graph.field(parent, field).unwrap().binding.unwrap();
        graph.binding(binding).batch.clone().map(|batch| (batch.reply, batch.max))
    };
    assert_eq!(batch("User", "orders"), Some((BatchReply::GroupBy, 50)));
    assert_eq!(batch("User", "notifications"), Some((BatchReply::GroupBy, 50)));
    assert_eq!(batch("Query", "usersById"), Some((BatchReply::ByKey, 100)));
    assert_eq!(batch("Query", "productsById"), Some((BatchReply::ByKey, 50)));
    for entity in ["User", "Product", "Order", "Notification"] {
        assert!(graph.lookups_of(entity).next().is_some(), "{entity}");
    }
}

#[test]
fn the_examples_load_and_their_queries_are_valid() {
    for (example, sources) in [
        ("rest-basics", &["books"][..]),
        ("batching", &["warehouse"]),
        ("joins", &["blog", "people", "freight"]),
        ("grpc", &["library"]),
        ("mapping", &["weather"]),
    ] {
        let folder = folder("examples").join(example);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let proto = folder.join("library.proto");
        let proto = proto.exists().then_some(proto);
        let sources: Vec<_> =
            sources.iter().map(|name| source(name, NOWHERE, proto.clone())).collect();
        let sdl = vec![(format!("{example}/schema.graphql"), read("schema.graphql"))];
        let graph = loaded(sdl, &sources);
        let query = read("query.graphql");
        ExecutableDocument::parse_and_validate(&graph.api_schema, query, example).unwrap();
    }
}

/// Returns what a binding's service answers, as JSON, mapped by its `select`.
async fn answer(call: &Arc<dyn Call>, args: &Value, batch: &Value) -> Value {
    let null = &Value::Null;
    let caller = &Caller { claims: json!({ "sub": "17" }), ..Caller::default() };
    let inputs = Inputs { args, this: null, batch, caller, env: null, config: null };
    let request = Arc::new(call.render(&inputs).unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    let reply = call.send(Arc::clone(&request), deadline).await;
    let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", call.describe(&request)));
    let body = match (&reply.body, call.message()) {
        (Body::Json(text), _) => serde_json::from_slice(text).unwrap(),
        (Body::Proto(bytes), Some(message)) => {
            let message = DynamicMessage::decode(message.clone(), bytes.clone()).unwrap();
            let names = prost_reflect::SerializeOptions::new()
                .use_proto_field_name(true)
                .stringify_64_bit_integers(false);
            message.serialize_with_options(serde_json::value::Serializer, &names).unwrap()
        }
        (Body::Proto(_), None) => panic!("a message of no type"),
    };
    let select = |current| {
        let scope = Scope { current, variables: &inputs };
        call.select().unwrap().evaluate(&scope).unwrap()
    };
    match &body {
        Value::Array(elements) => elements.iter().map(select).collect(),
        object => select(object),
    }
}

#[tokio::test]
async fn every_binding_is_understood_by_its_service() {
    let storefront = start(Settings::default()).await.unwrap();
    let graph = graph_over(Some(&storefront));
    let lines = json!([{ "productId": "P-0042", "quantity": 2 }]);
    let batch = json!([{ "id": "1", "weight": 1500 }, { "id": "2", "weight": 300 }]);
    let products = json!([{ "id": "P-0001" }, { "id": "P-0042" }]);
    let mut asked = 0;
    for binding in graph.bindings.iter().filter(|binding| !binding.call.streams()) {
        let (args, path, expected) = match &*binding.coordinate {
            "Query.user" => (json!({ "id": "17" }), "/id", json!(17)),
            "Query.me" => (json!({}), "/id", json!(17)),
            "Query.users" => (json!({ "first": 2, "after": "8" }), "/0/id", json!(9)),
            "Query.usersById" => (json!({ "ids": ["2", "1"] }), "/1/id", json!(2)),
            "Query.product" => (json!({ "id": "P-0042" }), "/price/currency", json!("EUR")),
            "Query.products" => (json!({ "first": 2, "after": null }), "/1/id", json!("P-0002")),
            "Query.productsById" => (json!({ "ids": ["P-0042"] }), "/0/id", json!("P-0042")),
            "Query.recommendedProducts" => {
                (json!({ "userId": "1", "first": 6 }), "/5/price/currency", json!("EUR"))
            }
            "Query.order" => (json!({ "id": "1" }), "/buyer/id", json!(1)),
            "Query.ordersById" => (json!({ "ids": ["1", "7"] }), "/1/id", json!(7)),
            "Query.notification" => (json!({ "id": "3" }), "/read", json!(true)),
            "User.orders" | "User.notifications" => (json!({ "first": 3 }), "/3/userId", json!(2)),
            "Product.stock" => (json!({}), "/1/productId", json!("P-0042")),
            "Product.shipping" => (json!({ "country": "DE" }), "/1/grams", json!(1500)),
            "Mutation.createUser" => {
                (json!({ "input": { "name": "Zoë", "email": null } }), "/name", json!("Zoë"))
            }
            "Mutation.placeOrder" => (
                json!({ "input": { "userId": "1", "lines": lines } }),
                "/lines/0/product/id",
                json!("P-0042"),
            ),
            "Mutation.markNotificationRead" => (json!({ "id": "4" }), "/read", json!(true)),
            other => panic!("{other} is not tried here"),
        };
        let parents = if &*binding.coordinate == "Product.stock" { &products } else { &batch };
        let reply = answer(&binding.call, &args, parents).await;
        assert_eq!(reply.pointer(path), Some(&expected), "{}: {reply}", binding.coordinate);
        asked += 1;
    }
    let total: u64 = storefront.requests().iter().map(|(_, requests)| requests.total).sum();
    assert_eq!((asked, total), (18, 18));
}
