//! The products service, called with tonic's own client, and a comparison of the hand-written messages with the
//! `.proto` file.

use super::super::Service;
use super::super::codec::Messages;
use super::super::messages::{
    CheckStockReply, CreateProductRequest, GetProductRequest, Ids, ListProductsRequest, Product,
    Products, RecommendProductsRequest, Stock,
};
use super::super::products::{METHODS, SERVICE};
use super::Town;
use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use std::path::Path;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

async fn channel(town: &Town) -> Channel {
    let address = format!("http://{}", town.storefront.products);
    Endpoint::from_shared(address).unwrap().connect().await.unwrap()
}

async fn call<Q, A>(channel: &Channel, method: &str, asked: Q) -> Result<A, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path: PathAndQuery = format!("/{SERVICE}/{method}").parse().unwrap();
    let codec = Messages::<Q, A>::default();
    Ok(client.unary(tonic::Request::new(asked), path, codec).await?.into_inner())
}

fn some(ids: &[&str]) -> Ids {
    Ids { ids: ids.iter().map(ToString::to_string).collect() }
}

fn ids_of(reply: &Products) -> Vec<String> {
    reply.products.iter().map(|bytes| Product::decode(bytes.clone()).unwrap().id).collect()
}

#[tokio::test]
async fn products_one_some_and_all() {
    let town = Town::new().await;
    let channel = &channel(&town).await;
    let known = GetProductRequest { id: "P-0042".into() };
    let product: Product = call(channel, "GetProduct", known).await.unwrap();
    assert_eq!((product.id.as_str(), product.currency.as_str()), ("P-0042", "EUR"));
    let absent = GetProductRequest { id: "P-42".into() };
    let refused = call::<_, Product>(channel, "GetProduct", absent).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);

    let asked = some(&["P-0300", "P-0007", "P-0501", "x", "P-0007"]);
    let batch: Products = call(channel, "BatchGetProducts", asked.clone()).await.unwrap();
    assert_eq!(ids_of(&batch), ["P-0007", "P-0300"]);
    let stock: CheckStockReply = call(channel, "CheckStock", asked).await.unwrap();
    assert_eq!(stock.stocks.len(), 2);
    let fifty_one = Ids { ids: vec!["P-0001".into(); 51] };
    let refused = call::<_, Products>(channel, "BatchGetProducts", fifty_one).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let page = |first, after: &str| ListProductsRequest { first, after: after.into() };
    let list: Products = call(channel, "ListProducts", page(2, "P-0497")).await.unwrap();
    assert_eq!(
        (ids_of(&list), list.next.as_str()),
        (vec!["P-0498".into(), "P-0499".into()], "P-0499")
    );
    let rest: Products = call(channel, "ListProducts", page(500, "P-0499")).await.unwrap();
    assert_eq!((ids_of(&rest).len(), rest.next.as_str()), (1, ""));
    for wrong in [page(-1, ""), page(501, ""), page(1, "42")] {
        let refused = call::<_, Products>(channel, "ListProducts", wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    assert_eq!(town.asked(Service::Products, "BatchGetProducts"), 2);
    assert_eq!(town.asked(Service::Products, "ListProducts"), 5);
}

#[tokio::test]
async fn recommendations_are_distinct_and_stay_the_same() {
    let town = Town::new().await;
    let channel = &channel(&town).await;
    let asked = |user_id: &str, count| RecommendProductsRequest { user_id: user_id.into(), count };
    let first: Products = call(channel, "RecommendProducts", asked("1", 50)).await.unwrap();
    let mut ids = ids_of(&first);
    let again: Products = call(channel, "RecommendProducts", asked("1", 50)).await.unwrap();
    assert_eq!(ids, ids_of(&again));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
    let stranger: Products = call(channel, "RecommendProducts", asked("?", 6)).await.unwrap();
    assert_eq!(stranger.products.len(), 6);
}

#[tokio::test]
async fn a_created_product_can_be_read_and_ordered() {
    let town = Town::new().await;
    let channel = &channel(&town).await;
    let new = CreateProductRequest {
        name: "Zinc Bucket".into(),
        description: None,
        price_cents: 1_250,
        weight_grams: 700,
        tags: vec!["new".into()],
    };
    let created: Product = call(channel, "CreateProduct", new.clone()).await.unwrap();
    assert_eq!(created.id, "P-0501");
    let batch: Products = call(channel, "BatchGetProducts", some(&["P-0501"])).await.unwrap();
    assert_eq!(Product::decode(batch.products[0].clone()).unwrap(), created);
    let order = r#"{"user_id":1,"items":[{"sku":"P-0501","qty":2}]}"#;
    let (status, order) = town.send(Service::Orders, "POST", "/orders", order).await;
    assert_eq!((status, &order["total_cents"]), (201, &2_500.into()));
    let free = CreateProductRequest { price_cents: 0, ..new };
    let refused = call::<_, Product>(channel, "CreateProduct", free).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = call::<_, Product>(channel, "DropTable", some(&[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

fn proto() -> DescriptorPool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let files = protox::compile(["products.proto"], [folder]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
}

#[test]
fn methods_are_those_of_the_proto_file() {
    let service = proto().get_service_by_name(SERVICE).unwrap();
    let methods: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
    assert_eq!(methods, METHODS);
}

/// Compares a message with the file. Every field is set in `sample`: decoded by the file's descriptor, all must be
/// present under their names, none may be unknown, and encoding must give the same bytes.
fn held(name: &str, sample: &impl Message) -> serde_json::Value {
    let message = proto().get_message_by_name(&format!("shop.products.v1.{name}")).unwrap();
    let bytes = sample.encode_to_vec();
    let dynamic = DynamicMessage::decode(message.clone(), &bytes[..]).unwrap();
    assert_eq!(dynamic.unknown_fields().count(), 0, "{name}");
    for field in message.fields() {
        assert!(dynamic.has_field(&field), "{name}.{}", field.name());
    }
    assert_eq!(dynamic.encode_to_vec(), bytes, "{name}");
    serde_json::to_value(&dynamic).unwrap()
}

#[test]
fn messages_are_those_of_the_proto_file() {
    let text = || "text".to_owned();
    let product = Product {
        id: text(),
        name: text(),
        description: Some(String::new()),
        price_cents: 1 << 40,
        currency: text(),
        weight_grams: 5,
        tags: vec![text(), text()],
    };
    let json = held("Product", &product);
    assert_eq!((&json["priceCents"], &json["weightGrams"]), (&"1099511627776".into(), &5.into()));
    held("GetProductRequest", &GetProductRequest { id: text() });
    held("BatchGetProductsRequest", &Ids { ids: vec![text()] });
    held("CheckStockRequest", &Ids { ids: vec![text()] });
    let products = vec![product.encode_to_vec().into()];
    let whole = Products { products: products.clone(), next: text() };
    assert_eq!(held("ListProductsReply", &whole)["products"][0], json);
    let bare = Products { products, next: String::new() };
    assert_eq!(held("BatchGetProductsReply", &bare)["products"][0], json);
    held("RecommendProductsReply", &bare);
    held("ListProductsRequest", &ListProductsRequest { first: 1, after: text() });
    let asked = RecommendProductsRequest { user_id: text(), count: 1 };
    assert_eq!(held("RecommendProductsRequest", &asked)["userId"], "text");
    let stock = Stock { product_id: text(), status: 2, units: 3, restock_at: Some(text()) };
    let json = held("CheckStockReply", &CheckStockReply { stocks: vec![stock.clone()] });
    assert_eq!(json["stocks"][0]["status"], "STOCK_STATUS_LOW");
    held("Stock", &stock);
    let new = CreateProductRequest {
        name: text(),
        description: Some(text()),
        price_cents: 1,
        weight_grams: 2,
        tags: vec![text()],
    };
    let json = held("CreateProductRequest", &new);
    assert_eq!((&json["priceCents"], &json["weightGrams"]), (&"1".into(), &2.into()));
}

#[tokio::test]
async fn the_dashboard_needs_products_that_were_not_recommended() {
    let town = Town::new().await;
    let asked = RecommendProductsRequest { user_id: "1".into(), count: 6 };
    let channel = &channel(&town).await;
    let recommended: Products = call(channel, "RecommendProducts", asked).await.unwrap();
    let (_, orders) = town.get(Service::Orders, "/orders?user_ids=1&per_user=5").await;
    let orders = orders["rows"].as_array().unwrap();
    assert_eq!(orders.len(), 5);
    let mut skus: Vec<&str> = orders
        .iter()
        .flat_map(|order| order["items"].as_array().unwrap())
        .map(|item| item["sku"].as_str().unwrap())
        .collect();
    skus.sort_unstable();
    skus.dedup();
    let recommended = ids_of(&recommended);
    skus.retain(|sku| !recommended.iter().any(|id| id == sku));
    assert!((6..=50).contains(&skus.len()), "one batch of new products: {skus:?}");
    let (_, rows) = town.get(Service::Notifications, "/notifications?user_ids=1").await;
    assert_eq!(rows.as_array().unwrap().len(), 10);
}
