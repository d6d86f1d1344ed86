//! `server`: what the edge and the engine are set to.

use super::section::Section;
use super::values::{self, Mistake};
use crate::{edge, engine};

pub(super) fn read(
    section: &Section<'_>,
    edge: &mut edge::Settings,
    engine: &mut engine::Settings,
) {
    section.check_keys();
    section.read("listen", &mut edge.listen, values::address);
    section.read("path", &mut edge.path, values::path);
    section.read("playground", &mut edge.playground, values::boolean);
    section.read("introspection", &mut engine.introspection, values::boolean);
    section.read("timeout", &mut engine.timeout, values::timeout);
    section.read("shutdown_grace", &mut edge.shutdown_grace, values::duration);
    section.read("connections", &mut edge.connections, values::positive);
    section.read("header_timeout", &mut edge.header_timeout, values::timeout);
    section.read("body_timeout", &mut edge.body_timeout, values::timeout);
    section.read("idle_timeout", &mut edge.idle_timeout, values::timeout);
    section.read("access_log", &mut edge.access_log, values::boolean);
    section.read("draft_status_codes", &mut edge.draft_status_codes, values::boolean);
    if let Some(section) = section.section("batching") {
        section.check_keys();
        section.read("max", &mut edge.batching, |scalar| values::positive(scalar).map(Some));
    }
    if let Some(section) = section.section("csrf") {
        section.check_keys();
        section.read_list("headers", &mut edge.csrf.headers, values::preflight_header);
        section.read("strict_get", &mut edge.csrf.strict_get, values::boolean);
    }
    if let Some(section) = section.section("cors") {
        read_cors(&section, &mut edge.cors);
    }
}

fn read_cors(section: &Section<'_>, cors: &mut edge::Cors) {
    section.check_keys();
    section.read_list("origins", &mut cors.origins, values::origin);
    section.read("credentials", &mut cors.credentials, values::boolean);
    section.read("max_age", &mut cors.max_age, values::duration);
    if cors.credentials && cors.any_origin() {
        let mistake = Mistake {
            message: "credentials for any origin would let every website act for your users"
                .to_owned(),
            help: Some("list the origins, or leave `credentials` out".to_owned()),
        };
        let span = section.get("origins").map_or(&section.span, |node| &node.span);
        section.reading.problem("wrong-value", span, mistake);
    }
}
