//! The registered claims that decide whether a token is valid (RFC 7519 §4.1): its audience and its dates.

use super::{Audience, Refused};
use serde_json::{Map, Value};
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The year 9999. A later date is a mistake or an attack.
const LATEST: f64 = 253_402_300_799.0;

/// Returns the time in which a token is valid, leeway included. `exp` is required; `nbf` and `iat` must be dates if
/// present.
pub(super) fn times(
    claims: &Map<String, Value>,
    leeway: Duration,
) -> Result<Range<SystemTime>, Refused> {
    let expires = date(claims, "exp")?.ok_or(Refused::NoExpiry)?;
    date(claims, "iat")?;
    let from = match date(claims, "nbf")? {
        Some(from) => from.checked_sub(leeway).unwrap_or(UNIX_EPOCH),
        None => UNIX_EPOCH,
    };
    Ok(from..expires + leeway)
}

pub(super) fn check_times(good: &Range<SystemTime>, now: SystemTime) -> Result<(), Refused> {
    if now >= good.end {
        Err(Refused::Expired)
    } else if now < good.start {
        Err(Refused::NotYetValid)
    } else {
        Ok(())
    }
}

pub(super) fn check_audience(
    claims: &Map<String, Value>,
    wanted: &Audience,
) -> Result<(), Refused> {
    let Audience::OneOf(wanted) = wanted else { return Ok(()) };
    let fits = |audience: &str| wanted.iter().any(|wanted| wanted == audience);
    let found = match claims.get("aud") {
        Some(Value::String(audience)) => fits(audience),
        Some(Value::Array(all)) => {
            let texts: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            texts.ok_or(Refused::Claim("aud"))?.into_iter().any(fits)
        }
        None => false,
        Some(_) => return Err(Refused::Claim("aud")),
    };
    if found { Ok(()) } else { Err(Refused::Audience) }
}

/// Parses a NumericDate: seconds since 1970, possibly with a fraction. A string that looks like a number is invalid.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, Refused> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_number().and_then(serde_json::Number::as_f64);
    let seconds = seconds.filter(|seconds| *seconds <= LATEST).ok_or(Refused::Claim(name))?;
    Ok(Some(UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0))))
}
