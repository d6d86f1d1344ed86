//! `server` and `subscriptions`: settings of the edge and the engine.

use super::rate;
use super::section::Section;
use super::values::{self, Mistake};
use crate::{edge, engine};
use std::path::Path;

pub(super) fn read(
    section: &Section<'_>,
    base: &Path,
    edge: &mut edge::Settings,
    engine: &mut engine::Settings,
) {
    section.check_keys();
    let has_tls = section.get("tls").is_some();
    section.read("listen", &mut edge.listen, values::address);
    section.read("path", &mut edge.path, values::path);
    section.read("playground", &mut edge.playground, values::boolean);
    section.read("introspection", &mut engine.introspection, values::boolean);
    let exposed = &mut engine.expose_upstream_errors;
    section.read("expose_upstream_errors", exposed, values::boolean);
    section.read("timeout", &mut engine.timeout, values::timeout);
    section.read("shutdown_grace", &mut edge.shutdown_grace, values::duration);
    section.read("connections", &mut edge.connections, values::positive);
    section.read("header_timeout", &mut edge.header_timeout, values::timeout);
    section.read("body_timeout", &mut edge.body_timeout, values::timeout);
    section.read("idle_timeout", &mut edge.idle_timeout, values::timeout);
    section.read("access_log", &mut edge.access_log, values::boolean);
    section.read_list("trusted_proxies", &mut edge.trusted_proxies, rate::proxy);
    section.read("connections_per_ip", &mut edge.connections_per_ip, values::positive);
    section.read("memory", &mut edge.memory, |it| values::size(it).map(|bytes| bytes as usize));
    section.read("client_share", &mut edge.client_share, values::share);
    section.read("compression", &mut edge.compression, values::boolean);
    section.read("trace_sample", &mut edge.trace_sample, values::share);
    if let Some(section) = section.section("metrics") {
        section.check_keys();
        section.read("public", &mut edge.metrics.public, values::boolean);
        section.read("listen", &mut edge.metrics.listen, |it| values::address(it).map(Some));
        section.read("tls", &mut edge.metrics.tls, values::boolean);
        if edge.metrics.tls && edge.metrics.listen.is_none() {
            let message =
                "`server.metrics.tls` has no effect without `server.metrics.listen`".to_owned();
            let help = Some("add `server.metrics.listen`, or remove `tls`".to_owned());
            section.reading.problem("wrong-value", &section.span, Mistake { message, help });
        }
        needs_tls(&section, edge.metrics.tls, has_tls);
    }
    if let Some(section) = section.section("admin") {
        section.check_keys();
        section.read("enabled", &mut edge.admin.enabled, values::boolean);
        section.read("listen", &mut edge.admin.listen, values::address);
        section.read("tls", &mut edge.admin.tls, values::boolean);
        needs_tls(&section, edge.admin.tls, has_tls);
    }
    if let Some(section) = section.section("tls") {
        edge.tls = read_tls(&section, base);
    }
    section.read("draft_status_codes", &mut edge.statuses, |scalar| {
        let fine = values::boolean(scalar)?;
        Ok(if fine { edge::Statuses::Fine } else { edge::Statuses::Audited })
    });
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

/// Reports `tls: true` of a separate address if the endpoint has no certificate: both use the same one.
fn needs_tls(section: &Section<'_>, wanted: bool, has_tls: bool) {
    if wanted && !has_tls {
        let message =
            "`tls: true` needs the certificate of `server.tls`, which is not set".to_owned();
        let help = Some("add `server.tls: { cert: server.pem, key: server.key }`".to_owned());
        section.reading.problem("wrong-value", &section.span, Mistake { message, help });
    }
}

fn read_tls(section: &Section<'_>, base: &Path) -> Option<edge::Tls> {
    section.check_keys();
    let file = |key: &str| {
        let node = section.get(key)?;
        section.scalar(node, values::text).map(|path| base.join(path))
    };
    let (cert, key) = (file("cert"), file("key"));
    let absent = |key: &str| section.get(key).is_none();
    if absent("cert") || absent("key") {
        let message = "TLS needs both `cert` and `key`".to_owned();
        let help = Some("write `tls: { cert: server.pem, key: server.key }`".to_owned());
        section.reading.problem("missing-key", &section.span, Mistake { message, help });
    }
    Some(edge::Tls { cert: cert?, key: key?, client_ca: file("client_ca"), ..edge::Tls::default() })
}

fn read_cors(section: &Section<'_>, cors: &mut edge::Cors) {
    section.check_keys();
    section.read_list("origins", &mut cors.origins, values::origin);
    section.read("credentials", &mut cors.credentials, values::boolean);
    section.read("max_age", &mut cors.max_age, values::duration);
    if cors.credentials && cors.any_origin() {
        let mistake = Mistake {
            message: "`credentials` with the origin `*` lets every website use the credentials of your users"
                .to_owned(),
            help: Some("list the origins, or remove `credentials`".to_owned()),
        };
        let span = section.get("origins").map_or(&section.span, |node| &node.span);
        section.reading.problem("wrong-value", span, mistake);
    }
}

pub(super) fn read_subscriptions(section: &Section<'_>, settings: &mut edge::SubscriptionSettings) {
    section.check_keys();
    section.read("max", &mut settings.max, values::positive);
    section.read("max_per_connection", &mut settings.max_per_connection, values::positive);
    section.read("keep_alive", &mut settings.keep_alive, values::timeout);
    section.read("init_timeout", &mut settings.init_timeout, values::timeout);
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::problem::{SourceFile, render};
    use std::path::Path;
    use std::sync::Arc;

    fn problems(text: &str) -> String {
        let file = SourceFile { name: "portcullis.yaml".into(), text: text.to_owned() };
        let read = Config::parse(&Arc::new(file), Path::new(""), &|_| None);
        render(&read.expect_err("a problem"), false)
    }

    #[test]
    fn an_address_beside_the_endpoint_speaks_tls_only_with_the_endpoint_s_certificate() {
        for section in ["metrics", "admin"] {
            let text = format!("server: {{ {section}: {{ listen: 127.0.0.1:1, tls: true }} }}");
            assert!(problems(&text).contains("needs the certificate of `server.tls`"));
        }
        let text = "server: { tls: { cert: c, key: k }, metrics: { tls: true } }";
        assert!(problems(text).contains("has no effect without `server.metrics.listen`"));
    }
}
