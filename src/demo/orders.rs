//! The orders service: REST, twenty thousand orders. It stores users and products by ID only, and the prices of
//! parcels.

use super::desk::Desk;
use super::post::Letter;
use super::rest::{self, Answer, Id, Params, Parsed, Refusal};
use super::rows::{Rows, join};
use super::seed::{self, CURRENCY, Item, ORDERS, Order};
use super::town::Town;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(super) const ENDPOINTS: &[&str] = &[
    "GET /orders/{id}",
    "GET /orders?ids",
    "GET /orders?user_ids",
    "GET /orders?first",
    "POST /orders",
    "GET /shipping",
];
const SINGLE: usize = 0;
const BATCH: usize = 1;
const BY_USER: usize = 2;
const LIST: usize = 3;
const CREATE: usize = 4;
const SHIPPING: usize = 5;
const BATCH_MAX: usize = 100;
const USERS_MAX: usize = 50;
const PER_USER_MAX: usize = 100;
const WEIGHTS_MAX: usize = 50;
const LINES_MAX: usize = 20;
const QUANTITY_MAX: u32 = 99;

/// Country, cents for the first kilogram, days.
const COUNTRIES: [(&str, u32, u32); 5] =
    [("DE", 490, 2), ("FR", 790, 3), ("GB", 990, 5), ("US", 1_990, 9), ("JP", 2_490, 12)];

struct Orders {
    desk: Arc<Desk>,
    town: Arc<Town>,
    rows: RwLock<Rows>,
}

#[derive(Deserialize)]
struct Create {
    user_id: Id,
    items: Vec<CreateItem>,
}

#[derive(Deserialize)]
struct CreateItem {
    sku: String,
    qty: u32,
}

/// Rendered once, however many storefronts a process starts.
static SEEDED: LazyLock<Rows> = LazyLock::new(|| {
    Rows::seeded(ORDERS, |id, text| {
        let order = Order::seeded(id);
        super::render(&order, text);
        order.user_id
    })
});

pub(super) fn router(desk: Arc<Desk>, town: Arc<Town>) -> Router {
    let rows = SEEDED.clone();
    let counters = rest::counters(&desk);
    Router::new()
        .route("/orders/{id}", get(single))
        .route("/orders", get(many).post(create))
        .route("/shipping", get(shipping))
        .layer(DefaultBodyLimit::max(rest::BODY_MAX))
        .with_state(Arc::new(Orders { desk, town, rows: RwLock::new(rows) }))
        .merge(counters)
}

async fn single(State(orders): State<Arc<Orders>>, Path(id): Path<String>) -> Answer {
    let _visit = orders.desk.enter(SINGLE).await?;
    let row = id.parse().ok().and_then(|id| orders.read(|rows| rows.get(id).cloned()));
    rest::found(row, "order", &id)
}

