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
            ("a: b->frist", 6..11, "unknown method `frist`", "did you mean `first`?"),
            ("a: b->joinnotnull(',')", 6..17, "unknown method `joinnotnull`", "`joinNotNull`"),
            (
                "a: b->explode",
                6..13,
                "unknown method `explode`",
                "the methods are joinNotNull, first",
            ),
            ("a: b->filtr(@.x)", 6..11, "unknown method `filtr`", "did you mean `filter`?"),
            ("a: $arg.id", 3..7, "unknown variable `$arg`", "did you mean `$args`?"),
            ("a: $zzz", 3..7, "unknown variable `$zzz`", "valid here: `$args`"),
            ("a: $requests.ip", 3..12, "unknown variable `$requests`", "`$request`"),
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
            (
                "a: $env",
                3..7,
                "`$env` needs the name of an environment variable",
                "write `$env.NAME`",
            ),
            (
                "a: $env->size",
                3..7,
                "`$env` needs the name of an environment variable",
                "write `$env.NAME`",
            ),
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
                "`joinNotNull` takes one argument, but has 0",
                "for example",
            ),
            ("a: b->first(1)", 6..14, "`first` takes no arguments, but has 1", "for example"),
            ("a: b->size(1, 2)", 6..16, "`size` takes no arguments, but has 2", "for example"),
            (
                "a: b->slice(1, 2, 3)",
                6..20,
                "`slice` takes 1 to 2 arguments, but has 3",
                "for example",
            ),
            ("a: b->match", 6..11, "`match` takes at least one argument, but has 0", "for example"),
            ("a: b->map", 6..9, "`map` takes one argument, but has 0", "where `@` is the element"),
            (
                "a: b->match([1])",
                12..15,
                "each argument of `match` must be a pair of a case and a value",
                "for example",
            ),
            (
                "a: b->match(1)",
                12..13,
                "each argument of `match` must be a pair of a case and a value",
                "for example",
            ),
            (
                "a: b->joinNotNull(1)",
                18..19,
                "`joinNotNull` takes a string as separator",
                "for example",
            ),
            ("a: b->slice(\"1\")", 12..15, "`slice` takes whole numbers", "for example"),
            ("a: b->slice(1.5)", 12..15, "`slice` takes whole numbers", "for example"),
            ("a: b->slice([1])", 12..15, "`slice` takes whole numbers", "for example"),
        ],
        mapping_errors,
    );
}

