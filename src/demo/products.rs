//! The products service: gRPC, five hundred products; `schema/products.proto` describes it.

use super::codec::Messages;
use super::desk::Desk;
use super::messages::{
    CheckStockReply, CreateProductRequest, GetProductRequest, Ids, ListProductsRequest, Product,
    Products, RecommendProductsRequest, Stock, StockStatus,
};
use super::rows::Rows;
use super::seed::{self, CURRENCY, PRODUCTS};
use super::town::Town;
use super::{calendar, failing, rest};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::post;
use prost::Message;
use prost::bytes::Bytes;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use tonic::Status;

pub(super) const SERVICE: &str = "shop.products.v1.ProductService";
pub(super) const METHODS: &[&str] = &[
    "GetProduct",
    "BatchGetProducts",
    "ListProducts",
    "RecommendProducts",
    "CheckStock",
    "CreateProduct",
];
const IDS_MAX: usize = 50;
const FIRST_MAX: usize = 500;
const COUNT_MAX: usize = 50;
const NAME_MAX: usize = 100;
const TAGS_MAX: usize = 10;

struct Shelf {
    desk: Arc<Desk>,
    town: Arc<Town>,
    /// Encoded [`Product`]s.
    rows: RwLock<Rows>,
}

/// Rendered once, however many storefronts a process starts.
static SEEDED: LazyLock<Rows> = LazyLock::new(|| {
    Rows::seeded(PRODUCTS, |number, bytes| {
        bytes.extend(encoded(number, seed::Product::seeded(number)));
        0
    })
});

pub(super) fn router(desk: Arc<Desk>, town: Arc<Town>) -> Router {
    let rows = SEEDED.clone();
    let counters = rest::counters(&desk);
    Router::new()
        .route(&format!("/{SERVICE}/{{method}}"), post(call))
        .with_state(Arc::new(Shelf { desk, town, rows: RwLock::new(rows) }))
        .merge(counters)
}

async fn call(
    State(shelf): State<Arc<Shelf>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let Some(endpoint) = METHODS.iter().position(|name| *name == method) else {
        let why = format!("`{SERVICE}` has no method {method:?}");
        return Status::unimplemented(why).into_http();
    };
    let _visit = match shelf.desk.enter(endpoint).await {
        Ok(visit) => visit,
        Err(failure) => return failing::over_grpc(failure),
    };
    match method.as_str() {
        "GetProduct" => unary(request, |asked| shelf.get(&asked)).await,
        "BatchGetProducts" => unary(request, |asked| shelf.batch(&asked)).await,
        "ListProducts" => unary(request, |asked| shelf.list(&asked)).await,
        "RecommendProducts" => unary(request, |asked| shelf.recommend(&asked)).await,
        "CheckStock" => unary(request, |asked| shelf.stock(&asked)).await,
        _ => unary(request, |asked| shelf.create(asked)).await,
    }
}

async fn unary<Q, A>(request: Request, answer: impl Fn(Q) -> Result<A, Status>) -> Response
where
    Q: Message + Default + 'static,
    A: Message + 'static,
{
    let service = tower::service_fn(|asked: tonic::Request<Q>| {
        std::future::ready(answer(asked.into_inner()).map(tonic::Response::new))
    });
    let mut grpc = tonic::server::Grpc::new(Messages::<A, Q>::default());
    grpc.unary(service, request).await.map(Body::new)
}

impl Shelf {
    fn get(&self, asked: &GetProductRequest) -> Result<Product, Status> {
        let bytes = seed::number_of(&asked.id).and_then(|number| self.product(number));
        let bytes = bytes
            .ok_or_else(|| Status::not_found(format!("there is no product {:?}", asked.id)))?;
        Product::decode(bytes).map_err(|error| Status::internal(error.to_string()))
    }

    fn batch(&self, asked: &Ids) -> Result<Products, Status> {
        let numbers = numbers(asked)?;
        let products = numbers.into_iter().filter_map(|number| self.product(number)).collect();
        Ok(Products { products, next: String::new() })
    }

