//! `Cache-Control` and `Vary`: what HTTP caches, the client's own included, may do with a response.

use crate::engine::Share;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, VARY};

/// Returns the headers. POST responses have them, too: clients cache responses by operation.
pub(super) fn headers(share: &Share) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    let (max_age, private) = (share.max_age(), share.private());
    if max_age == 0 {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return headers;
    }
    let scope = if private { "private" } else { "public" };
    let said = HeaderValue::try_from(format!("max-age={max_age}, {scope}"));
    headers.insert(CACHE_CONTROL, said.unwrap_or(HeaderValue::from_static("no-store")));
    let mut vary = "accept".to_owned();
    let of_a_caller: &[HeaderName] = if private { &[AUTHORIZATION, COOKIE] } else { &[] };
    let rest = share.headers().iter().filter(|name| !of_a_caller.contains(name));
    for name in of_a_caller.iter().chain(rest) {
        vary.push_str(", ");
        vary.push_str(name.as_str());
    }
    headers.extend(HeaderValue::try_from(vary).ok().map(|vary| (VARY, vary)));
    headers
}
