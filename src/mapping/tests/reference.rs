//! The parts of the variables that a text uses, and if they are passed on unchanged.

use super::*;
use crate::mapping::Reference;

/// Prints each reference as `path position`, with a star if it is bare, and the text of its span.
fn shown(text: &str, references: &[Reference]) -> Vec<String> {
    let show = |reference: &Reference| {
        let keys = reference.path.iter().map(|key| format!(".{key}"));
        let path = format!("{}{}", reference.variable.as_str(), keys.collect::<String>());
        let bare = if reference.bare { "*" } else { "" };
        let place = match reference.position {
            Position::PathSegment => "path",
            Position::QueryValue => "query",
            Position::Text => "text",
            Position::Mapping => "mapping",
        };
        format!("{path}{bare} {place} [{}]", &text[reference.span.clone()])
    };
    references.iter().map(show).collect()
}

#[test]
fn a_mapping_names_its_deepest_paths() {
    let table: &[(&str, &[&str])] = &[
        ("id name: $.x", &[]),
        ("ids: $args.ids", &["$args.ids* mapping [$args.ids]"]),
        ("$args", &["$args* mapping [$args]"]),
        (
            "a: $this.org.id b: $this.org.id",
            &["$this.org.id* mapping [$this.org.id]", "$this.org.id* mapping [$this.org.id]"],
        ),
        ("a: $this.a ?? $this.b", &["$this.a mapping [$this.a]", "$this.b mapping [$this.b]"]),
        ("a: $batch.id->joinNotNull(',')", &["$batch.id mapping [$batch.id]"]),
        (
            "$args.input { sku: productId qty }",
            &["$args.input.productId* mapping [productId]", "$args.input.qty* mapping [qty]"],
        ),
        (
            "$args.input { lines { sku: productId } who: $claims.sub }",
            &[
                "$args.input.lines.productId* mapping [productId]",
                "$claims.sub* mapping [$claims.sub]",
            ],
        ),
        ("$args.input { kind: $(1) }", &["$args.input* mapping [$args.input]"]),
        ("$args.input { all: $ }", &["$args.input* mapping [$]"]),
        ("a: $this.rows->map(@.id)", &["$this.rows.id mapping [@.id]"]),
        ("a: $this.rows->map(1)", &["$this.rows mapping [$this.rows]"]),
        ("a: $this.rows->first.id", &["$this.rows.id mapping [$this.rows->first.id]"]),
        ("a: $this.rows->first { id }", &["$this.rows.id mapping [id]"]),
        ("a: $this.rows->size", &["$this.rows mapping [$this.rows]"]),
        (
            "a: $this.kind->match(['a', $args.x], [@, 1])",
            &[
                "$args.x mapping [$args.x]",
                "$this.kind mapping [@]",
                "$this.kind mapping [$this.kind]",
            ],
        ),
        (
            "a: $([$args.x, { y: $args.y }])",
            &["$args.x* mapping [$args.x]", "$args.y* mapping [$args.y]"],
        ),
        (
            "a: $($this.a ?? $this.b).id",
            &[
                "$this.a.id mapping [$($this.a ?? $this.b).id]",
                "$this.b.id mapping [$($this.a ?? $this.b).id]",
            ],
        ),
        (
            "a: $request.headers.X-Tenant",
            &["$request.headers.x-tenant* mapping [$request.headers.X-Tenant]"],
        ),
        ("a: b->slice($args.from)", &["$args.from mapping [$args.from]"]),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text, &mapping(text).references()), *expected, "{text}");
    }
}

#[test]
fn a_template_says_where_each_value_goes() {
    let text =
        "/a/{$args.id}-{$this.x ?? 1}?ids={$batch.id->joinNotNull(',')}&n={$args.n}&m=a{$args.m}";
    let template = Template::parse_url(text).unwrap();
    assert_eq!(
        shown(text, &template.references()),
        [
            "$args.id* path [$args.id]",
            "$this.x path [$this.x]",
            "$batch.id query [$batch.id]",
            "$args.n* query [$args.n]",
            "$args.m* text [$args.m]",
        ]
    );
    for (text, expected) in
        [("{$args.ids}", "query"), ("$args.ids", "query"), ("x{$args.ids}", "text")]
    {
        let template = Template::parse_value(text, Position::QueryValue).unwrap();
        assert_eq!(
            shown(text, &template.references()),
            [format!("$args.ids* {expected} [$args.ids]")]
        );
    }
    let text = "a {$claims.sub}";
    let template = Template::parse_value(text, Position::Text).unwrap();
    assert_eq!(shown(text, &template.references()), ["$claims.sub* text [$claims.sub]"]);
}

/// Nested selections on `??` would double the paths at each level.
#[test]
fn paths_do_not_multiply() {
    let mut text = "$.a { z }".to_owned();
    for _ in 0..25 {
        text = format!("$($.a ?? $.b) {{ x: {text} }}");
    }
    let text = format!("$this {{ x: {text} }}");
    assert!(mapping(&text).references().len() < 5_000);
}
