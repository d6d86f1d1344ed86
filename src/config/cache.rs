//! `cache`, and `cache` of a source: what is kept of replies where the schema allows it, and what is allowed without.

use super::section::Section;
use super::values::{self, Mistake};
use crate::engine::{CacheSettings, SourceCache};
use crate::shared;

pub(super) fn read(section: &Section<'_>, cache: &mut CacheSettings) {
    section.check_keys();
    section.read("enabled", &mut cache.enabled, values::boolean);
    section.read("size", &mut cache.size, values::size);
    section.read("entry", &mut cache.entry, values::size);
    section.read("refreshes", &mut cache.refreshes, values::positive);
    section.read("bypass", &mut cache.bypass, values::boolean);
    if let Some(section) = section.section("redis") {
        cache.redis = read_redis(&section);
    }
}

fn read_redis(section: &Section<'_>) -> Option<shared::Settings> {
    section.check_keys();
    let Some(node) = section.get("url") else {
        let message = "`redis` needs `url`".to_owned();
        let help = Some("write `url: redis://host:6379`".to_owned());
        section.reading.problem("missing-key", &section.span, Mistake { message, help });
        return None;
    };
    let url = section.scalar(node, |scalar| {
        scalar.text.parse::<shared::Url>().map_err(|error| {
            let help = Some("write `redis://host:6379/0`, or `rediss://` for TLS".to_owned());
            Mistake { message: error.to_owned(), help }
        })
    })?;
    let mut settings = shared::Settings::new(url);
    section.read("timeout", &mut settings.timeout, values::timeout);
    section.read("prefix", &mut settings.prefix, values::text);
    if let Err(reason) = shared::Redis::new(settings.clone()) {
        let mistake = Mistake { message: reason, help: None };
        section.reading.problem("wrong-value", &node.span, mistake);
        return None;
    }
    Some(settings)
}

pub(super) fn read_source(section: &Section<'_>) -> SourceCache {
    section.check_keys();
    let mut cache = SourceCache::default();
    let some = |scalar: &super::yaml::Scalar| values::duration(scalar).map(Some);
    section.read("max_age", &mut cache.max_age, some);
    section.read("from_upstream", &mut cache.from_upstream, values::boolean);
    section.read("stale_while_revalidate", &mut cache.stale_while_revalidate, some);
    section.read("stale_if_error", &mut cache.stale_if_error, some);
    cache
}
