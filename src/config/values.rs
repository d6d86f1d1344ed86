//! Parses scalars: durations, sizes, addresses, URLs, header names and so on.
//!
//! Each function takes the text and returns a value or a [`Mistake`]. Messages never repeat the text: the caret shows
//! it as written in the file, while a value from the environment may be a secret.

use super::yaml::Scalar;
use crate::connector::is_reserved_header;
use http::{HeaderName, HeaderValue, Uri};
use std::net::SocketAddr;
use std::time::Duration;

/// Reason why a text is invalid, and the right form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub message: String,
    pub help: Option<String>,
}

pub(super) type Read<T> = Result<T, Mistake>;

/// Maximum duration. A longer one is a mistake, and would overflow clocks.
const LONGEST: Duration = Duration::from_hours(24);
const LARGEST: u64 = 64 << 30;

fn mistake<T>(message: impl Into<String>, help: impl Into<String>) -> Read<T> {
    Err(Mistake { message: message.into(), help: Some(help.into()) })
}

pub(super) fn boolean(scalar: &Scalar) -> Read<bool> {
    match scalar.text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => mistake("this must be true or false", "write `true` or `false`"),
    }
}

/// Parses a whole number, zero included.
pub(super) fn count(scalar: &Scalar) -> Read<usize> {
    match scalar.text.parse::<u32>() {
        Ok(number) => Ok(number as usize),
        Err(_) => mistake("this must be a whole number", "write a number such as `20`"),
    }
}

/// Parses a whole number of at least one.
pub(super) fn positive(scalar: &Scalar) -> Read<usize> {
    match count(scalar)? {
        0 => mistake("this must be at least 1", "write 1 or more: 0 would refuse every request"),
        number => Ok(number),
    }
}

/// Parses `0%` to `100%`, with at most one decimal digit, as thousandths.
pub(super) fn share(scalar: &Scalar) -> Read<u16> {
    let help = "write a percentage such as `5%` or `0.5%`";
    let number = scalar.text.strip_suffix('%').unwrap_or_default();
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = [whole, tenth].concat();
    let fits = !whole.is_empty() && tenth.len() == 1 && digits.len() <= 4;
    match digits.parse() {
        Ok(share @ ..=1000) if fits && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(share)
        }
        _ => mistake("this is not a percentage", help),
    }
}

/// Parses `500ms`, `2s`, `5m`, `1h`.
pub(super) fn duration(scalar: &Scalar) -> Read<Duration> {
    let (number, unit) = split(&scalar.text);
    let help = "write a number and a unit (`ms`, `s`, `m`, `h`), such as `500ms` or `2s`";
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number.is_some() => {
            let shown = number.unwrap_or_default();
            return mistake(
                "this duration has no unit",
                format!("write `{shown}s` or `{shown}ms`"),
            );
        }
        _ => return mistake("this is not a duration", help),
    };
    let Some(duration) =
        number.and_then(|number| number.checked_mul(factor)).map(Duration::from_millis)
    else {
        return mistake("this is not a duration", help);
    };
    if duration > LONGEST {
        return mistake("this is longer than `24h`", "write `24h` or less");
    }
    Ok(duration)
}

/// Parses a duration that is not zero.
pub(super) fn timeout(scalar: &Scalar) -> Read<Duration> {
    let duration = duration(scalar)?;
    if duration.is_zero() {
        return mistake(
            "this must be longer than zero",
            "write a longer duration, such as `2s`: with zero, everything would fail",
        );
    }
    Ok(duration)
}

/// Parses `512KiB`, `1MiB`, `2GiB`, `100kB`, `1MB`, `900B` as bytes; not zero.
pub(super) fn size(scalar: &Scalar) -> Read<u64> {
    let (number, unit) = split(&scalar.text);
    let help =
        "write a number and a unit (`B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`), such as `1MiB`";
    let factor = match unit {
        "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" if number.is_some() => {
            let shown = number.unwrap_or_default();
            return mistake("this size has no unit", format!("write `{shown}B` or `{shown}MiB`"));
        }
        _ => return mistake("this is not a size", help),
    };
    match number.and_then(|number| number.checked_mul(factor)) {
        Some(0) => mistake("this must be at least one byte", help),
        Some(bytes) if bytes <= LARGEST => Ok(bytes),
        Some(_) => mistake("this is more than 64GiB", help),
        None => mistake("this is not a size", help),
    }
}

/// Splits a text into its leading number and its unit.
fn split(text: &str) -> (Option<u64>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number.parse().ok(), unit.trim_start_matches(' '))
}

