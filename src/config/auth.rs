//! `auth`: the trusted providers, where a request has its token, and what happens to requests without one.

use super::section::Section;
use super::values::{self, Mistake, Read};
use super::yaml::{Kind, Node, Scalar};
use crate::identity::{Algorithm, Audience, KeySource, OnMissing, ProviderSettings, Settings};
use http::Uri;
use http::header::AUTHORIZATION;
use std::path::Path;
use std::time::Duration;

/// Maximum leeway: a longer one would defeat `exp`.
const LEEWAY: Duration = Duration::from_mins(10);
/// Maximum timeout: the gateway serves only after the first fetch.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Minimum refresh interval: a shorter one would burden the provider.
const REFRESH: Duration = Duration::from_secs(10);

pub(super) fn read(section: &Section<'_>, base: &Path, auth: &mut Settings) {
    section.check_keys();
    let providers = section.list("providers");
    let said = section.get("providers").is_some_and(|node| !is_empty_list(node));
    if providers.is_empty() && !said {
        let mistake = Mistake {
            message: "`auth` has no providers".to_owned(),
            help: Some(
                "write `providers: [{ issuer: …, jwks_url: …, audience: … }]`, or remove `auth`"
                    .to_owned(),
            ),
        };
        section.reading.problem("missing-key", &section.span, mistake);
    }
    for provider in &providers {
        auth.providers.extend(read_provider(provider, base, &auth.providers));
    }
    if let Some(section) = section.section("token") {
        read_token(&section, auth);
    }
    section.read("on_missing_token", &mut auth.on_missing, on_missing);
    section.read("cache", &mut auth.cache, values::size);
}

fn is_empty_list(node: &Node) -> bool {
    matches!(&node.kind, Kind::List(elements) if elements.is_empty())
}

fn read_provider(
    section: &Section<'_>,
    base: &Path,
    others: &[ProviderSettings],
) -> Option<ProviderSettings> {
    section.check_keys();
    let mut audiences = Vec::new();
    section.read_list("audience", &mut audiences, values::text);
    let audience = section.required("audience").map(|_| audience(audiences));
    let issuer = section.required("issuer");
    let issuer = issuer.and_then(|node| Some((section.scalar(node, values::text)?, node)));
    let keys = read_keys(section, base);
    let (issuer, node) = issuer?;
    if others.iter().any(|other| other.issuer == issuer) {
        let message = "this issuer is already configured".to_owned();
        let help = Some(
            "keep one entry for each issuer, and list all audiences in it: `audience: [a, b]`"
                .to_owned(),
        );
        section.reading.problem("duplicate-issuer", &node.span, Mistake { message, help });
    }
    let mut provider = ProviderSettings::new(issuer, keys?, audience?);
    section.read("scopes_claim", &mut provider.scopes_claim, |scalar| {
        values::claim_path(scalar).map(|path| Some(path.into()))
    });
    section.read_list("algorithms", &mut provider.algorithms, algorithm);
    section.read("leeway", &mut provider.leeway, leeway);
    section.read("refresh", &mut provider.refresh, refresh);
    section.read("timeout", &mut provider.timeout, timeout);
    Some(provider)
}

fn audience(audiences: Vec<String>) -> Audience {
    if audiences.iter().any(|audience| audience == "*") {
        Audience::Any
    } else {
        Audience::OneOf(audiences)
    }
}

/// Reads `jwks_url` or `jwks_file`, exactly one of them.
fn read_keys(section: &Section<'_>, base: &Path) -> Option<KeySource> {
    let mut insecure = false;
    section.read("insecure_http", &mut insecure, values::boolean);
    let say = |node: Option<&Node>, message: &str, help: &str| {
        let span = node.map_or(&section.span, |node| &node.span);
        let (message, help) = (message.to_owned(), Some(help.to_owned()));
        section.reading.problem("missing-key", span, Mistake { message, help });
        None
    };
    match (section.get("jwks_url"), section.get("jwks_file")) {
        (Some(url), None) => {
            let uri = section.scalar(url, |scalar| jwks_url(scalar, insecure))?;
            Some(KeySource::Url { uri, insecure_http: insecure })
        }
        (None, Some(file)) => {
            let file = section.scalar(file, values::text)?;
            Some(KeySource::File(base.join(file)))
        }
        (Some(_), Some(file)) => say(
            Some(file),
            "this provider has both `jwks_url` and `jwks_file`",
            "remove one of them",
        ),
        (None, None) => say(
            None,
            "this provider has no keys",
            "add `jwks_url: https://…/jwks.json` or `jwks_file: keys.json`",
        ),
    }
}

