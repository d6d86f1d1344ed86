//! Trees and spans of each form.

use super::*;
use crate::mapping::Method;

/// Tree of each form.
#[test]
fn each_form_of_a_mapping_has_its_tree() {
    let table = [
        ("id", "{id: $.id}"),
        ("id name", "{id: $.id, name: $.name}"),
        ("id, name,", "{id: $.id, name: $.name}"),
        ("total: total_cents", "{total: $.total_cents}"),
        (
            "price: { cents: price_cents currency }",
            "{price: {cents: $.price_cents, currency: $.currency}}",
        ),
        ("items { a }", "{items: $.items {a: $.a}}"),
        (
            "lines: items { quantity: qty product: { id: sku } }",
            "{lines: $.items {quantity: $.qty, product: {id: $.sku}}}",
        ),
        ("\"odd-key\"", "{odd-key: $.odd-key}"),
        ("'odd-key' b", "{odd-key: $.odd-key, b: $.b}"),
        ("a: \"odd key\".x", "{a: $.odd key.x}"),
        ("a: b.\"odd key\"", "{a: $.b.odd key}"),
        ("\"a b\": c", "{a b: $.c}"),
        ("\"a\\u00e9\\n\\\"\": c", "{aé\n\": $.c}"),
        ("full: $.first", "{full: $.first}"),
        ("all: $", "{all: $}"),
        ("kind: $(\"order\")", "{kind: \"order\"}"),
        ("n: $(-1.5) m: $(1)", "{n: -1.5, m: 1}"),
        ("t: $(true) f: $(false) z: $(null)", "{t: true, f: false, z: null}"),
        ("xs: $([1, \"a\", $.b, []])", "{xs: [1, \"a\", $.b, []]}"),
        ("o: $({ a: 1, 'b c': $.d e: { f: 2 } })", "{o: {a: 1, b c: $.d, e: {f: 2}}}"),
        ("# all\nid # one\n name", "{id: $.id, name: $.name}"),
        ("p: a.b.c", "{p: $.a.b.c}"),
        ("p: a?.b q: a ? .b", "{p: $.a?.b, q: $.a?.b}"),
        ("p: a.x-y", "{p: $.a.x-y}"),
        ("p: a.b->first", "{p: $.a.b->first()}"),
        ("p: a.b-c->first", "{p: $.a.b-c->first()}"),
        ("p: a?->first()", "{p: $.a?->first()}"),
        ("p: a? { b }", "{p: $.a? {b: $.b}}"),
        ("p: a->slice(1, 2)->joinNotNull(',').x", "{p: $.a->slice(1, 2)->joinNotNull(\",\").x}"),
        ("p: a->map({ id: @, x: $.y })", "{p: $.a->map({id: @, x: $.y})}"),
        (
            "p: kind->match([\"b\", \"Book\"], [@, $.kind])",
            "{p: $.kind->match([\"b\", \"Book\"], [@, $.kind])}",
        ),
        ("p: a ?? b", "{p: ($.a ?? $.b)}"),
        ("p: a ?? b ?? $(1) q", "{p: (($.a ?? $.b) ?? 1), q: $.q}"),
        ("p: nick ?? \"none\" q: n ?? 0", "{p: ($.nick ?? \"none\"), q: ($.n ?? 0)}"),
        ("p: $(a.b ?? 'x')", "{p: ($.a.b ?? \"x\")}"),
        ("p: $.a { b } ?? $.c { d }", "{p: ($.a {b: $.b} ?? $.c {d: $.d})}"),
        ("id $.profile { name }", "{id: $.id, ...$.profile {name: $.name}}"),
        ("id profile.inner { name }", "{id: $.id, ...$.profile.inner {name: $.name}}"),
        ("a: { id $.p { q } }", "{a: {id: $.id, ...$.p {q: $.q}}}"),
        // One value, not an object of selections.
        ("$", "$"),
        ("@", "@"),
        ("$.a", "$.a"),
        ("$.rows { id }", "$.rows {id: $.id}"),
        ("a.b", "$.a.b"),
        ("a->first", "$.a->first()"),
        ("a ?? b", "($.a ?? $.b)"),
        ("a.b { c }", "$.a.b {c: $.c}"),
        ("$args.input { a b: c }", "$args.input {a: $.a, b: $.c}"),
        ("$(1)", "1"),
        ("$(\"x\")", "\"x\""),
        // Keywords are names in the position of a name.
        ("true null: x", "{true: $.true, null: $.x}"),
    ];
    for (text, tree) in table {
        assert_eq!(show(mapping(text).expr()), tree, "{text}");
    }
}