/// Parses `127.0.0.1:4000`, `[::1]:4000`.
pub(super) fn address(scalar: &Scalar) -> Read<SocketAddr> {
    scalar.text.parse().or_else(|_| {
        mistake(
            "this is not an address with a port",
            "write `127.0.0.1:4000` for this machine only, or `0.0.0.0:4000` for all network interfaces",
        )
    })
}

pub(super) fn port(scalar: &Scalar) -> Read<u16> {
    let port = scalar.text.parse().ok().filter(|port| *port > 0);
    port.map_or_else(|| mistake("this is not a port", "write a number from 1 to 65535"), Ok)
}

/// Parses `/graphql`.
pub(super) fn path(scalar: &Scalar) -> Read<String> {
    let text = scalar.text.as_str();
    let fits = text.len() > 1
        && text.starts_with('/')
        && !text.ends_with('/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte))
        && !["/health", "/ready", "/metrics"].contains(&text)
        && !text.starts_with("/playground");
    if fits {
        return Ok(text.to_owned());
    }
    mistake(
        "this cannot be the path of the GraphQL endpoint",
        "write a path such as `/graphql`; `/`, `/health`, `/ready`, `/metrics` and `/playground` are taken",
    )
}

/// Parses an `http` or `https` URL without credentials, query or fragment.
pub(super) fn url(scalar: &Scalar) -> Read<Uri> {
    let help = "write an address such as `http://127.0.0.1:4101` or `https://api.example.com/v1`";
    let Ok(uri) = scalar.text.parse::<Uri>() else { return mistake("this is not a URL", help) };
    let Some(authority) = uri.authority() else { return mistake("this URL has no host", help) };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return mistake("the scheme of this URL is neither `http` nor `https`", help);
    }
    if authority.as_str().contains('@') {
        return mistake(
            "this URL contains credentials, which could appear in logs",
            "remove them; for a source, add `auth: { basic: { user: …, password: … } }` next to `rest` or `grpc`",
        );
    }
    let port = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
    if authority.host().is_empty() || (port.contains(':') && authority.port_u16().is_none()) {
        return mistake("this URL has no host, or no port after the colon", help);
    }
    if uri.query().is_some() || scalar.text.contains('#') {
        return mistake(
            "this URL has a query or a fragment",
            "remove it; write queries in the binding's URL template",
        );
    }
    Ok(uri)
}

/// Parses the URL of a service.
pub(super) fn service_url(scalar: &Scalar) -> Read<Uri> {
    let Some((_, query)) = scalar.text.split_once('?') else { return url(scalar) };
    // Only the name: the value may be a secret.
    let name = query.split(['=', '&', '#']).next().filter(|name| !name.is_empty());
    mistake(
        "this URL has a query",
        format!(
            "for a query parameter of every call, add `query: {{ {}: … }}` next to `url`",
            name.unwrap_or("key")
        ),
    )
}

/// Parses a URL that may have a query, which some identity providers need.
pub(super) fn url_with_query(scalar: &Scalar) -> Read<Uri> {
    let (path, query) = scalar.text.split_once('?').unwrap_or((&scalar.text, ""));
    let uri = url(&Scalar { text: path.to_owned(), plain: scalar.plain })?;
    if query.is_empty() {
        return Ok(uri);
    }
    scalar.text.parse().or_else(|_| {
        mistake("this is not a URL", "write an address such as `https://id.example.com/token`")
    })
}

/// Parses a URL without a path: gRPC has its own paths.
pub(super) fn origin_url(scalar: &Scalar) -> Read<Uri> {
    let uri = url(scalar)?;
    if uri.path().len() > 1 {
        return mistake(
            "the URL of a gRPC service cannot have a path",
            "remove the part after the port",
        );
    }
    Ok(uri)
}

/// Parses an origin as browsers send it, or `*`.
pub(super) fn origin(scalar: &Scalar) -> Read<HeaderValue> {
    let text = scalar.text.as_str();
    let help = "write an origin such as `https://shop.example.com`, or `*` for any";
    let fits = text == "*"
        || text.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme().is_some()
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
                && uri.path().len() <= 1
                && uri.query().is_none()
                && !text.ends_with('/')
        });
    // Browsers send it in lower case.
    match HeaderValue::from_str(&text.to_ascii_lowercase()) {
        Ok(value) if fits => Ok(value),
        _ => mistake("this is not an origin, which has only scheme, host and port", help),
    }
}

