//! Results of selections, keys, `??` and every method, for every kind of value.

use super::*;
use serde_json::json;

fn reply() -> Value {
    json!({
        "id": 7, "name": "Ada", "nick": null, "tags": ["a", null, "b"], "empty": [], "odd key": { "x": 1 },
        "kind": "b", "price": { "cents": 250, "currency": "EUR" }, "on": true, "ratio": 1.0,
        "rows": [{ "id": 1, "of": { "n": "x" } }, null, { "id": 2, "of": null }],
        "nested": [[{ "id": 1 }], [{ "id": 2 }, { "id": 3 }]],
    })
}

#[test]
fn selections_pick_rename_group_and_unwrap() {
    let table = [
        ("id name", json!({ "id": 7, "name": "Ada" })),
        ("missing nick", json!({ "missing": null, "nick": null })),
        ("name id", json!({ "name": "Ada", "id": 7 })),
        ("total: price.cents", json!({ "total": 250 })),
        ("money: { amount: price.cents on }", json!({ "money": { "amount": 250, "on": true } })),
        ("rows { id }", json!({ "rows": [{ "id": 1 }, null, { "id": 2 }] })),
        ("$.rows { id n: of.n }", json!([{ "id": 1, "n": "x" }, null, { "id": 2, "n": null }])),
        ("$.rows.of { n }", json!([{ "n": "x" }, null, null])),
        ("x: \"odd key\".x", json!({ "x": 1 })),
        ("\"odd key\" { x }", json!({ "odd key": { "x": 1 } })),
        (
            "k: $(\"order\") n: $(1) xs: $([1, \"a\", $.id]) o: $({ a: $.id })",
            json!({ "k": "order", "n": 1, "xs": [1, "a", 7], "o": { "a": 7 } }),
        ),
        ("id $.price { cents }", json!({ "id": 7, "cents": 250 })),
        ("id $.nick { cents }", json!({ "id": 7 })),
        ("id $.rows { n: of.n }", json!({ "id": 7, "n": ["x", null, null] })),
        ("all: price all2: $.price", json!({ "all": reply()["price"], "all2": reply()["price"] })),
        ("$.price", json!({ "cents": 250, "currency": "EUR" })),
        ("@.id", json!(7)),
        ("$", reply()),
        ("nick { id }", json!({ "nick": null })),
        ("name { id }", json!({ "name": "Ada" })),
    ];
    for (text, expected) in table {
        let found = select(text, &reply());
        assert_eq!(found.as_ref(), Ok(&expected), "{text}");
        // Key order is part of the result.
        assert_eq!(found.map(|value| value.to_string()), Ok(expected.to_string()), "{text}");
    }
}

#[test]
fn keys_map_over_lists_and_are_null_on_what_has_none() {
    let table = [
        ("$.rows.id", json!([1, null, 2])),
        ("$.rows.of.n", json!(["x", null, null])),
        ("$.nested.id", json!([[1], [2, 3]])),
        ("$.nested { id }", json!([[{ "id": 1 }], [{ "id": 2 }, { "id": 3 }]])),
        ("$.name.x", Value::Null),
        ("$.nick.x.y", Value::Null),
        ("$.nick?.x", Value::Null),
        ("$.price?.cents", json!(250)),
        ("$.empty.x", json!([])),
        ("$({ a: { b: 1 } }).a.b", json!(1)),
        ("$([{ a: 1 }, { a: 2 }]).a", json!([1, 2])),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &reply()), Ok(expected), "{text}");
    }
}

#[test]
fn a_fallback_stands_in_for_null_and_missing() {
    let table = [
        ("$.nick ?? $.name", json!("Ada")),
        ("$.missing ?? $.nick ?? $(0)", json!(0)),
        ("$.name ?? $.id", json!("Ada")),
        ("nick ?? missing", Value::Null),
        ("a: nick ?? 'none'", json!({ "a": "none" })),
        ("$.on ?? 1", json!(true)),
        ("$(false ?? 1)", json!(false)),
        ("a: nick { id } ?? price { cents }", json!({ "a": { "cents": 250 } })),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &reply()), Ok(expected), "{text}");
    }
}

