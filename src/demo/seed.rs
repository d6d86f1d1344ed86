//! Initial content of the storefront: computed from numbers, the same on every machine.
//!
//! Each entity is a function of its ID, so that services agree without communication. Created entities continue where
//! these end, times included: a day with the storefront can be repeated exactly.

use super::calendar;
use serde::Serialize;

pub(super) const USERS: u32 = 1_000;
pub(super) const PRODUCTS: u32 = 500;
pub(super) const ORDERS: u32 = 20_000;
pub(super) const NOTIFICATIONS: u32 = 10_000;
pub(super) const CURRENCY: &str = "EUR";

/// Users whose id is a multiple of this have never ordered.
const NO_ORDERS: u32 = 10;
const BUYERS: u32 = USERS - USERS / NO_ORDERS;
/// Users whose id is a multiple of this were never notified.
const NO_NOTIFICATIONS: u32 = 7;
const READERS: u32 = USERS - USERS / NO_NOTIFICATIONS;

#[derive(Serialize)]
pub(super) struct User<'a> {
    pub id: u32,
    pub full_name: &'a str,
    pub email: Option<&'a str>,
    pub joined_at: String,
    pub loyalty_points: u32,
    pub address: Option<Address>,
}

#[derive(Serialize)]
pub(super) struct Address {
    pub city: &'static str,
    pub country_code: &'static str,
}

pub(super) struct Product {
    pub name: String,
    pub description: Option<String>,
    pub price_cents: i64,
    pub weight_grams: i32,
    pub tags: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Order {
    pub id: u32,
    pub user_id: u32,
    pub status: &'static str,
    pub total_cents: i64,
    pub currency: &'static str,
    pub created_at: String,
    pub items: Vec<Item>,
}

#[derive(Serialize)]
pub(super) struct Item {
    pub sku: String,
    pub qty: u32,
    pub unit_price: Price,
}

#[derive(Serialize)]
pub(super) struct Price {
    pub cents: i64,
    pub currency: &'static str,
}

#[derive(Serialize)]
pub(super) struct Notification<'a> {
    pub id: u32,
    pub user_id: u32,
    pub kind: &'a str,
    pub body: &'a str,
    pub read: bool,
    pub created_at: String,
    pub subject: Option<Subject>,
}

#[derive(Serialize)]
pub(super) struct Subject {
    pub order_id: u32,
}

const FIRST: [&str; 16] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiro", "Inês", "Jamal", "Kofi",
    "Lena", "Mateo", "Noor", "Oona", "Priya",
];
const LAST: [&str; 13] = [
    "Abara",
    "Berg",
    "Costa",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jóhannsdóttir",
    "Kowalski",
    "López",
    "O'Neill",
];
const CITIES: [(&str, &str); 7] = [
    ("Berlin", "DE"),
    ("Lyon", "FR"),
    ("Leeds", "GB"),
    ("Osaka", "JP"),
    ("São Paulo", "BR"),
    ("Zürich", "CH"),
    ("Portland", "US"),
];
const MADE_OF: [&str; 12] = [
    "Oak", "Steel", "Linen", "Cork", "Walnut", "Copper", "Wool", "Marble", "Bamboo", "Enamel",
    "Leather", "Glass",
];
const THING: [&str; 17] = [
    "Kettle",
    "Lamp",
    "Desk",
    "Teapot",
    "Shelf",
    "Blanket",
    "Clock",
    "Chair",
    "Bowl",
    "Café Table",
    "Notebook",
    "Mirror",
    "Planter",
    "Stool",
    "Tray",
    "Vase",
    "Bookend",
];
const TAGS: [&str; 9] =
    ["kitchen", "office", "gift", "new", "outdoor", "handmade", "small", "sale", "classic"];

impl User<'_> {
    pub(super) fn seeded<R>(id: u32, with: impl FnOnce(&User<'_>) -> R) -> R {
        let first = pick(&FIRST, scatter(1, id));
        let last = pick(&LAST, scatter(2, id));
        let (city, country_code) = pick(&CITIES, scatter(3, id));
        let email = format!("user{id}@example.com");
        with(&User {
            id,
            full_name: &format!("{first} {last}"),
            email: (!id.is_multiple_of(11)).then_some(&email),
            joined_at: calendar::joined_at(id),
            loyalty_points: (scatter(4, id) % 5_000) as u32,
            address: (!id.is_multiple_of(13)).then_some(Address { city, country_code }),
        })
    }
}

impl Product {
    pub(super) fn seeded(number: u32) -> Self {
        let material = pick(&MADE_OF, scatter(5, number));
        let thing = pick(&THING, scatter(6, number));
        let tags = 1 + scatter(9, number) % 3;
        Self {
            name: format!("{material} {thing}"),
            description: (!number.is_multiple_of(5))
                .then(|| format!("Made of {}, made to last.", material.to_lowercase())),
            price_cents: seeded_price(number),
            weight_grams: 100 * (1 + (scatter(8, number) % 40) as i32),
            tags: (0..tags)
                .map(|nth| pick(&TAGS, u64::from(number) * 5 + nth * 2).to_owned())
                .collect(),
        }
    }
}