async fn many(State(orders): State<Arc<Orders>>, params: Parsed) -> Answer {
    let endpoint = match &params {
        Ok(params) if params.ids.is_some() => BATCH,
        Ok(params) if params.user_ids.is_some() => BY_USER,
        _ => LIST,
    };
    let _visit = orders.desk.enter(endpoint).await?;
    let params = rest::params(params)?;
    let text = match (&params.ids, &params.user_ids) {
        (Some(ids), _) => {
            let ids = rest::numbers("ids", ids, BATCH_MAX)?;
            orders
                .read(|rows| join(r#"{"rows":["#, ids.iter().filter_map(|id| rows.get(*id)), "]}"))
        }
        (None, Some(users)) => by_user(&orders, &params, users)?,
        (None, None) => page(&orders, &params)?,
    };
    Ok(rest::json(StatusCode::OK, text))
}

fn by_user(orders: &Orders, params: &Params, users: &str) -> Result<Bytes, Refusal> {
    let users = rest::numbers("user_ids", users, USERS_MAX)?;
    let count = rest::number("per_user", params.per_user.as_deref(), 10)?;
    if count > PER_USER_MAX {
        return Err(rest::bad(format!("`per_user` is {count}; {PER_USER_MAX} is the most")));
    }
    Ok(orders.read(|rows| {
        let latest = users.iter().flat_map(|user| rows.latest(*user, count));
        join(r#"{"rows":["#, latest, "]}")
    }))
}

fn page(orders: &Orders, params: &Params) -> Result<Bytes, Refusal> {
    let first = rest::page_size(params)?;
    let after = rest::number("after", params.after.as_deref(), 0)?;
    Ok(orders.read(|rows| {
        let (page, next) = rows.page(after, first);
        let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
        join(r#"{"rows":["#, page, &format!("],\"next\":{next}}}"))
    }))
}

async fn create(State(orders): State<Arc<Orders>>, body: Bytes) -> Answer {
    let _visit = orders.desk.enter(CREATE).await?;
    let create: Create = rest::body(&body)?;
    let user = create
        .user_id
        .number()
        .filter(|user| orders.town.has_user(*user))
        .ok_or_else(|| rest::unprocessable("`user_id` names no user"))?;
    let items = priced(&orders.town, &create.items)?;
    let mut rows = orders.rows.write().unwrap_or_else(PoisonError::into_inner);
    let mut placed = 0;
    let row = rows.create(user, |id| {
        placed = id;
        super::rendered(&Order::of(id, user, "PLACED", items))
    })?;
    drop(rows);
    thank(&orders.town, user, placed);
    Ok(rest::json(StatusCode::CREATED, row))
}

fn thank(town: &Town, user: u32, order: u32) {
    let text = format!("Thank you for order {order}");
    let letter = Letter { user, kind: "ORDER_PLACED", text: &text, order: Some(order) };
    // The order stands, even if its notification cannot be delivered.
    let _ = town.post.deliver(&letter);
}

fn priced(town: &Town, items: &[CreateItem]) -> Result<Vec<Item>, Refusal> {
    if items.is_empty() || items.len() > LINES_MAX {
        return Err(rest::unprocessable(format!("`items` has 1 to {LINES_MAX} lines")));
    }
    let priced = items.iter().map(|CreateItem { sku, qty }| {
        let priced = seed::number_of(sku).and_then(|number| Some((number, town.price(number)?)));
        let (number, price) =
            priced.ok_or_else(|| rest::unprocessable(format!("there is no product {sku:?}")))?;
        if !(1..=QUANTITY_MAX).contains(qty) {
            return Err(rest::unprocessable(format!("`qty` is 1 to {QUANTITY_MAX}")));
        }
        Ok(Item::new(number, *qty, price))
    });
    priced.collect()
}

async fn shipping(State(orders): State<Arc<Orders>>, params: Parsed) -> Answer {
    let _visit = orders.desk.enter(SHIPPING).await?;
    let params = rest::params(params)?;
    let country = params.country.as_deref().unwrap_or("DE");
    let (_, cents, days) = COUNTRIES
        .into_iter()
        .find(|(code, ..)| *code == country)
        .ok_or_else(|| rest::unprocessable(format!("nothing is sent to {country:?}")))?;
    let weights = rest::numbers("grams", params.grams.as_deref().unwrap_or_default(), WEIGHTS_MAX)?;
    let quotes: Vec<_> = weights
        .iter()
        .map(|grams| {
            let fee = u64::from(cents) + u64::from(grams.saturating_sub(1_000) / 500) * 120;
            serde_json::json!({
                "grams": grams, "fee_cents": fee, "currency": CURRENCY, "days": days,
            })
        })
        .collect();
    let text = serde_json::json!({ "quotes": quotes }).to_string();
    Ok(rest::json(StatusCode::OK, text.into()))
}

impl Orders {
    fn read<R>(&self, with: impl FnOnce(&Rows) -> R) -> R {
        with(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }
}
