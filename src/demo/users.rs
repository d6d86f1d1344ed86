//! The users service: REST, a thousand users.

use super::calendar;
use super::desk::Desk;
use super::rest::{self, Answer, Parsed};
use super::rows::{Rows, join};
use super::seed::{USERS, User};
use super::town::Town;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(super) const ENDPOINTS: &[&str] =
    &["GET /users/{id}", "GET /users?ids", "GET /users?first", "POST /users"];
const SINGLE: usize = 0;
const BATCH: usize = 1;
const LIST: usize = 2;
const CREATE: usize = 3;
const BATCH_MAX: usize = 100;
const NAME_MAX: usize = 100;

struct Users {
    desk: Arc<Desk>,
    town: Arc<Town>,
    rows: RwLock<Rows>,
}

#[derive(Deserialize)]
struct Create {
    full_name: String,
    email: Option<String>,
}

/// Rendered once, however many storefronts a process starts.
static SEEDED: LazyLock<Rows> = LazyLock::new(|| {
    Rows::seeded(USERS, |id, text| {
        User::seeded(id, |user| super::render(user, text));
        0
    })
});

pub(super) fn router(desk: Arc<Desk>, town: Arc<Town>) -> Router {
    let rows = SEEDED.clone();
    let counters = rest::counters(&desk);
    Router::new()
        .route("/users/{id}", get(single))
        .route("/users", get(many).post(create))
        .layer(DefaultBodyLimit::max(rest::BODY_MAX))
        .with_state(Arc::new(Users { desk, town, rows: RwLock::new(rows) }))
        .merge(counters)
}

async fn single(State(users): State<Arc<Users>>, Path(id): Path<String>) -> Answer {
    let _visit = users.desk.enter(SINGLE).await?;
    let row = id.parse().ok().and_then(|id| users.read(|rows| rows.get(id).cloned()));
    rest::found(row, "user", &id)
}

async fn many(State(users): State<Arc<Users>>, params: Parsed) -> Answer {
    let batch = params.as_ref().is_ok_and(|params| params.ids.is_some());
    let _visit = users.desk.enter(if batch { BATCH } else { LIST }).await?;
    let params = rest::params(params)?;
    let text = if let Some(ids) = &params.ids {
        let ids = rest::numbers("ids", ids, BATCH_MAX)?;
        users.read(|rows| join(r#"{"users":["#, ids.iter().filter_map(|id| rows.get(*id)), "]}"))
    } else {
        let first = rest::page_size(&params)?;
        let after = rest::number("after", params.after.as_deref(), 0)?;
        users.read(|rows| {
            let (page, next) = rows.page(after, first);
            let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
            join(r#"{"users":["#, page, &format!("],\"next\":{next}}}"))
        })
    };
    Ok(rest::json(StatusCode::OK, text))
}

async fn create(State(users): State<Arc<Users>>, body: Bytes) -> Answer {
    let _visit = users.desk.enter(CREATE).await?;
    let create: Create = rest::body(&body)?;
    let name = create.full_name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(rest::unprocessable(format!("`full_name` has 1 to {NAME_MAX} characters")));
    }
    if create.email.as_ref().is_some_and(|email| !email.contains('@')) {
        return Err(rest::unprocessable("`email` is not an address"));
    }
    let mut rows = users.rows.write().unwrap_or_else(PoisonError::into_inner);
    let row = rows.create(0, |id| {
        users.town.user_created(id);
        super::rendered(&User {
            id,
            full_name: name,
            email: create.email.as_deref(),
            joined_at: calendar::joined_at(id),
            loyalty_points: 0,
            address: None,
        })
    })?;
    Ok(rest::json(StatusCode::CREATED, row))
}

impl Users {
    fn read<R>(&self, with: impl FnOnce(&Rows) -> R) -> R {
        with(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }
}