    fn list(&self, asked: &ListProductsRequest) -> Result<Products, Status> {
        let first = bounded("first", asked.first, FIRST_MAX)?;
        let after = match asked.after.as_str() {
            "" => 0,
            id => seed::number_of(id)
                .ok_or_else(|| Status::invalid_argument("`after` is not the id of a product"))?,
        };
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let (page, next) = rows.page(after, first);
        let next = next.map(|next| seed::sku(next as u32)).unwrap_or_default();
        Ok(Products { products: page.to_vec(), next })
    }

    /// Returns a walk through the catalogue that begins at a position given by the user's ID. Unknown users get one
    /// too.
    fn recommend(&self, asked: &RecommendProductsRequest) -> Result<Products, Status> {
        let count = bounded("count", asked.count, COUNT_MAX)?;
        let user = asked.user_id.parse().unwrap_or(0);
        let start = seed::scatter(15, user) % u64::from(PRODUCTS);
        let products = (0..count as u64)
            .filter_map(|nth| self.product(1 + ((start + nth * 37) % u64::from(PRODUCTS)) as u32))
            .collect();
        Ok(Products { products, next: String::new() })
    }

    fn stock(&self, asked: &Ids) -> Result<CheckStockReply, Status> {
        let known = numbers(asked)?.into_iter().filter(|number| self.town.price(*number).is_some());
        Ok(CheckStockReply { stocks: known.map(stock_of).collect() })
    }

    fn create(&self, asked: CreateProductRequest) -> Result<Product, Status> {
        let CreateProductRequest { name, description, price_cents, weight_grams, tags } = asked;
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return Err(Status::invalid_argument(format!("`name` has 1 to {NAME_MAX} characters")));
        }
        if !(1..=1_000_000).contains(&price_cents) || !(1..=100_000).contains(&weight_grams) {
            return Err(Status::invalid_argument(
                "`price_cents` is 1 to 1000000, `weight_grams` 1 to 100000",
            ));
        }
        if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.chars().count() > NAME_MAX) {
            return Err(Status::invalid_argument(format!("`tags` has {TAGS_MAX} short words")));
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let created = rows.create(0, |number| {
            self.town.product_created(price_cents);
            let product = seed::Product { name, description, price_cents, weight_grams, tags };
            Bytes::from(encoded(number, product))
        });
        let bytes = created.map_err(|_| {
            Status::resource_exhausted("no more can be created; start the storefront again")
        })?;
        Product::decode(bytes).map_err(|error| Status::internal(error.to_string()))
    }

    fn product(&self, number: u32) -> Option<Bytes> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

fn encoded(number: u32, product: seed::Product) -> Vec<u8> {
    let seed::Product { name, description, price_cents, weight_grams, tags } = product;
    let (id, currency) = (seed::sku(number), CURRENCY.to_owned());
    Product { id, name, description, price_cents, currency, weight_grams, tags }.encode_to_vec()
}

fn stock_of(number: u32) -> Stock {
    let units = (seed::scatter(16, number) % 40) as i32;
    let status = match units {
        0..4 => StockStatus::SoldOut,
        4..10 => StockStatus::Low,
        _ => StockStatus::InStock,
    };
    let sold_out = status == StockStatus::SoldOut;
    Stock {
        product_id: seed::sku(number),
        status: status.into(),
        units: if sold_out { 0 } else { units },
        restock_at: sold_out.then(|| calendar::ordered_at(seed::ORDERS + number)),
    }
}

/// Returns the numbers sorted, each once, so that clients cannot rely on the order of the reply. IDs of an unknown form
/// are left out.
fn numbers(asked: &Ids) -> Result<Vec<u32>, Status> {
    if asked.ids.len() > IDS_MAX {
        let why = format!("`ids` holds more than {IDS_MAX}; ask in parts");
        return Err(Status::invalid_argument(why));
    }
    let mut numbers: Vec<u32> = asked.ids.iter().filter_map(|id| seed::number_of(id)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn bounded(name: &str, count: i32, max: usize) -> Result<usize, Status> {
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= max)
        .ok_or_else(|| Status::invalid_argument(format!("`{name}` is 0 to {max}")))
}
