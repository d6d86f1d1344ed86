//! Null bubbling, paths, conditions, types and the limit on errors, with stores built by hand.

use crate::engine::response::{
    Entries, Entry, Hole, Leaf, NodeId, Output, OutputKind, RowId, Size, Store, TypeView, Value,
    View, Writing,
};
use crate::engine::{Limit, Mode};
use crate::graphql::{Error, ErrorCode};
use crate::source::{ErrorKind, Trace};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use std::sync::Arc;

const SIZE: Size = Size { expected: 0, most: 1 << 20, lacks_room: false };

fn entry(key: &str, slot: u32, output: Output) -> Entry {
    let prefix = format!("\"{key}\":").into_bytes().into();
    Entry {
        key: key.into(),
        prefix,
        node: NodeId(0),
        slot,
        coordinate: format!("T.{key}").as_str().into(),
        condition: 0,
        guard: 0,
        checks: Arc::default(),
        source: None,
        given: 0,
        sound: None,
        at: None,
        output,
    }
}

/// A whole response.
struct Whole {
    body: Bytes,
    errors: Vec<Error>,
}

fn write(
    store: &Store,
    root: RowId,
    view: &View,
    conditions: &[bool],
    introspection: &[String],
    size: Size,
) -> Whole {
    let list_size = Limit::new(10, Mode::Off);
    let (trace, missing) = (&Trace::default(), None);
    let writing =
        Writing { conditions, introspection, given: &[0], size, list_size, trace, missing };
    let written = crate::engine::response::write(store, root, view, writing);
    let errors = written.errors.clone();
    Whole { body: written.finish(None::<&Json>), errors }
}

fn one(entries: Vec<Entry>) -> View {
    View::One(all(entries))
}

fn all(list: Vec<Entry>) -> Entries {
    Entries { list, sound: None }
}

fn nullable(kind: OutputKind) -> Output {
    Output { non_null: false, weight: 0, assumed: false, kind }
}

fn required(kind: OutputKind) -> Output {
    Output { non_null: true, weight: 0, assumed: false, kind }
}

fn int() -> OutputKind {
    OutputKind::Leaf(Leaf::Int)
}

fn list(of: Output) -> OutputKind {
    OutputKind::List(Box::new(of))
}

fn object(view: View) -> OutputKind {
    OutputKind::Object(Arc::new(view))
}

fn store(values: &[Value]) -> (Store, RowId) {
    let mut store = Store::new(1_000_000);
    let root = store.row(values.len() as u32);
    for (slot, value) in (0..).zip(values) {
        store.set(root, slot, *value);
    }
    (store, root)
}

fn response(store: &Store, root: RowId, view: &View) -> Json {
    let written = write(store, root, view, &[true], &[], SIZE);
    let body: Json = serde_json::from_slice(&written.body).expect("the response is JSON");
    let listed = body["errors"].as_array().map_or(0, Vec::len);
    assert_eq!(listed, written.errors.len());
    body
}

/// Returns `path: code` of each error.
fn errors(body: &Json) -> Vec<String> {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let line = |error: &Json| {
        format!("{} {}", error["path"], error["extensions"]["code"].as_str().unwrap())
    };
    errors.iter().map(line).collect()
}

