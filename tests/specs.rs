//! Runs every file of `tests/specs/`: schema, scripted upstream, request, expected answer, and the calls it may make.
//!
//! The format is described in `tests/specs/README.md`. `SPEC=text cargo nextest run specs` runs the files whose names
//! hold the text.

mod document;

use crate::support::PATIENCE;
use crate::support::answer::differences;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::grpc;
use crate::support::mock::{Mock, Script};
use document::{Case, parse};
use futures_util::StreamExt;
use portcullis::demo::{AUDIENCE, ISSUER, Issuer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CONFIG: &str = "sources:\n  api: { rest: { url: \"${API}\" }, retry: { attempts: 1 } }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spec_holds() {
    let wanted = std::env::var("SPEC").unwrap_or_default();
    let files = files(&wanted);
    assert!(!files.is_empty(), "no spec file's name holds `{wanted}`");
    let outcomes = futures_util::stream::iter(files.iter().map(|file| run_file(file)))
        .buffered(8)
        .collect::<Vec<(usize, Vec<String>)>>()
        .await;
    let cases: usize = outcomes.iter().map(|(cases, _)| cases).sum();
    let failures: Vec<String> = outcomes.into_iter().flat_map(|(_, failures)| failures).collect();
    println!("{} spec files, {cases} cases", files.len());
    assert!(failures.is_empty(), "{} failed\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_spec_reads() {
    let problems: Vec<String> = files("")
        .iter()
        .filter_map(|file| {
            let text = std::fs::read_to_string(file).expect("a file that can be read");
            Some(format!("{}: {}", file.display(), parse(&text).err()?))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn files(wanted: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of specs")
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "README"))
        .filter(|path| path.to_string_lossy().contains(wanted))
        .collect();
    files.sort();
    files
}

/// How many cases ran, and what failed.
async fn run_file(path: &Path) -> (usize, Vec<String>) {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a file that can be read");
    let cases = match parse(&text) {
        Ok(cases) => cases,
        Err(problem) => return (0, vec![format!("{name}: {problem}")]),
    };
    let mut failures = Vec::new();
    for case in &cases {
        let found = tokio::time::timeout(PATIENCE, run_case(case)).await;
        let found = found.unwrap_or_else(|_| vec![format!("no answer within {PATIENCE:?}")]);
        if !found.is_empty() {
            failures.push(format!("── {name} · {}\n{}", case.title, found.join("\n")));
        }
    }
    (cases.len(), failures)
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
