//! `portcullis top`: the instances of all sources, shown in a terminal and refreshed in place.
//!
//! It reads only the admin page; the gateway does not treat it differently.

mod table;

use super::{Exit, Terminal};
use crate::gateway::admin::{PATH, View};
use crate::upstream::http::HttpClient;
use crate::upstream::{Failure, Settings, Tls};
use bytes::Bytes;
use clap::Args;
use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  portcullis top
  portcullis top --url http://127.0.0.1:4098 --interval 5s
  portcullis top --once | grep ejected
  portcullis top --url https://127.0.0.1:4099 --ca server.pem

It reads the admin page: `server.admin.listen`, http://127.0.0.1:4099 by default; https where
`server.admin.tls` is set.";

/// Timeout of one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Show the instances behind all sources, as they are now
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Where the gateway's admin page is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4099")]
    url: String,
    /// Roots in PEM to trust instead of the system's, where `server.admin.tls` is set
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Certificate in PEM to show, where `server.tls.client_ca` is set
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Trust any certificate: whoever is in between can read and change what is shown
    #[arg(long)]
    insecure: bool,
    /// Print one table after one interval, for scripts
    #[arg(long)]
    once: bool,
    /// Time between two looks, such as `500ms` or `2s`
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
}

impl Arguments {
    fn tls(&self) -> Tls {
        let identity = self.cert.clone().zip(self.key.clone());
        Tls { ca: self.ca.clone(), identity, any_certificate: self.insecure }
    }
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let gateway = match Gateway::at(&arguments.url, arguments.tls()) {
        Ok(gateway) => gateway,
        Err(reason) => {
            let remedy = "write one such as `--url http://127.0.0.1:4099`, and files in PEM";
            terminal.err(&format!("error: {reason}\n  {remedy}\n"));
            return Exit::Usage;
        }
    };
    let mut before = match gateway.look().await {
        Ok(view) => view,
        Err(reason) => return no_answer(&reason, terminal),
    };
    if arguments.once {
        tokio::time::sleep(arguments.interval).await;
        return match gateway.look().await {
            Ok(view) => {
                terminal.out(&table::table(&view, Some(&before)));
                Exit::Done
            }
            Err(reason) => no_answer(&reason, terminal),
        };
    }
    terminal.draw(&table::table(&before, None), true);
    loop {
        tokio::time::sleep(arguments.interval).await;
        match gateway.look().await {
            Ok(view) => {
                terminal.draw(&table::table(&view, Some(&before)), false);
                before = view;
            }
            // It may be available again in a moment.
            Err(reason) => terminal.draw(&format!("{reason}\n\nTrying again.\n"), false),
        }
    }
}

fn no_answer(reason: &str, terminal: &mut Terminal) -> Exit {
    terminal.err(&format!("error: {reason}\n"));
    Exit::NoAnswer
}

/// A gateway whose admin page is read.
struct Gateway {
    uri: Uri,
    client: HttpClient,
}

impl Gateway {
    /// Creates the client of a gateway.
    ///
    /// # Errors
    /// The URL cannot be one of a gateway; one lowercase sentence.
    fn at(url: &str, tls: Tls) -> Result<Self, String> {
        let base = url.trim_end_matches('/');
        let base = base.strip_suffix(PATH).unwrap_or(base);
        let uri: Uri = format!("{base}{PATH}").parse().map_err(|_| format!("`{url}` is no URL"))?;
        let settings = Settings { connect_timeout: ANSWER, tls, ..Settings::default() };
        Ok(Self { client: HttpClient::new(&settings, &uri, None)?, uri })
    }

    /// Reads the admin page.
    ///
    /// # Errors
    /// What is wrong, where, and how to fix it.
    async fn look(&self) -> Result<View, String> {
        let looked = tokio::time::timeout(ANSWER, self.ask()).await;
        let reply = looked.unwrap_or(Err(Failure::Timeout(ANSWER)));
        let (status, body) = reply.map_err(|failure| {
            format!(
                "nobody answers at {}: {failure}\n  is the gateway running? `server.admin` in its \
                 configuration says whether and where it\n  answers; `--url` says where to ask",
                self.uri
            )
        })?;
        let wrong = |what: &str| {
            let remedy = "`--url` takes the address of `server.admin.listen`, which is another \
                          one than that of\n  `server.listen`, and the same version is needed on \
                          both sides";
            format!("{} {what}\n  {remedy}", self.uri)
        };
        if status != StatusCode::OK {
            return Err(wrong(&format!("answers {status}, which no admin page does")));
        }
        serde_json::from_slice(&body).map_err(|_| wrong("answers with something else"))
    }

    async fn ask(&self) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::new(Bytes::new());
        request.uri_mut().clone_from(&self.uri);
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        let reply = self.client.send(request).await?;
        let status = reply.status;
        Ok((status, reply.read().await?.1))
    }
}

/// Parses `500ms`, `2s`, `1m`; from a tenth of a second to an hour.
fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        _ => Duration::ZERO,
    };
    let time = number.parse().ok().and_then(|number: u32| unit.checked_mul(number));
    time.filter(|time| (100..=3_600_000).contains(&time.as_millis()))
        .ok_or_else(|| "write a time such as `500ms` or `2s`, from 100ms to 60m".to_owned())
}

#[cfg(test)]
mod tests;