/// Reads `jwks_url`. Plain HTTP must be allowed explicitly: an attacker who can change the keys can impersonate every
/// caller.
fn jwks_url(scalar: &Scalar, insecure: bool) -> Read<Uri> {
    let uri = values::url_with_query(scalar)?;
    if uri.scheme_str() == Some("http") && !insecure {
        return Err(Mistake {
            message: "keys fetched over plain HTTP can be replaced by an attacker".to_owned(),
            help: Some(
                "write `https://`, or `insecure_http: true` if you trust the network".to_owned(),
            ),
        });
    }
    Ok(uri)
}

fn algorithm(scalar: &Scalar) -> Read<Algorithm> {
    let name = scalar.text.as_str();
    if let Some(algorithm) = Algorithm::from_name(name) {
        return Ok(algorithm);
    }
    let known = Algorithm::ALL.map(Algorithm::name).join("`, `");
    let (message, help) = if name.eq_ignore_ascii_case("none") {
        let message = "tokens without a signature can be forged";
        (message, format!("use one of `{known}`"))
    } else if name.to_ascii_uppercase().starts_with("HS") {
        let message = "tokens with a shared secret can be forged if the keys are a public JWKS";
        (message, format!("use one of `{known}`"))
    } else {
        ("this algorithm is not supported", format!("use one of `{known}`"))
    };
    Err(Mistake { message: message.to_owned(), help: Some(help) })
}

fn leeway(scalar: &Scalar) -> Read<Duration> {
    let leeway = values::duration(scalar)?;
    if leeway > LEEWAY {
        return Err(Mistake {
            message: "the maximum leeway is `10m`".to_owned(),
            help: Some("synchronize the clocks, or issue tokens with a longer lifetime".to_owned()),
        });
    }
    Ok(leeway)
}

fn refresh(scalar: &Scalar) -> Read<Duration> {
    let refresh = values::duration(scalar)?;
    if refresh < REFRESH {
        return Err(Mistake {
            message: "the minimum interval is `10s`".to_owned(),
            help: Some(
                "write `10m`, for example: an unknown key ID also causes a refresh".to_owned(),
            ),
        });
    }
    Ok(refresh)
}

fn timeout(scalar: &Scalar) -> Read<Duration> {
    let timeout = values::timeout(scalar)?;
    if timeout > TIMEOUT {
        return Err(Mistake {
            message: "the maximum is `30s`"
                .to_owned(),
            help: Some("write `30s` or less: the gateway waits for the first fetch before it serves requests".to_owned()),
        });
    }
    Ok(timeout)
}

fn on_missing(scalar: &Scalar) -> Read<OnMissing> {
    match scalar.text.as_str() {
        "allow" => Ok(OnMissing::Allow),
        "refuse" => Ok(OnMissing::Refuse),
        _ => Err(Mistake {
            message: "this must be `allow` or `refuse`".to_owned(),
            help: Some(
                "`allow` treats requests without a token as anonymous, `refuse` refuses them"
                    .to_owned(),
            ),
        }),
    }
}

fn read_token(section: &Section<'_>, auth: &mut Settings) {
    section.check_keys();
    let token = &mut auth.token;
    section.read("header", &mut token.header, |scalar| values::header_name(&scalar.text));
    if token.header != AUTHORIZATION {
        token.prefix.clear();
    }
    section.read("prefix", &mut token.prefix, prefix);
    section.read("cookie", &mut token.cookie, cookie);
}

/// Reads a scheme, which is a token (RFC 9110 §11.1). If it is empty, the header is the token.
fn prefix(scalar: &Scalar) -> Read<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if scalar.is_null() {
        return Ok(String::new());
    }
    if scalar.text.bytes().all(fits) {
        return Ok(scalar.text.clone());
    }
    Err(Mistake {
        message: "this is not a valid scheme".to_owned(),
        help: Some("write one word, such as `Bearer`, without a space".to_owned()),
    })
}

fn cookie(scalar: &Scalar) -> Read<Option<String>> {
    if scalar.is_null() {
        return Ok(None);
    }
    // RFC 6265 §4.1.1: a token of RFC 9110 §5.6.2.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !scalar.text.is_empty() && scalar.text.bytes().all(fits) {
        return Ok(Some(scalar.text.clone()));
    }
    Err(Mistake {
        message: "this is not a valid cookie name".to_owned(),
        help: Some("write only the name, such as `session`".to_owned()),
    })
}
