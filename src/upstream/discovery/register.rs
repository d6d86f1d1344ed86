//! Registers this process as an instance in Consul while it runs, and deregisters it when it drains.
//!
//! The agent checks over HTTP whether the process is ready, so no renewals are sent. The process only verifies that the
//! agent still has its registration, because an agent that starts empty has lost it. A process that is killed cannot
//! deregister: Consul removes it when its check was critical for [`Settings::forget_after`]. Failures are logged when
//! they begin and when they end, and are retried for as long as the process runs. They never keep it from serving.

use super::consul::{Agent, Refusal, encoded};
use super::{Address, pace};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Timeout of one request to the agent.
const ANSWER: Duration = Duration::from_secs(2);

/// Time for a request that is in flight when draining begins: if it were cut off, the agent might process it after the
/// deregistration.
const FINISH: Duration = Duration::from_secs(1);

/// Time for deregistering, all attempts together.
const LEAVE: Duration = Duration::from_secs(3);

/// Timeout of the agent's check.
const CHECK: Duration = Duration::from_secs(2);

/// Name, address and agent of a registration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Scheme, host and port, such as `http://127.0.0.1:8500`.
    pub agent: Uri,
    /// Sent as `X-Consul-Token`; it needs the permission `service:write`. Must be marked sensitive, so that it is never
    /// printed.
    pub token: Option<HeaderValue>,
    /// Name of the service in Consul.
    pub service: String,
    /// Host at which others reach this process.
    pub host: String,
    /// Port at which others reach this process; not 0.
    pub port: u16,
    pub tags: Vec<String>,
    /// URL that the agent checks. 2xx is healthy.
    pub check: Uri,
    /// Interval of the agent's checks.
    pub check_every: Duration,
    /// Time for which the check is critical until Consul removes the instance. Consul raises less than a minute to one
    /// minute.
    pub forget_after: Duration,
}

/// One instance at one agent.
#[derive(Debug)]
pub struct Registration {
    agent: Agent,
    id: String,
    body: Bytes,
    forget_after: Duration,
    /// Interval of the requests that verify the registration.
    pub(super) look_every: Duration,
}

impl Registration {
    /// Creates a registration. Sends no requests yet, and may be called outside a runtime.
    ///
    /// # Errors
    /// Settings that can never work; one lowercase sentence.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let address = Address::new(settings.host.clone(), settings.port)?;
        if settings.service.is_empty() {
            return Err("the service has no name".to_owned());
        }
        if settings.check_every.is_zero() {
            return Err("the check's interval is 0".to_owned());
        }
        if !matches!(settings.check.scheme_str(), Some("http" | "https")) {
            return Err(format!("the check `{}` is not an http or https URL", settings.check));
        }
        let agent = Agent::new(&settings.agent, settings.token.clone())?;
        // The same after a restart, so that it replaces its own registration.
        let id = format!("{}-{}-{}", settings.service, address.host, address.port);
        let body = Bytes::from(body(&id, settings).to_string());
        let forget_after = settings.forget_after;
        Ok(Self { agent, id, body, forget_after, look_every: LOOK_EVERY })
    }

    /// Returns the instance's ID at its agent.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Registers, and stays registered until `drained` completes. Then it deregisters, which takes at most four
    /// seconds. If the future is dropped, nothing is deregistered.
    pub async fn run(self, drained: impl Future<Output = ()>) {
        tokio::pin!(drained);
        let mut known = Known::default();
        loop {
            let round = self.stay(&mut known);
            tokio::pin!(round);
            let pause = tokio::select! {
                pause = &mut round => pause,
                () = &mut drained => {
                    let _ = timeout(FINISH, round).await;
                    break;
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = &mut drained => break,
            }
        }
        self.leave().await;
    }

    /// Verifies or renews the registration. Returns the time until the next check.
    async fn stay(&self, known: &mut Known) -> Duration {
        let outcome = match self.is_known(known).await {
            Ok(true) => Ok(()),
            Ok(false) => self.register().await,
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(()) => {
                known.registered = true;
                known.failures = 0;
                self.look_every
            }
            Err(refusal) => {
                if known.failures == 0 {
                    tracing::warn!("`{}` is not registered: {refusal}; trying again", self.id);
                }
                known.failures = known.failures.saturating_add(1);
                pace::pause(known.failures, pace::random())
            }
        }
    }

    async fn is_known(&self, known: &Known) -> Result<bool, Refusal> {
        if !known.registered {
            return Ok(false);
        }
        let question = format!("/v1/agent/service/{}", encoded(&self.id));
        match self.agent.ask(Method::GET, &question, Bytes::new(), ANSWER).await {
            Ok(_) => Ok(true),
            Err(Refusal::Status(StatusCode::NOT_FOUND, _)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    async fn register(&self) -> Result<(), Refusal> {
        let question = "/v1/agent/service/register?replace-existing-checks=true";
        self.agent.ask(Method::PUT, question, self.body.clone(), ANSWER).await?;
        tracing::info!("registered in Consul as `{}`", self.id);
        Ok(())
    }

    async fn leave(&self) {
        let question = format!("/v1/agent/service/deregister/{}", encoded(&self.id));
        let leaving = async {
            loop {
                match self.agent.ask(Method::PUT, &question, Bytes::new(), ANSWER).await {
                    Ok(_) | Err(Refusal::Status(StatusCode::NOT_FOUND, _)) => return,
                    Err(refusal) => tracing::debug!("not deregistered: {refusal}"),
                }
                sleep(pace::SHORTEST).await;
            }
        };
        if timeout(LEAVE, leaving).await.is_ok() {
            tracing::info!("deregistered `{}` from Consul", self.id);
            return;
        }
        let seconds = self.forget_after.as_secs();
        tracing::warn!(
            "`{}` could not be deregistered; Consul drops it {seconds} s after its check fails",
            self.id
        );
    }
}

#[derive(Debug, Default)]
struct Known {
    /// The agent has confirmed the registration once.
    registered: bool,
    /// Failures in a row.
    failures: u32,
}

fn body(id: &str, settings: &Settings) -> serde_json::Value {
    json!({
        "ID": id,
        "Name": settings.service,
        "Tags": settings.tags,
        "Address": settings.host,
        "Port": settings.port,
        "Check": {
            "Name": "ready",
            "HTTP": settings.check.to_string(),
            "Method": "GET",
            "Interval": duration(settings.check_every),
            "Timeout": duration(CHECK.min(settings.check_every)),
            "DeregisterCriticalServiceAfter": duration(settings.forget_after),
        },
    })
}

/// Formats a duration as Go parses it.
fn duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
