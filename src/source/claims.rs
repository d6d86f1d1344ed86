//! Looks up a claim of a token, by its name or by a path.

use serde_json::Value;

/// Returns the claim at `path`: names joined with dots. A name may contain dots, as URLs do; the longest matching name
/// is used. `None` if it is missing.
#[must_use]
pub fn claim<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    let (mut value, mut rest) = (claims, path);
    loop {
        let members = value.as_object()?;
        if let Some(found) = members.get(rest) {
            return Some(found);
        }
        let mut dots = rest.rmatch_indices('.').map(|(at, _)| at);
        let (at, inner) = dots.find_map(|at| Some((at, members.get(&rest[..at])?)))?;
        (value, rest) = (inner, &rest[at + 1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::claim;
    use serde_json::json;

    #[test]
    fn a_claim_is_found_by_its_name_or_by_the_path_to_it() {
        let claims = json!({
            "sub": "u1",
            "a.b": "flat",
            "a": { "b": "nested", "c": 2 },
            "realm_access": { "roles": ["user", "admin"] },
            "https://example.com/claims": { "org": { "id": 7 } },
        });
        let found = |path| claim(&claims, path).cloned();
        assert_eq!(found("sub"), Some(json!("u1")));
        assert_eq!(found("realm_access.roles"), Some(json!(["user", "admin"])));
        assert_eq!(found("https://example.com/claims.org.id"), Some(json!(7)));
        assert_eq!(found("a.b"), Some(json!("flat")), "a name before a path");
        assert_eq!(found("a.c"), Some(json!(2)));
        for missing in ["subject", "sub.x", "realm_access.roles.0", "a.d", "x.y", "."] {
            assert_eq!(found(missing), None, "{missing}");
        }
        assert_eq!(claim(&json!(null), "sub"), None);
    }
}
