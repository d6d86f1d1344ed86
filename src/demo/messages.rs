//! The messages of `schema/products.proto`, written by hand so that a build needs no `protoc`; a test compares them
//! with the file.
//!
//! In replies, a product is a field of bytes. The encoding equals that of a message, and an encoded product is not
//! encoded again.

use prost::Message;
use prost::bytes::Bytes;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Product {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, optional, tag = "3")]
    pub description: Option<String>,
    #[prost(int64, tag = "4")]
    pub price_cents: i64,
    #[prost(string, tag = "5")]
    pub currency: String,
    #[prost(int32, tag = "6")]
    pub weight_grams: i32,
    #[prost(string, repeated, tag = "7")]
    pub tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetProductRequest {
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `BatchGetProductsRequest` and `CheckStockRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ids {
    #[prost(string, repeated, tag = "1")]
    pub ids: Vec<String>,
}

/// `BatchGetProductsReply`, `ListProductsReply` and `RecommendProductsReply`: only the second has a `next`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Products {
    /// Encoded [`Product`]s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub products: Vec<Bytes>,
    #[prost(string, tag = "2")]
    pub next: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ListProductsRequest {
    #[prost(int32, tag = "1")]
    pub first: i32,
    #[prost(string, tag = "2")]
    pub after: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RecommendProductsRequest {
    #[prost(string, tag = "1")]
    pub user_id: String,
    #[prost(int32, tag = "2")]
    pub count: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum StockStatus {
    Unspecified = 0,
    InStock = 1,
    Low = 2,
    SoldOut = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Stock {
    #[prost(string, tag = "1")]
    pub product_id: String,
    #[prost(enumeration = "StockStatus", tag = "2")]
    pub status: i32,
    #[prost(int32, tag = "3")]
    pub units: i32,
    #[prost(string, optional, tag = "4")]
    pub restock_at: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckStockReply {
    #[prost(message, repeated, tag = "1")]
    pub stocks: Vec<Stock>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CreateProductRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, optional, tag = "2")]
    pub description: Option<String>,
    #[prost(int64, tag = "3")]
    pub price_cents: i64,
    #[prost(int32, tag = "4")]
    pub weight_grams: i32,
    #[prost(string, repeated, tag = "5")]
    pub tags: Vec<String>,
}
