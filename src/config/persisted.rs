//! `persisted`: documents that clients send by hash or ID, and manifests of trusted documents.

use super::section::Section;
use super::shared;
use super::values::{self, Mistake, Read};
use super::yaml::Scalar;
use crate::engine::{ApqSettings, PersistedSettings, Trust};

pub(super) fn read(
    section: &Section<'_>,
    manifest: &mut Vec<String>,
    settings: &mut PersistedSettings,
) {
    section.check_keys();
    section.read_list("manifest", manifest, values::text);
    section.read("mode", &mut settings.mode, mode);
    if let Some(section) = section.section("apq") {
        read_apq(&section, &mut settings.apq);
    }
    let refuse = |message: &str, help: &str| {
        let mistake = Mistake { message: message.to_owned(), help: Some(help.to_owned()) };
        let span = section.get("mode").map_or(&section.span, |node| &node.span);
        section.reading.problem("wrong-value", span, mistake);
    };
    if settings.mode == Trust::Require && settings.apq.enabled {
        refuse(
            "`apq` has no effect with the mode `require`, because clients cannot register documents",
            "remove `apq.enabled`, or use another mode",
        );
    }
    if settings.mode == Trust::Require && manifest.is_empty() {
        refuse(
            "the mode `require` refuses every request without a manifest",
            "list the manifest files under `persisted.manifest`",
        );
    }
}

fn read_apq(section: &Section<'_>, apq: &mut ApqSettings) {
    section.check_keys();
    section.read("enabled", &mut apq.enabled, values::boolean);
    section.read("size", &mut apq.size, values::size);
    section.read("ttl", &mut apq.ttl, values::timeout);
    apq.redis = shared::read(section);
}

fn mode(scalar: &Scalar) -> Read<Trust> {
    match scalar.text.as_str() {
        "allow" => Ok(Trust::Allow),
        "log" => Ok(Trust::Log),
        "require" => Ok(Trust::Require),
        _ => Err(Mistake {
            message: "this is not a mode".to_owned(),
            help: Some("write `allow`, `log` or `require`".to_owned()),
        }),
    }
}
