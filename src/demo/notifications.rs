//! The notifications service: REST, ten thousand notifications. It answers with bare lists, and with a stream of new
//! notifications.

use super::desk::{Desk, Visit};
use super::post::{Letter, Listener};
use super::rest::{self, Answer, Id, Params, Parsed, Refusal};
use super::rows::join;
use super::town::Town;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

pub(super) const ENDPOINTS: &[&str] = &[
    "GET /notifications/{id}",
    "GET /notifications?ids",
    "GET /notifications?user_ids",
    "GET /notifications?first",
    "POST /notifications",
    "PATCH /notifications/{id}",
    "GET /users/{id}/stream",
];
const SINGLE: usize = 0;
const BATCH: usize = 1;
const BY_USER: usize = 2;
const LIST: usize = 3;
const CREATE: usize = 4;
const CHANGE: usize = 5;
const STREAM: usize = 6;
const BATCH_MAX: usize = 100;
const USERS_MAX: usize = 50;
const PER_USER_MAX: usize = 100;
const TEXT_MAX: usize = 1_000;
const KINDS: [&str; 4] = ["ORDER_PLACED", "ORDER_SHIPPED", "PROMOTION", "SECURITY"];

struct Notifications {
    desk: Arc<Desk>,
    town: Arc<Town>,
    promote_after: Option<Duration>,
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

/// Builds the routes. `promote_after`: time without a notification after which a listener gets a promotion.
pub(super) fn router(desk: Arc<Desk>, town: Arc<Town>, promote_after: Option<Duration>) -> Router {
    let counters = rest::counters(&desk);
    Router::new()
        .route("/notifications/{id}", get(single).patch(change))
        .route("/notifications", get(many).post(create))
        .route("/users/{id}/stream", get(listen))
        .layer(DefaultBodyLimit::max(rest::BODY_MAX))
        .with_state(Arc::new(Notifications { desk, town, promote_after }))
        .merge(counters)
}

async fn single(State(shelf): State<Arc<Notifications>>, Path(id): Path<String>) -> Answer {
    let _visit = shelf.desk.enter(SINGLE).await?;
    let row = id.parse().ok().and_then(|id| shelf.town.post.read(|rows| rows.get(id).cloned()));
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
            shelf.town.post.read(|rows| join("[", ids.iter().filter_map(|id| rows.get(*id)), "]"))
        }
        (None, Some(users)) => by_user(&shelf, &params, users)?,
        (None, None) => {
            let first = rest::page_size(&params)?;
            let after = rest::number("after", params.after.as_deref(), 0)?;
            shelf.town.post.read(|rows| join("[", rows.page(after, first).0, "]"))
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
    Ok(shelf
        .town
        .post
        .read(|rows| join("[", users.iter().flat_map(|user| rows.latest(*user, count)), "]")))
}

async fn create(State(shelf): State<Arc<Notifications>>, body: Bytes) -> Answer {
    let _visit = shelf.desk.enter(CREATE).await?;
    let create: Create = rest::body(&body)?;
    let user = create
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
    let row = shelf.town.post.deliver(&Letter {
        user,
        kind: &create.kind,
        text: &create.body,
        order: create.order_id,
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
    let changed = shelf.town.post.change(id.parse().unwrap_or(0), |row| {
        let mut row: Value = serde_json::from_slice(row).ok()?;
        *row.get_mut("read")? = Value::Bool(change.read);
        Some(row.to_string().into())
    });
    rest::found(changed, "notification", &id)
}

async fn listen(State(shelf): State<Arc<Notifications>>, Path(id): Path<String>) -> Answer {
    let user = id.parse().ok().filter(|user| shelf.town.has_user(*user));
    // Before it is counted: if the count is visible, notifications sent from now on are received.
    let listener = user.map(|user| shelf.town.post.listen(user, shelf.promote_after));
    let visit = shelf.desk.enter(STREAM).await?;
    match listener {
        Some(listener) => {
            let events = Sse::new(events(listener, visit)).keep_alive(KeepAlive::new());
            Ok(events.into_response())
        }
        None => rest::found(None, "user", &id),
    }
}

/// Returns each letter as it is delivered, for as long as the visit lasts.
fn events(listener: Listener, visit: Visit) -> impl Stream<Item = Result<Event, RecvError>> {
    stream::unfold(Some((listener, visit)), |open| async {
        let (mut listener, visit) = open?;
        match listener.next().await {
            Ok(row) => {
                let event = Event::default().data(String::from_utf8_lossy(&row));
                Some((Ok(event), Some((listener, visit))))
            }
            Err(RecvError::Closed) => None,
            Err(missed) => Some((Err(missed), None)),
        }
    })
}
