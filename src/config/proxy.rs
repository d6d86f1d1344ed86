//! `proxy` of a source: a URL, or `environment`.

use super::section::{Reading, Section};
use super::values::Mistake;
use crate::connector::Protocol;
use crate::upstream::{Exceptions, Instances, Proxies, Proxy};
use std::ops::Range;
use std::sync::Arc;

pub(super) fn read(section: &Section<'_>) -> Proxies {
    let mut proxies = Proxies::default();
    let Some(node) = section.get("proxy") else { return proxies };
    section.read("proxy", &mut proxies, |scalar| match scalar.text.as_str() {
        "environment" => from_environment(section.reading, &node.span),
        url => Proxy::parse(url).map(Proxies::always).map_err(|reason| Mistake {
            message: reason.to_owned(),
            help: Some(
                "write `http://proxy:3128`, with `user:password@` before the host if the proxy asks \
                 for them, or `environment`"
                    .to_owned(),
            ),
        }),
    });
    proxies
}

fn from_environment(reading: &Reading<'_>, span: &Range<usize>) -> Result<Proxies, Mistake> {
    let variable = |name: &str| {
        let value = |name: &str| (reading.env)(name).filter(|value| !value.trim().is_empty());
        value(&name.to_lowercase()).or_else(|| value(name))
    };
    let proxy = |name: &str| {
        let parsed = variable(name).map(|text| Proxy::parse(&text).map(Arc::new)).transpose();
        parsed.map_err(|reason| Mistake {
            message: format!("the variable `{name}` cannot be used: {reason}"),
            help: Some(format!("set `{name}` to a URL such as `http://proxy:3128`")),
        })
    };
    let no_proxy = variable("NO_PROXY").unwrap_or_default();
    let (except, invalid) = Exceptions::parse(&no_proxy);
    if !invalid.is_empty() {
        // One with a user's name and password is shown without.
        let invalid: Vec<&str> =
            invalid.iter().filter_map(|entry| entry.rsplit('@').next()).collect();
        let message = format!(
            "the variable `NO_PROXY` has entries that match no host: `{}`",
            invalid.join("`, `")
        );
        let help = Some(
            "an entry is a host, a domain, an address or a network, with or without a port, or `*`"
                .to_owned(),
        );
        reading.warning("no-effect", span, Mistake { message, help });
    }
    Ok(Proxies { http: proxy("HTTP_PROXY")?, https: proxy("HTTPS_PROXY")?, except })
}

/// Instances that are found have addresses, which mean nothing behind a proxy.
pub(super) fn checked(section: &Section<'_>, protocol: Protocol) -> Protocol {
    let (Protocol::Rest { site } | Protocol::Grpc { site, .. }) = &protocol;
    if let (Some(node), Instances::Found(_)) = (section.get("proxy"), &site.instances) {
        let message = "instances that discovery finds are not called through a proxy".to_owned();
        let help = Some("leave `proxy` out, or name the service by `url`".to_owned());
        section.reading.problem("wrong-value", &node.span, Mistake { message, help });
    }
    protocol
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::problem::{Problem, SourceFile};
    use crate::upstream::Proxies;
    use std::path::Path;
    use std::sync::Arc;

    fn read(text: &str, env: &[(&str, &str)]) -> Result<Proxies, Vec<Problem>> {
        let name = "portcullis.yaml".to_owned();
        let file = Arc::new(SourceFile { name, text: text.to_owned() });
        let env = |wanted: &str| {
            let found = env.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let config = Config::parse(&file, Path::new("conf"), &env)?;
        Ok(config.sources[0].upstream.proxies.clone())
    }

    const ENVIRONMENT: &str = "sources: { a: { rest: { url: http://h }, proxy: environment } }";

    #[test]
    fn the_environment_is_read_only_where_the_source_says_so() {
        let env = [("HTTP_PROXY", "p:1"), ("https_proxy", "http://q:2"), ("NO_PROXY", "in.side")];
        let proxies = read(ENVIRONMENT, &env).unwrap();
        let shown = |https, host| proxies.on_the_way(https, host, 80).map(|proxy| proxy.shown());
        assert_eq!(shown(false, "h").as_deref(), Some("http://p:1"));
        assert_eq!(shown(true, "h").as_deref(), Some("http://q:2"));
        assert_eq!(shown(false, "a.in.side"), None);
        let silent = read("sources: { a: { rest: { url: http://h } } }", &env).unwrap();
        assert_eq!(silent, Proxies::default());
        assert_eq!(read(ENVIRONMENT, &[]).unwrap(), Proxies::default());
    }

    #[test]
    fn entries_of_no_proxy_that_match_no_host_are_a_warning() {
        let file = SourceFile { name: "portcullis.yaml".to_owned(), text: ENVIRONMENT.to_owned() };
        let env = |name: &str| {
            (name == "NO_PROXY").then(|| "a.corp:http, b, http://me:hush@p:1".to_owned())
        };
        let config = Config::parse(&Arc::new(file), Path::new("conf"), &env).unwrap();
        let [warning] = config.problems.as_slice() else { panic!("{:?}", config.problems) };
        let said = "the variable `NO_PROXY` has entries that match no host: `a.corp:http`, `p:1`";
        assert_eq!((warning.code, &*warning.message), ("no-effect", said));
    }

    #[test]
    fn mistakes_name_the_variable_and_never_the_password() {
        let problems = read(ENVIRONMENT, &[("HTTPS_PROXY", "socks5://me:hush@q:2")]).unwrap_err();
        let said = format!("{:?}", problems[0].message);
        assert!(said.contains("`HTTPS_PROXY`") && !said.contains("hush"), "{said}");
        let url = "sources: { a: { rest: { url: http://h }, proxy: \"${P}\" } }";
        let problems = read(url, &[("P", "https://me:hush@q:2")]).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(!format!("{problems:?}").contains("hush"));
        let found = "sources: { a: { rest: { file: f.json }, proxy: p:1 } }";
        let problems = read(found, &[]).unwrap_err();
        assert!(problems[0].message.contains("not called through a proxy"));
    }
}
