//! The notifications service: REST, ten thousand notifications. It answers with bare lists.

use super::calendar;
use super::desk::Desk;
use super::rest::{self, Answer, Id, Params, Parsed, Refusal};
use super::rows::{Rows, join};
use super::seed::{NOTIFICATIONS, Notification, Subject};
use super::town::Town;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(super) const ENDPOINTS: &[&str] = &[
    "GET /notifications/{id}",
    "GET /notifications?ids",
    "GET /notifications?user_ids",
    "GET /notifications?first",
    "POST /notifications",
    "PATCH /notifications/{id}",
];
const SINGLE: usize = 0;
const BATCH: usize = 1;
const BY_USER: usize = 2;
const LIST: usize = 3;
const CREATE: usize = 4;
const CHANGE: usize = 5;
const BATCH_MAX: usize = 100;
const USERS_MAX: usize = 50;
const PER_USER_MAX: usize = 100;
const TEXT_MAX: usize = 1_000;
const KINDS: [&str; 4] = ["ORDER_PLACED", "ORDER_SHIPPED", "PROMOTION", "SECURITY"];

struct Notifications {
    desk: Arc<Desk>,
    town: Arc<Town>,
    rows: RwLock<Rows>,
}

#[derive(Deserialize)]
struct Create {
    user_id: Id,
    kind: String,
    body: String,
    order_id: Option<u32>,
}

#[derive(Deserialize)]
struct Change {
    read: bool,
}

/// Rendered once, however many storefronts a process starts.
static SEEDED: LazyLock<Rows> = LazyLock::new(|| {
    Rows::seeded(NOTIFICATIONS, |id, text| {
        Notification::seeded(id, |notification| {
            super::render(notification, text);
            notification.user_id
        })
    })
});

pub(super) fn router(desk: Arc<Desk>, town: Arc<Town>) -> Router {
    let rows = SEEDED.clone();
    let counters = rest::counters(&desk);
    Router::new()
        .route("/notifications/{id}", get(single).patch(change))
        .route("/notifications", get(many).post(create))
        .layer(DefaultBodyLimit::max(rest::BODY_MAX))
        .with_state(Arc::new(Notifications { desk, town, rows: RwLock::new(rows) }))
        .merge(counters)
}

async fn single(State(shelf): State<Arc<Notifications>>, Path(id): Path<String>) -> Answer {
    let _visit = shelf.desk.enter(SINGLE).await?;
    let row = id.parse().ok().and_then(|id| shelf.read(|rows| rows.get(id).cloned()));
    rest::found(row, "notification", &id)
}

async fn many(State(shelf): State<Arc<Notifications>>, params: Parsed) -> Answer {
    let endpoint = match &params {
        Ok(params) if params.ids.is_some() => BATCH,
        Ok(params) if params.user_ids.is_some() => BY_USER,
        _ => LIST,
    };
    let _visit = shelf.desk.enter(endpoint).await?;
    let params = rest::params(params)?;
    let text = match (&params.ids, &params.user_ids) {
        (Some(ids), _) => {
            let ids = rest::numbers("ids", ids, BATCH_MAX)?;
            shelf.read(|rows| join("[", ids.iter().filter_map(|id| rows.get(*id)), "]"))
        }
        (None, Some(users)) => by_user(&shelf, &params, users)?,
        (None, None) => {
            let first = rest::page_size(&params)?;
            let after = rest::number("after", params.after.as_deref(), 0)?;
            shelf.read(|rows| join("[", rows.page(after, first).0, "]"))
        }
    };
    Ok(rest::json(StatusCode::OK, text))
}

fn by_user(shelf: &Notifications, params: &Params, users: &str) -> Result<Bytes, Refusal> {
    let users = rest::numbers("user_ids", users, USERS_MAX)?;
    let count = rest::number("per_user", params.per_user.as_deref(), 10)?;
    if count > PER_USER_MAX {
        return Err(rest::bad(format!("`per_user` is {count}; {PER_USER_MAX} is the most")));
    }
    Ok(shelf.read(|rows| join("[", users.iter().flat_map(|user| rows.latest(*user, count)), "]")))
}

async fn create(State(shelf): State<Arc<Notifications>>, body: Bytes) -> Answer {
    let _visit = shelf.desk.enter(CREATE).await?;
    let create: Create = rest::body(&body)?;
    let user_id = create
        .user_id
        .number()
        .filter(|user| shelf.town.has_user(*user))
        .ok_or_else(|| rest::unprocessable("`user_id` names no user"))?;
    if !KINDS.contains(&create.kind.as_str()) {
        return Err(rest::unprocessable(format!("`kind` is one of {}", KINDS.join(", "))));
    }
    if create.body.is_empty() || create.body.chars().count() > TEXT_MAX {
        return Err(rest::unprocessable(format!("`body` has 1 to {TEXT_MAX} characters")));
    }
    let mut rows = shelf.rows.write().unwrap_or_else(PoisonError::into_inner);
    let row = rows.create(user_id, |id| {
        super::rendered(&Notification {
            id,
            user_id,
            kind: &create.kind,
            body: &create.body,
            read: false,
            created_at: calendar::notified_at(id),
            subject: create.order_id.map(|order_id| Subject { order_id }),
        })
    })?;
    Ok(rest::json(StatusCode::CREATED, row))
}

async fn change(
    State(shelf): State<Arc<Notifications>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let _visit = shelf.desk.enter(CHANGE).await?;
    let change: Change = rest::body(&body)?;
    let mut rows = shelf.rows.write().unwrap_or_else(PoisonError::into_inner);
    let number = id.parse().unwrap_or(0);
    let changed = rows.get(number).and_then(|row| {
        let mut row: Value = serde_json::from_slice(row).ok()?;
        *row.get_mut("read")? = Value::Bool(change.read);
        Some(Bytes::from(row.to_string()))
    });
    if let Some(row) = &changed {
        rows.replace(number, row.clone());
    }
    rest::found(changed, "notification", &id)
}

impl Notifications {
    fn read<R>(&self, with: impl FnOnce(&Rows) -> R) -> R {
        with(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }
}
