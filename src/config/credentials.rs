//! `auth` of a source, and the query parameters of all its calls: how the gateway authenticates to a service.

use super::section::Section;
use super::values::{self, Mistake, Read};
use super::yaml::{Node, Scalar};
use crate::connector::{ClientCredentials, ClientStyle, Credentials, Secret};
use crate::upstream::Proxies;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Uri};
use std::net::IpAddr;

const WAYS: [&str; 3] = ["bearer", "basic", "client_credentials"];

/// Adds the header of fixed credentials to `headers`, which contains those of `headers.set`.
pub(super) fn read(
    section: &Section<'_>,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
    claims: &[(HeaderName, String)],
) -> Credentials {
    let mut credentials = Credentials { query: query(section), ..Credentials::default() };
    let Some(auth) = section.section("auth") else { return credentials };
    auth.check_keys();
    let problem = |message: String, help: &str| {
        let help = Some(help.to_owned());
        auth.reading.problem("wrong-value", &auth.span, Mistake { message, help });
    };
    let set = headers.iter().map(|(name, _)| (name, "headers.set"));
    let mut others = set.chain(claims.iter().map(|(name, _)| (name, "headers.claims")));
    if let Some((_, place)) = others.find(|(name, _)| **name == AUTHORIZATION) {
        problem(
            format!("the header `authorization` is also set under `{place}`"),
            "remove it there, or remove `auth`",
        );
    }
    let given: Vec<&str> = WAYS.into_iter().filter(|way| auth.get(way).is_some()).collect();
    match given[..] {
        [_] => {}
        // Unknown keys are already reported.
        [] if !auth.entries().is_empty() => {}
        [] => problem(
            "`auth` has no credentials".to_owned(),
            "write `bearer: …`, `basic: { user: …, password: … }` or `client_credentials: { … }`",
        ),
        [first, second, ..] => problem(
            format!("`auth` has both `{first}` and `{second}`, but a call can have only one"),
            "remove one of them",
        ),
    }
    if let Some(token) = auth.get("bearer").and_then(|node| auth.scalar(node, bearer)) {
        headers.extend(header(&format!("Bearer {token}")));
        credentials.hidden.push(Secret(token));
    }
    if let Some((user, password)) = auth.section("basic").and_then(|section| basic(&section)) {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        headers.extend(header(&format!("Basic {pair}")));
        credentials.hidden.push(Secret(password));
    }
    credentials.client = auth.section("client_credentials").and_then(|section| client(&section));
    credentials
}

/// Reads `query` of `rest`.
fn query(section: &Section<'_>) -> Vec<(String, Secret)> {
    let query = section.section("rest").and_then(|rest| rest.section("query"));
    let Some(query) = query else { return Vec::new() };
    let parameter = |entry: &super::yaml::Entry| {
        if entry.key.is_empty() {
            let mistake = Mistake {
                message: "this parameter has an empty name".to_owned(),
                help: Some("write `query: { api_key: \"${KEY}\" }`".to_owned()),
            };
            query.reading.problem("wrong-value", &entry.key_span, mistake);
        }
        let value = query.scalar(&entry.value, values::text)?;
        Some((entry.key.clone(), Secret(value)))
    };
    query.entries().iter().filter_map(parameter).collect()
}

fn header(value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}

/// Reads a bearer token (RFC 6750, section 2.1).
fn bearer(scalar: &Scalar) -> Read<String> {
    let token = values::text(scalar)?;
    if let Some(("Bearer" | "bearer", _)) = token.split_once(' ') {
        return Err(Mistake {
            message: "the gateway adds the word `Bearer` itself".to_owned(),
            help: Some("write only the token: `bearer: \"${TOKEN}\"`".to_owned()),
        });
    }
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(Mistake {
        message: "this is not a valid bearer token: it contains spaces or other invalid characters"
            .to_owned(),
        help: Some(
            "check the environment variables in it, also for a line break at the end".to_owned(),
        ),
    })
}

