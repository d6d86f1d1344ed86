//! The part of the storefront's graph that the dashboard asks for, written by hand with async-graphql: derive macros,
//! a DataLoader for each join, REST by reqwest and gRPC by tonic.

mod products;
mod rest;

use anyhow::Result;
use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Enum, ID, Object, Schema,
    SimpleObject, dataloader::DataLoader,
};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::{Router, extract::State, routing};
use portcullis_benches::serve;
use products::{Product, ProductService, Products};
use rest::{Address, NotificationsOf, OrdersOf, Services};
use serde::Deserialize;

type Storefront = Schema<Query, EmptyMutation, EmptySubscription>;

#[derive(SimpleObject, Deserialize)]
#[graphql(complex)]
pub struct User {
    #[serde(deserialize_with = "rest::id")]
    id: ID,
    #[serde(rename = "full_name")]
    name: String,
    email: Option<String>,
    joined_at: String,
    #[serde(rename = "loyalty_points")]
    points: i32,
    address: Option<Address>,
}

#[derive(SimpleObject, Deserialize, Clone)]
#[graphql(complex)]
pub struct Order {
    #[serde(deserialize_with = "rest::id")]
    id: ID,
    status: OrderStatus,
    created_at: String,
    #[graphql(skip)]
    user_id: u32,
    #[graphql(skip)]
    total_cents: i32,
    #[graphql(skip)]
    currency: String,
    #[serde(rename = "items")]
    lines: Vec<OrderLine>,
}

#[derive(SimpleObject, Deserialize, Clone)]
#[graphql(complex)]
pub struct OrderLine {
    #[serde(rename = "qty")]
    quantity: i32,
    unit_price: Money,
    #[graphql(skip)]
    sku: String,
}

#[derive(SimpleObject, Deserialize, Clone)]
pub struct Money {
    cents: i32,
    currency: String,
}

#[derive(Enum, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    Placed,
    Shipped,
    Delivered,
    Cancelled,
}

#[derive(SimpleObject, Deserialize, Clone)]
pub struct Notification {
    #[serde(deserialize_with = "rest::id")]
    id: ID,
    #[graphql(skip)]
    user_id: u32,
    kind: NotificationKind,
    #[serde(rename = "body")]
    text: String,
    read: bool,
    created_at: String,
}

#[derive(Enum, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationKind {
    OrderPlaced,
    OrderShipped,
    Promotion,
    Security,
}

struct Query;

#[Object]
impl Query {
    async fn user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<User>> {
        Ok(Some(context.data::<Services>()?.user(&id).await?))
    }

    async fn recommended_products(
        &self,
        context: &Context<'_>,
        user_id: ID,
        #[graphql(default = 6)] first: i32,
    ) -> async_graphql::Result<Vec<Product>> {
        Ok(context.data::<ProductService>()?.recommend(user_id.0, first).await?)
    }
}

#[ComplexObject]
impl User {
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(default = 10)] first: i32,
    ) -> async_graphql::Result<Vec<Order>> {
        let key = (self.id.parse()?, first);
        Ok(context.data::<DataLoader<OrdersOf>>()?.load_one(key).await?.unwrap_or_default())
    }

    async fn notifications(
        &self,
        context: &Context<'_>,
        #[graphql(default = 10)] first: i32,
    ) -> async_graphql::Result<Vec<Notification>> {
        let key = (self.id.parse()?, first);
        Ok(context.data::<DataLoader<NotificationsOf>>()?.load_one(key).await?.unwrap_or_default())
    }
}

#[ComplexObject]
impl Order {
    async fn total(&self) -> Money {
        Money { cents: self.total_cents, currency: self.currency.clone() }
    }
}

#[ComplexObject]
impl OrderLine {
    async fn product(&self, context: &Context<'_>) -> async_graphql::Result<Option<Product>> {
        Ok(context.data::<DataLoader<Products>>()?.load_one(self.sku.clone()).await?)
    }
}

pub async fn serve() -> Result<()> {
    let services = Services::from_environment()?;
    let products = ProductService::from_environment()?;
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
        .data(services.clone())
        .data(products.clone())
        .finish();
    let app = Router::new()
        .route("/graphql", routing::post(answer))
        .with_state((schema, services, products));
    serve::serve(app).await
}

/// Loaders per request: what they hold belongs to one caller.
async fn answer(
    State((schema, services, products)): State<(Storefront, Services, ProductService)>,
    request: GraphQLRequest,
) -> GraphQLResponse {
    let request = request
        .into_inner()
        .data(DataLoader::new(OrdersOf(services.clone()), tokio::spawn))
        .data(DataLoader::new(NotificationsOf(services), tokio::spawn))
        .data(DataLoader::new(Products(products), tokio::spawn));
    schema.execute(request).await.into()
}
