//! Tests one rule and one caller at a time.

use super::Access;
use crate::engine::testing::Upstream;
use crate::graph::Graph;
use crate::source::Caller;
use serde_json::{Map, Value, json};

/// Returns `true` if a caller with these claims may see `Query.a`, which is guarded by `rule`.
fn allows(rule: &str, claims: &Value, arguments: &Value) -> bool {
    let graph = graph(rule);
    let caller = Caller {
        claims: claims.clone(),
        headers: [("x-team", "red")]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect(),
        ..Caller::default()
    };
    let access = Access::new(&graph, &caller);
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    let guards = graph.guards.of_field("Query", "a");
    assert!(!guards.is_empty());
    guards.iter().all(|guard| access.allows(*guard, || arguments.clone()))
}

fn graph(rule: &str) -> std::sync::Arc<Graph> {
    let upstream = Upstream::new(|_| Ok(Value::Null));
    upstream.graph(&format!(
        r#"type Query {{ a(x: Int, y: In): Int {rule} @call(source: "s", target: "/a") }}
        input In {{ z: String }}"#
    ))
}

#[test]
fn authenticated_means_a_verified_token() {
    assert!(allows("@authenticated", &json!({}), &Value::Null));
    for nobody in [Value::Null, json!("x"), json!([]), json!(true)] {
        assert!(!allows("@authenticated", &nobody, &Value::Null), "{nobody}");
    }
}

#[test]
fn scopes_are_a_choice_of_lists() {
    let rule = r#"@requiresScopes(scopes: [["read", "write"], ["admin"]])"#;
    let passes = [
        json!({ "scope": "write other read" }),
        json!({ "scope": ["read", "write"] }),
        json!({ "scp": "admin" }),
        json!({ "scp": ["admin"] }),
        json!({ "scopes": ["x", "admin"] }),
        json!({ "scope": "read", "scp": ["write"] }),
    ];
    for claims in passes {
        assert!(allows(rule, &claims, &Value::Null), "{claims}");
    }
    let fails = [
        Value::Null,
        json!({}),
        json!({ "scope": "read" }),
        json!({ "scope": "administrator readwrite" }),
        json!({ "scope": "READ WRITE" }),
        json!({ "scope": "read,write" }),
        json!({ "scope": { "admin": true } }),
        json!({ "scope": ["read write"] }),
        json!({ "role": "admin" }),
        json!({ "scope": [["admin"]] }),
    ];
    for claims in fails {
        assert!(!allows(rule, &claims, &Value::Null), "{claims}");
    }
}

#[test]
fn a_rule_lets_pass_on_true_alone() {
    let ada = json!({ "sub": "ada", "admin": true, "role": "yes", "level": 3, "none": null });
    let table = [
        ("$claims.admin", true),
        ("$claims.sub->eq('ada')", true),
        ("$claims.sub->eq('bob')", false),
        // Not `true`: a text, a number, null, a missing claim.
        ("$claims.role", false),
        ("$claims.level", false),
        ("$claims.none", false),
        ("$claims.missing", false),
        // A missing claim is not false.
        ("$claims.missing->not", false),
        ("$claims.missing->ne('banned')", false),
        ("$claims.missing->eq($claims.none)", false),
        ("$claims.missing->in($args.y.z)->not", false),
        // Cannot be evaluated.
        ("$claims.level->not", false),
        ("$claims.sub->gt(1)", false),
        ("$claims.sub->contains('a')", false),
        ("$($claims.sub ?? [])->contains('a')", false),
        ("$claims->get('sub')->contains('a')", false),
        // Denies, even if the other operand is true.
        ("$claims.missing->or($claims.admin)", true),
        ("$request.headers.x-team->eq('red')", true),
        ("$request.ip->eq('127.0.0.1')", false),
        ("$args.x->lte($claims.level)", true),
        ("$args.y.z->eq($claims.sub)", true),
    ];
    for (rule, expected) in table {
        let rule = format!("@allow(if: \"{rule}\")");
        let arguments = json!({ "x": 3, "y": { "z": "ada" } });
        assert_eq!(allows(&rule, &ada, &arguments), expected, "{rule}");
    }
}

#[test]
fn a_rule_that_names_the_token_denies_whoever_has_none() {
    let table = [
        ("$claims.sub->eq($args.y.z)", false),
        ("$claims.banned ?? true", false),
        ("$claims.sub->match([null, true], [@, true])", false),
        ("$args.x->eq(1)->or($claims.admin)", false),
        // Does not name the token.
        ("$args.x->eq(1)", true),
        ("$(true)", true),
        ("$(false)", false),
    ];
    for (rule, expected) in table {
        let rule = format!("@allow(if: \"{rule}\")");
        assert_eq!(allows(&rule, &Value::Null, &json!({ "x": 1 })), expected, "{rule}");
    }
}