#[test]
fn fields_come_in_the_order_of_the_view_with_their_own_keys() {
    let (store, root) = store(&[Value::Int(1), Value::Int(2)]);
    let view = one(vec![
        entry("b", 1, nullable(int())),
        entry("a", 0, required(int())),
        entry("again", 1, nullable(int())),
        entry("t", 0, required(OutputKind::Typename("\"Query\"".into()))),
    ]);
    let written = write(&store, root, &view, &[true], &[], SIZE);
    assert_eq!(written.body, r#"{"data":{"b":2,"a":1,"again":2,"t":"Query"}}"#);
    assert_eq!(write(&store, root, &one(vec![]), &[true], &[], SIZE).body, r#"{"data":{}}"#);
}

#[test]
fn null_is_null_where_it_may_be() {
    let (store, root) = store(&[Value::Null]);
    let body = response(&store, root, &one(vec![entry("a", 0, nullable(int()))]));
    assert_eq!(body, json!({ "data": { "a": null } }));
}

#[test]
fn null_bubbles_to_the_nearest_nullable_field() {
    let (mut store, root) = store(&[Value::Null, Value::Int(5)]);
    let (middle, inner) = (store.row(1), store.row(2));
    store.set(root, 0, Value::Object(middle));
    store.set(middle, 0, Value::Object(inner));
    store.set(inner, 0, Value::Int(1));
    let inner = one(vec![entry("x", 0, nullable(int())), entry("y", 1, required(int()))]);
    let middle = one(vec![entry("inner", 0, required(object(inner)))]);
    let view =
        one(vec![entry("middle", 0, nullable(object(middle))), entry("z", 1, nullable(int()))]);
    let body = response(&store, root, &view);
    assert_eq!(body["data"], json!({ "middle": null, "z": 5 }));
    assert_eq!(errors(&body), [r#"["middle","inner","y"] NULL_IN_NON_NULL"#]);
}

#[test]
fn null_at_the_root_leaves_no_data() {
    let (store, root) = store(&[Value::Null]);
    let body = response(&store, root, &one(vec![entry("a", 0, required(int()))]));
    assert_eq!(body["data"], Json::Null);
    assert!(body.as_object().unwrap().contains_key("data"));
    assert_eq!(errors(&body), [r#"["a"] NULL_IN_NON_NULL"#]);
}

#[test]
fn null_bubbles_through_lists() {
    let (mut store, root) = store(&[Value::Null]);
    let elements = store.list([Value::Int(1), Value::Null, Value::Float(0.5)]);
    store.set(root, 0, elements);
    let with = |store: &Store, of: Output| {
        response(store, root, &one(vec![entry("a", 0, nullable(list(of)))]))
    };
    let body = with(&store, nullable(int()));
    assert_eq!(body["data"], json!({ "a": [1, null, null] }));
    assert_eq!(errors(&body), [r#"["a",2] INVALID_VALUE"#]);
    let body = with(&store, required(int()));
    assert_eq!(body["data"], json!({ "a": null }));
    assert_eq!(errors(&body), [r#"["a",1] NULL_IN_NON_NULL"#]);
}

#[test]
fn lists_of_lists_are_written_from_the_store_and_from_json_text() {
    let (mut store, root) = store(&[Value::Null, Value::Null]);
    let inner = store.list([Value::Int(1), Value::Int(2)]);
    let text = Value::Json(store.scratch("[3, null]"));
    let outer = store.list([inner, text, Value::Null]);
    store.set(root, 0, outer);
    let text = Value::Json(store.scratch(" [ [1 , \n2],[] , null,[\"x\"], 7 ] ".trim()));
    store.set(root, 1, text);
    let of = || list(nullable(list(nullable(int()))));
    let view = one(vec![entry("a", 0, nullable(of())), entry("b", 1, nullable(of()))]);
    let body = response(&store, root, &view);
    assert_eq!(body["data"]["a"], json!([[1, 2], [3, null], null]));
    assert_eq!(body["data"]["b"], json!([[1, 2], [], null, [null], null]));
    assert_eq!(errors(&body), [r#"["b",3,0] INVALID_VALUE"#, r#"["b",4] INVALID_VALUE"#]);
}

#[test]
fn what_is_no_list_or_no_object_is_told() {
    let (mut store, root) = store(&[Value::Null; 4]);
    let text = Value::Json(store.scratch("{\"a\":1}"));
    let empty = store.list([]);
    for (slot, value) in [(0, text), (1, Value::Int(1)), (2, Value::Misfit), (3, empty)] {
        store.set(root, slot, value);
    }
    let view = one(vec![
        entry("a", 0, nullable(list(nullable(int())))),
        entry("b", 1, nullable(list(nullable(int())))),
        entry("c", 2, nullable(object(one(vec![])))),
        entry("d", 3, nullable(object(one(vec![])))),
        entry("e", 3, nullable(int())),
    ]);
    let body = response(&store, root, &view);
    assert_eq!(body["data"], json!({ "a": null, "b": null, "c": null, "d": null, "e": null }));
    let messages: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "the value is not a list",
            "the value is not a list",
            "the value is not an object",
            "the value is not an object",
            "the value is not an integer of at most 32 bits",
        ]
    );
}

#[test]
fn of_one_kind_of_error_ten_are_listed_and_the_rest_counted() {
    let (mut store, root) = store(&[Value::Null, Value::Null]);
    let many = vec![Value::Bool(true); 25];
    let (bad, ten) = (store.list(many.clone()), store.list(many[..10].to_vec()));
    store.set(root, 0, bad);
    store.set(root, 1, ten);
    let of = || nullable(list(nullable(int())));
    let body = response(&store, root, &one(vec![entry("a", 0, of()), entry("b", 1, of())]));
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 20);
    assert_eq!(errors[9]["path"], json!(["a", 9]));
    assert_eq!(errors[9]["extensions"]["omitted"], 15);
    let with_count = errors.iter().filter(|error| !error["extensions"]["omitted"].is_null());
    assert_eq!(with_count.count(), 1);
    assert_eq!(body["data"]["a"].as_array().unwrap().len(), 25);
}

#[test]
fn a_failed_call_is_told_at_each_place_it_should_have_filled() {
    let (mut store, root) = store(&[Value::Null; 3]);
    let hole = |id: &str| Hole {
        code: ErrorCode::UpstreamStatus,
        kind: ErrorKind::Failed,
        message: "`users` answered with status 503".into(),
        source: Some("users".into()),
        status: Some(503),
        outcome: None,
        error_id: id.into(),
        detail: None,
        mapped: None,
    };
    let (first, second) = (store.hole(hole("1")), store.hole(hole("2")));
    let many = store.list(vec![first; 12]);
    for (slot, value) in [(0, first), (1, second), (2, many)] {
        store.set(root, slot, value);
    }
    let view = one(vec![
        entry("a", 0, nullable(int())),
        entry("b", 1, nullable(object(one(vec![])))),
        entry("c", 2, nullable(list(nullable(int())))),
    ]);
    let body = response(&store, root, &view);
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(
        errors[0],
        json!({
            "message": "`users` answered with status 503",
            "path": ["a"],
            "extensions": { "code": "UPSTREAM_STATUS", "source": "users", "status": 503, "errorId": "1" },
        })
    );
    assert_eq!(errors[1]["extensions"]["errorId"], "2");
    assert_eq!(errors.len(), 11, "ten of the first call, one of the second");
    assert_eq!(errors[10]["extensions"]["omitted"], 3);
}

#[test]
fn of_the_failed_calls_of_one_field_ten_are_listed() {
    let (mut store, root) = store(&[Value::Null]);
    let hole = |number: usize| Hole {
        code: if number == 20 { ErrorCode::UpstreamTimeout } else { ErrorCode::UpstreamStatus },
        kind: ErrorKind::Failed,
        message: "no".into(),
        source: Some("users".into()),
        status: None,
        outcome: None,
        error_id: number.to_string(),
        detail: None,
        mapped: None,
    };
    let calls: Vec<_> = (0..25).map(|number| store.hole(hole(number))).collect();
    let list_of_calls = store.list(calls);
    store.set(root, 0, list_of_calls);
    let body = response(&store, root, &one(vec![entry("a", 0, nullable(list(nullable(int()))))]));
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 11, "ten of one code, one of another");
    assert_eq!(errors[9]["extensions"]["omitted"], 14);
    assert_eq!(errors[10]["extensions"]["errorId"], "20");
}

#[test]
fn errors_found_in_what_is_given_up_are_told_all_the_same() {
    let (mut store, root) = store(&[Value::Null]);
    let inner = store.row(2);
    store.set(root, 0, Value::Object(inner));
    store.set(inner, 0, Value::Bool(true));
    let inner = one(vec![entry("x", 0, nullable(int())), entry("y", 1, required(int()))]);
    let body = response(&store, root, &one(vec![entry("a", 0, nullable(object(inner)))]));
    assert_eq!(body["data"], json!({ "a": null }));
    assert_eq!(errors(&body), [r#"["a","x"] INVALID_VALUE"#, r#"["a","y"] NULL_IN_NON_NULL"#]);
}

#[test]
fn a_field_whose_condition_does_not_hold_is_not_there() {
    let (store, root) = store(&[Value::Int(1), Value::Null]);
    let conditional =
        |key: &str, slot, condition, output| Entry { condition, ..entry(key, slot, output) };
    let view = one(vec![
        conditional("a", 0, 2, nullable(int())),
        conditional("b", 1, 2, required(int())),
        conditional("c", 0, 1, nullable(int())),
    ]);
    assert_eq!(
        write(&store, root, &view, &[true, true, false], &[], SIZE).body,
        r#"{"data":{"c":1}}"#
    );
    assert_eq!(write(&store, root, &view, &[true, false, false], &[], SIZE).body, r#"{"data":{}}"#);
}

#[test]
fn each_object_of_an_abstract_type_is_written_as_what_it_is() {
    let (mut store, root) = store(&[Value::Null]);
    let cat = Value::Json(store.scratch("\"Cat\""));
    let dog = Value::Text(store.scratch("Dog"));
    let fish = Value::Json(store.scratch("\"Fish\""));
    let rows: Vec<Value> = [cat, dog, fish, Value::Null]
        .into_iter()
        .map(|name| {
            let row = store.row(2);
            store.set(row, 0, name);
            store.set(row, 1, Value::Int(3));
            Value::Object(row)
        })
        .collect();
    let pets = store.list(rows);
    store.set(root, 0, pets);
    let names = Arc::new(["Cat".into(), "Dog".into()].into_iter().collect());
    let typename = || entry("kind", 0, required(OutputKind::DynamicTypename(Arc::clone(&names))));
    let types = vec![
        TypeView {
            guard: 0,
            weight: 1,
            exists: None,
            name: "Cat".into(),
            entries: Arc::new(all(vec![typename(), entry("lives", 1, nullable(int()))])),
        },
        TypeView {
            guard: 0,
            weight: 1,
            exists: None,
            name: "Dog".into(),
            entries: Arc::new(all(vec![entry("bones", 1, nullable(int()))])),
        },
    ];
    let pet = object(View::ByType { typename: 0, types });
    let body = response(&store, root, &one(vec![entry("pets", 0, nullable(list(nullable(pet))))]));
    let expected = json!([{ "kind": "Cat", "lives": 3 }, { "bones": 3 }, null, null]);
    assert_eq!(body["data"]["pets"], expected);
    assert_eq!(errors(&body), [r#"["pets",2] INVALID_VALUE"#, r#"["pets",3] INVALID_VALUE"#]);
}

#[test]
fn introspection_is_put_in_as_it_is() {
    let (store, root) = store(&[]);
    let view = one(vec![entry("__schema", 0, required(OutputKind::Introspection(1)))]);
    let answers = ["null".to_owned(), "{\"types\":[]}".to_owned()];
    let written = write(&store, root, &view, &[true], &answers, SIZE);
    assert_eq!(written.body, r#"{"data":{"__schema":{"types":[]}}}"#);
}

#[test]
fn what_is_shared_is_not_written_without_end() {
    // Six levels of lists of fifty, each the same list: three hundred values, but 50^6 of them in the output.
    let mut store = Store::new(1_000_000);
    let mut value = Value::Int(7);
    let mut output = nullable(int());
    for _ in 0..6 {
        value = store.list([value; 50]);
        output = nullable(list(output));
    }
    let root = store.row(1);
    store.set(root, 0, value);
    let view = one(vec![entry("all", 0, output)]);
    let written = write(&store, root, &view, &[true], &[], SIZE);
    assert!(written.body.ends_with(br#""data":null}"#));
    assert_eq!(written.errors.len(), 1);
    assert_eq!(written.errors[0].code, ErrorCode::LimitExceeded);
}

#[test]
fn what_becomes_null_costs_no_more_than_what_is_written() {
    // Each list of fifty ends with a hole that makes it null, after all the others were visited.
    let mut store = Store::new(1_000_000);
    let mut value = Value::Int(7);
    let mut output = nullable(int());
    for _ in 0..6 {
        let mut elements = [value; 50];
        elements[49] = Value::Null;
        let inner = store.list(elements);
        let row = store.row(2);
        store.set(row, 0, inner);
        value = Value::Object(row);
        let fields =
            vec![entry("list", 0, nullable(list(output))), entry("due", 1, required(int()))];
        output = nullable(object(one(fields)));
    }
    let root = store.row(1);
    store.set(root, 0, value);
    let written = write(&store, root, &one(vec![entry("all", 0, output)]), &[true], &[], SIZE);
    assert_eq!(written.errors[0].code, ErrorCode::LimitExceeded);
}