/// Reads user and password (RFC 7617, section 2).
fn basic(section: &Section<'_>) -> Option<(String, String)> {
    section.check_keys();
    let text = |key| section.required(key).and_then(|node: &Node| section.scalar(node, plain_text));
    let (user, password) = (text("user"), text("password"));
    let user = user?;
    if user.contains(':') {
        let span = section.get("user").map_or(&section.span, |node| &node.span);
        let mistake = Mistake {
            message: "a user name for basic authentication cannot contain a colon".to_owned(),
            help: Some("write the part after the colon under `password`".to_owned()),
        };
        section.reading.problem("wrong-value", span, mistake);
    }
    Some((user, password?))
}

/// Reads a text without control characters.
fn plain_text(scalar: &Scalar) -> Read<String> {
    let text = values::text(scalar)?;
    if text.contains(char::is_control) {
        return Err(Mistake {
            message: "this contains line breaks or other control characters".to_owned(),
            help: Some(
                "check the environment variables in it, also for a line break at the end"
                    .to_owned(),
            ),
        });
    }
    Ok(text)
}

/// Reads an OAuth 2 client (RFC 6749, section 4.4).
fn client(section: &Section<'_>) -> Option<ClientCredentials> {
    section.check_keys();
    let text = |key| section.required(key).and_then(|node: &Node| section.scalar(node, plain_text));
    let token_url = section.required("token_url");
    let token_url = token_url.and_then(|node| {
        let url = section.scalar(node, values::url_with_query)?;
        warn_of_plain_http(section, node, &url);
        Some(url)
    });
    let (id, secret) = (text("client_id"), text("client_secret"));
    let mut scope = Vec::new();
    section.read_list("scope", &mut scope, plain_text);
    let mut audience = None;
    section.read("audience", &mut audience, |scalar| plain_text(scalar).map(Some));
    let mut style = ClientStyle::default();
    section.read("style", &mut style, client_style);
    Some(ClientCredentials {
        token_url: token_url?,
        id: id?,
        secret: Secret(secret?),
        scope: (!scope.is_empty()).then(|| scope.join(" ")),
        audience,
        style,
        proxies: Proxies::default(),
    })
}

fn client_style(scalar: &Scalar) -> Read<ClientStyle> {
    match scalar.text.as_str() {
        "basic" => Ok(ClientStyle::Basic),
        "post" => Ok(ClientStyle::Post),
        _ => Err(Mistake {
            message: "this must be `basic` or `post`".to_owned(),
            help: Some(
                "`basic` sends client ID and secret in a header, `post` in the body of the request"
                    .to_owned(),
            ),
        }),
    }
}

