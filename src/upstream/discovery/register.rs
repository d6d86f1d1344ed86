//! This process as an instance that others discover: registered in Consul while it runs, and gone when it drains.
//!
//! The agent checks by itself, over HTTP, whether the process is ready; nothing is renewed to stay well. Looked after is
//! only that the agent still knows it, since one that starts empty has forgotten. A process that is killed cannot
//! deregister: Consul drops it when its check was critical for [`Settings::forget_after`]. Failures are logged when they
//! begin and when they end, are tried again for as long as it runs, and never keep the process from serving.

use super::consul::{Agent, Refusal, encoded};
use super::{Address, pace};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const LOOK_EVERY: Duration = Duration::from_secs(30);

/// For one answer of the agent.
const ANSWER: Duration = Duration::from_secs(2);

/// For what is under way when draining begins: one that is cut off may be carried out after the deregistration.
const FINISH: Duration = Duration::from_secs(1);

/// For deregistering, all tries together.
const LEAVE: Duration = Duration::from_secs(3);

/// What the agent's check may take.
const CHECK: Duration = Duration::from_secs(2);

/// As what, where, and at which agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Scheme, host and port, such as `http://127.0.0.1:8500`.
    pub agent: Uri,
    /// Sent as `X-Consul-Token`; it has to be allowed `service:write`. To be marked sensitive, so that nothing prints it.
    pub token: Option<HeaderValue>,
    pub service: String,
    /// Where others reach this process.
    pub host: String,
    pub port: u16,
    pub tags: Vec<String>,
    /// Asked by the agent; 2xx is well.
    pub check: Uri,
    pub check_every: Duration,
    /// How long the check is critical until Consul drops the instance. Consul makes less than a minute one minute.
    pub forget_after: Duration,
}

/// One instance at one agent.
#[derive(Debug)]
pub struct Registration {
    agent: Agent,
    id: String,
    body: Bytes,
    forget_after: Duration,
    /// How often the agent is asked whether it still knows it.
    pub(super) look_every: Duration,
}

impl Registration {
    /// Asks nobody yet, and may be called outside a runtime.
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
        // The same after a restart, so that it takes its own place again.
        let id = format!("{}-{}-{}", settings.service, address.host, address.port);
        let body = Bytes::from(body(&id, settings).to_string());
        let forget_after = settings.forget_after;
        Ok(Self { agent, id, body, forget_after, look_every: LOOK_EVERY })
    }

    /// The instance's name at its agent.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Registers, and stays registered until `drained` is done; then deregisters, which takes four seconds at most.
    /// A future that is dropped deregisters nothing.
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

    /// With the time until the next look.
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
    /// The agent has said so, once.
    registered: bool,
    /// In a row.
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

/// As Go reads it.
fn duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
