//! Keys fetched over the network: at start, in the background, for unknown IDs, and when the provider fails.

use super::jwks::{Mood, Provider, keys};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn settings(provider: &Provider) -> ProviderSettings {
    let uri = format!("http://{}/jwks.json", provider.address).parse().unwrap();
    let keys = KeySource::Url { uri, insecure_http: true };
    let audience = Audience::OneOf(vec!["shop".to_owned()]);
    ProviderSettings { refresh: HOUR, rest: HOUR, ..ProviderSettings::new(ISSUER, keys, audience) }
}

/// Returns a token of this signer with any key ID.
fn token(signer: &Signer, id: &str) -> String {
    signer.token_with(&json!({ "alg": signer.algorithms()[0], "kid": id }), &claims())
}

#[tokio::test]
async fn keys_are_fetched_at_start() {
    let signer = Signer::es256();
    let provider = Provider::start(keys(&[signer.jwk("a")])).await;
    let identity = identity(vec![settings(&provider)]);
    assert_eq!(provider.asked(), 0, "nobody is asked while things are put together");
    let keeping = identity.start().await;
    assert_eq!((provider.asked(), keeping.providers()), (1, 1));
    assert!(ask(&identity, &token(&signer, "a")).await.is_ok());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_rotation_is_seen_at_an_unknown_id() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let provider = Provider::start(keys(&[old.jwk("old")])).await;
    let rested = ProviderSettings { rest: Duration::ZERO, ..settings(&provider) };
    let identity = identity(vec![rested]);
    let _keeping = identity.start().await;
    assert!(ask(&identity, &token(&old, "old")).await.is_ok());
    provider.turn(keys(&[new.jwk("new"), old.jwk("old")]));
    assert!(ask(&identity, &token(&new, "new")).await.is_ok());
    assert!(ask(&identity, &token(&old, "old")).await.is_ok(), "verified anew, and good still");
    assert_eq!(provider.asked(), 2);
    // The old key is withdrawn, and tokens verified with it are no longer accepted.
    provider.turn(keys(&[new.jwk("new")]));
    assert_eq!(ask(&identity, &token(&old, "nothing")).await, Err(Refused::UnknownKey));
    assert_eq!(ask(&identity, &token(&old, "old")).await, Err(Refused::UnknownKey));
    assert!(ask(&identity, &token(&new, "new")).await.is_ok());
}

#[tokio::test]
async fn a_rotation_is_seen_in_the_background() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let provider = Provider::start(keys(&[old.jwk("a")])).await;
    let often = ProviderSettings { refresh: Duration::from_millis(1), ..settings(&provider) };
    let identity = identity(vec![often]);
    let _keeping = identity.start().await;
    provider.turn(keys(&[new.jwk("a")]));
    identity.0.as_ref().unwrap().providers[0].changed(2).await;
    assert!(ask(&identity, &token(&new, "a")).await.is_ok());
    assert_eq!(ask(&identity, &token(&old, "a")).await, Err(Refused::Signature));
}

#[tokio::test]
async fn unknown_ids_make_one_fetch_however_many_they_are() {
    let signer = Signer::es256();
    let provider = Provider::start(keys(&[signer.jwk("a")])).await;
    let first = ProviderSettings { rest: HOUR, ..settings(&provider) };
    let identity = identity(vec![first]);
    // The provider is down at the start, and the keeper rests.
    provider.turn(Mood::Closes);
    let _keeping = identity.start().await;
    let tokens: Vec<String> = (0..100).map(|id| token(&signer, &id.to_string())).collect();
    for token in &tokens {
        assert_eq!(ask(&identity, token).await, Err(Refused::NoKeys));
    }
    assert_eq!(provider.asked(), 1, "it rests");
}

#[tokio::test]
async fn a_crowd_waits_for_one_fetch() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let provider = Provider::start(Mood::Closes).await;
    let never_before = settings(&provider);
    let identity = identity(vec![ProviderSettings { rest: Duration::ZERO, ..never_before }]);
    let _keeping = identity.start().await;
    assert_eq!(ask(&identity, &token(&old, "a")).await, Err(Refused::NoKeys));
    let before = provider.asked();
    provider.turn(keys(&[new.jwk("a")]));
    let token = token(&new, "a");
    let crowd = (0..200).map(|_| ask(&identity, &token));
    let outcomes = futures_util::future::join_all(crowd).await;
    assert!(outcomes.iter().all(Result::is_ok));
    // One that may have been in flight, and one more.
    assert!(provider.asked() <= before + 2, "{} fetches", provider.asked() - before);
}

