//! The format in Redis: valid values round-trip, and no others are accepted.

use super::{SECOND, Who, headers};
use crate::engine::replies::frame::{Seal, open, write};
use crate::engine::replies::freshness::Lifetime;
use crate::engine::replies::identity::{Identity, Partition};
use crate::engine::replies::kept::Kept;
use crate::engine::replies::policy::Policy;
use crate::engine::testing::{Random, Upstream};
use crate::source::{Body, Request, Trace};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

fn request(target: &str) -> Request {
    Request {
        source: "s".into(),
        verb: "GET",
        target: target.into(),
        headers: headers(&[("authorization", "s3cret"), ("x-a", "b")])
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        body: Bytes::from_static(b"{}"),
        reading: 0,
        trace: Trace::default(),
    }
}

fn identity(request: Request, who: Who) -> Identity {
    Identity::new(Arc::new(request), Partition::of(&who.caller()))
}

fn policy(select: &str) -> Policy {
    let sdl = format!(
        r#"type Query {{ a: Int @cacheControl(maxAge: 60) @call(source: "s", target: "/a", select: "{select}") }}"#
    );
    let graph = Upstream::new(|_| Ok(serde_json::Value::Null)).graph(&sdl);
    Policy::of(&graph.bindings[0], &crate::engine::CacheSettings::default())
        .expect("it may be kept")
}

fn kept() -> Kept {
    Kept {
        body: Body::Json(Bytes::from_static(b"{ \"n\": 1 }")),
        status: 203,
        headers: Arc::new(headers(&[("etag", "\"1\""), ("x-y", "z"), ("x-y", "zz")])),
        lifetime: Lifetime {
            fresh: 10 * SECOND,
            while_revalidate: 2 * SECOND,
            if_error: 3 * SECOND,
            for_validators: 4 * SECOND,
        },
        private: true,
        came: Instant::now(),
        retry: crate::engine::replies::retry::Retry::default(),
    }
}

#[test]
fn a_reply_comes_back_as_old_as_it_is() {
    let seal = Seal::of(&identity(request("/a"), Who::User(1)), &policy("$.x"));
    let (kept, written) = (kept(), SystemTime::now());
    let value = Bytes::from(write(&seal, &kept, written));
    let now = Instant::now() + Duration::from_hours(1);
    let back = open(&seal, value.clone(), true, written + 7 * SECOND, now).expect("it opens");
    let (Body::Json(one), Body::Json(other)) = (&kept.body, &back.body) else { panic!("JSON") };
    assert_eq!((one, kept.status, &kept.headers), (other, back.status, &back.headers));
    assert_eq!(kept.lifetime, back.lifetime);
    assert!(back.private && back.age(now).as_secs() == 7, "{:?}", back.age(now));
    let ahead = open(&seal, value, true, written - 7 * SECOND, now).expect("it opens");
    assert_eq!(ahead.age(now), Duration::ZERO);
}

#[test]
fn nothing_else_opens() {
    let policy = policy("$.x");
    let seal = Seal::of(&identity(request("/a"), Who::User(1)), &policy);
    let value = write(&seal, &kept(), SystemTime::now());
    let opens = |seal: &Seal, value: &[u8]| {
        let value = Bytes::copy_from_slice(value);
        open(seal, value, true, SystemTime::now(), Instant::now()).is_some()
    };
    assert!(opens(&seal, &value));
    for length in 0..value.len() {
        assert!(!opens(&seal, &value[..length]), "cut to {length}");
    }
    for bit in 0..value.len() * 8 {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!opens(&seal, &changed), "bit {bit}");
    }
    let mut random = Random(7);
    for _ in 0..10_000 {
        let length = random.below(200);
        let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(!opens(&seal, &noise));
    }
    let mut others = vec![
        Seal::of(&identity(request("/b"), Who::User(1)), &policy),
        Seal::of(&identity(request("/a"), Who::User(2)), &policy),
        Seal::of(&identity(request("/a"), Who::Anonymous), &policy),
        Seal::of(&identity(request("/a"), Who::User(1)), &self::policy("$response.headers.x")),
    ];
    for change in [
        (|request: &mut Request| request.source = "t".into()) as fn(&mut Request),
        |request| request.verb = "POST",
        |request| request.body = Bytes::new(),
        |request| drop(request.headers.pop()),
        |request| request.headers.reverse(),
    ] {
        let mut changed = request("/a");
        change(&mut changed);
        others.push(Seal::of(&identity(changed, Who::User(1)), &policy));
    }
    for other in others {
        assert!(!opens(&other, &value) && other.key() != seal.key());
    }
    let key = String::from_utf8(seal.key()).expect("text");
    assert!(key.len() == "reply:".len() + 64 && !key.contains("s3cret"));
}
