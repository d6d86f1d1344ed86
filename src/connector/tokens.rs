//! Tokens that the gateway gets from a token endpoint (OAuth 2 client credentials, RFC 6749, section 4.4).
//!
//! A token is kept until it expires, and renewed before; calls use the current one meanwhile. At most one request for a
//! token is in flight. It runs in a task of its own, so that it continues for other calls when the call that began it
//! is dropped. After a failure, the next request waits a moment, and calls fail at once in that time.

mod endpoint;

use super::SourceSettings;
use super::credentials::ClientCredentials;
use crate::graphql::{ErrorCode, Name};
use crate::source::{Error, MutationOutcome, secrets};
use endpoint::{Endpoint, Granted, NoToken};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::HeaderValue;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time after a failure in which no other token request is sent.
const PAUSE: Duration = Duration::from_millis(250);
/// The same while the previous token is still valid.
const LONG_PAUSE: Duration = Duration::from_secs(5);
/// Time in which tokens are not renewed for a service that refused a fresh one.
const IN_VAIN: Duration = Duration::from_secs(1);
/// Time until a token without a lifetime is renewed.
const UNSAID: Duration = Duration::from_mins(5);
/// Maximum lifetime; longer ones are cut to this.
const LONGEST: Duration = Duration::from_hours(24);
/// A token is renewed this long before it expires, or after four fifths of its lifetime if that is later.
const EARLY: Duration = Duration::from_secs(30);

/// The tokens of one source.
pub(super) struct Tokens {
    source: Name,
    issue: Box<Issue>,
    state: Mutex<State>,
}

/// Requests a token, within a bounded time.
type Issue = dyn Fn() -> BoxFuture<'static, Result<Granted, NoToken>> + Send + Sync;
type Renewal = Shared<BoxFuture<'static, Result<Arc<Token>, NoToken>>>;

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Renewal in flight.
    renewal: Option<Renewal>,
    failed: Option<(Instant, NoToken)>,
    in_vain: Option<Instant>,
}

/// A token for calls.
pub(super) struct Token {
    /// `Bearer …`, never printed.
    pub header: HeaderValue,
    renew: Instant,
    expires: Instant,
}

/// Makes a call with `run`, and passes a token if the source has a client.
pub(super) fn authorized<T: Send + 'static, C: Clone + Send + Sync + 'static>(
    tokens: Option<&Arc<Tokens>>,
    deadline: std::time::Instant,
    refusal: u16,
    call: C,
    run: fn(C, Option<HeaderValue>) -> BoxFuture<'static, Result<T, Error>>,
) -> BoxFuture<'static, Result<T, Error>> {
    let Some(tokens) = tokens.map(Arc::clone) else { return run(call, None) };
    async move { tokens.call(deadline, refusal, |token| run(call.clone(), Some(token))).await }
        .boxed()
}

impl Tokens {
    /// Returns the tokens of a source that has a client of its own.
    ///
    /// # Errors
    /// The same as those of [`Tokens::new`].
    pub(super) fn of(settings: &SourceSettings) -> Result<Option<Arc<Self>>, String> {
        let client = settings.credentials.client.as_ref();
        client.map(|it| Self::new(&settings.name, it, settings.upstream.timeout)).transpose()
    }

    /// Creates the tokens of a client.
    ///
    /// # Errors
    /// The endpoint cannot be called; one lowercase sentence.
    pub(super) fn new(
        source: &Name,
        client: &ClientCredentials,
        timeout: Duration,
    ) -> Result<Arc<Self>, String> {
        let endpoint = Arc::new(Endpoint::new(client, timeout)?);
        Ok(Self::issued_by(source, move || {
            let endpoint = Arc::clone(&endpoint);
            async move { endpoint.ask().await }.boxed()
        }))
    }

    fn issued_by(
        source: &Name,
        issue: impl Fn() -> BoxFuture<'static, Result<Granted, NoToken>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (source, state) = (Arc::clone(source), Mutex::default());
        Arc::new(Self { source, issue: Box::new(issue), state })
    }