/// Warns if the secret is sent to an address over plain HTTP.
fn warn_of_plain_http(section: &Section<'_>, node: &Node, url: &Uri) {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if url.scheme_str() == Some("http") && !is_here {
        let mistake = Mistake {
            message: "the client's secret is sent over plain HTTP".to_owned(),
            help: Some("write `https://`".to_owned()),
        };
        section.reading.warning("plain-http", &node.span, mistake);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::connector::ClientStyle;
    use crate::problem::{SourceFile, render};
    use std::path::Path;
    use std::sync::Arc;

    fn parse(source: &str) -> Result<Config, String> {
        let text = format!("sources: {{ s: {source} }}");
        let file = SourceFile { name: "portcullis.yaml".into(), text };
        let env = |name: &str| (name == "KEY").then(|| "geheim".to_owned());
        Config::parse(&Arc::new(file), Path::new(""), &env).map_err(|found| render(&found, false))
    }

    fn read(source: &str) -> Config {
        parse(source).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn bearer_and_basic_become_a_header_that_is_never_printed() {
        for (auth, header) in [
            (r#"{ bearer: "${KEY}" }"#, "Bearer geheim"),
            (r#"{ basic: { user: ada, password: "${KEY}" } }"#, "Basic YWRhOmdlaGVpbQ=="),
        ] {
            let config = read(&format!("{{ rest: {{ url: http://h }}, auth: {auth} }}"));
            let [(name, value)] = config.sources[0].headers.as_slice() else { panic!("{auth}") };
            assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", header));
            let secrets: Vec<_> = config.sources[0].credentials.secrets().collect();
            assert_eq!(secrets, ["geheim"], "masked wherever it is printed");
            let printed = format!("{config:?}");
            assert!(!printed.contains("geheim") && !printed.contains("YWRh"), "{printed}");
        }
    }

    #[test]
    fn a_client_has_all_that_a_token_is_asked_for_with() {
        let config = read(
            r#"{ grpc: { url: http://h, protos: [a] }, auth: { client_credentials: { token_url: "https://id/t?a=1",
                client_id: gateway, client_secret: "${KEY}", scope: [a, b], audience: shop, style: post } } }"#,
        );
        let credentials = &config.sources[0].credentials;
        let client = credentials.client.as_ref().expect("a client");
        assert_eq!(client.token_url.to_string(), "https://id/t?a=1");
        assert_eq!((&*client.id, &*client.secret.0), ("gateway", "geheim"));
        assert_eq!(client.scope.as_deref(), Some("a b"));
        assert_eq!((client.audience.as_deref(), client.style), (Some("shop"), ClientStyle::Post));
        assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
        assert!(config.problems.is_empty());
        let plain = r#"{ rest: { url: http://h }, auth: { client_credentials: { token_url: "http://id/t", client_id: c, client_secret: s } } }"#;
        let warned = render(&read(plain).problems, false);
        assert!(warned.contains("over plain HTTP"), "{warned}");
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_refused() {
        let client = "client_credentials: { token_url: http://localhost/t, client_id: c";
        for (rest, said) in [
            ("auth: {}", "has no credentials"),
            ("auth: { bearer: a, basic: { user: b, password: c } }", "both `bearer` and `basic`"),
            (r#"auth: { bearer: "Bearer a" }"#, "write only the token"),
            (r#"auth: { bearer: "a b" }"#, "not a valid bearer token"),
            ("auth: { basic: { user: a } }", "`password` is missing"),
            ("auth: { basic: { user: 'a:b', password: c } }", "cannot contain a colon"),
            (r#"auth: { basic: { user: a, password: "b\n" } }"#, "control characters"),
            (&format!("auth: {{ {client} }} }}"), "`client_secret` is missing"),
            (&format!("auth: {{ {client}, client_secret: s, style: x }} }}"), "`basic` or `post`"),
            (
                "auth: { client_credentials: { token_url: id, client_id: c, client_secret: s } }",
                "neither `http` nor `https`",
            ),
            ("auth: { oauth2: {} }", "use `sources.s.auth.client_credentials`"),
            (
                "auth: { bearer: a }, headers: { set: { authorization: b } }",
                "is also set under `headers.set`",
            ),
            (
                "auth: { bearer: a }, headers: { claims: { authorization: b } }",
                "is also set under `headers.claims`",
            ),
        ] {
            let problems = parse(&format!("{{ rest: {{ url: http://h }}, {rest} }}"));
            let problems = problems.expect_err(rest);
            assert!(problems.contains(said), "{rest}:\n{problems}");
            assert_eq!(problems.matches("error[").count(), 1, "{rest}:\n{problems}");
        }
    }

    #[test]
    fn a_query_of_every_call_stands_beside_the_url() {
        let config = read(r#"{ rest: { url: http://h, query: { api_token: "${KEY}", v: 2 } } }"#);
        let query = &config.sources[0].credentials.query;
        let shown: Vec<_> = query.iter().map(|(name, value)| (&**name, &*value.0)).collect();
        assert_eq!(shown, [("api_token", "geheim"), ("v", "2")]);
        assert!(!format!("{config:?}").contains("geheim"));
        let in_url = parse(r#"{ rest: { url: "http://h?api_token=${KEY}" } }"#).unwrap_err();
        assert!(in_url.contains("`query: { api_token: … }` next to `url`"), "{in_url}");
        assert!(!in_url.contains("geheim"), "{in_url}");
        let of_grpc = parse("{ grpc: { url: http://h, protos: [a], query: { a: b } } }");
        assert!(of_grpc.unwrap_err().contains("unknown key `query`"));
    }
}
