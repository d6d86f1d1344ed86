//! Reads a provider's JWKS from its URL or from a file, within limits of size and time.

use super::KeySource;
use super::key_set::{KeySet, MAX_BYTES, Mistake};
use crate::upstream::http::HttpClient;
use crate::upstream::{self, Failure, Proxies};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Place from which keys are read repeatedly.
pub(super) enum Fetcher {
    Url { client: Box<HttpClient>, uri: Uri },
    File(PathBuf),
}

/// Reasons why there are no new keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    #[error(transparent)]
    Call(#[from] Failure),
    #[error("the answer is a redirect, which is not followed")]
    Redirect,
    #[error("the answer's status is {0}")]
    Status(u16),
    #[error("the file cannot be read: {0}")]
    File(std::io::ErrorKind),
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

impl Fetcher {
    /// Returns `None` for inline keys, which never change. Creates the client of a URL, but sends nothing.
    pub(super) fn new(
        source: &KeySource,
        timeout: Duration,
        proxies: &Proxies,
    ) -> Result<Option<Self>, String> {
        match source {
            KeySource::Url { uri, insecure_http } => {
                if uri.scheme_str() != Some("https") && !insecure_http {
                    return Err("keys that come over plain HTTP can be anybody's".to_owned());
                }
                let settings = upstream::Settings {
                    timeout,
                    max_reply: MAX_BYTES,
                    proxies: proxies.clone(),
                    ..upstream::Settings::default()
                };
                let client = Box::new(HttpClient::new(&settings, uri, None)?);
                Ok(Some(Self::Url { client, uri: uri.clone() }))
            }
            KeySource::File(path) => Ok(Some(Self::File(path.clone()))),
            KeySource::Given(_) => Ok(None),
        }
    }

    pub(super) async fn fetch(&self, timeout: Duration) -> Result<KeySet, NoKeys> {
        match tokio::time::timeout(timeout, self.read()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(timeout).into()),
        }
    }

    async fn read(&self) -> Result<KeySet, NoKeys> {
        match self {
            Self::Url { client, uri } => {
                let mut request = Request::new(Bytes::new());
                *request.method_mut() = Method::GET;
                *request.uri_mut() = uri.clone();
                request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
                let reply = client.send(request).await?;
                if reply.status.is_redirection() {
                    return Err(NoKeys::Redirect);
                }
                if reply.status != StatusCode::OK {
                    return Err(NoKeys::Status(reply.status.as_u16()));
                }
                let (_, body, _held) = reply.read().await?;
                Ok(KeySet::parse(&body)?)
            }
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                read.unwrap_or(Err(NoKeys::File(std::io::ErrorKind::Other)))
            }
        }
    }
}

pub(super) fn read_file(path: &Path) -> Result<KeySet, NoKeys> {
    let read = || {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error: std::io::Error| NoKeys::File(error.kind()))?;
    Ok(KeySet::parse(&text)?)
}

impl NoKeys {
    /// Returns the label for metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Call(Failure::Timeout(_)) => "timeout",
            Self::Call(Failure::TooLarge(_)) | Self::Mistake(Mistake::TooLarge) => "too_large",
            Self::Call(_) | Self::File(_) => "unavailable",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::Mistake(_) => "invalid",
        }
    }
}
