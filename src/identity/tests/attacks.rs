//! Tokens made by someone other than their issuer, or meant for another audience. Each is refused for its own reason.

use super::*;

fn header(extra: &Value) -> Value {
    let mut header = json!({ "alg": "EdDSA", "kid": "a" });
    header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    header
}

#[tokio::test]
async fn every_algorithm_verifies_what_its_key_signed_and_nothing_else() {
    for signer in Signer::all() {
        for algorithm in signer.algorithms() {
            let token = signer.token_with(&json!({ "alg": algorithm, "kid": "a" }), &claims());
            let identity = trusting(&signer);
            let verified = ask(&identity, &token).await.unwrap();
            assert_eq!(verified.claims, claims(), "{algorithm}");
            // One bit of each part.
            for part in 0..3 {
                let mut parts: Vec<Vec<u8>> = token.split('.').map(signer::decode).collect();
                let last = parts[part].len() - 2;
                parts[part][last] ^= 1;
                let forged = parts.iter().map(signer::encode).collect::<Vec<_>>().join(".");
                assert!(ask(&identity, &forged).await.is_err(), "{algorithm} {part}");
            }
        }
    }
}

#[tokio::test]
async fn unsigned_tokens_are_refused_however_none_is_spelled() {
    let identity = trusting(&Signer::eddsa());
    for none in ["none", "None", "NONE", "nOnE", "NonE", " none", ""] {
        let header = json!({ "alg": none, "kid": "a" });
        let (header, claims) = (header.to_string(), claims().to_string());
        let unsigned = format!("{}.{}", signer::encode(header), signer::encode(claims));
        for token in [format!("{unsigned}."), format!("{unsigned}.AAAA")] {
            assert_eq!(refused(&identity, &token).await, Refused::Algorithm, "{none:?}");
        }
        assert_eq!(refused(&identity, &unsigned).await, Refused::Malformed, "two parts");
    }
}

/// The public key is public: an HMAC secret made of it would be known to everyone.
#[tokio::test]
async fn a_public_key_is_no_hmac_secret() {
    let signer = Signer::rsa();
    let jwk = signer.jwk("a");
    let secrets = [
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        signer::decode(jwk["n"].as_str().unwrap()),
    ];
    for (name, how) in [
        ("HS256", ring::hmac::HMAC_SHA256),
        ("HS384", ring::hmac::HMAC_SHA384),
        ("HS512", ring::hmac::HMAC_SHA512),
    ] {
        for secret in &secrets {
            let header = json!({ "alg": name, "kid": "a" }).to_string();
            let message =
                format!("{}.{}", signer::encode(header), signer::encode(claims().to_string()));
            let tag = ring::hmac::sign(&ring::hmac::Key::new(how, secret), message.as_bytes());
            let token = format!("{message}.{}", signer::encode(tag));
            assert_eq!(refused(&trusting(&signer), &token).await, Refused::Algorithm);
        }
    }
}

#[tokio::test]
async fn a_right_key_of_another_issuer_is_a_wrong_one() {
    let (ours, theirs) = (Signer::eddsa(), Signer::eddsa());
    let other = "https://other.example.com/";
    let mut elsewhere = provider(other, &[theirs.jwk("b")]);
    elsewhere.audience = Audience::OneOf(vec!["elsewhere".to_owned()]);
    let both = identity(vec![provider(ISSUER, &[ours.jwk("a")]), elsewhere]);
    // Their key, our issuer, with any `kid`.
    for (id, expected) in [("a", Refused::Signature), ("b", Refused::UnknownKey)] {
        let token = theirs.token_with(&json!({ "alg": "EdDSA", "kid": id }), &claims());
        assert_eq!(refused(&both, &token).await, expected);
    }
    // Their key and issuer, our audience.
    let token = theirs
        .token_with(&json!({ "alg": "EdDSA", "kid": "b" }), &claims_with("iss", json!(other)));
    assert_eq!(refused(&both, &token).await, Refused::Audience);
    for issuer in [json!("https://id.example.com"), json!("HTTPS://ID.EXAMPLE.COM/"), json!(7)] {
        let token = ours.token(&claims_with("iss", issuer));
        assert_eq!(refused(&both, &token).await, Refused::UnknownIssuer);
    }
    let token = ours.token(&claims_with("iss", Value::Null));
    assert_eq!(refused(&both, &token).await, Refused::UnknownIssuer);
    let token = ours.token(&claims_with("iss", json!([ISSUER])));
    assert_eq!(refused(&both, &token).await, Refused::UnknownIssuer);
}

