//! Rendering: every value is encoded for its position, or refused.

use super::*;
use serde_json::json;

#[test]
fn literal_text_is_kept_or_made_valid() {
    let table = [
        ("/", "/"),
        ("/users/v1/", "/users/v1/"),
        ("/a%2Fb/c;v=1/@d:e!$&'()*+,", "/a%2Fb/c;v=1/@d:e!$&'()*+,"),
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a\\b/\"<>^`|\u{7f}\t", "/a%5Cb/%22%3C%3E%5E%60%7C%7F%09"),
        ("/...", "/..."),
        ("/a?b=c d&e=é&f", "/a?b=c%20d&e=%C3%A9&f"),
        ("/a?b=c?d/../e", "/a?b=c?d/../e"),
        ("/a?&&b=1&", "/a?b=1"),
        ("/a?", "/a"),
        ("/a?at=http://b", "/a?at=http://b"),
    ];
    for (text, expected) in table {
        assert_eq!(url(text, Value::Null).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn values_are_encoded_for_their_place() {
    let variables = json!({ "args": {
        "id": 7, "s": "a b", "on": true, "x": 1.5, "big": 1e30, "sep": ",", "quote": "}", "empty": "", "none": null,
        "ids": [1, "b c", null, 3], "nothing": [], "u": u64::MAX,
    }, "batch": [{ "id": 1 }, { "id": "x,y" }] });
    let table = [
        ("/users/{$args.id}", "/users/7"),
        ("/users/{ $args.s }/orders", "/users/a%20b/orders"),
        ("/users-{$args.id}.json", "/users-7.json"),
        ("/{$args.id}{$args.on}/{$args.x}/{$args.u}", "/7true/1.5/18446744073709551615"),
        ("/a/{$args.id}/", "/a/7/"),
        ("/a-{$args.empty}/b", "/a-/b"),
        ("/a/{$args.s->match(['a b', '}'], [@, '{'])}", "/a/%7D"),
        ("/a/{\"}\"}/{'{'}", "/a/%7D/%7B"),
        ("/a?ids={$batch.id->joinNotNull(',')}", "/a?ids=1,x,y"),
        ("/a?id={$batch.id}", "/a?id=1&id=x,y"),
        ("/a?id={$args.ids}&x=1", "/a?id=1&id=b%20c&id=3&x=1"),
        ("/a?id={$args.nothing}", "/a"),
        ("/a?n={$args.none}", "/a"),
        ("/a?n={$args.none}&x=1", "/a?x=1"),
        ("/a?x=1&n={$args.none}&m={$args.missing}&y={$args.id}", "/a?x=1&y=7"),
        ("/a?n=v{$args.none}&x={$args.id}", "/a?x=7"),
        ("/a?n={$args.none ?? 'all'}", "/a?n=all"),
        ("/a?n={$args.empty}", "/a?n="),
        ("/a?n=a{$args.id}b{$args.s}", "/a?n=a7ba%20b"),
        ("/a?big={$args.big}", "/a?big=1e%2B30"),
        ("/a?flag&n={$args.on}", "/a?flag&n=true"),
        ("/a?x[]={$args.ids->slice(0, 2)}", "/a?x[]=1&x[]=b%20c"),
    ];
    for (text, expected) in table {
        assert_eq!(url(text, variables.clone()).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn a_segment_that_would_change_the_path_is_refused() {
    let table = [
        ("/a/{$args.x}", json!(null), Failure::EmptySegment),
        ("/a/{$args.x}", json!(""), Failure::EmptySegment),
        ("/a/{$args.x}{$args.x}/b", json!(""), Failure::EmptySegment),
        ("/a/b-{$args.x}", json!(null), Failure::EmptySegment),
        ("/a/{$args.x}", json!("."), Failure::DotSegment),
        ("/a/{$args.x}/b", json!(".."), Failure::DotSegment),
        ("/a/.{$args.x}", json!("."), Failure::DotSegment),
        ("/a/%2e{$args.x}", json!("."), Failure::DotSegment),
        ("/a/%2E{$args.x}", json!(""), Failure::DotSegment),
        ("/a/{$args.x}{$args.x}", json!("."), Failure::DotSegment),
        ("/a/{$args.x};v=1", json!(".."), Failure::DotSegment),
        ("/a/{$args.x}", json!([1]), Failure::NotScalar),
        ("/a/{$args.x}", json!({ "a": 1 }), Failure::NotScalar),
        ("/a?x=b{$args.x}", json!([1]), Failure::NotScalar),
        ("/a?x={$args.x}", json!({ "a": 1 }), Failure::NotScalar),
        ("/a?x={$args.x}", json!([[1]]), Failure::NotScalar),
        ("/a?x={$args.x.y}", json!([{ "y": [1] }]), Failure::NotScalar),
    ];
    for (text, x, expected) in table {
        assert_eq!(url(text, json!({ "args": { "x": x } })), Err(expected), "{text} {x}");
    }
}

/// No value changes the structure of the URL.
#[test]
fn hostile_values_arrive_as_themselves() {
    let table = [
        ("../", "..%2F", "..%2F"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd"),
        ("..%2f", "..%252f", "..%252f"),
        ("%2e%2e", "%252e%252e", "%252e%252e"),
        ("a/b", "a%2Fb", "a%2Fb"),
        ("a\\b", "a%5Cb", "a%5Cb"),
        ("?x=1", "%3Fx%3D1", "%3Fx%3D1"),
        ("a&b=c", "a%26b%3Dc", "a%26b%3Dc"),
        ("a+b", "a%2Bb", "a%2Bb"),
        ("#", "%23", "%23"),
        ("a;b", "a%3Bb", "a%3Bb"),
        ("1,2", "1%2C2", "1,2"),
        ("é\u{1f600}", "%C3%A9%F0%9F%98%80", "%C3%A9%F0%9F%98%80"),
        ("\r\nHost: x", "%0D%0AHost%3A%20x", "%0D%0AHost%3A%20x"),
        ("\0", "%00", "%00"),
        ("http://x", "http%3A%2F%2Fx", "http%3A%2F%2Fx"),
        ("A-z.0_~", "A-z.0_~", "A-z.0_~"),
        ("...", "...", "..."),
        ("{$env.SECRET}", "%7B%24env.SECRET%7D", "%7B%24env.SECRET%7D"),
    ];
    for (hostile, segment, query) in table {
        let variables = || json!({ "args": { "x": hostile, "xs": [hostile, hostile] } });
        let render = |text: &str| url(text, variables());
        assert_eq!(render("/a/{$args.x}/b"), Ok(format!("/a/{segment}/b")));
        assert_eq!(render("/a/b{$args.x}"), Ok(format!("/a/b{segment}")));
        assert_eq!(render("/a?q={$args.x}&z=1"), Ok(format!("/a?q={query}&z=1")));
        assert_eq!(render("/a?q=b{$args.x}"), Ok(format!("/a?q=b{query}")));
        assert_eq!(render("/a?q={$args.xs}"), Ok(format!("/a?q={query}&q={query}")));
        assert_eq!(render("/a?q={$args.xs->first ?? 1}"), Ok(format!("/a?q={query}")));
    }
}

#[test]
fn values_keep_their_type_where_they_stand_alone() {
    let variables = json!({ "args": { "n": 7, "s": "a", "xs": [1, 2], "none": null, "o": { "a": 1 }, "crlf": "a\r\nb: c" } });
    let (text, query, mapped) = (Position::Text, Position::QueryValue, Position::Mapping);
    let table = [
        ("plain", text, Ok(json!("plain"))),
        ("", text, Ok(json!(""))),
        ("$args.n", text, Ok(json!(7))),
        ("{$args.n}", text, Ok(json!(7))),
        ("$args.xs->joinNotNull(',')", text, Ok(json!("1,2"))),
        ("Bearer {$args.s}", text, Ok(json!("Bearer a"))),
        ("{$args.n}{$args.s}", text, Ok(json!("7a"))),
        ("a {$args.none}", text, Ok(Value::Null)),
        ("$args.none", text, Ok(Value::Null)),
        ("{{{$args.n}}}", text, Ok(json!("{7}"))),
        ("a{{b}}", text, Ok(json!("a{b}"))),
        ("costs ${$args.n}", text, Ok(json!("costs $7"))),
        ("${$args.n}", text, Ok(json!("$7"))),
        ("$(\"a b\")", text, Ok(json!("a b"))),
        ("a\tb", text, Ok(json!("a\tb"))),
        ("$args.xs", query, Ok(json!([1, 2]))),
        ("$args.xs", mapped, Ok(json!([1, 2]))),
        ("$args.o", mapped, Ok(json!({ "a": 1 }))),
        ("$args.crlf", query, Ok(json!("a\r\nb: c"))),
        ("$args.xs", text, Err(Failure::NotScalar)),
        ("$args.o", text, Err(Failure::NotScalar)),
        ("$args.o", query, Err(Failure::NotScalar)),
        ("$([[1]])", query, Err(Failure::NotScalar)),
        ("a{$args.xs}", mapped, Err(Failure::NotScalar)),
        ("$args.crlf", text, Err(Failure::ControlCharacter)),
        ("x {$args.crlf}", text, Err(Failure::ControlCharacter)),
        ("{\"\\u0000\"}", text, Err(Failure::ControlCharacter)),
        ("{\"\\u007f\"}", text, Err(Failure::ControlCharacter)),
    ];
    for (template, position, expected) in table {
        assert_eq!(value(template, position, variables.clone()), expected, "{template}");
    }
}

#[test]
fn each_kind_of_template_answers_the_other_question_too() {
    let scope =
        Scope { current: &Value::Null, variables: &Given(json!({ "args": { "x": "a/b" } })) };
    let template = Template::parse_url("/a/{$args.x}").unwrap();
    assert_eq!(template.evaluate(&scope), Ok(json!("/a/a%2Fb")));
    let template = Template::parse_value("$args.x", Position::Text).unwrap();
    assert_eq!(template.render_url(&scope).as_deref(), Ok("a%2Fb"));
}
