use super::{SyntaxError, executable, type_system};
use crate::graphql::Location;

fn refusal(result: Result<std::borrow::Cow<'_, str>, SyntaxError>, text: &str) -> String {
    match result {
        Ok(_) => "valid".to_owned(),
        Err(SyntaxError { message, span }) => {
            let Location { line, column } = Location::of(text, span.start);
            format!("{message} at {line}:{column}")
        }
    }
}

fn operation(text: &str) -> String {
    refusal(executable(text), text)
}

fn types(text: &str) -> String {
    refusal(type_system(text), text)
}

#[test]
fn valid_operations_pass() {
    for text in [
        "{a}",
        "query { a }",
        "query Q($a: [Int!]! = [1, 2] @d(x: 1), $b: I = {x: {y: \"z\"}, e: E, n: null}) @d { a }",
        "{ a: b(x: $y, z: [{k: -1.5e+3}, true]) @skip(if: $s) { ...F ...on T { c } ... @include(if: true) { d } } }",
        "fragment F on T @d { on query fragment type }",
        "subscription { on(on: on) }",
        "mutation M { a } query Q { b }",
        "\u{feff}{ a(b: \"\\u00e9 \\u{1F600} \\uD83D\\uDE00 \\n\") }",
        "{ a(b: \"\"\"block \\\"\"\" \" text\n\"\"\") }",
        "{ a(b: \"\") }",
        "{ a(b: 0, c: -0, d: 0.5, e: 1E9) }",
        "\"About it.\" query Q(\"The id.\" $id: ID) { a } \"\"\"Of it.\"\"\" fragment F on T { b }",
    ] {
        assert_eq!(operation(text), "valid", "{text}");
    }
}

#[test]
fn commas_mean_nothing_wherever_blanks_may_be() {
    let text = ",{,... , on ,Query,{,a,(,b,:,[,1,,2,],),},},";
    let blank = executable(text).unwrap();
    assert_eq!(blank, " { ...   on  Query { a ( b : [ 1  2 ] ) } } ");
    let text = ",type,Query,{,a,(,b,:,[,Int,!,],=,1,):,Int,},";
    assert_eq!(type_system(text).unwrap(), text.replace(',', " "));
}

#[test]
fn commas_in_strings_and_comments_stay() {
    let text = "{ a(b: \"x,y\", c: \"\"\"x,\ny\"\"\") # a, b\n }";
    assert_eq!(executable(text).unwrap(), text.replace("y\", c", "y\"  c"));
}

#[test]
fn descriptions_are_blanked_line_by_line() {
    let text = "\"\"\"Käse,\nbrot\"\"\" query { a }";
    let blank = executable(text).unwrap();
    assert_eq!((blank.len(), blank.find('\n')), (text.len(), text.find('\n')));
    assert_eq!(blank.trim(), "query { a }");
}

#[test]
fn the_first_mistake_of_an_operation_is_told_in_words() {
    for (text, expected) in [
        ("", "expected an operation or a fragment, found the end of the text at 1:1"),
        ("{ }", "expected a field or a fragment, found `}` at 1:3"),
        ("{ a", "expected a field or a fragment, found the end of the text at 1:4"),
        ("{\n  users(ids)\n}", "expected `:`, found `)` at 2:12"),
        ("{ a(o: {minLikes}) }", "expected `:`, found `}` at 1:17"),
        ("{ a(o: {x: 1 y}) }", "expected `:`, found `}` at 1:15"),
        ("{ a() }", "expected a name, found `)` at 1:5"),
        ("{ a(b:) }", "expected a value, found `)` at 1:7"),
        ("{ a(b: [) }", "expected a value, found `)` at 1:9"),
        ("{ a { } }", "expected a field or a fragment, found `}` at 1:7"),
        ("{ a: }", "expected a name, found `}` at 1:6"),
        ("{ ... }", "expected `{`, found `}` at 1:7"),
        ("{ ...on }", "expected a name, found `}` at 1:9"),
        ("{ ...F @ }", "expected a name, found `}` at 1:10"),
        ("query () { a }", "expected `$`, found `)` at 1:8"),
        ("query ($a) { a }", "expected `:`, found `)` at 1:10"),
        ("query ($a: ) { a }", "expected a type, found `)` at 1:12"),
        ("query ($a: [Int) { a }", "expected `]`, found `)` at 1:16"),
        ("query ($a: Int!!) { a }", "expected `$`, found `!` at 1:16"),
        ("query ($a: Int = $b) { a }", "a variable cannot be used in a constant value at 1:18"),
        ("query Q", "expected `{`, found the end of the text at 1:8"),
        ("fragment on on T { a }", "a fragment cannot be named `on` at 1:10"),
        ("fragment F { a }", "expected `on`, found `{` at 1:12"),
        ("\"x\" { a }", "a query without the keyword `query` has no description at 1:5"),
        ("type T { a: Int }", "expected an operation or a fragment, found `type` at 1:1"),
        ("{ a } }", "expected an operation or a fragment, found `}` at 1:7"),
        ("{ a(b: 01) }", "a number does not begin with 0 at 1:9"),
        ("{ a(b: 1.) }", "expected a digit, found `)` at 1:10"),
        ("{ a(b: 1x) }", "expected a digit, found `x` at 1:9"),
        ("{ a(b: .5) }", "expected `...`, found `.` at 1:8"),
        ("{ a(b: 1e) }", "expected a digit, found `)` at 1:10"),
        ("{ a(b: \"x) }", "this string is not closed at 1:8"),
        ("{ a(b: \"x\ny\") }", "this string is not closed at 1:8"),
        ("{ a(b: \"\"\"x\") }", "this string is not closed at 1:8"),
        ("{ a(b: \"\\x\") }", "`\\x` begins no valid escape in a string at 1:9"),
        ("{ a(b: \"\\uD800\") }", "`\\u` begins no valid escape in a string at 1:9"),
        ("{ a(b: \"\\u{110000}\") }", "`\\u` begins no valid escape in a string at 1:9"),
        ("{ a(b: 'x') }", "expected a string in double quotes, found `'` at 1:8"),
        ("{ a ? }", "`?` means nothing outside of a string at 1:5"),
        ("{ \u{7} }", "U+0007 means nothing outside of a string at 1:3"),
        ("{ é }", "`é` means nothing outside of a string at 1:3"),
    ] {
        assert_eq!(operation(text), expected, "{text}");
    }
}

