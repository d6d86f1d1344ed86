//! Discovery by Consul: instances that an agent lists, by blocking queries, which the agent answers when something has
//! changed.
//!
//! <https://developer.hashicorp.com/consul/api-docs/features/blocking> says how an index is handled. An empty list is
//! accepted, since a service can be scaled to zero. Not accepted are replies other than 200 with a complete list, and
//! lists that are empty because the token may not see more. The agent is queried in its default consistency mode, at
//! most once per half second. Its replies are limited in time and size.

mod reply;

use super::settings::{agent_url, hidden};
use super::{Round, pace};
use crate::upstream::http::{HttpClient, HttpReply};
use crate::upstream::{self, Failure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

const WAIT: Duration = Duration::from_mins(5);

const GRACE: Duration = Duration::from_secs(5);

/// Maximum size of a reply in bytes: thousands of instances with their checks.
const LARGEST_REPLY: usize = 8 << 20;

/// Maximum length, in characters, of an agent's error text that is repeated.
const LONGEST_COMPLAINT: usize = 200;

const INDEX: &str = "x-consul-index";
const FILTERED: &str = "x-consul-results-filtered-by-acls";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A Consul agent, and the client that calls it.
#[derive(Debug)]
pub(super) struct Agent {
    client: HttpClient,
    url: String,
    token: Option<HeaderValue>,
}

/// The instances of one service.
#[derive(Debug)]
pub(super) struct Service {
    agent: Agent,
    name: String,
    /// Path and query, without index and wait.
    question: String,
    /// Index of the latest answer; 0 requests an answer at once.
    index: u64,
    /// Time for which the agent may wait for a change.
    pub(super) wait: Duration,
    /// Time that an answer may take beyond that.
    pub(super) grace: Duration,
}

impl Agent {
    pub(super) fn new(agent: &Uri, token: Option<HeaderValue>) -> Result<Self, String> {
        let url = agent_url(agent)?;
        let settings =
            upstream::Settings { max_reply: LARGEST_REPLY, ..upstream::Settings::default() };
        Ok(Self { client: HttpClient::new(&settings, agent, None)?, url, token: hidden(token) })
    }

    /// Returns headers and body of a valid answer. Otherwise the error is a sentence that names the agent.
    pub(super) async fn ask(
        &self,
        method: Method,
        question: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<(HeaderMap, Bytes), Refusal> {
        let exchange = async {
            let reply = self.client.send(self.request(method, question, body)?).await?;
            if reply.status != StatusCode::OK {
                return Ok(Err(Refusal::Status(reply.status, self.said(complaint(reply).await))));
            }
            reply.read().await.map(Ok)
        };
        let outcome = tokio::time::timeout(limit, exchange).await;
        match outcome.unwrap_or(Err(Failure::Timeout(limit))) {
            Ok(answer) => answer.map(|(headers, body, _)| (headers, body)),
            Err(failure) => Err(Refusal::Call(self.said(failure))),
        }
    }

    fn request(
        &self,
        method: Method,
        question: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, Failure> {
        let request = Request::builder().method(method).uri(format!("{}{question}", self.url));
        let request = match &self.token {
            Some(token) => request.header("x-consul-token", token),
            None => request,
        };
        request.body(body).map_err(|error| Failure::NotSent(error.to_string()))
    }

    fn said(&self, what: impl std::fmt::Display) -> String {
        format!("Consul at {}: {what}", self.url)
    }
}

/// Reasons why an agent's answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{1}")]
    Status(StatusCode, String),
    #[error("{0}")]
    Call(String),
}

/// Returns the status and the beginning of the text, which names what Consul lacks, such as a leader or a permission.
async fn complaint(mut reply: HttpReply) -> String {
    let status = reply.status;
    let part = reply.part().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&part);
    let line = text.lines().next().unwrap_or_default().trim();
    let line: String = line.chars().filter(|c| !c.is_control()).take(LONGEST_COMPLAINT).collect();
    if line.is_empty() { format!("status {status}") } else { format!("status {status}: {line}") }
}

/// Encodes a text as one path segment or as a query value.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

impl Service {
    pub(super) fn new(
        agent: Agent,
        name: String,
        tags: &[String],
        passing: bool,
        datacenter: Option<&str>,
    ) -> Result<Self, String> {
        if name.is_empty() {
            return Err("the service has no name".to_owned());
        }
        let mut question = format!("/v1/health/service/{}?", encoded(&name));
        if passing {
            question.push_str("passing=true&");
        }
        for tag in tags {
            question.push_str(&format!("tag={}&", encoded(tag)));
        }
        if let Some(datacenter) = datacenter {
            question.push_str(&format!("dc={}&", encoded(datacenter)));
        }
        question.pop();
        Ok(Self { agent, name, question, index: 0, wait: WAIT, grace: GRACE })
    }

    pub(super) async fn round(&mut self) -> Result<Round, String> {
        let round = self.listed().await;
        if round.is_err() {
            // An agent that comes back, perhaps without its earlier data, must answer at once.
            self.index = 0;
        }
        round
    }

    async fn listed(&mut self) -> Result<Round, String> {
        let (question, limit) = self.next_question();
        let answer = self.agent.ask(Method::GET, &question, Bytes::new(), limit).await;
        let (headers, body) = answer.map_err(|refusal| refusal.to_string())?;
        let (addresses, error) =
            reply::addresses(&self.name, &body).map_err(|error| self.agent.said(error))?;
        if addresses.is_empty() && headers.get(FILTERED).is_some_and(|value| value == "true") {
            let text = format!("the token may not read instances of `{}`", self.name);
            return Err(self.agent.said(text));
        }
        self.index = next_index(self.index, &headers);
        // Queries again at once, since the agent waits.
        Ok(Round { addresses: Some(addresses), error, again: Some(Duration::ZERO) })
    }

    /// Returns the next query, and the time that its answer may take.
    fn next_question(&self) -> (String, Duration) {
        if self.index == 0 {
            return (self.question.clone(), self.grace);
        }
        let wait = pace::jittered(self.wait, 0.1, pace::random());
        let sign = if self.question.contains('?') { '&' } else { '?' };
        let (index, milliseconds) = (self.index, wait.as_millis());
        let question = format!("{}{sign}index={index}&wait={milliseconds}ms", self.question);
        // Consul adds up to a sixteenth of its own.
        (question, wait + wait / 16 + self.grace)
    }
}

/// Returns the next index. If the index went backwards, the query starts over from 0. A missing index, or 0, is a fault
/// of the agent. It becomes 1, so that the next query waits.
fn next_index(before: u64, headers: &HeaderMap) -> u64 {
    let told = headers.get(INDEX).and_then(|value| value.to_str().ok()?.parse().ok());
    match told.unwrap_or(0) {
        0 => 1,
        index if index < before => 0,
        index => index,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_follows_the_rules() {
        let told = |index: &'static str| {
            HeaderMap::from_iter([(INDEX.parse().unwrap(), HeaderValue::from_static(index))])
        };
        assert_eq!(next_index(0, &told("7")), 7);
        assert_eq!(next_index(7, &told("7")), 7);
        assert_eq!(next_index(7, &told("9")), 9);
        assert_eq!(next_index(7, &told("6")), 0, "backwards");
        assert_eq!(next_index(7, &told("0")), 1);
        assert_eq!(next_index(7, &told("-1")), 1);
        assert_eq!(next_index(7, &HeaderMap::new()), 1);
    }
}
