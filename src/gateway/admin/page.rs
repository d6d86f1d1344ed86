//! The page: HTML without a script, which works without a network. Everything from elsewhere is escaped: addresses come
//! from discovery, and errors may quote services.

use super::{View, words};
use crate::upstream::status::{InstanceStatus, RecentError, Status};
use std::fmt::{self, Display, Formatter, Write as _};

pub const STYLE_PATH: &str = "/admin/style.css";

/// Seconds between two reloads.
const SECONDS: u32 = 2;

pub fn page(view: &View) -> String {
    let up = words::span(view.up_ms);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"{SECONDS}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Upstreams - Portcullis</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n</head>\n<body>\n<h1>Upstreams</h1>\n\
         <p class=\"quiet\">Portcullis {}, up {up}. Every {SECONDS} seconds anew; as JSON for whoever asks for \
         <code>application/json</code>.</p>\n",
        Escaped(&view.version),
    );
    // Writing to a String cannot fail, here and below.
    let _ = overview(&mut page, view);
    for status in &view.sources {
        let _ = source(&mut page, status);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn overview(page: &mut String, view: &View) -> fmt::Result {
    if view.sources.is_empty() {
        return writeln!(page, "<p>There are no sources.</p>");
    }
    page.push_str(
        "<table>\n<tr><th>source<th>is<th class=\"n\">instances<th class=\"n\">calls\
         <th class=\"n\">failed<th class=\"n\">under way<th class=\"n\">limit<th class=\"n\">waiting\
         <th class=\"n\">p50<th class=\"n\">p95<th class=\"n\">p99<th>breaker<th class=\"n\">retries left\
         <th class=\"n\">moves</tr>\n",
    );
    for status in &view.sources {
        let (name, word) = (Escaped(&status.source), words::source(status));
        write!(page, "<tr><th><a href=\"#{name}\">{name}</a>")?;
        write!(page, "<td class=\"{}\">{word}", class(word))?;
        let of = format!("{} of {}", words::called(status), status.instances.len());
        for number in [of, status.calls.to_string(), status.failures.to_string()] {
            write!(page, "<td class=\"n\">{number}")?;
        }
        for number in [status.in_flight, status.limit, status.waiting] {
            write!(page, "<td class=\"n\">{number}")?;
        }
        times(page, [status.p50_ms, status.p95_ms, status.p99_ms])?;
        let (breaker, left, moves) = (words::breaker(status), status.retries_left, status.moves);
        writeln!(page, "<td>{breaker}<td class=\"n\">{left}<td class=\"n\">{moves}</tr>")?;
    }
    writeln!(page, "</table>")
}

fn source(page: &mut String, status: &Status) -> fmt::Result {
    let name = Escaped(&status.source);
    writeln!(page, "<section id=\"{name}\">\n<h2>{name}</h2>")?;
    if let Some(error) = &status.discovery_error {
        writeln!(page, "<p class=\"bad\">discovery: {}</p>", Escaped(error))?;
    }
    if !status.instances.is_empty() {
        page.push_str(
            "<table>\n<tr><th>instance<th>is<th>zone<th class=\"n\">weight<th class=\"n\">attempts\
             <th class=\"n\">failed<th class=\"n\">under way\
             <th class=\"n\">p50<th class=\"n\">p95<th class=\"n\">p99</tr>\n",
        );
        for status in &status.instances {
            instance(page, status)?;
        }
        page.push_str("</table>\n");
    }
    if !status.recent_errors.is_empty() {
        page.push_str("<h3>Last errors</h3>\n<table>\n");
        for RecentError { ago_ms, instance, error } in &status.recent_errors {
            let (ago, at) = (words::span(*ago_ms), Escaped(instance));
            writeln!(page, "<tr><td class=\"n\">{ago} ago<td>{at}<td>{}</tr>", Escaped(error))?;
        }
        page.push_str("</table>\n");
    }
    writeln!(page, "</section>")
}

fn instance(page: &mut String, status: &InstanceStatus) -> fmt::Result {
    let word = words::instance(status);
    write!(page, "<tr><td>{}", Escaped(&status.address))?;
    write!(page, "<td class=\"{}\">{word}", class(&word))?;
    write!(page, "<td>{}", Escaped(status.zone.as_deref().unwrap_or("-")))?;
    let (weight, calls, failures) = (u64::from(status.weight), status.calls, status.failures);
    for number in [weight, calls, failures, u64::from(status.in_flight)] {
        write!(page, "<td class=\"n\">{number}")?;
    }
    times(page, [status.p50_ms, status.p95_ms, status.p99_ms])?;
    writeln!(page, "</tr>")
}

fn times(page: &mut String, times: [Option<f64>; 3]) -> fmt::Result {
    times.into_iter().try_for_each(|time| write!(page, "<td class=\"n\">{}", words::latency(time)))
}

/// Returns the CSS class of a state, which makes it visible at a glance.
fn class(word: &str) -> &'static str {
    match word {
        "well" => "good",
        "starting" | "partly well" | "trying" => "fair",
        _ => "bad",
    }
}

/// Escapes text between tags or in an attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(['&', '<', '>', '"', '\'']) {
            let plain = part.trim_end_matches(['&', '<', '>', '"', '\'']);
            formatter.write_str(plain)?;
            match &part[plain.len()..] {
                "&" => formatter.write_str("&amp;")?,
                "<" => formatter.write_str("&lt;")?,
                ">" => formatter.write_str("&gt;")?,
                "\"" => formatter.write_str("&quot;")?,
                "'" => formatter.write_str("&#39;")?,
                _ => {}
            }
        }
        Ok(())
    }
}