/// Parses a header name, in any case.
pub(super) fn header_name(text: &str) -> Read<HeaderName> {
    let Ok(name) = HeaderName::try_from(text) else {
        return mistake(
            "this is not a valid header name",
            "use letters, digits and hyphens, such as `x-tenant` or `authorization`",
        );
    };
    if is_reserved_header(&name) {
        return mistake(format!("the header `{name}` is set by the gateway itself"), "remove it");
    }
    Ok(name)
}

/// Parses the name of a response header that clients may receive.
pub(super) fn returned_header(scalar: &Scalar) -> Read<HeaderName> {
    let name = header_name(&scalar.text)?;
    let is_own = matches!(
        name.as_str(),
        "cache-control"
            | "vary"
            | "age"
            | "expires"
            | "date"
            | "x-request-id"
            | "retry-after"
            | "ratelimit"
            | "ratelimit-policy"
    ) || name.as_str().starts_with("content-")
        || name.as_str().starts_with("access-control-");
    match name.as_str() {
        "set-cookie" => mistake(
            "`set-cookie` cannot be returned as a header",
            "list the names of the cookies instead: `return_cookies: [session]`",
        ),
        _ if is_own => mistake(
            format!("the response header `{name}` is set by the gateway itself"),
            "remove it",
        ),
        _ => Ok(name),
    }
}

/// Parses the name of a cookie (RFC 6265, section 4.1.1).
pub(super) fn cookie_name(scalar: &Scalar) -> Read<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if scalar.text.is_empty() || !scalar.text.bytes().all(fits) {
        return mistake("this is not a valid cookie name", "write a name, such as `session`");
    }
    Ok(scalar.text.clone())
}

/// Parses the name of a header that a website cannot make a browser send without a preflight.
pub(super) fn preflight_header(scalar: &Scalar) -> Read<HeaderName> {
    // The Fetch standard's safelisted request headers, and those that browsers set themselves.
    const UNASKED: [&str; 17] = [
        "accept",
        "accept-charset",
        "accept-language",
        "content-language",
        "content-type",
        "cookie",
        "date",
        "dnt",
        "downlink",
        "dpr",
        "ect",
        "origin",
        "range",
        "referer",
        "rtt",
        "user-agent",
        "via",
    ];
    let name = header_name(&scalar.text)?;
    let text = name.as_str();
    let browsers = ["sec-", "proxy-", "access-control-", "save-data", "viewport-", "width"];
    if UNASKED.contains(&text) || browsers.iter().any(|start| text.starts_with(start)) {
        return mistake(
            format!(
                "browsers send `{name}` without a preflight, so it does not protect against CSRF"
            ),
            "name a header that only your own clients send, such as `x-shop`",
        );
    }
    Ok(name)
}

/// Parses a header value, and marks it so that it is never printed.
pub(super) fn secret(scalar: &Scalar) -> Read<HeaderValue> {
    match HeaderValue::from_str(&scalar.text) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Ok(value)
        }
        Err(_) => mistake(
            "this header value contains characters that are not allowed in headers",
            "remove line breaks and control characters; check the environment variables in it",
        ),
    }
}

pub(super) fn text(scalar: &Scalar) -> Read<String> {
    if scalar.text.is_empty() || scalar.is_null() {
        return mistake("this is empty", "write a value, or remove the key");
    }
    Ok(scalar.text.clone())
}

/// Parses a claim's name, or the path to it: names joined with dots.
pub(super) fn claim_path(scalar: &Scalar) -> Read<String> {
    let path = text(scalar)?;
    let help = "write the name of a claim, such as `sub`, or a path, such as `realm_access.roles`";
    if let Some(name) = path.strip_prefix("$claims.") {
        return mistake("claims are written without `$claims` here", format!("write `{name}`"));
    }
    if path.starts_with('.') || path.ends_with('.') || path.contains("..") {
        return mistake("this path has an empty part", help);
    }
    let fits = |letter: char| !letter.is_whitespace() && !letter.is_control();
    if path.len() > 256 || !path.chars().all(fits) || path.contains(['[', ']', '{', '}', '$']) {
        return mistake("this is neither the name of a claim nor a path to one", help);
    }
    Ok(path)
}

/// Parses a media type without parameters, in lower case.
pub(super) fn media_type(scalar: &Scalar) -> Read<String> {
    let text = scalar.text.to_ascii_lowercase();
    let is_token = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    match text.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => Ok(text),
        _ => mistake(
            "this is not a media type",
            "write a media type, such as `text/html`, without parameters",
        ),
    }
}

