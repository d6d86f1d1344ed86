//! The products service over gRPC. The messages are those of `schema/products.proto`, written by hand so that a build needs
//! no `protoc`.

use super::Money;
use anyhow::{Context, Result};
use async_graphql::{ID, SimpleObject, dataloader::Loader};
use http::uri::PathAndQuery;
use prost::Message;
use std::{collections::HashMap, env, sync::Arc};
use tonic::{
    Request,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

#[derive(SimpleObject, Clone)]
pub struct Product {
    id: ID,
    name: String,
    description: Option<String>,
    price: Money,
    weight: i32,
    tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ProductMessage {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, optional, tag = "3")]
    description: Option<String>,
    #[prost(int64, tag = "4")]
    price_cents: i64,
    #[prost(string, tag = "5")]
    currency: String,
    #[prost(int32, tag = "6")]
    weight_grams: i32,
    #[prost(string, repeated, tag = "7")]
    tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Ids {
    #[prost(string, repeated, tag = "1")]
    ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Recommend {
    #[prost(string, tag = "1")]
    user_id: String,
    #[prost(int32, tag = "2")]
    count: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(message, repeated, tag = "1")]
    products: Vec<ProductMessage>,
}

#[derive(Clone)]
pub struct ProductService(Grpc<Channel>);

pub struct Products(pub ProductService);

impl ProductService {
    pub fn from_environment() -> Result<Self> {
        let endpoint = Endpoint::from_shared(env::var("PRODUCTS_URL")?)?.tcp_nodelay(true);
        Ok(Self(Grpc::new(endpoint.connect_lazy())))
    }

    pub async fn recommend(&self, user_id: String, count: i32) -> Result<Vec<Product>> {
        let path = PathAndQuery::from_static("/shop.products.v1.ProductService/RecommendProducts");
        self.ask(path, Recommend { user_id, count }).await
    }

    async fn many(&self, ids: Vec<String>) -> Result<Vec<Product>> {
        let path = PathAndQuery::from_static("/shop.products.v1.ProductService/BatchGetProducts");
        self.ask(path, Ids { ids }).await
    }

    async fn ask<M: Message + Default + 'static>(
        &self,
        path: PathAndQuery,
        message: M,
    ) -> Result<Vec<Product>> {
        let mut client = self.0.clone();
        client.ready().await.context("the products service is not there")?;
        let codec = ProstCodec::<M, Reply>::default();
        let reply = client.unary(Request::new(message), path, codec).await?;
        reply.into_inner().products.into_iter().map(Product::try_from).collect()
    }
}

impl Loader<String> for Products {
    type Value = Product;
    type Error = Arc<anyhow::Error>;

    async fn load(&self, ids: &[String]) -> Result<HashMap<String, Product>, Self::Error> {
        let products = self.0.many(ids.to_vec()).await?;
        Ok(products.into_iter().map(|product| (product.id.to_string(), product)).collect())
    }
}

impl TryFrom<ProductMessage> for Product {
    type Error = anyhow::Error;

    fn try_from(message: ProductMessage) -> Result<Self> {
        Ok(Self {
            id: message.id.into(),
            name: message.name,
            description: message.description,
            price: Money { cents: message.price_cents.try_into()?, currency: message.currency },
            weight: message.weight_grams,
            tags: message.tags,
        })
    }
}
