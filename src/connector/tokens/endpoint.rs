//! One token request, and its answer.

use crate::connector::credentials::{ClientCredentials, ClientStyle};
use crate::upstream::http::{HttpClient, HttpReply};
use crate::upstream::{self, Failure, Tls};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded::{Serializer, byte_serialize};

const LARGEST_ANSWER: usize = 64 << 10;
/// Maximum length of a token in bytes: services do not accept longer headers.
const LONGEST_TOKEN: usize = 16 << 10;
/// Maximum number of requests for one token. A second one is sent only if the endpoint was unreachable or failed.
const TRIES: u32 = 2;

/// The token endpoint, and the request.
pub(super) struct Endpoint {
    client: HttpClient,
    url: Uri,
    /// URL without its query.
    shown: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
}

/// A token that was granted.
pub(super) struct Granted {
    /// `Bearer …`, never printed.
    pub header: HeaderValue,
    /// Lifetime, if the answer has one.
    pub life: Option<Duration>,
}

/// Reason why there is no token; one sentence without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoToken {
    reason: Arc<str>,
    pub is_late: bool,
}

impl NoToken {
    pub(super) fn new(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), is_late: false }
    }

    /// There is no token in the time that a call has.
    pub(super) fn late() -> Self {
        let reason = "no token within the call's time; see `auth.client_credentials.token_url`";
        Self { is_late: true, ..Self::new(reason) }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

/// Failure of one attempt, and whether another one may succeed.
struct Mistake {
    text: String,
    may_pass: bool,
}

impl Endpoint {
    /// Creates the endpoint of a client.
    ///
    /// # Errors
    /// The same as those of [`HttpClient::new`].
    pub(super) fn new(client: &ClientCredentials, timeout: Duration) -> Result<Self, String> {
        let settings = upstream::Settings {
            timeout,
            max_reply: LARGEST_ANSWER,
            tls: Tls::default(),
            proxies: client.proxies.clone(),
            ..upstream::Settings::default()
        };
        let (headers, body) = written(client)?;
        let url = client.token_url.clone();
        let shown = url.to_string().split('?').next().unwrap_or_default().to_owned();
        let client = HttpClient::new(&settings, &url, None)?;
        Ok(Self { client, url, shown, headers, body, timeout })
    }

    pub(super) async fn ask(&self) -> Result<Granted, NoToken> {
        let tries = async {
            let mut left = TRIES;
            loop {
                left -= 1;
                match self.try_once().await {
                    Err(mistake) if mistake.may_pass && left > 0 => {}
                    outcome => return outcome,
                }
            }
        };
        let outcome = tokio::time::timeout(self.timeout, tries).await;
        let Ok(outcome) = outcome else {
            let shown = &self.shown;
            let reason = format!(
                "no token from {shown} within {} ms; see `auth.client_credentials.token_url`",
                self.timeout.as_millis()
            );
            return Err(NoToken { is_late: true, ..NoToken::new(reason) });
        };
        outcome.map_err(|mistake| {
            NoToken::new(format!("no token from {}: {}", self.shown, mistake.text))
        })
    }

    async fn try_once(&self) -> Result<Granted, Mistake> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let failed = |failure: Failure| {
            let may_pass = matches!(
                failure,
                Failure::Unreached(_)
                    | Failure::Unprocessed(_)
                    | Failure::Unavailable(_)
                    | Failure::Reset(_)
            );
            Mistake { text: failure.to_string(), may_pass }
        };
        let reply = self.client.send(request).await.map_err(failed)?;
        let status = reply.status;
        let body = read(reply).await.map_err(failed)?;
        if status.is_success() {
            return granted(&body).map_err(|text| Mistake { text, may_pass: false });
        }
        Err(Mistake { text: refusal(status, &body), may_pass: status.is_server_error() })
    }
}

async fn read(reply: HttpReply) -> Result<Bytes, Failure> {
    Ok(reply.read_at_most(LARGEST_ANSWER).await?.1)
}

/// Returns headers and body of the request (RFC 6749, sections 2.3.1 and 4.4.2).
fn written(client: &ClientCredentials) -> Result<(HeaderMap, Bytes), String> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form);
    let mut body = Serializer::new(String::new());
    body.append_pair("grant_type", "client_credentials");
    for (name, value) in [("scope", &client.scope), ("audience", &client.audience)] {
        if let Some(value) = value {
            body.append_pair(name, value);
        }
    }
    match client.style {
        ClientStyle::Basic => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&client.id), encoded(&client.secret.0));
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
                .map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        ClientStyle::Post => {
            body.append_pair("client_id", &client.id);
            body.append_pair("client_secret", &client.secret.0);
        }
    }
    Ok((headers, body.finish().into()))
}

/// Parses a successful answer (RFC 6749, section 5.1).
fn granted(body: &[u8]) -> Result<Granted, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| {
        "the answer is not JSON; is `token_url` the address of a token endpoint?".to_owned()
    })?;
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        return Err(
            "the answer has no `access_token`; is `token_url` the address of a token endpoint?"
                .to_owned(),
        );
    }
    let kind = answer.get("token_type").and_then(Value::as_str).unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(
            "its `token_type` is not `Bearer`, which is the only one that can be sent".to_owned()
        );
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its `access_token` cannot be sent in a header".to_owned());
    }
    let mut header =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| error.to_string())?;
    header.set_sensitive(true);
    Ok(Granted { header, life: answer.get("expires_in").and_then(seconds) })
}

/// Parses a number, which some endpoints write as text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_number()?.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Explains an answer without a token, and what to do about it (RFC 6749, section 5.2).
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer.get("error").and_then(Value::as_str).unwrap_or_default();
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let known = !code.is_empty() && code.len() <= 64 && code.bytes().all(is_code);
    let said =
        if known { format!("{} ({code})", status.as_u16()) } else { status.as_u16().to_string() };
    let fix = match (code, status.as_u16()) {
        ("invalid_scope", _) => "; check `scope`",
        ("invalid_target", _) => "; check `audience`",
        ("unauthorized_client" | "unsupported_grant_type", _) => {
            "; the provider must allow this client the grant `client_credentials`"
        }
        ("invalid_request", _) => "; check `scope`, `audience` and `style`",
        ("invalid_client", _) | (_, 401 | 403) => {
            "; check `client_id`, `client_secret` and `style`"
        }
        (_, 300..=399) => {
            ", a redirect, which is not followed; write where it leads as `token_url`"
        }
        (_, 404 | 405 | 410) => "; check `token_url`",
        _ => "",
    };
    format!("status {said}{fix}")
}
