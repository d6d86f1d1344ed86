//! Memory limits: the values of one reply are limited, and only values that are read are kept.

use super::{Status, general, key, leaves, object, row};
use crate::engine::response::{Shape, Store, Unreadable, read_json};
use bytes::Bytes;
use std::fmt::Write as _;

fn read(body: &str, shape: &Shape, most: u64) -> Result<(), Unreadable> {
    let mut store = Store::new(most);
    read_json(&mut store, &Bytes::copy_from_slice(body.as_bytes()), shape, &Status).map(|_| ())
}

/// Returns a thousand rows, each with a hundred numbers that are not selected.
fn rows() -> String {
    let unread = "1,".repeat(99) + "1";
    let mut rows = String::new();
    for id in 0..1000 {
        let comma = if id == 0 { "" } else { "," };
        let _ = write!(rows, r#"{comma}{{"id":{id},"unread":[{unread}]}}"#);
    }
    format!(r#"{{"rows":[{rows}]}}"#)
}

#[test]
fn values_that_are_read_are_bounded_whatever_reads_them() {
    let plain = key("rows", leaves(&["id"]));
    let selected = general("$.rows->slice(0) { id }", leaves(&["id"]));
    let mapped = general("ids: $.rows->map(@.id)", leaves(&["ids"]));
    let joined = general("ids: rows.id->joinNotNull(',')", leaves(&["ids"]));
    let first = general("$.rows->first { id }", leaves(&["id"]));
    let by_row = key("rows", general("id: $.id->match([0, 1], [@, 2])", leaves(&["id"])));
    for (name, shape) in [
        ("plain", plain),
        ("selected", selected),
        ("mapped", mapped),
        ("joined", joined),
        ("first", first),
        ("by row", by_row),
    ] {
        assert_eq!(read(&rows(), &shape, 10_000), Ok(()), "{name}: the rest is not counted");
        assert_eq!(read(&rows(), &shape, 900), Err(Unreadable::TooManyValues(900)), "{name}");
    }
}

#[test]
fn a_list_of_scalars_is_counted_and_an_object_that_is_passed_on_is_one_value() {
    let list = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(999));
    assert_eq!(read(&list, &leaves(&["a"]), 2_000), Ok(()));
    assert_eq!(read(&list, &leaves(&["a"]), 900), Err(Unreadable::TooManyValues(900)));
    assert_eq!(read(&format!(r#"{{"a":{list}}}"#), &leaves(&["a"]), 10), Ok(()));
}

#[test]
fn each_reply_is_counted_on_its_own() {
    let mut store = Store::new(1_100);
    let list = Bytes::from(format!("[{}1]", "1,".repeat(999)));
    for _ in 0..10 {
        read_json(&mut store, &list, &Shape::Leaf, &Status).unwrap();
    }
}

#[test]
fn groups_and_slots_of_other_fetches_count_as_the_memory_they_take() {
    let wide = row(object(50, &[("id", &[(0, 0, Shape::Leaf)])]));
    let body = format!("[{}{{}}]", "{},".repeat(99));
    assert_eq!(read(&body, &wide, 5_100), Ok(()));
    assert_eq!(read(&body, &wide, 5_000), Err(Unreadable::TooManyValues(5_000)));
}