impl Order {
    pub(super) fn seeded(id: u32) -> Self {
        let lines = 1 + scatter(10, id) % 5;
        let start = scatter(11, id) % u64::from(PRODUCTS);
        let items: Vec<Item> = (0..lines)
            .map(|nth| {
                // 61 has no factor in common with 500: no product is in an order twice.
                let number = 1 + ((start + nth * 61) % u64::from(PRODUCTS)) as u32;
                let qty = 1 + (scatter(12, id * 5 + nth as u32) % 3) as u32;
                Item::new(number, qty, seeded_price(number))
            })
            .collect();
        let status = match ORDERS - id {
            0..1_000 => "PLACED",
            1_000..3_000 => "SHIPPED",
            _ if id.is_multiple_of(17) => "CANCELLED",
            _ => "DELIVERED",
        };
        Self::of(id, buyer(id), status, items)
    }

    pub(super) fn of(id: u32, user_id: u32, status: &'static str, items: Vec<Item>) -> Self {
        let total_cents =
            items.iter().map(|item| i64::from(item.qty) * item.unit_price.cents).sum();
        let created_at = calendar::ordered_at(id);
        Self { id, user_id, status, total_cents, currency: CURRENCY, created_at, items }
    }
}

impl Item {
    pub(super) fn new(number: u32, qty: u32, cents: i64) -> Self {
        Self { sku: sku(number), qty, unit_price: Price { cents, currency: CURRENCY } }
    }
}

impl Notification<'_> {
    pub(super) fn seeded<R>(id: u32, with: impl FnOnce(&Notification<'_>) -> R) -> R {
        let user_id = reader(id);
        let order_id = order_of(user_id, scatter(13, id));
        let (kind, body) = match (scatter(14, id) % 4, order_id) {
            (0, Some(order)) => ("ORDER_PLACED", format!("Thank you for order {order}")),
            (1 | 2, Some(order)) => ("ORDER_SHIPPED", format!("Order {order} is on its way")),
            (3, _) => ("SECURITY", "Someone signed in as you".to_owned()),
            _ => ("PROMOTION", promotion(u64::from(id))),
        };
        with(&Notification {
            id,
            user_id,
            kind,
            body: &body,
            read: id.is_multiple_of(3),
            created_at: calendar::notified_at(id),
            subject: order_id
                .filter(|_| kind.starts_with("ORDER"))
                .map(|order_id| Subject { order_id }),
        })
    }
}

pub(super) fn promotion(nth: u64) -> String {
    format!("\"{}\" costs less now", pick(&THING, nth))
}

/// Returns the ID of a product: `P-0042` for 42.
pub(super) fn sku(number: u32) -> String {
    format!("P-{number:04}")
}

/// Returns the number of a product, if `text` is exactly the ID of one.
pub(super) fn number_of(text: &str) -> Option<u32> {
    let number = text.strip_prefix("P-")?.parse().ok()?;
    (sku(number) == text).then_some(number)
}

pub(super) fn seeded_price(number: u32) -> i64 {
    199 + i64::from((scatter(7, number) % 400) as u32) * 50
}

/// Returns the user to whom an order belongs: 900 users in turn, in steps of 7.
pub(super) fn buyer(order: u32) -> u32 {
    nth_without((order - 1) % BUYERS * 7 % BUYERS, NO_ORDERS)
}

/// Returns the user to whom a notification is sent.
pub(super) fn reader(notification: u32) -> u32 {
    nth_without((notification - 1) % READERS * 5 % READERS, NO_NOTIFICATIONS)
}

/// Returns one of a user's orders: the inverse of [`buyer`].
fn order_of(user: u32, scattered: u64) -> Option<u32> {
    if user.is_multiple_of(NO_ORDERS) {
        return None;
    }
    let turn = user - 1 - user / NO_ORDERS;
    // 7 × 643 is 1 more than a multiple of 900.
    let first = turn * 643 % BUYERS + 1;
    Some(first + BUYERS * (scattered % u64::from(ORDERS / BUYERS)) as u32)
}

/// Returns the n-th number, from 0, among 1, 2, 3 … without the multiples of `gap`.
fn nth_without(n: u32, gap: u32) -> u32 {
    n + n / (gap - 1) + 1
}

fn pick<T: Copy>(from: &[T], scattered: u64) -> T {
    from[(scattered % from.len() as u64) as usize]
}

/// Returns a number that looks random: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(super) fn scatter(stream: u64, id: u32) -> u64 {
    let mut z = (stream << 32 | u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_about_an_order_of_the_user_it_is_for() {
        for id in 1..=NOTIFICATIONS {
            Notification::seeded(id, |notification| {
                if let Some(subject) = &notification.subject {
                    assert!((1..=ORDERS).contains(&subject.order_id));
                    assert_eq!(buyer(subject.order_id), notification.user_id);
                }
            });
        }
    }

    #[test]
    fn everyone_but_every_tenth_user_has_ordered() {
        let mut orders = vec![0; USERS as usize + 1];
        (1..=ORDERS).for_each(|id| orders[buyer(id) as usize] += 1);
        let mut notifications = vec![0; USERS as usize + 1];
        (1..=NOTIFICATIONS).for_each(|id| notifications[reader(id) as usize] += 1);
        for id in 1..=USERS {
            assert_eq!(orders[id as usize] >= 20, id % 10 != 0, "{id}");
            assert_eq!(notifications[id as usize] >= 11, id % 7 != 0, "{id}");
        }
    }

    #[test]
    fn only_one_text_names_a_product() {
        assert_eq!(number_of("P-0042"), Some(42));
        assert_eq!(number_of("P-12345"), Some(12345));
        for wrong in ["", "42", "P-42", "P-+042", "p-0042", "P-0042 ", "P-99999999999"] {
            assert_eq!(number_of(wrong), None, "{wrong}");
        }
    }
}