#[test]
fn valid_types_pass() {
    for text in [
        "",
        "# nothing\n",
        "schema @d { query: Q mutation: M subscription: S }",
        "extend schema @d extend schema { mutation: M }",
        "\"A.\" scalar S @d(x: [1]) extend scalar S @d",
        "type T implements & A & B @d { \"f\" f(\"a\" a: Int = 1 @d, b: [E!]! = [X]): T! @d } type U",
        "interface I implements J extend type T implements K extend interface I { a: Int }",
        "union U = | A | B union V extend union U = C extend union U @d",
        "enum E { A @d B } extend enum E { C } input I { a: Int = -1 b: I = {a: 2} } extend input I @d",
        "\"d\" directive @d(a: Int = 1) repeatable on | FIELD | ENUM_VALUE directive @e on QUERY",
    ] {
        assert_eq!(types(text), "valid", "{text}");
    }
}

#[test]
fn the_first_mistake_of_a_type_is_told_in_words() {
    for (text, expected) in [
        ("type T { a(b): Int }", "expected `:`, found `)` at 1:13"),
        ("type T { a(b Int): Int }", "expected `:`, found `Int` at 1:14"),
        ("type T { a Int }", "expected `:`, found `Int` at 1:12"),
        ("type T { a: Int @d(x) }", "expected `:`, found `)` at 1:21"),
        ("input I { a: I = {x} }", "expected `:`, found `}` at 1:20"),
        ("type T { a(b: Int = $x): Int }", "a variable cannot be used in a constant value at 1:21"),
        ("type T { }", "expected a name, found `}` at 1:10"),
        ("type T implements A, B { a: Int }", "expected a type definition, found `B` at 1:22"),
        ("type T implements { a: Int }", "expected a name, found `{` at 1:19"),
        ("schema { }", "expected `query`, `mutation` or `subscription`, found `}` at 1:10"),
        ("schema { query Q }", "expected `:`, found `Q` at 1:16"),
        ("union U = ", "expected a name, found the end of the text at 1:11"),
        ("enum E { true }", "`true` cannot be the name of an enum value at 1:10"),
        ("extend type T", "expected what the extension adds, found the end of the text at 1:14"),
        (
            "extend directive @a on FIELD",
            "expected the kind of type that is extended, found `directive` at 1:8",
        ),
        ("\"x\" extend type T { a: Int }", "an extension has no description at 1:5"),
        (
            "directive @d on NOWHERE",
            "expected the place of a directive, such as `FIELD_DEFINITION`, found `NOWHERE` at 1:17",
        ),
        ("directive d on FIELD", "expected `@`, found `d` at 1:11"),
        ("query { a }", "an operation cannot stand among type definitions at 1:1"),
        (
            "type A { a: Int @d(e: \"f(\"g\")\") }",
            "this `\"` ends the string, but more text follows at 1:26",
        ),
    ] {
        assert_eq!(types(text), expected, "{text}");
    }
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let deep = |open: &str, close: &str| {
        format!("{{ a(b: {}1{}) }}", open.repeat(100_000), close.repeat(100_000))
    };
    assert!(operation(&deep("[", "]")).starts_with("brackets nest more than"));
    assert!(operation(&"{a".repeat(100_000)).starts_with("brackets nest more than"));
    let deep = format!("type T {{ a: {}Int", "[".repeat(100_000));
    assert!(types(&deep).starts_with("brackets nest more than"));
}

#[test]
fn places_count_lines_and_characters() {
    let text = "a\r\nb\rc\nüd";
    let place = |at| {
        let Location { line, column } = Location::of(text, at);
        (line, column)
    };
    assert_eq!(
        [place(0), place(3), place(5), place(7), place(9)],
        [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2)]
    );
}
