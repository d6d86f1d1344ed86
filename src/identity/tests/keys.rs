//! Contents of a JWKS, and which keys of it are used.

use super::*;
use crate::identity::key_set::{KeySet, Mistake};
use crate::identity::{Algorithm, Unusable};

fn set(keys: &Value) -> Result<KeySet, Mistake> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn count(set: &KeySet, algorithm: Algorithm, id: Option<&str>) -> usize {
    set.candidates(algorithm, id).count()
}

/// Returns why the only key of a set is not used.
fn unfit(jwk: &Value) -> String {
    set(&json!([jwk])).unwrap_err().to_string()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn use_key_ops_and_alg_are_obeyed() {
    let jwk = || Signer::es256().jwk("a");
    for (name, value) in
        [("use", json!("sig")), ("key_ops", json!(["sign", "verify"])), ("alg", json!("ES256"))]
    {
        assert_eq!(set(&json!([with(jwk(), name, value)])).unwrap().len(), 1, "{name}");
    }
    for (name, value, why) in [
        ("use", json!("enc"), "not a key for verifying"),
        ("use", json!(1), "not a key for verifying"),
        ("key_ops", json!(["sign"]), "not a key for verifying"),
        ("key_ops", json!([]), "not a key for verifying"),
        ("key_ops", json!("verify"), "not a key for verifying"),
        ("alg", json!("ES384"), "algorithm"),
        ("alg", json!("HS256"), "algorithm"),
        ("alg", json!("none"), "algorithm"),
        ("alg", json!(7), "cannot be read"),
        ("kid", json!(7), "cannot be read"),
        ("kty", json!("oct"), "symmetric"),
        ("kty", json!("ec"), "kind"),
        ("crv", json!("P-521"), "kind"),
        ("crv", json!("secp256k1"), "kind"),
        ("x", json!("AA"), "cannot be read"),
        ("x", json!("not base64!"), "cannot be read"),
        ("d", json!("AA"), "private"),
    ] {
        let said = unfit(&with(jwk(), name, value));
        assert!(said.contains(why), "{name}: {said}");
    }
    let rsa = with(Signer::rsa().jwk("a"), "alg", json!("PS256"));
    let set = set(&json!([rsa])).unwrap();
    assert_eq!(count(&set, Algorithm::Ps256, Some("a")), 1);
    assert_eq!(count(&set, Algorithm::Rs256, Some("a")), 0, "the key is for one algorithm only");
}

#[test]
fn an_rsa_key_is_neither_small_nor_odd() {
    let jwk = |bytes: &[u8], e: &str| json!({ "kty": "RSA", "n": signer::encode(bytes), "e": e, "kid": "a" });
    assert!(unfit(&jwk(&[0xff; 128], "AQAB")).contains("below 2048"));
    assert!(unfit(&jwk(&[0x7f; 256], "AQAB")).contains("below 2048"), "2047 bits");
    assert!(unfit(&jwk(&[[0; 128], [0xff; 128]].concat(), "AQAB")).contains("below 2048"));
    assert!(unfit(&jwk(&[0xff; 1025], "AQAB")).contains("above 8192"));
    assert!(unfit(&jwk(&[], "AQAB")).contains("below 2048"));
    for e in ["AQ", "Ag", "", "AA", "AQAAAAAB"] {
        assert!(unfit(&jwk(&[0xff; 256], e)).contains("cannot be read"), "{e}");
    }
    assert!(set(&json!([jwk(&[0xff; 256], "AQAB"), jwk(&[0xff; 256], "Aw")])).is_ok());
    let padded = [vec![0], vec![0xff; 256]].concat();
    assert!(set(&json!([jwk(&padded, "AQAB")])).is_ok(), "a zero in front is a habit of some");
}

#[test]
fn keys_are_found_by_id_and_algorithm() {
    let (one, two) = (Signer::es256(), Signer::es256());
    let keys = [one.jwk("a"), two.jwk("a"), two.jwk("b"), Signer::eddsa().jwk("a")];
    let found = set(&json!(keys)).unwrap();
    assert_eq!(count(&found, Algorithm::Es256, Some("a")), 2, "one id may stand for several keys");
    assert_eq!(count(&found, Algorithm::Es256, Some("b")), 1);
    assert_eq!(count(&found, Algorithm::Es256, Some("c")), 0);
    assert_eq!(count(&found, Algorithm::EdDsa, None), 1);
    assert_eq!(count(&found, Algorithm::Es384, None), 0);
    let many: Vec<Value> = (0..20).map(|_| one.jwk("a")).collect();
    let found = set(&json!(many)).unwrap();
    assert_eq!(count(&found, Algorithm::Es256, Some("a")), 4, "tries are bounded");
}

#[tokio::test]
async fn duplicate_ids_mean_either_key() {
    let (one, two, three) = (Signer::es256(), Signer::es256(), Signer::es256());
    let identity = identity(vec![provider(ISSUER, &[one.jwk("a"), two.jwk("a")])]);
    assert!(ask(&identity, &one.token(&claims())).await.is_ok());
    assert!(ask(&identity, &two.token(&claims())).await.is_ok());
    assert_eq!(refused(&identity, &three.token(&claims())).await, Refused::Signature);
}

#[test]
fn what_is_no_jwks_is_said_without_repeating_it() {
    let secret = r#"{"keys":[{"kty":"EC","d":"geheim"#;
    for text in ["", "geheim", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, secret, "\u{0}"] {
        let said = KeySet::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(said.contains("not a JWKS") && !said.contains("geheim"), "{said}");
    }
    assert!(set(&json!([])).unwrap_err().to_string().contains("no key"));
    let many: Vec<Value> = vec![json!({}); 65];
    assert_eq!(set(&json!(many)), Err(Mistake::TooMany));
    let large = vec![b' '; (256 << 10) + 1];
    assert_eq!(KeySet::parse(&large), Err(Mistake::TooLarge));
    let deep = format!(r#"{{"keys":{}"#, "[".repeat(100_000));
    assert!(matches!(KeySet::parse(deep.as_bytes()), Err(Mistake::Malformed(_))));
}

#[test]
fn what_cannot_be_used_is_left_out() {
    let octets = json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "kid": "a" });
    let found = set(&json!([octets, Signer::es256().jwk("b"), { "kty": "AKP" }])).unwrap();
    assert_eq!((found.len(), found.unfit.len()), (1, 2));
}

#[test]
fn a_key_file_that_cannot_be_read_is_said_at_load() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let keys = KeySource::File(folder.path().join(name));
        let providers = vec![ProviderSettings::new(ISSUER, keys, Audience::Any)];
        Identity::new(&Settings { providers, ..Settings::default() }).err().unwrap_or_default()
    };
    let said = |unusable: &[Unusable]| unusable.iter().map(ToString::to_string).collect::<String>();
    assert!(said(&open("none.json")).contains("none.json"));
    std::fs::write(folder.path().join("bad.json"), "geheim").unwrap();
    let bad = said(&open("bad.json"));
    assert!(bad.contains("bad.json") && !bad.contains("geheim"), "{bad}");
    let good = json!({ "keys": [Signer::es256().jwk("a")] }).to_string();
    std::fs::write(folder.path().join("good.json"), good).unwrap();
    assert_eq!(open("good.json"), []);
}