/// Parses the maximum number of redirects.
pub(super) fn redirects(scalar: &Scalar) -> Read<u8> {
    match scalar.text.parse() {
        Ok(number @ 0..=10) => Ok(number),
        _ => mistake("this must be a whole number up to 10", "write a number, such as `3`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), plain: true }
    }

    #[test]
    fn durations_have_units() {
        for (text, millis) in [("500ms", 500), ("2s", 2_000), ("5m", 300_000), ("1 h", 3_600_000)] {
            assert_eq!(duration(&scalar(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "2 sec", "-1s", "1.5s", "25h", "99999999999999999999s", "2", "1s "] {
            assert!(duration(&scalar(text)).is_err(), "{text}");
        }
        let bare = duration(&scalar("30")).unwrap_err();
        assert_eq!(bare.help.as_deref(), Some("write `30s` or `30ms`"));
        assert!(timeout(&scalar("0s")).is_err());
    }

    #[test]
    fn shares_are_percentages() {
        for (text, thousandths) in [("0%", 0), ("0.5%", 5), ("12%", 120), ("100%", 1000)] {
            assert_eq!(share(&scalar(text)), Ok(thousandths), "{text}");
        }
        for text in ["", "%", "5", "101%", "100.1%", "-1%", "+1%", "0.25%", "1.%", ".5%", "5 %"] {
            assert!(share(&scalar(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("1MiB", 1 << 20), ("2kB", 2_000), ("8 KiB", 8 << 10), ("5B", 5), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(&scalar(text)), Ok(bytes), "{text}");
        }
        for text in ["", "1mb", "0MiB", "1048576", "MiB", "65GiB", "-1MiB"] {
            assert!(size(&scalar(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn urls_are_http_and_hold_no_secrets() {
        for text in ["http://127.0.0.1:4101", "https://api.example.com/v1/", "http://[::1]:80"] {
            assert!(url(&scalar(text)).is_ok(), "{text}");
        }
        for text in [
            "",
            "ftp://x",
            "x",
            "/x",
            "http://",
            "http://h:",
            "http://u:p@h",
            "http://h/?a=1",
            "http://h/#f",
            "http://h h",
            "http://h:99999",
            "unix:/tmp/x",
        ] {
            assert!(url(&scalar(text)).is_err(), "{text}");
        }
        let credentials = url(&scalar("http://user:geheim@host")).unwrap_err();
        assert!(credentials.message.contains("credentials"));
        assert!(!credentials.message.contains("geheim"));
        assert!(origin_url(&scalar("http://h:1/x")).is_err());
    }

    #[test]
    fn header_names_are_checked() {
        assert!(header_name("X-Tenant").is_ok_and(|name| name == "x-tenant"));
        for text in ["", "x tenant", "x:y", "Host", "content-length"] {
            assert!(header_name(text).is_err(), "{text}");
        }
        assert!(preflight_header(&scalar("X-Shop")).is_ok_and(|name| name == "x-shop"));
        for text in ["Accept", "content-type", "range", "sec-fetch-site", "origin", "host", ""] {
            assert!(preflight_header(&scalar(text)).is_err(), "{text}");
        }
        let value = secret(&scalar("geheim")).unwrap();
        assert!(!format!("{value:?}").contains("geheim"));
        assert!(secret(&scalar("a\nb")).is_err());
    }

    #[test]
    fn claims_have_names_and_paths() {
        for text in
            ["sub", "realm_access.roles", "https://example.com/claims.org", "cognito:groups"]
        {
            assert_eq!(claim_path(&scalar(text)).as_deref(), Ok(text));
        }
        for text in ["", ".", ".a", "a.", "a..b", "a b", "roles[0]", "{$claims.sub}", "$.sub"] {
            assert!(claim_path(&scalar(text)).is_err(), "{text}");
        }
        let prefixed = claim_path(&scalar("$claims.a.b")).unwrap_err();
        assert_eq!(prefixed.help.as_deref(), Some("write `a.b`"));
    }

    #[test]
    fn endpoint_paths_and_origins() {
        assert!(path(&scalar("/graphql")).is_ok() && path(&scalar("/api/graphql")).is_ok());
        for text in ["", "/", "graphql", "/a b", "/health", "/playground/x", "/{a}", "/a/"] {
            assert!(path(&scalar(text)).is_err(), "{text}");
        }
        for text in ["*", "https://shop.example.com", "http://localhost:3000"] {
            assert!(origin(&scalar(text)).is_ok(), "{text}");
        }
        for text in ["", "shop.example.com", "https://a/b", "https://a/", "null"] {
            assert!(origin(&scalar(text)).is_err(), "{text}");
        }
    }
}
