//! Every error: its message, the exact bytes above the caret, and the help.

use super::*;

fn mapping_errors(text: &str) -> Vec<ParseError> {
    Mapping::parse(text).err().unwrap_or_else(|| panic!("`{text}` parses"))
}

/// Text, the part above the caret, message, a part of the help.
type Row = (&'static str, std::ops::Range<usize>, &'static str, &'static str);

fn check(rows: &[Row], parse: impl Fn(&str) -> Vec<ParseError>) {
    for (text, span, message, help) in rows {
        let errors = parse(text);
        let [error] = &*errors else {
            panic!("`{text}` has not one mistake:\n{}", show_errors(text, &errors))
        };
        assert_eq!(error.message, *message, "{text}");
        assert_eq!(error.span, *span, "{}", show_error(text, error));
        let found = error.help.as_deref().unwrap_or_default();
        assert!(found.contains(help), "{text}: {found}");
        assert!(help.is_empty() == found.is_empty(), "{text}: {found}");
    }
}

#[test]
fn a_mistake_in_names_is_told_with_the_nearest_one() {
    check(
        &[
            ("a: b->frist", 6..11, "there is no method `frist`", "did you mean `first`?"),
            ("a: b->joinnotnull(',')", 6..17, "there is no method `joinnotnull`", "`joinNotNull`"),
            (
                "a: b->explode",
                6..13,
                "there is no method `explode`",
                "the methods are joinNotNull, first",
            ),
            ("a: b->filtr(@.x)", 6..11, "there is no method `filtr`", "did you mean `filter`?"),
            ("a: $arg.id", 3..7, "there is no variable `$arg`", "did you mean `$args`?"),
            ("a: $zzz", 3..7, "there is no variable `$zzz`", "the variables are $args"),
            ("a: $requests.ip", 3..12, "there is no variable `$requests`", "`$request`"),
            (
                "a: $request",
                3..11,
                "`$request` alone is not a value",
                "`$request.headers` or `$request.ip`",
            ),
            (
                "a: $response",
                3..12,
                "`$response` alone is not a value",
                "write `$response.headers`",
            ),
            ("a: $request.header.x", 12..18, "`$request` has no `header`", "`$request.headers` or"),
            ("a: $env", 3..7, "`$env` needs the name of a variable", "write `$env.NAME`"),
            ("a: $env->size", 3..7, "`$env` needs the name of a variable", "write `$env.NAME`"),
        ],
        mapping_errors,
    );
}

#[test]
fn arguments_are_checked_where_they_stand() {
    check(
        &[
            (
                "a: b->joinNotNull",
                6..17,
                "`joinNotNull` takes one argument, here are 0",
                "for example",
            ),
            ("a: b->first(1)", 6..14, "`first` takes no arguments, here are 1", "for example"),
            ("a: b->size(1, 2)", 6..16, "`size` takes no arguments, here are 2", "for example"),
            (
                "a: b->slice(1, 2, 3)",
                6..20,
                "`slice` takes 1 to 2 arguments, here are 3",
                "for example",
            ),
            (
                "a: b->match",
                6..11,
                "`match` takes at least one argument, here are 0",
                "for example",
            ),
            ("a: b->map", 6..9, "`map` takes one argument, here are 0", "where `@` is the element"),
            (
                "a: b->match([1])",
                12..15,
                "an argument of `match` is a pair of a case and a value",
                "for example",
            ),
            (
                "a: b->match(1)",
                12..13,
                "an argument of `match` is a pair of a case and a value",
                "for example",
            ),
            ("a: b->joinNotNull(1)", 18..19, "`joinNotNull` joins with a text", "for example"),
            ("a: b->slice(\"1\")", 12..15, "`slice` counts in whole numbers", "for example"),
            ("a: b->slice(1.5)", 12..15, "`slice` counts in whole numbers", "for example"),
            ("a: b->slice([1])", 12..15, "`slice` counts in whole numbers", "for example"),
        ],
        mapping_errors,
    );
}

#[test]
fn arguments_that_can_never_fit_are_mistakes() {
    check(
        &[
            ("a: b->add", 6..9, "`add` takes at least one argument, here are 0", "for example"),
            (
                "a: b->replace('a')",
                6..18,
                "`replace` takes two arguments, here are 1",
                "for example",
            ),
            (
                "a: b->parseInt(2, 3)",
                6..20,
                "`parseInt` takes at most one argument, here are 2",
                "for example",
            ),
            ("a: b->add('1')", 10..13, "`add` takes a number, and this is a string", "for example"),
            (
                "a: b->split(1)",
                12..13,
                "`split` takes a string, and this is a number",
                "for example",
            ),
            (
                "a: b->split(',', 'x')",
                17..20,
                "`split` takes a number, and this is a string",
                "for example",
            ),
            (
                "a: b->get(true)",
                10..14,
                "`get` takes a number or a string, and this is a boolean",
                "for example",
            ),
            (
                "a: b->filter('x')",
                13..16,
                "a condition is true or false, and this is a string",
                "for example",
            ),
            (
                "a: b->find(@.x->size)",
                11..20,
                "a condition is true or false, and this is a number",
                "for example",
            ),
            ("a: b->and(1)", 10..11, "`and` takes a boolean, and this is a number", "for example"),
            ("a: b->in('x')", 9..12, "`in` takes a list, and this is a string", "for example"),
            (
                "a: b->parseInt(1)",
                15..16,
                "`parseInt` reads numbers of base 2 to 36",
                "for example",
            ),
            ("a: b->replace('', 'x')", 14..16, "`replace` finds no empty text", "for example"),
        ],
        mapping_errors,
    );
}

#[test]
fn a_receiver_that_can_never_fit_is_a_mistake() {
    check(
        &[
            ("a: $('x')->add(1)", 11..14, "`add` cannot be applied to a string", "a number"),
            ("a: b->size->lower", 12..17, "`lower` cannot be applied to a number", "a string"),
            ("a: $status->entries", 12..19, "`entries` cannot be applied to a number", "an object"),
            ("a: b->entries->lower", 15..20, "`lower` cannot be applied to a list", "a string"),
            ("a: b->keys->toString", 12..20, "`toString` cannot be applied to a list", "a boolean"),
            ("a: b->eq(1)->gt(2)", 13..15, "`gt` cannot be applied to a boolean", "a number"),
            ("a: b->toList->map(@)->not", 22..25, "`not` cannot be applied to a list", "a boolean"),
        ],
        mapping_errors,
    );
    for text in
        ["a: $(null)->lower", "a: b->slice(1)->lower", "a: b->echo(1)->add(1)", "a: b->get(0)->not"]
    {
        assert!(Mapping::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a_mistake_of_form_shows_how_to_mend_it() {
    check(
        &[
            ("", 0..0, "this mapping names nothing", "for example"),
            ("# nothing", 0..9, "this mapping names nothing", "for example"),
            ("{ id }", 0..1, "a mapping does not begin with a brace", "without braces"),
            ("id }", 3..4, "this `}` closes nothing", ""),
            ("a { b", 2..3, "this `{` is never closed", "add `}`"),
            ("a: $(1", 4..5, "this `(` is never closed", "add `)`"),
            ("a: b->map(@.x", 9..10, "this `(` is never closed", "add `)`"),
            ("a: $([1, 2", 5..6, "this `[` is never closed", "add `]`"),
            ("a: $({ b: 1", 5..6, "this `{` is never closed", "add `}`"),
            ("a { }", 2..5, "this selection names nothing", "for example"),
            ("a:", 2..2, "expected a value, found the end", ""),
            ("a: %", 3..4, "expected a value, found `%`", ""),
            ("a: (1)", 3..4, "expected a value, found `(`", "`$(…)`"),
            (
                "x-tenant",
                1..2,
                "expected a selection, which begins with a name, `$` or `@`, found `-`",
                "quoted: `'x-tenant'`",
            ),
            (
                "né",
                1..3,
                "expected a selection, which begins with a name, `$` or `@`, found `é`",
                "is quoted",
            ),
            ("a: b.", 5..5, "expected a key after the dot, found the end", ""),
            ("a: b.0", 5..6, "expected a key after the dot, found `0`", ""),
            ("a: b->", 6..6, "expected the name of a method after `->`, found the end", ""),
            ("a: $(1 2)", 7..8, "expected `)`, found `2`", ""),
            ("a: b->slice(1 2)", 14..15, "expected `)`, found `2`", ""),
            ("a: 1", 3..4, "a literal stands in `$(…)` here", "write `$(1)`"),
            ("a: true", 3..7, "a literal stands in `$(…)` here", "write `$(true)`"),
            ("a: [1, 2]", 3..9, "a literal stands in `$(…)` here", "write `$([1, 2])`"),
            ("a: $(order)", 5..10, "`order` alone is not a value here", "`$.order`"),
            ("a: b->map(id)", 10..12, "`id` alone is not a value here", "`@.id`"),
            ("a: $({ b })", 7..8, "`b` has no value", "`{ name: value }`"),
            ("a: $({ b: 1 b: 2 })", 12..13, "`b` is selected twice", "another name"),
            ("id a: id id", 9..11, "`id` is selected twice", "another name"),
            ("$.a { x: b } $.c { x: d }", 19..20, "`x` is selected twice", "`x: a.key ?? b.key`"),
            ("x $.c { y x: d }", 10..11, "`x` is selected twice", "`x: a.key ?? b.key`"),
            ("$.a { $.b { x } } $.c { x }", 24..25, "`x` is selected twice", "`x: a.key ?? b.key`"),
            ("a { $.b { x } x }", 14..15, "`x` is selected twice", "`x: a.key ?? b.key`"),
            ("id a.b", 3..6, "a value among other selections needs a name", "write `b: a.b`"),
            ("id $", 3..4, "a value among other selections needs a name", "write `name: $`"),
            (
                "id x.tags->first",
                3..16,
                "a value among other selections needs a name",
                "write `tags: x.tags->first`",
            ),
            ("a: { b.c }", 5..8, "a value among other selections needs a name", "write `c: b.c`"),
            ("a: $(\"b\".c)", 5..8, "a literal has no keys", "`$.\"odd key\".x`"),
            ("a: $(1) { c }", 3..7, "a literal has no keys", "`$.\"odd key\".x`"),
            ("a: \"b", 3..4, "this string is never closed", "same line"),
            ("a: \"b\n\"", 3..4, "this string is never closed", "same line"),
            ("a: \"\\x\"", 4..6, "there is no such escape", "`\\\\`"),
            ("a: \"\\u12\"", 4..6, "`\\u` needs four hexadecimal digits", "for example"),
            ("a: \"\\ud800x\"", 4..10, "this escape is half of a surrogate pair", ""),
            ("a: $(01)", 5..7, "`01` is not a number", "as in JSON"),
        ],
        mapping_errors,
    );
}

#[test]
fn all_mistakes_are_reported_together() {
    let text = "a: $arg.x\nb: c->frist\nid id\nd: $env";
    let errors = mapping_errors(text);
    let found: Vec<&str> = errors.iter().map(|error| &text[error.span.clone()]).collect();
    assert_eq!(found, ["$arg", "frist", "id", "$env"]);
    let many = "a: $nope ".repeat(1000);
    assert_eq!(mapping_errors(&many).len(), 32);
}

#[test]
fn a_url_template_is_a_path_and_a_query() {
    check(
        &[
            ("", 0..0, "a URL template begins with `/`, found the end", "portcullis.yaml"),
            ("users", 0..1, "a URL template begins with `/`, found `u`", "portcullis.yaml"),
            (
                "{$config.url}/x",
                0..1,
                "a URL template begins with `/`, found `{`",
                "portcullis.yaml",
            ),
            (
                "http://host:80/users",
                0..14,
                "a URL template has no scheme and no host",
                "only the path: `/users`",
            ),
            ("https://host", 0..12, "a URL template has no scheme and no host", "`/path`"),
            (
                "http://{$args.h}/x",
                0..7,
                "a URL template has no scheme and no host",
                "portcullis.yaml under the source",
            ),
            ("//host/users", 0..6, "a URL template has no scheme and no host", "`/users`"),
            ("/a/http://b", 8..10, "a path segment is empty", "two slashes"),
            ("/a//b", 2..4, "a path segment is empty", "two slashes"),
            ("/a/../b", 3..5, "a path segment is `.` or `..`", "without"),
            ("/a/.", 3..4, "a path segment is `.` or `..`", "without"),
            ("/a/%2e%2E/b", 3..9, "a path segment is `.` or `..`", "without"),
            ("/a/.%2e?x=1", 3..7, "a path segment is `.` or `..`", "without"),
            ("/a/..;v=1/b", 3..9, "a path segment is `.` or `..`", "without"),
            ("/a#b", 2..3, "a URL that is called has no fragment", "%23"),
            ("/a?b=#", 5..6, "a URL that is called has no fragment", "%23"),
            ("/a}", 2..3, "this `}` closes nothing", "%7D"),
            ("/a%2", 2..3, "`%` is not followed by two hexadecimal digits", "%25"),
            ("/a?b=100%", 8..9, "`%` is not followed by two hexadecimal digits", "%25"),
            ("/a/{}", 3..5, "these braces are empty", "for example"),
            ("/a/{ }/{$args.b}", 3..6, "these braces are empty", "for example"),
            ("/a/{$args.id", 3..4, "this `{` is never closed", "add `}`"),
            ("/a/{$args.id b}", 13..14, "expected `}`, found `b`", ""),
            ("/a/{$arg.id}/b", 4..8, "there is no variable `$arg`", "`$args`"),
            ("/a/{id}", 4..6, "`id` names nothing here", "`$args.id`"),
            ("/a/{id.x}", 4..6, "`id` names nothing here", "`$args.id`"),
            ("/a/{$.id}", 4..5, "`$` names nothing here", "`$args.id`"),
            ("/a/{@}", 4..5, "`@` names nothing here", "`$args.id`"),
            ("/a?{$args.n}=1", 3..12, "a query parameter's name is fixed text", "`name={…}`"),
            ("/a?{$args.q}", 3..12, "a query parameter's name is fixed text", "`name={…}`"),
            ("/a?=1", 3..4, "a query parameter has no name", "?limit="),
        ],
        |text| Template::parse_url(text).err().unwrap_or_else(|| panic!("`{text}` parses")),
    );
}

#[test]
fn a_url_goes_on_after_a_mistake_in_braces() {
    let text = "/a/{$args. }/{'}' ( }/{$arg}?b={";
    let errors = Template::parse_url(text).unwrap_err();
    let found: Vec<&str> = errors.iter().map(|error| &text[error.span.clone()]).collect();
    assert_eq!(found, ["}", "(", "$arg", "{"]);
}

#[test]
fn a_value_template_is_text_with_values() {
    check(
        &[
            ("a}", 1..2, "this `}` closes nothing", "`}}`"),
            ("{$args.a", 0..1, "this `{` is never closed", "add `}`"),
            ("{id}", 1..3, "`id` names nothing here", "`$args.id`"),
            ("$args.a b", 8..9, "expected the end of the expression, found `b`", "in braces"),
            ("$5", 0..1, "`$` names nothing here", "variables"),
            ("$argz.a", 0..5, "there is no variable `$argz`", "`$args`"),
            ("a\r\nb", 1..2, "a header value has a control character", "one line"),
        ],
        |text| {
            let errors = Template::parse_value(text, Position::Text);
            let mut errors = errors.err().unwrap_or_else(|| panic!("`{text}` parses"));
            errors.truncate(1);
            errors
        },
    );
}

#[test]
fn a_text_has_a_limit() {
    let errors = mapping_errors(&"é ".repeat(30_000));
    assert_eq!(errors[0].message, "this text has 90000 bytes, more than 65536");
    assert_eq!(errors[0].span.end, 90_000);
}
