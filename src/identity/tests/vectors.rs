//! Tokens and keys as printed in the RFCs.

use super::*;
use crate::identity::Algorithm;
use crate::identity::key::Key;

/// The claims of RFC 7515's and RFC 7519's examples, in base64url; they expire in 2011.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn joe(jwk: Value) -> Identity {
    identity(vec![ProviderSettings { audience: Audience::Any, ..provider("joe", &[jwk]) }])
}

fn es256_key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

#[tokio::test]
async fn rfc_7515_a_2_and_a_3() {
    let rs256 = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let es256 =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    for (jwk, header, signature) in [
        (Signer::rsa().jwk("rsa"), r#"{"alg":"RS256"}"#, rs256),
        (es256_key(), r#"{"alg":"ES256"}"#, es256),
    ] {
        let token = format!("{}.{CLAIMS}.{signature}", signer::encode(header));
        let joe = joe(jwk);
        let verified = ask_at(&joe, &token, at(1_300_819_379)).await.unwrap();
        let expected =
            json!({ "iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true });
        assert_eq!(verified.claims, expected);
        assert_eq!(verified.expires(), at(1_300_819_380 + 60));
        assert_eq!(ask(&joe, &token).await, Err(Refused::Expired), "2023 is too late");
    }
}

/// Signed by another implementation. Known because a faulty one shortens it.
#[test]
fn es384_of_another_implementation() {
    let jwk = json!({
        "kty": "EC",
        "crv": "P-384",
        "x": "YHVZ4gc1RDoqxKm4NzaN_Y1r7R7h3RM3JMteC478apSKUiLVb4UNytqWaLoE6ygH",
        "y": "CRKSqP-aYTIsqJfg_wZEEYUayUR5JhZaS2m4NLk2t1DfXZgfApAJ2lBO0vWKnUMp",
    });
    let message = "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6IjE5MzFmZTQ0YmFhMWNhZTkyZWUzNzYzOTQ0MDU1OGMwODdlMTRlNjk5ZWU5NjVhM2Q1OGU1MmU2NGY4MDE0NWIifQ.eyJpc3MiOiJicmt0LWNsaS0xLjAuN3ByZTEiLCJpYXQiOjE0ODQ2OTU1MjAsImp0aSI6IjgxYjczY2Y3In0";
    let signature = signer::decode(
        "DdFi0KmPHSv4PfIMGcWGMSRLmZsfRPQ3muLFW6Ly2HpiLFFQWZ0VEanyrFV263wjlp3udfedgw_vrBLz3XC8CkbvCo_xeHMzaTr_yfhjoheSj8gWRLwB-22rOnUX_M0A",
    );
    let key = Key::parse(jwk.as_object().unwrap()).unwrap();
    assert!(Algorithm::Es384.verify(&key.material, message.as_bytes(), &signature));
    assert!(!Algorithm::Es384.verify(&key.material, message.as_bytes(), &signature[1..]));
}

#[test]
fn rfc_8037_a_4() {
    let jwk = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = signer::decode(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    let key = Key::parse(jwk.as_object().unwrap()).unwrap();
    assert!(Algorithm::EdDsa.verify(&key.material, message, &signature));
    assert!(!Algorithm::EdDsa.verify(&key.material, &message[1..], &signature));
}

#[tokio::test]
async fn rfc_7519_examples_that_nobody_signed_are_refused() {
    let joe = joe(es256_key());
    let now = at(1_300_819_379);
    // §3.1: HS256. §6.1: unsecured.
    let hs256 = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    assert_eq!(ask_at(&joe, &hs256, now).await, Err(Refused::Algorithm));
    let unsecured = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    assert_eq!(ask_at(&joe, &unsecured, now).await, Err(Refused::Algorithm));
}
