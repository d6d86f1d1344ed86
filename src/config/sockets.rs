//! `url` of a source as the path of a Unix socket: `unix:///run/orders.sock`, optionally with a path prefix after a
//! colon.

use super::section::Section;
use super::values::{Mistake, Read};
use super::yaml::Scalar;
use crate::connector::Protocol;
use crate::upstream::discovery::Address;
use crate::upstream::{Instances, Site};
use http::Uri;
use std::path::PathBuf;

const SCHEME: &str = "unix:";

/// Reads the site at a URL. If it does not name a socket, `url` parses it.
pub(super) fn site(scalar: &Scalar, url: fn(&Scalar) -> Read<Uri>) -> Read<Site> {
    let wrong = |message: String, help: &str| Mistake { message, help: Some(help.to_owned()) };
    let Some(rest) = scalar.text.strip_prefix(SCHEME) else {
        return Site::at(&url(scalar)?).map_err(|reason| wrong(reason, "correct the URL"));
    };
    let help = "write `unix:///run/service.sock`, or `unix:///run/service.sock:/v1` for paths that begin with `/v1`";
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let (path, prefix) = path.find(":/").map_or((path, ""), |at| (&path[..at], &path[at + 1..]));
    if !path.starts_with('/') || rest.starts_with("//") != rest.starts_with("///") {
        return Err(wrong("the path of a socket must begin with `/`".to_owned(), help));
    }
    let uri = url(&Scalar { text: format!("http://localhost{prefix}"), plain: scalar.plain })?;
    let address = Address::socket(PathBuf::from(path)).map_err(|reason| wrong(reason, help))?;
    let site = Site::at(&uri).map_err(|reason| wrong(reason, help))?;
    Ok(Site { instances: Instances::Fixed(vec![address]), ..site })
}

/// Returns whether any instance is at a socket.
pub(super) fn has_socket(site: &Site) -> bool {
    let is_socket = |address: &Address| address.socket.is_some();
    matches!(&site.instances, Instances::Fixed(all) if all.iter().any(is_socket))
}

/// Refuses TLS for sockets: TLS protects what crosses a network.
pub(super) fn refuse_tls(section: &Section<'_>, protocol: &Protocol) {
    if let Some(node) = section.get("tls").filter(|_| has_socket(protocol.site())) {
        let message = "`tls` does not apply to a Unix socket".to_owned();
        let help = Some("remove `tls`: the permissions of the socket control access".to_owned());
        section.reading.problem("wrong-value", &node.span, Mistake { message, help });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::problem::{SourceFile, render};
    use crate::upstream::Proxies;
    use std::path::Path;
    use std::sync::Arc;

    fn parse(text: &str) -> Result<Config, String> {
        let file = SourceFile { name: "portcullis.yaml".into(), text: text.to_owned() };
        let config = Config::parse(&Arc::new(file), Path::new(""), &|_| None);
        config.map_err(|problems| render(&problems, false))
    }

    fn of(source: &str) -> Result<Site, String> {
        let config = parse(&format!("sources: {{ s: {{ {source} }} }}"))?;
        Ok(config.sources[0].protocol.site().clone())
    }

    #[test]
    fn the_path_of_a_socket_may_have_a_prefix_behind_it() {
        for (url, path, prefix, shown) in [
            ("unix:///run/a.sock", "/run/a.sock", "", "unix:///run/a.sock:"),
            ("unix:/run/a.sock", "/run/a.sock", "", "unix:///run/a.sock:"),
            ("unix:///run/a.sock:/v1/x/", "/run/a.sock", "/v1/x", "unix:///run/a.sock:"),
            ("unix:///run/a:80.sock:/", "/run/a:80.sock", "", "unix:///run/a:80.sock:"),
        ] {
            let site = of(&format!("rest: {{ url: '{url}' }}")).unwrap();
            let Instances::Fixed(instances) = &site.instances else { panic!("{url}") };
            assert_eq!(instances[0].socket.as_deref(), Some(Path::new(path)), "{url}");
            assert_eq!((&*site.prefix, &*site.shown()), (prefix, shown), "{url}");
            assert_eq!(site.uri(&instances[0]).unwrap(), "http://localhost/", "{url}");
        }
        let site = of("rest: { urls: ['unix:///a', 'unix:///b', 'unix:///a'] }").unwrap();
        assert!(matches!(site.instances, Instances::Fixed(all) if all.len() == 2));
        assert!(of("grpc: { url: 'unix:///run/a.sock', protos: [a.proto] }").is_ok());
    }

    #[test]
    fn what_is_no_socket_or_does_not_go_with_one_is_refused() {
        let long = format!("rest: {{ url: 'unix:///{}' }}", "a".repeat(200));
        for (source, said) in [
            ("rest: { url: 'unix://run/a.sock' }", "the path of a socket must begin with `/`"),
            ("rest: { url: 'unix:a.sock' }", "the path of a socket must begin with `/`"),
            ("rest: { url: 'unix:' }", "the path of a socket must begin with `/`"),
            ("rest: { url: 'unix:///a:/v1?b=c' }", "this URL has a query"),
            (&long, "this path is too long for a socket"),
            ("grpc: { url: 'unix:///a:/v1', protos: [a] }", "gRPC service cannot have a path"),
            ("rest: { url: 'unix:///a', file: f.json }", "cannot be used with a Unix socket"),
            (
                "rest: { url: 'unix:///a' }, tls: { ca: a.pem }",
                "`tls` does not apply to a Unix socket",
            ),
            ("rest: { url: 'unix:///a' }, proxy: 'p:1'", "`proxy` does not apply to a Unix socket"),
            ("rest: { urls: ['unix:///a', 'https://h'] }", "differ in more than"),
            ("rest: { urls: ['unix:///a', 'unix:///b:/v1'] }", "differ in more than"),
        ] {
            let shown = of(source).unwrap_err();
            assert!(shown.contains(said) && shown.contains("1 error"), "{source}: {shown}");
        }
    }

    #[test]
    fn sockets_are_called_directly_whatever_the_proxy_of_the_top() {
        let text = "proxy: p:1\nsources: { s: { rest: { url: 'unix:///a' } } }";
        assert_eq!(parse(text).unwrap().sources[0].upstream.proxies, Proxies::default());
    }
}
