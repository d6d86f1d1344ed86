//! Output of problems for people and machines.

use super::{Place, Problem, SourceFile, all_to_json, nearest, render};
use std::ops::Range;
use std::sync::Arc;

fn place(text: &str, span: Range<usize>) -> Place {
    Place::new(&Arc::new(SourceFile { name: "shop/user.graphql".into(), text: text.into() }), span)
}

fn shown(text: &str, span: Range<usize>) -> String {
    let problem = Problem::error("a-code", "this is wrong").at(place(text, span));
    let shown = render(&[problem], false);
    shown.strip_suffix("\n\n1 error, 0 warnings\n").unwrap().to_owned()
}

#[test]
fn a_problem_shows_its_file_line_column_excerpt_and_help() {
    let at = place("type User {\n  nmae: String\n}\n", 14..18);
    let problems = [
        Problem::error("unknown", "there is no `nmae`").at(at).help("did you mean `name`?"),
        Problem::warning("n+1", "this takes long"),
    ];
    insta::assert_snapshot!(render(&problems, false), @r#"
error[unknown]: there is no `nmae`
 --> shop/user.graphql:2:3
  |
2 |   nmae: String
  |   ^^^^
  |
  = help: did you mean `name`?

warning[n+1]: this takes long

1 error, 1 warning
"#);
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let text = "proxy: \"http://me:p:w@x@proxy:1\" # http://a:b/c http://u:ü@h";
    let shown = shown(text, 0..5);
    assert!(shown.contains("http://me:*****@proxy:1\" # http://a:b/c http://u:**@h"), "{shown}");
}

#[test]
fn places_are_shown_at_the_end_of_a_file_and_of_no_width() {
    insta::assert_snapshot!(shown("a\nbc", 4..4), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:2:3
  |
2 | bc
  |   ^
"#);
    insta::assert_snapshot!(shown("a\nbc\n", 5..5), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:3:1
  |
3 |
  | ^
"#);
    insta::assert_snapshot!(shown("", 0..0), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:1:1
  |
1 |
  | ^
"#);
    insta::assert_snapshot!(shown("abc", 1..1), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:1:2
  |
1 | abc
  |  ^
"#);
}

#[test]
fn carriage_returns_tabs_and_wide_characters_keep_the_caret_in_place() {
    insta::assert_snapshot!(shown("a\r\nbcd\r\ne", 4..5), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:2:2
  |
2 | bcd
  |  ^
"#);
    insta::assert_snapshot!(shown("\tx: Int", 1..2), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:1:2
  |
1 |     x: Int
  |     ^
"#);
    insta::assert_snapshot!(shown("# öäü x", 8..10), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:1:6
  |
1 | # öäü x
  |      ^^
"#);
    assert_eq!(place("# öäü x", 9..10).line_column(), (1, 7));
}

#[test]
fn only_the_first_of_many_lines_is_underlined() {
    insta::assert_snapshot!(shown("a: Int @rest(\n  x: 1\n)\n", 7..22), @r#"
error[a-code]: this is wrong
 --> shop/user.graphql:1:8
  |
1 | a: Int @rest(
  |        ^^^^^^
"#);
}

#[test]
fn a_line_that_nobody_can_read_is_named_and_not_shown() {
    insta::assert_snapshot!(shown(&"x".repeat(1_000_000), 500_000..500_001), @r#"
error[a-code]: this is wrong
--> shop/user.graphql:1:500001
"#);
}

#[test]
fn spans_beyond_the_text_or_within_a_character_never_panic() {
    for (start, end) in [(0, 99), (99, 120), (3, 4), (4, 3), (2, 3)] {
        let place = place("öäü", start..end);
        let problem = Problem::error("a", "b").at(place);
        assert!(render(std::slice::from_ref(&problem), true).contains("user.graphql"));
        assert!(all_to_json(&[problem]).is_array());
    }
}

#[test]
fn machines_read_lines_and_columns_from_one() {
    let problem = Problem::error("a-code", "wrong").at(place("a\nöb c", 4..5)).help("mend it");
    assert_eq!(
        all_to_json(&[problem, Problem::warning("n+1", "slow")]).to_string(),
        "[{\"code\":\"a-code\",\"severity\":\"error\",\"message\":\"wrong\",\"help\":\"mend it\",\
         \"file\":\"shop/user.graphql\",\"line\":2,\"column\":2,\"endLine\":2,\"endColumn\":3},\
         {\"code\":\"n+1\",\"severity\":\"warning\",\"message\":\"slow\"}]"
    );
}

#[test]
fn names_are_suggested_only_when_they_are_near() {
    let known = ["users", "orders", "products"];
    assert_eq!(nearest("usrs", known), Some("users"));
    assert_eq!(nearest("Order", known), Some("orders"));
    assert_eq!(nearest("payments", known), None);
    assert_eq!(nearest("", known), None);
}
