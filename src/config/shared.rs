//! `redis`, wherever gateways share state: the server, its timeout, and the prefix of keys.

use super::section::Section;
use super::values::{self, Mistake};
use super::yaml::Kind;
use crate::shared::{Redis, Settings, Url};

/// Reads `redis`; `None` if it is absent or invalid.
pub(super) fn read(section: &Section<'_>) -> Option<Settings> {
    let node = section.get("redis")?;
    let section = section.section("redis")?;
    match &node.kind {
        Kind::Mapping(_) => section.check_keys(),
        Kind::Scalar(scalar) if scalar.is_null() => {}
        // Invalid mappings are already reported.
        _ => return None,
    }
    let Some(node) = section.get("url") else {
        let message = "`redis` needs `url`".to_owned();
        let help = Some("add `url: redis://host:6379`".to_owned());
        section.reading.problem("missing-key", &section.span, Mistake { message, help });
        return None;
    };
    let url = section.scalar(node, |scalar| {
        scalar.text.parse::<Url>().map_err(|error| {
            let help = Some("write `redis://host:6379/0`, or `rediss://` for TLS".to_owned());
            Mistake { message: error.to_owned(), help }
        })
    })?;
    let mut settings = Settings::new(url);
    section.read("timeout", &mut settings.timeout, values::timeout);
    section.read("prefix", &mut settings.prefix, values::text);
    if let Err(reason) = Redis::new(settings.clone()) {
        let mistake = Mistake { message: reason, help: None };
        section.reading.problem("wrong-value", &node.span, mistake);
        return None;
    }
    Some(settings)
}