#[test]
fn each_variable_has_its_name() {
    let table = [
        ("x: $args.id", "{x: $args.id}"),
        ("x: $this.org.id", "{x: $this.org.id}"),
        ("x: $batch.id", "{x: $batch.id}"),
        ("x: $claims.sub", "{x: $claims.sub}"),
        ("x: $request.headers.X-Tenant", "{x: $request.headers.x-tenant}"),
        ("x: $request.headers.\"X-Tenant\"", "{x: $request.headers.x-tenant}"),
        ("x: $request.headers.x-tenant->first", "{x: $request.headers.x-tenant->first()}"),
        ("x: $request.ip", "{x: $request.ip}"),
        ("x: $response.headers.etag", "{x: $response.headers.etag}"),
        ("x: $status", "{x: $status}"),
        ("x: $config.Region", "{x: $config.Region}"),
        ("x: $env.HOME", "{x: $env.HOME}"),
    ];
    for (text, tree) in table {
        assert_eq!(show(mapping(text).expr()), tree, "{text}");
    }
}

#[test]
fn spans_cover_what_was_written() {
    let text = "a: $args.b.c->first ?? $(1), lines: items { q }";
    let parsed = mapping(text);
    let ExprKind::Object(fields) = &parsed.expr().kind else { panic!("not an object") };
    assert_eq!(&text[fields[0].name_span.clone()], "a");
    assert_eq!(&text[fields[0].value.span.clone()], "$args.b.c->first ?? $(1)");
    let ExprKind::Coalesce { left, right } = &fields[0].value.kind else { panic!("no ??") };
    assert_eq!(&text[left.span.clone()], "$args.b.c->first");
    assert_eq!(&text[right.span.clone()], "$(1)");
    let ExprKind::Method { of, method: Method::First, .. } = &left.kind else { panic!("no first") };
    assert_eq!(&text[of.span.clone()], "$args.b.c");
    assert_eq!(&text[fields[1].value.span.clone()], "items { q }");
    assert_eq!(&text[parsed.expr().span.clone()], text);
    let ExprKind::Select { of, fields } = &fields[1].value.kind else { panic!("no selection") };
    assert_eq!(&text[of.span.clone()], "items");
    assert_eq!(&text[fields[0].value.span.clone()], "q");
}

#[test]
fn the_planner_can_tell_what_only_picks() {
    let structural = ["id name", "a: b.c { d: e }", "$.rows { id }", "$", "k: $(1) g: { a }"];
    for text in structural {
        assert!(mapping(text).expr().is_structural(), "{text}");
    }
    for text in [
        "a: b->first",
        "a: b ?? c",
        "a: $args.b",
        "a: { b: c->size }",
        "a: $([1])",
        "a: b { c: @ }",
    ] {
        assert!(!mapping(text).expr().is_structural(), "{text}");
    }
    assert_eq!(mapping("$.a.b?.c").expr().simple_path(), Some(vec!["a", "b", "c"]));
    assert_eq!(mapping("$").expr().simple_path(), Some(vec![]));
    assert_eq!(mapping("$args.a").expr().simple_path(), None);
    assert_eq!(mapping("$.a->first").expr().simple_path(), None);
}

/// Parses whole mappings and templates of a storefront.
#[test]
fn real_texts_parse() {
    let mappings = [
        "ids: $args.ids",
        "$.products { id name price: { cents: price_cents currency } }",
        "$.rows { id total: total_cents userId: user_id lines: items { quantity: qty product: { id: sku } } }",
        "$args.input { userId: $claims.sub lines { sku: productId qty: quantity } }",
        "productId: $args.productId quantity: $args.quantity",
        "id text at: created_at",
        "orgId userId",
        "__typename: kind->match([\"b\",\"Book\"])",
    ];
    for text in mappings {
        mapping(text);
    }
    let urls = [
        "/users/{$claims.sub}",
        "/users?ids={$args.ids->joinNotNull(',')}",
        "/orders?user_ids={$batch.id->joinNotNull(',')}&per_user={$args.first}",
    ];
    for text in urls {
        assert_eq!(Template::parse_url(text).err(), None, "{text}");
    }
    assert!(Template::parse_value("user.{$claims.sub}", Position::Text).is_ok());
}

#[test]
fn the_text_is_kept() {
    assert_eq!(mapping("id # x").text(), "id # x");
    assert_eq!(
        Template::parse_url("/a/{$args.b}").map(|url| url.text().to_owned()),
        Ok("/a/{$args.b}".into())
    );
}