    /// Makes a call with a token, and once more with a fresh one if the service refuses the first with `refusal`: its
    /// status for invalid credentials.
    ///
    /// # Errors
    /// Those of the call, or that there is no token by the deadline.
    pub(super) async fn call<T>(
        self: &Arc<Self>,
        deadline: std::time::Instant,
        refusal: u16,
        call: impl Fn(HeaderValue) -> BoxFuture<'static, Result<T, Error>>,
    ) -> Result<T, Error> {
        let is_refused = |outcome: &Result<T, Error>| {
            // An earlier attempt may have been processed.
            let is_safe = |error: &Error| error.outcome == MutationOutcome::Refused;
            outcome.as_ref().is_err_and(|error| error.status == Some(refusal) && is_safe(error))
        };
        let first = self.token(deadline.into()).await?;
        let outcome = call(first.header.clone()).await;
        if !is_refused(&outcome) || !self.refused(&first) {
            return outcome;
        }
        let second = self.token(deadline.into()).await?;
        let outcome = call(second.header.clone()).await;
        if is_refused(&outcome) {
            self.state().in_vain = Some(Instant::now());
        }
        outcome
    }

    /// Returns a token for one call.
    ///
    /// # Errors
    /// There is none by the deadline.
    pub(super) async fn token(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Token>, Error> {
        let renewal = match self.kept_or_renewal() {
            Ok(token) => return Ok(token),
            Err(renewal) => renewal,
        };
        match tokio::time::timeout_at(deadline, renewal).await {
            Ok(outcome) => outcome.map_err(|reason| to_error(&reason)),
            Err(_) => Err(to_error(&NoToken::late())),
        }
    }

    /// Returns a valid token, or the renewal in flight. Starts a renewal if it is due.
    fn kept_or_renewal(self: &Arc<Self>) -> Result<Arc<Token>, Renewal> {
        let mut state = self.state();
        let now = Instant::now();
        let good = state.token.clone().filter(|token| now < token.expires);
        if let Some(token) = good.as_ref().filter(|token| now < token.renew) {
            return Ok(Arc::clone(token));
        }
        let pause = if good.is_some() { LONG_PAUSE } else { PAUSE };
        let renewal = match (&state.renewal, &state.failed) {
            (Some(renewal), _) => renewal.clone(),
            (None, Some((at, reason))) if now < *at + pause => {
                futures_util::future::ready(Err(reason.clone())).boxed().shared()
            }
            (None, _) => {
                let renewal = self.begin();
                state.renewal = Some(renewal.clone());
                renewal
            }
        };
        good.ok_or(renewal)
    }

    fn begin(self: &Arc<Self>) -> Renewal {
        let tokens = Arc::clone(self);
        let task = tokio::spawn(async move { tokens.renew().await });
        async move {
            task.await.unwrap_or_else(|_| Err(NoToken::new("the request for a token broke off")))
        }
        .boxed()
        .shared()
    }

    async fn renew(&self) -> Result<Arc<Token>, NoToken> {
        let asked = Instant::now();
        let outcome = (self.issue)().await.map(|granted| {
            let text = granted.header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            if let Some(text) = text {
                secrets::keep_latest(&self.source, text);
            }
            Arc::new(Token::new(granted, asked))
        });
        let mut state = self.state();
        state.renewal = None;
        match &outcome {
            Ok(token) => (state.token, state.failed) = (Some(Arc::clone(token)), None),
            Err(reason) => {
                state.failed = Some((Instant::now(), reason.clone()));
                tracing::warn!(source = &*self.source, "{reason}");
            }
        }
        outcome
    }

    /// Records that a token was refused. Returns true if another one may be accepted.
    fn refused(&self, token: &Arc<Token>) -> bool {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|kept| !Arc::ptr_eq(kept, token)) {
            return true;
        }
        if state.in_vain.is_some_and(|at| Instant::now() < at + IN_VAIN) {
            return false;
        }
        state.token = None;
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    /// Creates a token. Its lifetime counts from the request, because the exact start is unknown here.
    fn new(granted: Granted, asked: Instant) -> Self {
        let life = granted.life.unwrap_or(UNSAID).min(LONGEST);
        let early = EARLY.min(life / 5);
        Self {
            header: granted.header,
            renew: asked + life.saturating_sub(early),
            expires: asked + life,
        }
    }
}

/// Returns the error of a call of which nothing was sent.
fn to_error(reason: &NoToken) -> Error {
    let code =
        if reason.is_late { ErrorCode::UpstreamTimeout } else { ErrorCode::UpstreamUnavailable };
    let mut error = Error::new(code, reason.to_string());
    error.outcome = MutationOutcome::NotSent;
    error
}

#[cfg(test)]
mod tests;
