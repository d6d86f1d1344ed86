//! Parsing of an upstream's headers.

use super::headers;
use crate::engine::replies::control::{Stale, Stated, Vary, directives};
use std::time::{Duration, SystemTime};

fn read(lines: &[(&str, &str)]) -> Stated {
    Stated::read(&headers(lines), SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
}

fn control(value: &str) -> Stated {
    read(&[("cache-control", value)])
}

#[test]
fn directives_are_told_apart() {
    for (text, due) in [
        ("", ""),
        (",, ,", ""),
        ("no-store", "no-store"),
        (" No-Store ,max-age=5", "No-Store|max-age=5"),
        ("private=\"a, b\", max-age = \"5\"", "private=a, b|max-age =5"),
        ("a=\"x\\\",y\",b", "a=x\\\",y|b"),
        ("a=\"open, b", "a=open, b"),
        ("=,x", "x"),
    ] {
        let mut found = Vec::new();
        directives(text, |name, argument| {
            found.push(argument.map_or(name.to_owned(), |argument| format!("{name}={argument}")));
        });
        assert_eq!(found.join("|").replace(" =", "="), due.replace(" =", "="), "{text}");
    }
}

#[test]
fn the_stricter_of_two_counts_and_what_is_no_number_is_none() {
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(control("max-age=60, max-age=5").max_age, seconds(5));
    assert_eq!(control("max-age=60, s-maxage=5").s_maxage, seconds(5));
    for nothing in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=abc"] {
        assert_eq!(control(nothing).max_age, seconds(0), "{nothing}");
    }
    assert_eq!(control("max-age=99999999999999999999999").max_age, seconds(1 << 31));
    let two = read(&[("cache-control", "max-age=9"), ("cache-control", "no-store")]);
    assert!(two.never && two.max_age == seconds(9));
    let all = control("PRIVATE=\"x\", no-cache=\"y\", Must-Revalidate, proxy-revalidate, public");
    assert!(all.private && all.no_cache && all.stale == Stale::Nobody && !all.never);
    assert_eq!(control("proxy-revalidate").stale, Stale::OneCaller);
    assert_eq!(control("s-maxage=1").stale, Stale::OneCaller);
    assert!(read(&[("set-cookie", "a=b")]).never);
    let stale = control("stale-while-revalidate=3, stale-if-error=4");
    assert_eq!((stale.stale_while_revalidate, stale.stale_if_error), (seconds(3), seconds(4)));
    assert!(read(&[]) == Stated::default() && control("immutable, x-y=1") == Stated::default());
}

#[test]
fn ages_and_dates_are_read() {
    let now = "Sun, 06 Nov 1994 08:49:37 GMT";
    let earlier = "Sun, 06 Nov 1994 08:49:07 GMT";
    let later = "Sun, 06 Nov 1994 08:50:37 GMT";
    let age = |lines: &[(&str, &str)]| read(lines).age.as_secs();
    assert_eq!(age(&[("age", "7")]), 7);
    assert_eq!(age(&[("age", "7, 90")]), 7);
    assert_eq!(age(&[("age", "-7")]), 0);
    assert_eq!(age(&[("date", earlier)]), 30);
    assert_eq!(age(&[("date", earlier), ("age", "7")]), 30);
    assert_eq!(age(&[("date", earlier), ("age", "70")]), 70);
    assert_eq!(age(&[("date", later)]), 0);
    assert_eq!(age(&[("date", "yesterday")]), 0);
    let expires = |lines: &[(&str, &str)]| read(lines).expires_in.map(|left| left.as_secs());
    assert_eq!(expires(&[("expires", later)]), Some(60));
    assert_eq!(expires(&[("expires", later), ("date", earlier)]), Some(90));
    assert_eq!(expires(&[("expires", earlier), ("date", now)]), Some(0));
    assert_eq!(expires(&[("expires", "0")]), Some(0));
    assert_eq!(expires(&[]), None);
}

#[test]
fn vary_is_a_list_of_names_or_anything() {
    let vary = |value: &str| read(&[("vary", value)]).vary;
    assert_eq!(vary(""), Vary::Nothing);
    assert_eq!(vary("*"), Vary::Anything);
    assert_eq!(vary("accept, *"), Vary::Anything);
    assert_eq!(vary("accept language"), Vary::Anything);
    let names = ["accept".parse().unwrap(), "x-tenant".parse().unwrap()];
    assert_eq!(vary("Accept,, X-Tenant"), Vary::Headers(names.to_vec()));
}