#[tokio::test]
async fn algorithms_belong_to_the_issuer() {
    let signer = Signer::rsa();
    let mut only_pss = provider(ISSUER, &[signer.jwk("a")]);
    only_pss.algorithms = vec![crate::identity::Algorithm::Ps256];
    let identity = identity(vec![only_pss]);
    assert_eq!(refused(&identity, &signer.token(&claims())).await, Refused::Algorithm);
    let token = signer.token_with(&json!({ "alg": "PS256", "kid": "a" }), &claims());
    assert!(ask(&identity, &token).await.is_ok());
    // Signed with one algorithm, declared as another of the same key.
    let text = json!({ "alg": "PS256", "kid": "a" }).to_string();
    let message = format!("{}.{}", signer::encode(text), signer::encode(claims().to_string()));
    let other = signer::encode(signer.sign("RS256", message.as_bytes()));
    assert_eq!(refused(&identity, &format!("{message}.{other}")).await, Refused::Signature);
}

#[tokio::test]
async fn a_key_id_is_only_compared() {
    let signer = Signer::eddsa();
    let identity = trusting(&signer);
    for id in [
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:1/jwks.json",
        "a' OR '1'='1",
        "a' UNION SELECT 'AAAA'; --",
        "A",
        "a ",
        "",
        "a\u{0}",
        "%61",
        "$(id)",
        "{{7*7}}",
        &"k".repeat(4000),
    ] {
        let token = signer.token_with(&json!({ "alg": "EdDSA", "kid": id }), &claims());
        assert_eq!(refused(&identity, &token).await, Refused::UnknownKey, "{id}");
    }
    for id in [json!(1), json!(null), json!(["a"]), json!({ "a": 1 })] {
        let token = signer.token_with(&json!({ "alg": "EdDSA", "kid": id }), &claims());
        assert_eq!(refused(&identity, &token).await, Refused::Malformed);
    }
    let huge = signer.token_with(&json!({ "alg": "EdDSA", "kid": "k".repeat(10_000) }), &claims());
    assert_eq!(refused(&identity, &huge).await, Refused::TooLarge);
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (ours, theirs) = (Signer::eddsa(), Signer::eddsa());
    let identity = trusting(&ours);
    for extra in [
        json!({ "jwk": theirs.jwk("a") }),
        json!({ "jku": "http://127.0.0.1:1/jwks.json" }),
        json!({ "x5u": "http://127.0.0.1:1/cert.pem" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jku": 7, "x5u": [], "jwk": null }),
    ] {
        let forged = theirs.token_with(&header(&extra), &claims());
        assert_eq!(refused(&identity, &forged).await, Refused::Signature, "{extra}");
        let good = ours.token_with(&header(&extra), &claims());
        assert!(ask(&identity, &good).await.is_ok(), "{extra}");
    }
}

#[tokio::test]
async fn extensions_and_other_purposes_are_refused() {
    let signer = Signer::eddsa();
    let identity = trusting(&signer);
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null), json!("b64")] {
        let token = signer.token_with(&header(&json!({ "crit": crit, "b64": false })), &claims());
        assert_eq!(refused(&identity, &token).await, Refused::Extension);
    }
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let token = signer.token_with(&header(&json!({ "typ": kind })), &claims());
        assert!(ask(&identity, &token).await.is_ok(), "{kind}");
    }
    for kind in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", ""] {
        let token = signer.token_with(&header(&json!({ "typ": kind })), &claims());
        assert_eq!(refused(&identity, &token).await, Refused::Type, "{kind}");
    }
}

