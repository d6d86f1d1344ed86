//! The storefront's REST services, and the loaders that ask them for many users at once.

use super::{Notification, Order, User};
use crate::{get, usual_client};
use anyhow::Result;
use async_graphql::{ID, SimpleObject, dataloader::Loader};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, HashMap},
    env,
    fmt::Write,
    sync::Arc,
};

/// A user, and how many rows of theirs.
type RowsOf = (u32, i32);
type Failed = Arc<anyhow::Error>;

#[derive(Clone)]
pub struct Services {
    client: reqwest::Client,
    urls: Arc<Urls>,
}

struct Urls {
    users: String,
    orders: String,
    notifications: String,
}

#[derive(SimpleObject, Deserialize)]
pub struct Address {
    city: String,
    #[serde(rename = "country_code")]
    country: String,
}

/// The orders service wraps its rows.
#[derive(Deserialize)]
struct Page {
    rows: Vec<Order>,
}

pub struct OrdersOf(pub Services);
pub struct NotificationsOf(pub Services);

/// The services' ids are numbers; the graph's are `ID`.
pub fn id<'de, D: Deserializer<'de>>(from: D) -> Result<ID, D::Error> {
    u32::deserialize(from).map(ID::from)
}

impl Services {
    pub fn from_environment() -> Result<Self> {
        let urls = Urls {
            users: env::var("USERS_URL")?,
            orders: env::var("ORDERS_URL")?,
            notifications: env::var("NOTIFICATIONS_URL")?,
        };
        Ok(Self { client: usual_client()?, urls: Arc::new(urls) })
    }

    pub async fn user(&self, id: &str) -> Result<User> {
        self.read(format!("{}/users/{id}", self.urls.users)).await
    }

    async fn read<T: DeserializeOwned>(&self, url: String) -> Result<T> {
        Ok(serde_json::from_slice(&get(&self.client, &url).await?)?)
    }
}

impl Loader<RowsOf> for OrdersOf {
    type Value = Vec<Order>;
    type Error = Failed;

    async fn load(&self, keys: &[RowsOf]) -> Result<HashMap<RowsOf, Vec<Order>>, Failed> {
        let mut found = HashMap::with_capacity(keys.len());
        for (first, users) in by_length(keys) {
            let url = rows_url(&self.0.urls.orders, "orders", &users, first);
            let page: Page = self.0.read(url).await?;
            group(&mut found, page.rows, |order| (order.user_id, first));
        }
        Ok(found)
    }
}

impl Loader<RowsOf> for NotificationsOf {
    type Value = Vec<Notification>;
    type Error = Failed;

    async fn load(&self, keys: &[RowsOf]) -> Result<HashMap<RowsOf, Vec<Notification>>, Failed> {
        let mut found = HashMap::with_capacity(keys.len());
        for (first, users) in by_length(keys) {
            let url = rows_url(&self.0.urls.notifications, "notifications", &users, first);
            let rows: Vec<Notification> = self.0.read(url).await?;
            group(&mut found, rows, |notification| (notification.user_id, first));
        }
        Ok(found)
    }
}

/// One call can ask for as many rows of each user as of every other.
fn by_length(keys: &[RowsOf]) -> BTreeMap<i32, Vec<u32>> {
    let mut calls: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    for (user, first) in keys {
        calls.entry(*first).or_default().push(*user);
    }
    calls
}

fn rows_url(service: &str, path: &str, users: &[u32], first: i32) -> String {
    let mut url = format!("{service}/{path}?user_ids=");
    for (at, user) in users.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(url, "{comma}{user}");
    }
    let _ = write!(url, "&per_user={first}");
    url
}

fn group<R>(found: &mut HashMap<RowsOf, Vec<R>>, rows: Vec<R>, key: impl Fn(&R) -> RowsOf) {
    for row in rows {
        found.entry(key(&row)).or_default().push(row);
    }
}
