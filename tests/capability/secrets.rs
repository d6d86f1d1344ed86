//! Values of the environment in a running process appear nowhere that people read.

use crate::support::client::Http;
use crate::support::process::Process;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Has characters that URLs, JSON and forms encode differently.
const KEY: &str = "k3y/with \"quotes\" & +\u{e9}";
const HEADER: &str = "header-passw0rd";
const VARIABLE: &str = "variable-s3cret";

const SDL: &str = r#"
type Query {
  path: String @rest(source: "echo", GET: "/a/{$config.key}/b?q={$config.key}&v={$env.VARIABLE}")
  header: String @rest(source: "echo", GET: "/h", headers: [{ name: "x-plain", value: "{$env.VARIABLE}" }])
  gone: String @rest(source: "gone", GET: "/a/{$config.nested.key}")
  selected: String @rest(source: "echo", GET: "/s", select: "$config.key")
}
type Mutation {
  body: String @rest(source: "echo", POST: "/b", body: "key: $config.key list: $config.list")
}
"#;

/// Returns every form in which a value may appear.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for value in [KEY, HEADER, VARIABLE] {
        let json = json!(value).to_string();
        forms.push(value.to_owned());
        forms.push(json[1..json.len() - 1].to_owned());
        forms.push(STANDARD.encode(value).trim_end_matches('=').to_owned());
    }
    // The beginning of the key in URLs and escaped texts.
    forms.extend(["k3y%2F", "k3y%2f", "k3y/with", "k3y\\/"].map(ToOwned::to_owned));
    forms
}

/// Answers every request with status 500 and the request itself, quoted as JSON.
async fn echo(listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let mut request = vec![0; 4096];
        let length = socket.read(&mut request).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&request[..length]).into_owned();
        let basic = STANDARD.encode(format!("user:{KEY}"));
        let body = json!({ "error": text, "authorization": basic, "key": KEY }).to_string();
        let status = if text.starts_with("GET /s") { "200 OK" } else { "500 Nope" };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

fn held(text: &str, what: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{what} has `{form}`:\n{text}");
    }
}

#[tokio::test]
async fn neither_log_nor_explain_nor_admin_page_shows_values_of_the_environment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(echo(listener));
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "server: {{ expose_upstream_errors: true, admin: {{ listen: \"127.0.0.1:0\" }} }}\n\
         sources:\n  \
           echo: {{ rest: {{ url: \"http://{address}\" }}, config: {{ key: \"${{KEY}}\", list: [\"Bearer ${{KEY}}\"] }},\n    \
             headers: {{ set: {{ x-fixed: \"${{HEADER}}\" }} }} }}\n  \
           gone: {{ rest: {{ url: \"http://127.0.0.1:1\" }}, config: {{ nested: {{ key: \"${{KEY}}\" }} }} }}\n"
    );
    let variables =
        [("KEY", KEY), ("HEADER", HEADER), ("VARIABLE", VARIABLE), ("PORTCULLIS_LOG", "trace")];
    let mut process = Process::serve_logging(folder.path(), SDL, &config, &variables);
    let log = process.collect_log();
    let http = Http::new();
    for query in ["{ path header gone }", "mutation { body }"] {
        let answer = http.post(&process.url, &[], json!({ "query": query }).to_string()).await;
        assert!(answer.json()["errors"].is_array(), "{}", answer.text());
        held(&answer.text(), "the answer");
    }
    // Content that the schema itself puts into answers is not a message.
    let selected = json!({ "query": "{ selected }" }).to_string();
    assert_eq!(http.post(&process.url, &[], selected).await.json()["data"]["selected"], KEY);
    let admin = process.admin.clone().expect("an admin page");
    let json = http.get(&admin).await.text();
    assert!(json.contains("\"recent_errors\":[{"), "errors are shown: {json}");
    held(&json, "the admin page");
    let request = http::Request::get(&admin).header("accept", "text/html");
    let page = http.send(request.body(http_body_util::Full::default()).unwrap()).await;
    held(&page.text(), "the admin page");
    let config = folder.path().join("portcullis.yaml");
    let config = config.to_str().unwrap();
    for (index, query) in ["{ path header gone }", "mutation { body }"].iter().enumerate() {
        let file = folder.path().join(format!("{index}.gql"));
        std::fs::write(&file, query).unwrap();
        let arguments = ["explain", file.to_str().unwrap(), "--config", config];
        let output = crate::support::process::run_with(&arguments, &variables);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("config."), "{output:?}");
        held(&text, "explain");
        held(&String::from_utf8_lossy(&output.stderr), "explain");
    }
    process.kill();
    let log = log.join().expect("the log is read");
    assert!(log.contains("a call failed"), "{log}");
    held(&log, "the log");
    server.abort();
}
