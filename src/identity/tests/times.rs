//! When a token is valid: the limits of its dates, to the second, and invalid dates.

use super::*;

async fn at_time(claims: &Value, seconds: u64) -> Result<(), Refused> {
    let signer = Signer::eddsa();
    ask_at(&trusting(&signer), &signer.token(claims), at(seconds)).await.map(drop)
}

#[tokio::test]
async fn the_leeway_has_two_edges() {
    let claims = claims_with("nbf", json!(NOW));
    for (seconds, expected) in [
        (NOW - 61, Err(Refused::NotYetValid)),
        (NOW - 60, Ok(())),
        (NOW, Ok(())),
        (NOW + 600 + 59, Ok(())),
        (NOW + 600 + 60, Err(Refused::Expired)),
        (NOW + 600 + 61, Err(Refused::Expired)),
    ] {
        assert_eq!(at_time(&claims, seconds).await, expected, "{seconds}");
    }
}

#[tokio::test]
async fn a_date_may_have_a_fraction_and_nothing_else() {
    for (exp, expected) in [
        (json!(1_700_000_000.5), Ok(())),
        (json!(1_699_999_939.5), Err(Refused::Expired)),
        (json!(0), Err(Refused::Expired)),
        (json!(-1), Err(Refused::Expired)),
        (json!(-1e300), Err(Refused::Expired)),
        (json!(253_402_300_799_u64), Ok(())),
        (json!(253_402_300_800_u64), Err(Refused::Claim("exp"))),
        (json!(u64::MAX), Err(Refused::Claim("exp"))),
        (json!(1e300), Err(Refused::Claim("exp"))),
        (json!((NOW + 600).to_string()), Err(Refused::Claim("exp"))),
        (json!([NOW + 600]), Err(Refused::Claim("exp"))),
        (json!({ "at": NOW + 600 }), Err(Refused::Claim("exp"))),
        (json!(true), Err(Refused::Claim("exp"))),
    ] {
        assert_eq!(at_time(&claims_with("exp", exp.clone()), NOW).await, expected, "{exp}");
    }
    assert_eq!(at_time(&claims_with("exp", Value::Null), NOW).await, Err(Refused::NoExpiry));
    for name in ["nbf", "iat"] {
        for value in [json!("1"), json!({}), json!(1e20)] {
            let claims = claims_with(name, value.clone());
            assert_eq!(at_time(&claims, NOW).await, Err(Refused::Claim(name)), "{name} {value}");
        }
    }
    let future = claims_with("nbf", json!(NOW + 3600));
    assert_eq!(at_time(&future, NOW).await, Err(Refused::NotYetValid));
}

/// A number that overflows a double is not a JSON number here.
#[tokio::test]
async fn a_number_without_end_is_refused() {
    let signer = Signer::eddsa();
    for exp in ["1e999", "9".repeat(400).as_str(), "null", "NaN", "Infinity"] {
        let claims = format!(r#"{{"iss":"{ISSUER}","aud":"shop","exp":{exp}}}"#);
        let token = signer.token_of(r#"{"alg":"EdDSA","kid":"a"}"#, &claims);
        let refused = refused(&trusting(&signer), &token).await;
        assert!(matches!(refused, Refused::Malformed | Refused::Claim("exp")), "{exp}: {refused}");
    }
}

#[tokio::test]
async fn a_known_token_dies_when_it_expires() {
    let signer = Signer::es256();
    let identity = trusting(&signer);
    let token = signer.token(&claims());
    let first = ask(&identity, &token).await.unwrap();
    let second = ask_at(&identity, &token, at(NOW + 659)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second), "it is kept");
    assert_eq!(ask_at(&identity, &token, at(NOW + 660)).await, Err(Refused::Expired));
    assert_eq!(first.expires(), at(NOW + 660));
}