#[test]
fn each_method_does_its_work() {
    let table = [
        ("$.tags->joinNotNull(',')", json!("a,b")),
        ("$([1, 2.5, true, 'x', null])->joinNotNull('; ')", json!("1; 2.5; true; x")),
        ("$.rows.id->joinNotNull(',')", json!("1,2")),
        ("$.empty->joinNotNull(',')", json!("")),
        ("$.id->joinNotNull(',')", json!("7")),
        ("$.name->joinNotNull(',')", json!("Ada")),
        ("$.tags->joinNotNull(@->first)", json!("aab")),
        ("$.tags->joinNotNull($.nick)", json!("ab")),
        ("$.tags->first", json!("a")),
        ("$.rows->last.id", json!(2)),
        ("$.rows.id->last", json!(2)),
        ("$.name->first", json!("A")),
        ("$('né')->last()", json!("é")),
        ("$.empty->first", Value::Null),
        ("$('')->last", Value::Null),
        ("$.tags->slice(1)", json!([null, "b"])),
        ("$.tags->slice(0, 1)", json!(["a"])),
        ("$.tags->slice(2, 1)", json!([])),
        ("$.tags->slice(-5, 100)", json!(["a", null, "b"])),
        ("$.tags->slice($.nick, $.nick)", json!(["a", null, "b"])),
        ("$('aéb')->slice(1, 2)", json!("é")),
        ("$.rows.id->slice(2)", json!([2])),
        ("$.tags->size", json!(3)),
        ("$.rows.id->size", json!(3)),
        ("$('né')->size", json!(2)),
        ("$.price->size", json!(2)),
        ("$.rows->map(@.id)", json!([1, null, 2])),
        (
            "$.tags->map({ t: @, of: $.id })",
            json!([{ "t": "a", "of": 7 }, { "t": null, "of": 7 }, { "t": "b", "of": 7 }]),
        ),
        ("$.rows->map(@ { x: id })", json!([{ "x": 1 }, null, { "x": 2 }])),
        ("$.rows.id->map([@])", json!([[1], [null], [2]])),
        ("$.nested->map(@->map(@.id))", json!([[1], [2, 3]])),
        ("$.rows->map(@.of { n, row: @.id })", json!([{ "n": "x", "row": 1 }, null, null])),
        ("$.kind->match(['a', 'A'], ['b', 'B'], [@, 'other'])", json!("B")),
        ("$.name->match(['a', 'A'], [@, @])", json!("Ada")),
        ("$.name->match(['a', 'A'])", Value::Null),
        ("$.ratio->match([1, 'one'])", json!("one")),
        ("$.nick->match([null, 'none'])", json!("none")),
        ("$.missing->match([@, 'any'])", json!("any")),
        ("$.tags->match([['a', null, 'b'], 1])", json!(1)),
        ("$.price->match([{ currency: 'EUR', cents: 250.0 }, 1])", json!(1)),
        ("$.on->match([true, $.id])", json!(7)),
        ("$.nick?->match([null, 'none'])", Value::Null),
        ("$.tags?->size", json!(3)),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &reply()), Ok(expected), "{text}");
    }
}

#[test]
fn null_stays_null_through_every_method_but_match() {
    for call in ["joinNotNull(',')", "first", "last", "map(@)", "slice(1)", "size"] {
        assert_eq!(select(&format!("$.nick->{call}"), &reply()), Ok(Value::Null), "{call}");
        assert_eq!(select(&format!("$.nick?->{call}"), &reply()), Ok(Value::Null), "{call}");
    }
}

#[test]
fn a_method_refuses_what_it_is_not_for() {
    let wrong = |method, found| Failure::WrongReceiver { method, found };
    let table = [
        ("$.price->joinNotNull(',')", wrong("joinNotNull", "an object")),
        ("$.id->first", wrong("first", "a number")),
        ("$.price->last", wrong("last", "an object")),
        ("$.on->size", wrong("size", "a boolean")),
        ("$.id->slice(1)", wrong("slice", "a number")),
        ("$.name->map(@)", wrong("map", "a string")),
        ("$.price->map(@)", wrong("map", "an object")),
        ("$.rows->joinNotNull(',')", Failure::NotScalar),
        ("$.nested.id->joinNotNull(',')", Failure::NotScalar),
        ("$.tags->slice($.name)", Failure::WrongArgument { method: "slice", found: "a string" }),
        ("$.tags->slice($.ratio)", Failure::WrongArgument { method: "slice", found: "a number" }),
        (
            "$.tags->joinNotNull($.id)",
            Failure::WrongArgument { method: "joinNotNull", found: "a number" },
        ),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &reply()), Err(expected), "{text}");
    }
    let failure = wrong("first", "a number");
    assert_eq!(failure.to_string(), "`first` cannot be applied to a number");
}