#[tokio::test]
async fn a_signature_has_one_form() {
    for signer in Signer::all() {
        let identity = trusting(&signer);
        let token = signer.token(&claims());
        let (message, signature) = token.rsplit_once('.').unwrap();
        let bytes = signer::decode(signature);
        let half = bytes.len() / 2;
        let forms: [Vec<u8>; 8] = [
            vec![],
            bytes[..bytes.len() - 1].to_vec(),
            bytes[1..].to_vec(),
            [&[0], &*bytes].concat(),
            [&*bytes, &[0]].concat(),
            bytes[..half].to_vec(),
            vec![0; bytes.len()],
            vec![0xff; bytes.len()],
        ];
        for form in &forms {
            let token = format!("{message}.{}", signer::encode(form));
            assert_eq!(refused(&identity, &token).await, Refused::Signature, "{form:?}");
        }
    }
    // (r, 0), (0, s), and (r, n - s), which is a signature too, of the same message: nothing is keyed by it.
    let signer = Signer::es256();
    let token = signer.token(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    for zeros in [0..32, 32..64] {
        let mut bytes = signer::decode(signature);
        bytes[zeros].fill(0);
        let token = format!("{message}.{}", signer::encode(&bytes));
        assert_eq!(refused(&trusting(&signer), &token).await, Refused::Signature);
    }
}

#[tokio::test]
async fn a_token_has_one_spelling() {
    let signer = Signer::eddsa();
    let identity = trusting(&signer);
    let good = signer.token(&claims());
    assert!(ask(&identity, &good).await.is_ok());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    // The last of 86 characters has four unused bits, which must be zero.
    let (body, last) = signature.split_at(85);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.find(last).unwrap() + 1;
    let stray = &alphabet[next..=next];
    for spelled in [
        format!("{message}.{body}{stray}"),
        format!("{message}.{signature}="),
        format!("{message}.{signature}=="),
        format!("{message}.{signature} x"),
        format!("{message}.{body}"),
        format!("{message}.{signature}."),
        format!(".{message}.{signature}"),
        format!("{message}..{signature}"),
        format!("{head}=.{payload}.{signature}"),
        format!("{head}.{payload}"),
        head.to_owned(),
        format!("{message}.{}+/", &signature[..84]),
        format!("{message}.{signature},{message}.{signature}"),
        "....".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "x".to_owned(),
        "{}".to_owned(),
        "x".repeat(8 << 10),
    ] {
        assert_eq!(refused(&identity, &spelled).await, Refused::Malformed, "{spelled}");
    }
    assert_eq!(refused(&identity, &"x".repeat((8 << 10) + 1)).await, Refused::TooLarge);
}

#[tokio::test]
async fn members_given_twice_and_wrong_shapes_are_refused() {
    let signer = Signer::eddsa();
    let identity = trusting(&signer);
    let good = claims().to_string();
    for (header, claims) in [
        (r#"{"alg":"EdDSA","alg":"none","kid":"a"}"#, good.as_str()),
        (r#"{"alg":"none","alg":"EdDSA","kid":"a"}"#, &good),
        (r#"{"alg":"EdDSA","kid":"b","kid":"a"}"#, &good),
        (r#"{"alg":["EdDSA"],"kid":"a"}"#, &good),
        (r#"{"kid":"a"}"#, &good),
        (r#"["EdDSA"]"#, &good),
        (r#"{"alg":"EdDSA","kid":"a","typ":1}"#, &good),
        (r#"{"alg":"EdDSA","kid":"a"} "x""#, &good),
        (r#"{"alg":"EdDSA","kid":"a"}"#, r#"{"iss":"x","iss":"https://id.example.com/"}"#),
        (r#"{"alg":"EdDSA","kid":"a"}"#, r#"["iss"]"#),
        (r#"{"alg":"EdDSA","kid":"a"}"#, "\u{feff}{}"),
        (r#"{"alg":"EdDSA","kid":"a"}"#, ""),
    ] {
        let token = signer.token_of(header, claims);
        assert_eq!(refused(&identity, &token).await, Refused::Malformed, "{header} {claims}");
    }
    let deep = format!(r#"{{"iss":{}"#, "[".repeat(4000));
    let token = signer.token_of(r#"{"alg":"EdDSA","kid":"a"}"#, &deep);
    assert_eq!(refused(&identity, &token).await, Refused::Malformed);
}

#[tokio::test]
async fn an_audience_is_one_of_those_wanted() {
    let signer = Signer::eddsa();
    let mut settings = provider(ISSUER, &[signer.jwk("a")]);
    settings.audience = Audience::OneOf(vec!["shop".to_owned(), "admin".to_owned()]);
    let identity = identity(vec![settings]);
    for (audience, expected) in [
        (json!("shop"), Ok(())),
        (json!("admin"), Ok(())),
        (json!(["else", "shop"]), Ok(())),
        (json!("Shop"), Err(Refused::Audience)),
        (json!("shop admin"), Err(Refused::Audience)),
        (json!([]), Err(Refused::Audience)),
        (json!(""), Err(Refused::Audience)),
        (Value::Null, Err(Refused::Audience)),
        (json!(["shop", 7]), Err(Refused::Claim("aud"))),
        (json!({ "shop": true }), Err(Refused::Claim("aud"))),
        (json!([["shop"]]), Err(Refused::Claim("aud"))),
    ] {
        let token = signer.token(&claims_with("aud", audience.clone()));
        assert_eq!(ask(&identity, &token).await.map(drop), expected, "{audience}");
    }
}

#[tokio::test]
async fn without_a_key_id_the_keys_of_the_algorithm_are_tried() {
    let (one, two) = (Signer::eddsa(), Signer::eddsa());
    let identity = identity(vec![provider(ISSUER, &[one.jwk("a"), two.jwk("b")])]);
    let token = two.token_with(&json!({ "alg": "EdDSA" }), &claims());
    assert!(ask(&identity, &token).await.is_ok());
    let token = Signer::eddsa().token_with(&json!({ "alg": "EdDSA" }), &claims());
    assert_eq!(refused(&identity, &token).await, Refused::Signature);
    let token = Signer::es256().token_with(&json!({ "alg": "ES256" }), &claims());
    assert_eq!(refused(&identity, &token).await, Refused::UnknownKey);
}
