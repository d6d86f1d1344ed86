//! `cache`, and `cache` of a source: which replies are kept if the schema allows it, and what is kept without.

use super::section::Section;
use super::shared;
use super::values;
use crate::engine::{CacheSettings, SourceCache};

pub(super) fn read(section: &Section<'_>, cache: &mut CacheSettings) {
    section.check_keys();
    section.read("enabled", &mut cache.enabled, values::boolean);
    section.read("size", &mut cache.size, values::size);
    section.read("entry", &mut cache.entry, values::size);
    section.read("refreshes", &mut cache.refreshes, values::positive);
    section.read("bypass", &mut cache.bypass, values::boolean);
    cache.redis = shared::read(section);
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
