//! Response headers and cookies of a service that are returned to clients.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Maximum number of headers that the calls of one request return, and maximum bytes of their values.
const MAX_HEADERS: usize = 64;
const MAX_BYTES: usize = 16 << 10;

/// Names of what a source returns to clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returned {
    pub headers: Vec<HeaderName>,
    /// Cookies that clients receive with the attributes that the service sets.
    pub cookies: Vec<String>,
}

impl Returned {
    pub const NONE: &Self = &Self { headers: Vec::new(), cookies: Vec::new() };
}

/// Headers that the calls of one request return to its client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnedHeaders {
    headers: Vec<(HeaderName, HeaderValue)>,
    bytes: usize,
}

impl ReturnedHeaders {
    /// Adds the listed headers of one reply. Equal ones are returned once; those beyond the limits are left out.
    pub fn take(&mut self, listed: &Returned, reply: &HeaderMap) {
        for name in &listed.headers {
            reply.get_all(name).iter().for_each(|value| self.push(name, value));
        }
        if listed.cookies.is_empty() {
            return;
        }
        for cookie in reply.get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(cookie.as_bytes());
            let name = text.split('=').next().unwrap_or_default().trim();
            if listed.cookies.iter().any(|listed| listed == name) {
                self.push(&SET_COOKIE, cookie);
            }
        }
    }

    /// Adds the headers of another request.
    pub fn add(&mut self, other: &Self) {
        other.headers.iter().for_each(|(name, value)| self.push(name, value));
    }

    fn push(&mut self, name: &HeaderName, value: &HeaderValue) {
        let header = (name.clone(), value.clone());
        let bytes = self.bytes + value.len();
        if bytes > MAX_BYTES || self.headers.len() == MAX_HEADERS || self.headers.contains(&header)
        {
            return;
        }
        self.bytes = bytes;
        self.headers.push(header);
    }

    /// Writes the headers to an answer. If the gateway itself sets a header, only its own value is sent.
    pub fn write(&self, to: &mut HeaderMap) {
        let own: Vec<HeaderName> = to.keys().cloned().collect();
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(name)) {
            to.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Returned {
        let headers = vec![HeaderName::from_static("x-total")];
        Returned { headers, cookies: vec!["session".to_owned()] }
    }

    fn reply(headers: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        headers.iter().map(header).collect()
    }

    #[test]
    fn only_what_is_listed_is_returned_and_equal_headers_once() {
        let mut returned = ReturnedHeaders::default();
        let first = reply(&[
            ("x-total", "5"),
            ("x-secret", "no"),
            ("set-cookie", "session=1; HttpOnly"),
            ("set-cookie", "sessions=2"),
            ("set-cookie", "other=3"),
        ]);
        returned.take(&listed(), &first);
        returned.take(&listed(), &first);
        returned.take(&listed(), &reply(&[("x-total", "6")]));
        returned.take(Returned::NONE, &first);
        let mut answer = reply(&[("content-type", "application/json")]);
        returned.write(&mut answer);
        assert_eq!(answer.get_all("x-total").iter().collect::<Vec<_>>(), ["5", "6"]);
        assert_eq!(
            answer.get_all("set-cookie").iter().collect::<Vec<_>>(),
            ["session=1; HttpOnly"]
        );
        assert_eq!(answer.len(), 4);
    }

    #[test]
    fn the_gateways_own_headers_stay_and_the_rest_is_bounded() {
        let mut returned = ReturnedHeaders::default();
        for number in 0..2 * MAX_HEADERS {
            returned.take(&listed(), &reply(&[("x-total", &number.to_string())]));
        }
        let mut answer = HeaderMap::new();
        returned.write(&mut answer);
        assert_eq!(answer.len(), MAX_HEADERS);
        let mut own = reply(&[("x-total", "own")]);
        returned.write(&mut own);
        assert_eq!(own.get_all("x-total").iter().collect::<Vec<_>>(), ["own"]);
        let mut large = ReturnedHeaders::default();
        large.take(&listed(), &reply(&[("x-total", &"x".repeat(MAX_BYTES + 1))]));
        assert_eq!(large, ReturnedHeaders::default());
    }
}