#[tokio::test]
async fn the_last_good_keys_serve_whatever_the_provider_does() {
    let signer = Signer::es256();
    let provider = Provider::start(keys(&[signer.jwk("a")])).await;
    let time = Duration::from_millis(100);
    let hasty = ProviderSettings { rest: Duration::ZERO, timeout: time, ..settings(&provider) };
    let identity = identity(vec![hasty]);
    let _keeping = identity.start().await;
    let elsewhere: Arc<str> = json!({ "keys": [Signer::es256().jwk("b")] }).to_string().into();
    let small = json!({ "kty": "RSA", "n": signer::encode([0xff; 128]), "e": "AQAB", "kid": "b" });
    let octets = json!({ "kty": "oct", "k": "AAAA", "kid": "b" });
    for (name, mood) in [
        ("closes", Mood::Closes),
        ("hangs", Mood::Hangs),
        ("is endless", Mood::Endless),
        ("redirects", Mood::Says("302 Found\r\nlocation: /other", Arc::clone(&elsewhere))),
        ("redirects for good", Mood::Says("308 Permanent Redirect\r\nlocation: /", elsewhere)),
        ("fails", Mood::Says("500 Internal Server Error", "oh".into())),
        ("has nothing", Mood::Says("204 No Content", "".into())),
        ("is not JSON", Mood::Says("200 OK", "<html>".into())),
        ("is huge", Mood::Says("200 OK", " ".repeat(300 << 10).into())),
        ("is compressed", Mood::Says("200 OK\r\ncontent-encoding: gzip", "\u{1f}".into())),
        ("has no keys", keys(&[])),
        ("has a small key only", keys(&[small])),
        ("has a secret only", keys(&[octets])),
    ] {
        provider.turn(mood);
        let before = provider.asked();
        assert_eq!(ask(&identity, &token(&signer, "b")).await, Err(Refused::UnknownKey), "{name}");
        assert!(provider.asked() > before, "a provider that {name} was asked");
        assert!(ask(&identity, &token(&signer, "a")).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_comes_up_later_is_believed_then() {
    let signer = Signer::es256();
    let provider = Provider::start(Mood::Hangs).await;
    let time = Duration::from_millis(100);
    let hasty = ProviderSettings { rest: Duration::ZERO, timeout: time, ..settings(&provider) };
    let identity = identity(vec![hasty]);
    let _keeping = identity.start().await;
    assert_eq!(ask(&identity, &token(&signer, "a")).await, Err(Refused::NoKeys));
    provider.turn(keys(&[signer.jwk("a")]));
    assert!(ask(&identity, &token(&signer, "a")).await.is_ok());
}

/// Failures are retried without a request: after a second, then two, and so on.
#[tokio::test]
async fn a_failed_fetch_is_tried_again_by_itself() {
    let signer = Signer::es256();
    let provider = Provider::start(Mood::Closes).await;
    let identity = identity(vec![settings(&provider)]);
    let _keeping = identity.start().await;
    provider.turn(keys(&[signer.jwk("a")]));
    identity.0.as_ref().unwrap().providers[0].changed(1).await;
    assert!(ask(&identity, &token(&signer, "a")).await.is_ok());
}

#[tokio::test]
async fn a_file_is_read_anew() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let write = |signer: &Signer, id: &str| {
        std::fs::write(&path, json!({ "keys": [signer.jwk(id)] }).to_string()).unwrap();
    };
    write(&old, "old");
    let audience = Audience::OneOf(vec!["shop".to_owned()]);
    let file = ProviderSettings::new(ISSUER, KeySource::File(path.clone()), audience);
    let identity = identity(vec![ProviderSettings { rest: Duration::ZERO, refresh: HOUR, ..file }]);
    assert!(ask(&identity, &token(&old, "old")).await.is_ok(), "there before the start");
    let _keeping = identity.start().await;
    write(&new, "new");
    assert!(ask(&identity, &token(&new, "new")).await.is_ok());
    assert_eq!(ask(&identity, &token(&old, "old")).await, Err(Refused::UnknownKey));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask(&identity, &token(&old, "other")).await, Err(Refused::UnknownKey));
    assert!(ask(&identity, &token(&new, "new")).await.is_ok());
}

#[tokio::test]
async fn without_a_keeper_nobody_waits() {
    let signer = Signer::es256();
    let provider = Provider::start(keys(&[signer.jwk("a")])).await;
    let identity = identity(vec![settings(&provider)]);
    drop(identity.start().await);
    assert!(ask(&identity, &token(&signer, "a")).await.is_ok(), "the keys are there still");
    assert_eq!(ask(&identity, &token(&signer, "b")).await, Err(Refused::UnknownKey));
    assert_eq!(provider.asked(), 1);
}

#[test]
fn plain_http_must_be_asked_for() {
    let uri = "http://id.example.com/jwks.json".parse().unwrap();
    let keys = KeySource::Url { uri, insecure_http: false };
    let providers = vec![ProviderSettings::new(ISSUER, keys, Audience::Any)];
    let refused = Identity::new(&Settings { providers, ..Settings::default() }).err().unwrap();
    assert!(refused[0].to_string().contains("plain HTTP"), "{}", refused[0]);
}