#[test]
fn arguments_that_can_never_fit_are_mistakes() {
    check(
        &[
            ("a: b->add", 6..9, "`add` takes at least one argument, but has 0", "for example"),
            (
                "a: b->replace('a')",
                6..18,
                "`replace` takes two arguments, but has 1",
                "for example",
            ),
            (
                "a: b->parseInt(2, 3)",
                6..20,
                "`parseInt` takes at most one argument, but has 2",
                "for example",
            ),
            ("a: b->add('1')", 10..13, "`add` takes a number, but this is a string", "for example"),
            (
                "a: b->split(1)",
                12..13,
                "`split` takes a string, but this is a number",
                "for example",
            ),
            (
                "a: b->split(',', 'x')",
                17..20,
                "`split` takes a number, but this is a string",
                "for example",
            ),
            (
                "a: b->get(true)",
                10..14,
                "`get` takes a number or a string, but this is a boolean",
                "for example",
            ),
            (
                "a: b->filter('x')",
                13..16,
                "a condition must be a boolean, but this is a string",
                "for example",
            ),
            (
                "a: b->find(@.x->size)",
                11..20,
                "a condition must be a boolean, but this is a number",
                "for example",
            ),
            ("a: b->and(1)", 10..11, "`and` takes a boolean, but this is a number", "for example"),
            ("a: b->in('x')", 9..12, "`in` takes a list, but this is a string", "for example"),
            (
                "a: b->parseInt(1)",
                15..16,
                "`parseInt` reads numbers of base 2 to 36",
                "for example",
            ),
            (
                "a: b->replace('', 'x')",
                14..16,
                "`replace` cannot search for an empty string",
                "for example",
            ),
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
            ("", 0..0, "the mapping is empty", "such as"),
            ("# nothing", 0..9, "the mapping is empty", "such as"),
            ("{ id }", 0..1, "a mapping cannot begin with a brace", "remove the braces"),
            ("id }", 3..4, "unexpected `}`", ""),
            ("a { b", 2..3, "unclosed `{`", "add `}`"),
            ("a: $(1", 4..5, "unclosed `(`", "add `)`"),
            ("a: b->map(@.x", 9..10, "unclosed `(`", "add `)`"),
            ("a: $([1, 2", 5..6, "unclosed `[`", "add `]`"),
            ("a: $({ b: 1", 5..6, "unclosed `{`", "add `}`"),
            ("a { }", 2..5, "the selection is empty", "such as"),
            ("a:", 2..2, "expected a value, found the end of the text", ""),
            ("a: %", 3..4, "expected a value, found `%`", ""),
            ("a: (1)", 3..4, "expected a value, found `(`", "`$(…)`"),
            (
                "x-tenant",
                1..2,
                "expected a selection, which begins with a name, `$` or `@`, found `-`",
                "in quotes: `'x-tenant'`",
            ),
            (
                "né",
                1..3,
                "expected a selection, which begins with a name, `$` or `@`, found `é`",
                "in quotes",
            ),
            ("a: b.", 5..5, "expected a key after the dot, found the end of the text", ""),
            ("a: b.0", 5..6, "expected a key after the dot, found `0`", ""),
            (
                "a: b->",
                6..6,
                "expected the name of a method after `->`, found the end of the text",
                "",
            ),
            ("a: $(1 2)", 7..8, "expected `)`, found `2`", ""),
            ("a: b->slice(1 2)", 14..15, "expected `)`, found `2`", ""),
            ("a: 1", 3..4, "a literal must be inside `$(…)` here", "write `$(1)`"),
            ("a: true", 3..7, "a literal must be inside `$(…)` here", "write `$(true)`"),
            ("a: [1, 2]", 3..9, "a literal must be inside `$(…)` here", "write `$([1, 2])`"),
            ("a: $(order)", 5..10, "`order` alone is not a value here", "`$.order`"),
            ("a: b->map(id)", 10..12, "`id` alone is not a value here", "`@.id`"),
            ("a: $({ b })", 7..8, "`b` has no value", "`{ name: value }`"),
            ("a: $({ b: 1 b: 2 })", 12..13, "`b` is selected twice", "rename one of them"),
            ("id a: id id", 9..11, "`id` is selected twice", "rename one of them"),
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
            ("a: \"b", 3..4, "unclosed string", "same line"),
            ("a: \"b\n\"", 3..4, "unclosed string", "same line"),
            ("a: \"\\x\"", 4..6, "unknown escape", "`\\\\`"),
            ("a: \"\\u12\"", 4..6, "`\\u` needs four hexadecimal digits", "write it like"),
            ("a: \"\\ud800x\"", 4..10, "this escape is only half of a surrogate pair", ""),
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
            (
                "",
                0..0,
                "a URL template must begin with `/`, found the end of the text",
                "`sources`",
            ),
            ("users", 0..1, "a URL template must begin with `/`, found `u`", "`sources`"),
            ("{$config.url}/x", 0..1, "a URL template must begin with `/`, found `{`", "`sources`"),
            (
                "http://host:80/users",
                0..14,
                "a URL template cannot have a scheme or a host",
                "only the path, `/users`",
            ),
            ("https://host", 0..12, "a URL template cannot have a scheme or a host", "`/path`"),
            (
                "http://{$args.h}/x",
                0..7,
                "a URL template cannot have a scheme or a host",
                "under `sources` in the configuration",
            ),
            ("//host/users", 0..6, "a URL template cannot have a scheme or a host", "`/users`"),
            ("/a/http://b", 8..10, "a path segment is empty", "two slashes"),
            ("/a//b", 2..4, "a path segment is empty", "two slashes"),
            ("/a/../b", 3..5, "a path segment cannot be `.` or `..`", "without"),
            ("/a/.", 3..4, "a path segment cannot be `.` or `..`", "without"),
            ("/a/%2e%2E/b", 3..9, "a path segment cannot be `.` or `..`", "without"),
            ("/a/.%2e?x=1", 3..7, "a path segment cannot be `.` or `..`", "without"),
            ("/a/..;v=1/b", 3..9, "a path segment cannot be `.` or `..`", "without"),
            ("/a#b", 2..3, "a URL template cannot have a fragment", "%23"),
            ("/a?b=#", 5..6, "a URL template cannot have a fragment", "%23"),
            ("/a}", 2..3, "unexpected `}`", "%7D"),
            ("/a%2", 2..3, "`%` is not followed by two hexadecimal digits", "%25"),
            ("/a?b=100%", 8..9, "`%` is not followed by two hexadecimal digits", "%25"),
            ("/a/{}", 3..5, "these braces are empty", "such as"),
            ("/a/{ }/{$args.b}", 3..6, "these braces are empty", "such as"),
            ("/a/{$args.id", 3..4, "unclosed `{`", "add `}`"),
            ("/a/{$args.id b}", 13..14, "expected `}`, found `b`", ""),
            ("/a/{$arg.id}/b", 4..8, "unknown variable `$arg`", "`$args`"),
            ("/a/{id}", 4..6, "`id` is not a variable", "`$args.id`"),
            ("/a/{id.x}", 4..6, "`id` is not a variable", "`$args.id`"),
            ("/a/{$.id}", 4..5, "`$` has no value here", "`$args.id`"),
            ("/a/{@}", 4..5, "`@` has no value here", "`$args.id`"),
            (
                "/a?{$args.n}=1",
                3..12,
                "the name of a query parameter cannot contain values",
                "`name={…}`",
            ),
            (
                "/a?{$args.q}",
                3..12,
                "the name of a query parameter cannot contain values",
                "`name={…}`",
            ),
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
            ("a}", 1..2, "unexpected `}`", "`}}`"),
            ("{$args.a", 0..1, "unclosed `{`", "add `}`"),
            ("{id}", 1..3, "`id` is not a variable", "`$args.id`"),
            ("$args.a b", 8..9, "expected the end of the expression, found `b`", "in braces"),
            ("$5", 0..1, "`$` has no value here", "use a variable"),
            ("$argz.a", 0..5, "unknown variable `$argz`", "`$args`"),
            ("a\r\nb", 1..2, "a header value cannot contain control characters", "one line"),
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
    assert_eq!(errors[0].message, "this text has 90000 bytes, but the maximum is 65536");
    assert_eq!(errors[0].span.end, 90_000);
}
