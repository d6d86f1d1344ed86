//! Runs a spec: starts its scripted upstream and a gateway, sends the request, and compares the response and the calls.

use super::document::{Case, parse};
use crate::support::PATIENCE;
use crate::support::answer::differences;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::grpc;
use crate::support::mock::{Mock, Script};
use portcullis::demo::{AUDIENCE, ISSUER, Issuer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CONFIG: &str = "sources:\n  api: { rest: { url: \"${API}\" }, retry: { attempts: 1 } }\n";

/// Runs the cases of one spec.
///
/// # Panics
/// If a case fails, with all failures of the file.
pub fn holds(name: &str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let failures = runtime.expect("a runtime").block_on(run_file(&file(name)));
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs")
}

/// The file of a test: `batch_aliases` is `batch-aliases.md`.
fn file(name: &str) -> PathBuf {
    folder().join(name.replace('_', "-")).with_extension("md")
}

/// The names of all specs in the folder, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder of specs")
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.file_stem().expect("a file").to_string_lossy().replace('-', "_"))
        .filter(|name| name != "README")
        .collect();
    names.sort();
    names
}

/// Returns what failed.
async fn run_file(path: &Path) -> Vec<String> {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a file that can be read");
    let cases = match parse(&text) {
        Ok(cases) => cases,
        Err(problem) => return vec![format!("{name}: {problem}")],
    };
    let mut failures = Vec::new();
    for case in &cases {
        let found = tokio::time::timeout(PATIENCE, run_case(case)).await;
        let found = found.unwrap_or_else(|_| vec![format!("no answer within {PATIENCE:?}")]);
        if !found.is_empty() {
            failures.push(format!("── {name} · {}\n{}", case.title, found.join("\n")));
        }
    }
    failures
}

async fn run_case(case: &Case) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pool = None;
    if let Some(proto) = &case.proto {
        let file = folder.path().join("api.proto");
        std::fs::write(&file, proto).expect("a temporary file");
        pool = Some(grpc::compile(&file));
    }
    let script = Script { exchanges: case.exchanges.clone(), rounds: case.rounds.clone(), pool };
    let mock = Mock::start(script).await;
    let config = case.config.as_deref().unwrap_or(CONFIG);
    let mut config = config.replace("${API}", &format!("http://{}", mock.address));
    config = config.replace("${ISSUER}", ISSUER).replace("${AUDIENCE}", AUDIENCE);
    let issuer = Issuer::new();
    if case.claims.is_some() {
        let keys = folder.path().join("jwks.json");
        std::fs::write(keys, issuer.jwks()).expect("a temporary file");
        if !config.contains("\nauth:") {
            config.push_str(&auth());
        }
    }
    let gateway = match Gateway::start(folder.path(), &case.schema, &config).await {
        Ok(gateway) => gateway,
        Err(problems) => return vec![format!("the graph does not load:\n{problems}")],
    };
    let mut body = json!({ "query": case.request });
    if !case.variables.is_null() {
        body["variables"] = case.variables.clone();
    }
    let http = Http::new();
    let ask = async |headers: &[(String, String)], claims: Option<&Value>| {
        let token = claims.and_then(|claims| bearer(&issuer, claims));
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let token = token.iter().map(|token| ("authorization", token.as_str()));
        let headers: Vec<(&str, &str)> = headers.chain(token).collect();
        let answer = http.post(&gateway.url, &headers, body.to_string());
        // A wrong call may leave the script waiting for the right one; what it says then is more than "no answer".
        tokio::time::timeout(PATIENCE / 2, answer).await.ok()
    };
    let none = || [mock.complaints(), vec!["no answer".to_owned()]].concat();
    let Some(answer) = ask(&case.headers, case.claims.as_ref()).await else { return none() };
    let actual = answer.json();
    let mut found = missing_headers(&case.answer_headers, &answer.headers);
    found.extend(differences(&case.answer, &actual));
    for (number, next) in case.next.iter().enumerate() {
        let Some(answer) = ask(&next.headers, next.claims.as_ref().or(case.claims.as_ref())).await
        else {
            return none();
        };
        let due = next.answer.as_ref().unwrap_or(&case.answer);
        let further = differences(due, &answer.json());
        found.extend(further.into_iter().map(|line| format!("request {}: {line}", number + 2)));
    }
    found.splice(..0, mock.complaints());
    if !found.is_empty() {
        found.push(format!("the whole answer: {actual}"));
    }
    found
}

/// What makes a gateway believe the issuer of a case.
fn auth() -> String {
    format!(
        "\nauth: {{ providers: [{{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks_file: jwks.json }}] }}\n"
    )
}

/// A token with these claims, good for an hour; `None` for null.
fn bearer(issuer: &Issuer, claims: &Value) -> Option<String> {
    let mut all = claims.as_object()?.clone();
    let expires = SystemTime::now() + Duration::from_hours(1);
    let expires = expires.duration_since(UNIX_EPOCH).expect("a clock that is right").as_secs();
    all.extend(
        [("iss", json!(ISSUER)), ("aud", json!(AUDIENCE)), ("exp", json!(expires))]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Some(format!("Bearer {}", issuer.sign(&all.into())))
}

fn missing_headers(due: &[(String, String)], headers: &http::HeaderMap) -> Vec<String> {
    let found = |name: &str| {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str()).collect();
        values.into_iter().collect::<Result<Vec<_>, _>>().unwrap_or_default().join(", ")
    };
    due.iter()
        .filter(|(name, value)| found(name) != *value)
        .map(|(name, value)| format!("the header {name} is `{}`, due is `{value}`", found(name)))
        .collect()
}
