//! `proxy` and `no_proxy` at the top, for everything that the gateway calls, and `proxy` of a source.

use super::section::{Reading, Section};
use super::sockets;
use super::values::{Mistake, Read};
use super::yaml::{Kind, Scalar};
use crate::connector::Protocol;
use crate::upstream::{Exceptions, Instances, Proxies, Proxy};
use std::ops::Range;
use std::sync::Arc;

const OFF: &str = "none";

/// Reads the proxy of all sources and of the providers of tokens.
pub(super) fn read(top: &Section<'_>) -> Proxies {
    let mut proxies = Proxies::default();
    read_into(top, &mut proxies);
    let mut direct = Vec::new();
    top.read_list("no_proxy", &mut direct, exceptions);
    proxies.except.extend(direct);
    if let Some(node) = top.get("no_proxy").filter(|_| top.get("proxy").is_none()) {
        let message = "`no_proxy` has no effect without `proxy` beside it".to_owned();
        let help = Some("add `proxy` at the top, or remove `no_proxy`".to_owned());
        top.reading.problem("missing-key", &node.span, Mistake { message, help });
    }
    proxies
}

/// Reads the proxy of a source; default: the `shared` one.
pub(super) fn of_source(section: &Section<'_>, shared: &Proxies) -> Proxies {
    let mut proxies = shared.clone();
    read_into(section, &mut proxies);
    proxies
}

fn read_into(section: &Section<'_>, proxies: &mut Proxies) {
    let Some(node) = section.get("proxy") else { return };
    section.read("proxy", proxies, |scalar| match scalar.text.as_str() {
        OFF => Ok(Proxies::default()),
        "environment" => from_environment(section.reading, &node.span),
        url => Proxy::parse(url).map(Proxies::always).map_err(|reason| Mistake {
            message: reason.to_owned(),
            help: Some(
                "write `http://proxy:3128`, with `user:password@` before the host if the proxy needs credentials, or `environment`, or `none`"
                    .to_owned(),
            ),
        }),
    });
}

fn exceptions(scalar: &Scalar) -> Read<Exceptions> {
    match Exceptions::parse(&scalar.text) {
        (except, invalid) if invalid.is_empty() && except != Exceptions::default() => Ok(except),
        _ => Err(Mistake {
            message: "this matches no host".to_owned(),
            help: Some(ENTRIES.to_owned()),
        }),
    }
}

const ENTRIES: &str =
    "write a host, a domain, an address or a network, with or without a port, or `*`";

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
        // Credentials in an entry are not shown.
        let invalid: Vec<&str> =
            invalid.iter().filter_map(|entry| entry.rsplit('@').next()).collect();
        let message = format!(
            "the variable `NO_PROXY` has entries that match no host: `{}`",
            invalid.join("`, `")
        );
        let help = Some(ENTRIES.to_owned());
        reading.warning("no-effect", span, Mistake { message, help });
    }
    Ok(Proxies { http: proxy("HTTP_PROXY")?, https: proxy("HTTPS_PROXY")?, except })
}

/// Returns the proxies of a source's calls. Discovered instances and sockets are called directly: their addresses have
/// no meaning behind a proxy, and sockets are on this machine.
pub(super) fn of_calls(section: &Section<'_>, protocol: &Protocol, proxies: &Proxies) -> Proxies {
    let site = protocol.site();
    let message = if matches!(site.instances, Instances::Found(_)) {
        "`proxy` does not apply to instances found by discovery"
    } else if sockets::has_socket(site) {
        "`proxy` does not apply to a Unix socket"
    } else {
        return proxies.clone();
    };
    let is_off = |kind: &Kind| matches!(kind, Kind::Scalar(scalar) if scalar.text == OFF);
    if let Some(node) = section.get("proxy").filter(|node| !is_off(&node.kind)) {
        let message = message.to_owned();
        let help =
            Some("remove `proxy`, or set `url` to the host and port of the service".to_owned());
        section.reading.problem("wrong-value", &node.span, Mistake { message, help });
    }
    Proxies::default()
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

    #[test]
    fn a_source_has_the_proxy_of_the_top_unless_it_has_its_own() {
        let proxy = |top: &str, source: &str, host: &str| {
            let text =
                format!("{top}\nsources: {{ a: {{ rest: {{ url: http://h }}, {source} }} }}");
            let proxies = read(&text, &[("HTTP_PROXY", "env:1"), ("NO_PROXY", "quiet")]).unwrap();
            proxies.on_the_way(false, host, 80).map(|proxy| proxy.shown())
        };
        let top = "proxy: top:1\nno_proxy: [in.side, '10.0.0.0/8']";
        let shown = |proxy: &str| Some(format!("http://{proxy}:1"));
        assert_eq!(proxy(top, "", "h"), shown("top"));
        assert_eq!(proxy(top, "", "a.in.side"), None);
        assert_eq!(proxy(top, "", "10.1.1.1"), None);
        assert_eq!(proxy(top, "", "quiet"), shown("top"), "the environment is not read");
        assert_eq!(proxy(top, "proxy: own:1", "a.in.side"), shown("own"), "its own has none");
        assert_eq!(proxy(top, "proxy: none", "h"), None);
        assert_eq!(proxy(top, "proxy: environment", "h"), shown("env"));
        let both = "proxy: environment\nno_proxy: in.side";
        assert_eq!(proxy(both, "", "h"), shown("env"));
        assert_eq!((proxy(both, "", "in.side"), proxy(both, "", "quiet")), (None, None));
    }

    #[test]
    fn found_instances_are_called_directly_and_their_tokens_are_not() {
        let text =
            "proxy: top:1\nsources: { a: { rest: { file: f.json }, auth: { client_credentials: {
            token_url: https://id, client_id: a, client_secret: b } } } }";
        let file = SourceFile { name: "portcullis.yaml".to_owned(), text: text.to_owned() };
        let config = Config::parse(&Arc::new(file), Path::new("conf"), &|_| None).unwrap();
        let source = &config.sources[0];
        assert_eq!(source.upstream.proxies, Proxies::default());
        let client = source.credentials.client.as_ref().unwrap();
        assert!(client.proxies.on_the_way(true, "id", 443).is_some());
        assert!(config.auth.proxies.on_the_way(true, "id", 443).is_some());
        let none = "sources: { a: { rest: { file: f.json }, proxy: none } }";
        assert_eq!(read(none, &[]).unwrap(), Proxies::default());
    }

    #[test]
    fn entries_of_no_proxy_and_a_lonely_no_proxy_are_refused() {
        for (text, said) in [
            ("proxy: p:1\nno_proxy: [a, 'b:http']", "this matches no host"),
            ("proxy: p:1\nno_proxy: ''", "this matches no host"),
            ("no_proxy: a", "`no_proxy` has no effect without `proxy`"),
            ("proxy: socks5://p:1", "plain `http`"),
        ] {
            let text = format!("{text}\nsources: {{ a: {{ rest: {{ url: http://h }} }} }}");
            let problems = read(&text, &[]).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].message.contains(said), "{problems:?}");
        }
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
        assert!(problems[0].message.contains("does not apply to instances found by discovery"));
    }
}
