//! Lifetimes of replies, by table (RFC 9111, section 4.2; RFC 5861).

use super::{SECOND, headers};
use crate::engine::replies::control::Stated;
use crate::engine::replies::freshness::{Allowed, Audience, Lifetime, Use};
use std::time::{Duration, SystemTime};

/// Returns the lifetimes that schema and settings allow.
fn allowed(max_age: Option<u64>, from_upstream: bool) -> Allowed {
    let max_age = max_age.map(Duration::from_secs);
    Allowed { max_age, from_upstream, ..Allowed::default() }
}

fn lifetime(allowed: &Allowed, audience: Audience, lines: &[(&str, &str)]) -> Option<Lifetime> {
    let headers = headers(lines);
    let has_validators = headers.contains_key("etag");
    let stated = Stated::read(&headers, SystemTime::now());
    Lifetime::of(allowed, &stated, audience, Duration::ZERO, has_validators)
}

/// Returns the seconds of freshness; `None` if not cached.
fn fresh(allowed: &Allowed, audience: Audience, lines: &[(&str, &str)]) -> Option<u64> {
    lifetime(allowed, audience, lines).map(|lifetime| lifetime.fresh.as_secs())
}

#[test]
fn the_strictest_of_schema_and_upstream_counts() {
    use Audience::{All, Caller};
    let schema = allowed(Some(60), false);
    let upstream = allowed(None, true);
    let both = allowed(Some(60), true);
    let none = allowed(None, false);
    for (allowed, audience, control, due) in [
        (&schema, All, "", Some(60)),
        (&schema, All, "max-age=10", Some(10)),
        (&schema, All, "max-age=100", Some(60)),
        (&schema, All, "max-age=10, s-maxage=20", Some(20)),
        (&schema, Caller, "max-age=10, s-maxage=20", Some(10)),
        (&schema, All, "max-age=0", None),
        (&schema, All, "no-store", None),
        (&schema, All, "no-store, max-age=10", None),
        (&schema, All, "no-cache, max-age=10", None),
        (&schema, All, "must-revalidate, max-age=10", Some(10)),
        (&upstream, All, "", None),
        (&upstream, All, "public", None),
        (&upstream, All, "max-age=10", Some(10)),
        (&upstream, Caller, "s-maxage=10", None),
        (&both, All, "", Some(60)),
        (&both, All, "max-age=10", Some(10)),
        (&none, All, "max-age=10", None),
    ] {
        let found = fresh(allowed, audience, &[("cache-control", control)]);
        assert_eq!(found, due, "{allowed:?} {audience:?} {control}");
    }
}

#[test]
fn age_and_expires_count_and_cookies_are_nobody_elses() {
    let (schema, upstream) = (allowed(Some(60), false), allowed(None, true));
    let all = Audience::All;
    assert_eq!(fresh(&schema, all, &[("cache-control", "max-age=10"), ("age", "4")]), Some(6));
    assert_eq!(fresh(&schema, all, &[("cache-control", "max-age=10"), ("age", "10")]), None);
    assert_eq!(fresh(&schema, all, &[("age", "1000")]), Some(60), "the schema counts from now");
    let expired = [("expires", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert_eq!(fresh(&schema, all, &expired), None);
    assert_eq!(fresh(&upstream, all, &[expired[0], ("cache-control", "max-age=9")]), Some(9));
    assert_eq!(fresh(&schema, all, &[("set-cookie", "session=1")]), None);
    let stated = Stated::read(&headers(&[("cache-control", "max-age=10")]), SystemTime::now());
    let slow = Lifetime::of(&upstream, &stated, all, 3 * SECOND, false);
    assert_eq!(slow.map(|lifetime| lifetime.fresh), Some(7 * SECOND), "it took its time");
}

#[test]
fn a_reply_goes_from_fresh_to_stale_to_useless() {
    let lifetime = Lifetime {
        fresh: 10 * SECOND,
        while_revalidate: 5 * SECOND,
        if_error: 20 * SECOND,
        for_validators: Duration::ZERO,
    };
    for (age, most, due) in [
        (0, None, Use::Serve(10 * SECOND)),
        (9, None, Use::Serve(SECOND)),
        (10, None, Use::ServeAndRefresh),
        (14, None, Use::ServeAndRefresh),
        (15, None, Use::Ask { serves_on_error: true }),
        (29, None, Use::Ask { serves_on_error: true }),
        (30, None, Use::Ask { serves_on_error: false }),
        (3, Some(4), Use::Serve(SECOND)),
        (4, Some(4), Use::ServeAndRefresh),
        (9, Some(4), Use::Ask { serves_on_error: true }),
        (24, Some(4), Use::Ask { serves_on_error: false }),
        (0, Some(0), Use::ServeAndRefresh),
        (9, Some(99), Use::Serve(SECOND)),
    ] {
        let most = most.map(Duration::from_secs);
        assert_eq!(lifetime.at(Duration::from_secs(age), most), due, "{age} {most:?}");
    }
    assert_eq!(lifetime.whole(), 30 * SECOND);
}

#[test]
fn stale_windows_are_the_stricter_of_both_and_some_words_end_them() {
    let set = Allowed {
        stale_while_revalidate: Some(5 * SECOND),
        stale_if_error: Some(50 * SECOND),
        ..allowed(Some(10), false)
    };
    let unset = allowed(Some(10), false);
    let both = "stale-while-revalidate=7, stale-if-error=40";
    for (allowed, audience, control, due) in [
        (&set, Audience::All, "", (5, 50)),
        (&set, Audience::All, both, (5, 40)),
        (&unset, Audience::All, both, (7, 40)),
        (&unset, Audience::All, "", (0, 0)),
        (&set, Audience::All, "must-revalidate", (0, 0)),
        (&set, Audience::Caller, "must-revalidate", (0, 0)),
        (&set, Audience::All, "proxy-revalidate", (0, 0)),
        (&set, Audience::Caller, "proxy-revalidate", (5, 50)),
        (&set, Audience::All, "s-maxage=10", (0, 0)),
        (&set, Audience::Caller, "s-maxage=10", (5, 50)),
    ] {
        let found = lifetime(allowed, audience, &[("cache-control", control)]).expect("it is kept");
        let found = (found.while_revalidate.as_secs(), found.if_error.as_secs());
        assert_eq!(found, due, "{allowed:?} {audience:?} {control}");
    }
    let kept = lifetime(&set, Audience::All, &[("cache-control", "no-cache"), ("etag", "\"1\"")]);
    let kept = kept.expect("it is kept for its validator");
    assert_eq!(kept.at(Duration::ZERO, None), Use::Ask { serves_on_error: false });
}