#[test]
fn large_integers_are_told_apart() {
    let current = json!({ "n": 9_007_199_254_740_993_i64, "u": u64::MAX });
    let text = "$.n->match([9007199254740992, 'near'], [9007199254740993, 'same'])";
    assert_eq!(select(text, &current), Ok(json!("same")));
    assert_eq!(select("$.u->match([-1, 'wrapped'])", &current), Ok(Value::Null));
}

#[test]
fn variables_come_from_the_caller() {
    let variables = json!({
        "args": { "input": { "lines": [{ "productId": "p1", "quantity": 2 }] } },
        "claims": { "sub": "u1" }, "batch": [{ "id": 1 }, { "id": 2 }], "this": { "id": 5 },
        "request.headers": { "x-tenant": "t" }, "request.ip": "127.0.0.1", "status": 200,
        "env": { "REGION": "eu" }, "config": { "page": 10 }, "response.headers": { "etag": "e" },
    });
    let table = [
        (
            "$args.input { userId: $claims.sub lines { sku: productId qty: quantity } }",
            json!({ "userId": "u1", "lines": [{ "sku": "p1", "qty": 2 }] }),
        ),
        ("ids: $batch.id", json!({ "ids": [1, 2] })),
        ("a: $request.headers.X-Tenant b: $request.ip", json!({ "a": "t", "b": "127.0.0.1" })),
        ("a: $status b: $response.headers.ETag", json!({ "a": 200, "b": "e" })),
        ("a: $env.REGION b: $config.page c: $this.id", json!({ "a": "eu", "b": 10, "c": 5 })),
        ("$args.nothing { a: $this.id }", Value::Null),
    ];
    for (text, expected) in table {
        assert_eq!(select_with(text, &Value::Null, &variables), Ok(expected), "{text}");
    }
}

#[test]
fn a_request_leaves_out_what_is_absent_and_says_null_where_it_is_null() {
    let variables = json!({ "args": {
        "in": { "name": "Ada", "nick": null, "tags": [{ "t": 1 }, {}], "deep": {} }, "none": null } });
    let table = [
        ("a: $args.in.name b: $args.in.nick c: $args.in.age", json!({ "a": "Ada", "b": null })),
        (
            "$args.in { name nick age deep { x } }",
            json!({ "name": "Ada", "nick": null, "deep": {} }),
        ),
        (
            "a: $args.none.x b: $args.none { x } c: $args.gone { x }",
            json!({ "a": null, "b": null }),
        ),
        ("a: $args.in.tags.t b: $([$args.gone, 1])", json!({ "a": [1, null], "b": [null, 1] })),
        ("a: $args.gone->first b: $args.in.nick->first", json!({ "b": null })),
        ("a: $args.gone?->first b: $args.gone->match(['x', 1])", json!({})),
        (
            "a: $args.gone->match([null, 1]) b: $args.in.name->match(['x', 1])",
            json!({ "a": 1, "b": null }),
        ),
        ("a: $args.in.name->match(['Ada', $args.gone])", json!({})),
        (
            "a: $args.gone ?? $args.in.name b: $args.gone ?? $args.in.nick",
            json!({ "a": "Ada", "b": null }),
        ),
        ("a: $args.in.nick ?? $args.gone b: $args.gone ?? $args.lost", json!({ "a": null })),
        ("a: $args.in.tags->map({ t: @.t })", json!({ "a": [{ "t": 1 }, {}] })),
        ("x: $(1) $args.gone { y }", json!({ "x": 1 })),
        ("a: $claims.sub b: $claims { sub } c: { d: $claims.sub }", json!({ "c": {} })),
        ("$args.in.deep", json!({})),
    ];
    let variables = Given(variables);
    let scope = Scope { current: &Value::Null, variables: &variables };
    for (text, expected) in table {
        assert_eq!(mapping(text).render(&scope), Ok(Some(expected)), "{text}");
    }
    for (text, expected) in [("$args.gone { x }", None), ("$args.none { x }", Some(Value::Null))] {
        assert_eq!(mapping(text).render(&scope), Ok(expected), "{text}");
    }
    let selected = mapping("a: $args.gone").evaluate(&scope);
    assert_eq!(selected, Ok(json!({ "a": null })), "a selection has no third state");
}

#[test]
fn only_variables_that_are_named_are_asked_for() {
    struct Refusing;
    impl Variables for Refusing {
        fn value(&self, variable: Variable) -> Cow<'_, Value> {
            panic!("{} was asked for", variable.as_str())
        }
    }
    let scope = Scope { current: &reply(), variables: &Refusing };
    assert_eq!(mapping("$.id ?? $args.id").evaluate(&scope), Ok(json!(7)));
}
