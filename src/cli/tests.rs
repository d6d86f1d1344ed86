use super::terminal::Captured;
use super::*;
use crate::graphql::ErrorCode;
use clap::CommandFactory as _;
use std::path::Path;

/// Returns the exit, the output, and the errors.
async fn command(arguments: &[&str]) -> (Exit, String, String) {
    let cli = Cli::try_parse_from(["portcullis"].iter().chain(arguments)).unwrap();
    let (mut terminal, out, err): (_, Captured, Captured) = Terminal::captured();
    let exit = run(cli, &mut terminal).await;
    (exit, out.text(), err.text())
}

fn folder(config: &str, sdl: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let config_path = folder.path().join("portcullis.yaml");
    std::fs::write(&config_path, config).unwrap();
    std::fs::write(folder.path().join("graph.graphql"), sdl).unwrap();
    let path = config_path.to_str().unwrap().to_owned();
    (folder, path)
}

const CONFIG: &str = "sources: { api: { rest: { url: http://127.0.0.1:1 } } }\n";
const SDL: &str = r#"
type Query { users: [User!] @rest(source: "api", GET: "/users") }
type User { id: ID! name: String @rest(source: "api", GET: "/users/{$this.id}/name") }
"#;

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn help_teaches() {
    let mut command = Cli::command();
    let help = command.render_long_help().to_string();
    for part in ["portcullis demo", "portcullis check", "Exit codes", "PORTCULLIS_LOG"] {
        assert!(help.contains(part), "{part} is missing in:\n{help}");
    }
    for name in ["demo", "serve", "check", "explain", "explain-error", "schema"] {
        let command = command.find_subcommand_mut(name).unwrap();
        let help = command.render_long_help().to_string();
        assert!(help.contains("Examples:"), "{name}: {help}");
        assert!(command.get_about().is_some());
    }
    let wide = |text: &str| text.lines().any(|line| line.chars().count() > 100);
    assert!(!wide(&help), "{help}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for arguments in [
        &["serve", "--confg", "x"][..],
        &["demo", "--fail", "orders"],
        &["demo", "--fail", "nobody=500"],
        &["demo", "--latency", "soon"],
        &["demo", "--port", "70000"],
        &["check", "--deny", "everything"],
        &["explain"],
        &["fly"],
    ] {
        let error = Cli::try_parse_from(["portcullis"].iter().chain(arguments)).unwrap_err();
        assert_eq!(error.exit_code(), Exit::Usage as i32, "{arguments:?}");
    }
}

#[tokio::test]
async fn check_warns_and_denies() {
    let (_folder, config) = folder(CONFIG, SDL);
    let (exit, out, _) = command(&["check", "--config", &config]).await;
    assert_eq!(exit, Exit::Done, "{out}");
    assert!(out.contains("warning[n+1]") && out.contains("no errors"), "{out}");
    let (exit, out, _) = command(&["check", "--config", &config, "--deny", "n+1"]).await;
    assert_eq!(exit, Exit::Problems);
    assert!(out.contains("error[n+1]") && !out.contains("no errors"), "{out}");
    let (exit, out, _) = command(&["check", "--config", &config, "--format", "json"]).await;
    let problems: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &problems[0]["code"]), (Exit::Done, &"n+1".into()));
}

#[tokio::test]
async fn check_says_everything_that_is_wrong() {
    let (_folder, config) = folder("servr: 1\nreuse: maybe\n", "");
    let (exit, out, _) = command(&["check", "--config", &config]).await;
    assert_eq!(exit, Exit::Problems);
    assert!(out.contains("did you mean `server`?") && out.contains("3 errors"), "{out}");
    let (_folder, config) =
        folder(CONFIG, "type Query { a: String @rest(source: \"ap\", GET: \"/{\") }");
    let (exit, out, _) = command(&["check", "--config", &config, "--format", "json"]).await;
    let problems: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(exit, Exit::Problems);
    assert!(problems.as_array().unwrap().len() >= 2, "{out}");
    let (exit, out, _) = command(&["check", "--config", "no/such.yaml"]).await;
    assert!(exit == Exit::Problems && out.contains("no/such.yaml"), "{out}");
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_folder, config) = folder(CONFIG, SDL);
    let (exit, out, err) =
        command(&["serve", "--config", &config, "--listen", &address.to_string()]).await;
    assert_eq!((exit, out.as_str()), (Exit::CannotListen, ""));
    let said = format!("cannot listen on {address}: another program has this port");
    assert!(err.contains(&said) && err.contains("--listen"), "{err}");
    let (exit, _, err) = command(&["demo", "--port", &address.port().to_string()]).await;
    assert!(exit == Exit::CannotListen && err.contains("--port 0"), "{err}");
}

#[tokio::test]
async fn an_admin_address_that_was_chosen_has_to_be_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("{CONFIG}server: {{ admin: {{ listen: \"{address}\" }} }}\n");
    let (_folder, config) = folder(&text, SDL);
    let (exit, _, err) = command(&["serve", "--config", &config, "--listen", "127.0.0.1:0"]).await;
    assert_eq!(exit, Exit::CannotListen);
    assert!(err.contains(&address.to_string()) && err.contains("`server.admin.listen`"), "{err}");
}

#[tokio::test]
async fn a_gateway_that_others_cannot_reach_is_not_registered() {
    let text = format!("{CONFIG}server: {{ consul: {{ service: gateway }} }}\n");
    let (_folder, config) = folder(&text, SDL);
    let (exit, _, err) = command(&["serve", "--config", &config, "--listen", "0.0.0.0:0"]).await;
    assert_eq!(exit, Exit::Problems);
    assert!(err.contains("0.0.0.0:") && err.contains("`server.consul.address`"), "{err}");
}

/// A warning of the schema, then an address in use: one object each, and nothing that is not JSON.
#[tokio::test]
async fn what_a_start_finds_is_lines_of_the_json_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_folder, config) = folder(CONFIG, SDL);
    let serve = ["serve", "--config", &config, "--listen", &address, "--log-format", "json"];
    let (exit, out, err) = command(&serve).await;
    assert_eq!((exit, out.as_str()), (Exit::CannotListen, ""));
    let lines: Vec<serde_json::Value> =
        err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [warning, error] = lines.as_slice() else { panic!("{err}") };
    for line in &lines {
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.starts_with("20") && timestamp.ends_with('Z'), "{line}");
        assert!(line["message"].is_string() && line["help"].is_string(), "{line}");
    }
    assert_eq!((&warning["level"], &warning["code"]), (&"WARN".into(), &"n+1".into()));
    assert_eq!((&warning["line"], &warning["column"]), (&3.into(), &34.into()), "{warning}");
    assert!(warning["file"].as_str().unwrap().ends_with("graph.graphql"), "{warning}");
    assert_eq!((&error["level"], &error["code"]), (&"ERROR".into(), &"cannot-listen".into()));
    let (_folder, config) = folder("servr: 1\nreuse: maybe\n", SDL);
    let (exit, _, err) = command(&["serve", "--config", &config, "--log-format", "json"]).await;
    assert_eq!(exit, Exit::Problems);
    let code =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].clone();
    let codes: Vec<_> = err.lines().map(code).collect();
    assert!(codes.contains(&"unknown-key".into()) && codes.len() >= 3, "{err}");
    let (_, _, err) = command(&["serve", "--config", &config]).await;
    assert!(err.contains("error[unknown-key]"), "{err}");
}

/// The one variable that every process has serves as a secret here.
#[tokio::test]
async fn explain_shows_no_value_of_the_environment() {
    let sdl = r#"type Query {
        place: String @rest(source: "api", GET: "/of/{$env.PATH}", headers: [{ name: "x-place", value: "{$env.PATH}" }])
    }"#;
    let (folder, config) = folder(CONFIG, sdl);
    let operation = folder.path().join("operation.gql");
    std::fs::write(&operation, "{ place }").unwrap();
    let (exit, out, err) =
        command(&["explain", operation.to_str().unwrap(), "--config", &config]).await;
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("/of/{env.PATH}"), "{out}");
    assert!(!out.contains("/bin"), "{out}");
}

#[tokio::test]
async fn explain_prints_plans_and_points_at_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file(
        "good.graphql",
        "query A($id: ID!) { user(id: $id) { name } }\nquery B { me: user(id: 1) { id } }",
    );
    let variables = file("variables.json", r#"{"id": "7"}"#);
    let at = format!("@{variables}");
    let arguments = ["explain", &good, "--demo", "--operation", "A", "--variables", &at];
    let (exit, out, err) = command(&arguments).await;
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("users") && out.contains('7'), "{out}");
    let bad = file("bad.graphql", "{\n  user(id: \"u\") { id } usr(id: 1) { name }\n}");
    let (exit, out, err) = command(&["explain", &bad, "--demo"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Problems, ""));
    assert!(err.contains("bad.graphql:2:24") && err.contains("`usr`"), "{err}");
    for (arguments, part) in [
        (&["explain", &good, "--demo", "--operation", "C"][..], "OPERATION_NOT_FOUND"),
        (&["explain", &good, "--demo", "--operation", "A"], "BAD_VARIABLES"),
        (&["explain", &good, "--demo", "--variables", "[]"], "must be a JSON object"),
        (&["explain", &good, "--demo", "--variables", "@none.json"], "none.json"),
        (&["explain", "none.graphql", "--demo"], "none.graphql"),
    ] {
        let (exit, _, err) = command(arguments).await;
        assert!(exit == Exit::Problems && err.contains(part), "{arguments:?}: {err}");
    }
}

/// A graph whose fields have rules, with an operation in its folder. Returns the folder, the configuration and the
/// operation.
fn guarded(mode: &str, further: &str, query: &str) -> (tempfile::TempDir, String, String) {
    let sdl = r#"
type Query {
  mine: Mine @authenticated @rest(source: "api", GET: "/of/{$claims.sub}")
  all: [Mine!] @requiresScopes(scopes: [["all:read"]]) @rest(source: "api", GET: "/all")
}
type Mine { name: String secret: String @allow(if: "$claims.level->gt(3)") }
"#;
    let jwks = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/guards/jwks.json");
    let provider = "issuer: https://id.example.com/, audience: [shop], scopes_claim: realm.roles";
    let config = format!(
        "{CONFIG}auth: {{ providers: [{{ {provider}, jwks_file: {jwks} }}] }}\n\
         guards: {{ mode: {mode} }}\n{further}"
    );
    let (folder, config) = folder(&config, sdl);
    let operation = folder.path().join("operation.gql");
    std::fs::write(&operation, query).unwrap();
    let operation = operation.to_str().unwrap().to_owned();
    (folder, config, operation)
}

async fn explained(config: &str, operation: &str, more: &[&str]) -> (Exit, serde_json::Value) {
    let mut arguments = vec!["explain", operation, "--config", config, "--format", "json"];
    arguments.extend(more);
    let (exit, out, err) = command(&arguments).await;
    assert_eq!(err, "");
    (exit, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
}

#[tokio::test]
async fn explain_evaluates_rules_with_claims() {
    let query = "{ mine { name secret } all { name } }";
    let (folder, config, operation) = guarded("withhold", "", query);
    let paths = |json: &serde_json::Value| -> Vec<String> {
        let list = json["withheld"].as_array().unwrap();
        list.iter().map(|error| error["path"].to_string()).collect()
    };
    let (exit, json) = explained(&config, &operation, &[]).await;
    assert_eq!((exit, paths(&json).len()), (Exit::Done, 0), "rules hold without --claims");
    let (exit, json) = explained(&config, &operation, &["--claims", "null"]).await;
    assert_eq!((exit, paths(&json)), (Exit::Done, vec![r#"["mine"]"#.into(), r#"["all"]"#.into()]));
    assert_eq!(json["plan"]["maxCalls"], 0, "{json}");
    let claims = folder.path().join("claims.json");
    std::fs::write(&claims, r#"{"sub": "ada", "realm": {"roles": ["all:read"]}, "level": 3}"#)
        .unwrap();
    let claims = claims.to_str().unwrap();
    for claims in [claims.to_owned(), format!("@{claims}")] {
        let (exit, json) = explained(&config, &operation, &["--claims", &claims]).await;
        assert_eq!((exit, paths(&json)), (Exit::Done, vec![r#"["mine","secret"]"#.to_owned()]));
        let requests: Vec<_> =
            json["plan"]["fetches"].as_array().unwrap().iter().map(|one| &one["request"]).collect();
        assert!(requests[0].as_str().unwrap().contains("/of/ada"), "{json}");
    }
    let (_, out, _) =
        command(&["explain", &operation, "--config", &config, "--claims", claims]).await;
    assert!(out.contains("withheld: mine.secret (line 1, column 15)"), "{out}");
    for (claims, part) in
        [("[]", "must be a JSON object"), ("{", "not JSON"), ("no.json", "no.json")]
    {
        let arguments = ["explain", &operation, "--config", &config, "--claims", claims];
        let (exit, _, err) = command(&arguments).await;
        assert!(exit == Exit::Problems && err.contains(part), "{claims}: {err}");
    }
}

#[tokio::test]
async fn explain_exits_1_for_whatever_refuses_an_operation() {
    let query = "{ mine { name secret } }";
    let claims = ["--claims", r#"{"sub": "ada", "level": 1}"#];
    let manifest = "persisted: { manifest: [trusted.json], mode: require }\n";
    for (mode, more, query, claims, code) in [
        ("reject", "", query, &claims[..], "UNAUTHORIZED_FIELD_OR_TYPE"),
        ("withhold", "limits: { cost: { max: 1 } }\n", query, &[], "COST_LIMIT_EXCEEDED"),
        (
            "withhold",
            "limits: { fan_out: 1 }\n",
            "{ mine { name } all { name } }",
            &[],
            "LIMIT_EXCEEDED",
        ),
        (
            "withhold",
            "limits: { rate: { capacity: 1, refill: 1 } }\n",
            query,
            &claims,
            "COST_LIMIT_EXCEEDED",
        ),
        ("withhold", manifest, query, &[], "UNTRUSTED_DOCUMENT"),
    ] {
        let (folder, config, operation) = guarded(mode, more, query);
        std::fs::write(folder.path().join("trusted.json"), "{}").unwrap();
        let (exit, json) = explained(&config, &operation, claims).await;
        assert_eq!((exit, &json["refused"]), (Exit::Problems, &true.into()), "{code}: {json}");
        assert_eq!(json["errors"][0]["code"], code, "{json}");
        assert!(json["plan"]["fetches"].is_array(), "{code}: {json}");
        let mut arguments = vec!["explain", &operation, "--config", &config];
        arguments.extend(claims);
        let (exit, out, _) = command(&arguments).await;
        assert!(exit == Exit::Problems && out.contains(&format!("refused: {code}: ")), "{out}");
    }
    for (more, query, code) in [
        ("", "{ mine { name ", "GRAPHQL_PARSE_FAILED"),
        ("", "{\n mine { nme } }", "GRAPHQL_VALIDATION_FAILED"),
        ("", "{ __schema { types { name } } }", "INTROSPECTION_DISABLED"),
        ("limits: { depth: 1 }\n", query, "LIMIT_EXCEEDED"),
        (
            "limits: { variables: 1 }\n",
            "query ($a: [Int]) { mine @skip(if: $a) { name } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        let (_folder, config, operation) = guarded("withhold", more, query);
        let (exit, json) = explained(&config, &operation, &[]).await;
        assert_eq!((exit, &json["refused"]), (Exit::Problems, &true.into()), "{code}: {json}");
        assert_eq!(json["errors"][0]["code"], code, "{json}");
        assert!(json["plan"].is_null() && json["cost"].is_null(), "{json}");
    }
    let (_folder, config, operation) = guarded("withhold", "", "{\n mine { nme } }");
    let (_, json) = explained(&config, &operation, &[]).await;
    assert_eq!(json["errors"][0]["locations"][0]["line"], 2, "{json}");
    let (exit, json) = explained(&config, "none.graphql", &["--variables", "[]"]).await;
    assert_eq!((exit, json["problems"].as_array().unwrap().len()), (Exit::Problems, 2), "{json}");
    let many = ["--variables", r#"{"a": [1, 2, 3]}"#];
    let (_folder, config, operation) =
        guarded("withhold", "limits: { variables: 2 }\n", "query ($a: [Int]) { mine { name } }");
    let (exit, json) = explained(&config, &operation, &many).await;
    assert!(exit == Exit::Problems && json["refused"] == true, "{json}");
}

/// docs/cli.md shows the JSON of an operation over the demo's graph, member by member.
#[tokio::test]
async fn the_json_of_explain_is_the_documented_one() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md")).unwrap();
    let section = page.split("## `portcullis explain OPERATION`").nth(1).unwrap();
    let documented = section.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let operation = folder.path().join("operation.graphql");
    std::fs::write(&operation, "{ user(id: 1) { name orders(first: 2) { id } } }").unwrap();
    let arguments = ["explain", operation.to_str().unwrap(), "--demo", "--format", "json"];
    let (exit, out, err) = command(&arguments).await;
    assert_eq!(exit, Exit::Done, "{err}");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(documented), json(&out), "{out}");
}

#[test]
fn every_command_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    for command in Cli::command().get_subcommands() {
        assert!(page.contains(&format!("## `portcullis {}", command.get_name())));
        let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
        for argument in shown.filter_map(|argument| argument.get_long()) {
            assert!(
                page.contains(&format!("`--{argument}")),
                "--{argument} is missing in docs/cli.md"
            );
        }
    }
}

#[tokio::test]
async fn explain_error_prints_a_page_or_all_codes() {
    let (exit, out, _) = command(&["explain-error", "upstream_status"]).await;
    assert_eq!(exit, Exit::Done);
    assert!(
        out.starts_with("UPSTREAM_STATUS\n\nField error.") && out.contains("docs/rest.md"),
        "{out}"
    );
    let (exit, out, _) = command(&["explain-error"]).await;
    assert_eq!(exit, Exit::Done);
    assert!(
        ErrorCode::ALL.iter().all(|code| out.contains(&format!("{} ", code.as_str()))),
        "{out}"
    );
    let (exit, out, err) = command(&["explain-error", "THROTLED"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("did you mean `THROTTLED`?") && err.contains("BAD_REQUEST"), "{err}");
}

#[tokio::test]
async fn schema_prints_what_the_code_holds() {
    let (exit, out, _) = command(&["schema", "config"]).await;
    let printed: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, printed), (Exit::Done, crate::config::json_schema()));
    let (exit, out, _) = command(&["schema", "directives"]).await;
    assert_eq!((exit, out), (Exit::Done, crate::gateway::directives()));
    let (exit, out, err) = command(&["schema", "api", "--demo"]).await;
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    assert!(
        out.contains("type User implements Node {") && out.contains("directive @oneOf"),
        "{out}"
    );
    for hidden in ["@rest", "@grpc", "@lookup", "productsById", "BatchRule"] {
        assert!(!out.contains(hidden), "{hidden} in:\n{out}");
    }
    let (_folder, config) = folder(CONFIG, "type Query { a: Int }");
    let (exit, out, err) = command(&["schema", "api", "--config", &config]).await;
    assert_eq!((exit, out.as_str()), (Exit::Problems, ""));
    assert!(err.contains("error[unbound-root-field]"), "{err}");
}

#[tokio::test]
async fn schema_errors_has_every_code_in_every_format() {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let (_, out, _) = command(&["schema", "errors"]).await;
    for code in &codes {
        assert!(out.contains(&format!("\n{code} ")) || out.starts_with(code), "{code}: {out}");
    }
    assert!(out.contains("errorId") && out.contains("retryAfter"), "{out}");
    let (_, out, _) = command(&["schema", "errors", "--format", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let list = json["codes"].as_array().unwrap();
    let listed: Vec<&str> = list.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(listed, codes);
    for (one, code) in list.iter().zip(ErrorCode::ALL) {
        let is_refusal = code.page().contains("**Refusal, ");
        assert_eq!(one["kind"] == "refusal", is_refusal, "{one}");
        assert_eq!(one["status"] == code.status(), is_refusal, "{one}");
    }
    let (_, out, _) = command(&["schema", "errors", "--format", "typescript"]).await;
    let union = out.split("export type PortcullisErrorCode =").nth(1).unwrap();
    let union = union.split("\n\n").next().unwrap().trim_end_matches(';');
    let members = union.lines().filter_map(|line| line.trim().strip_prefix("| "));
    let quoted: Vec<String> = codes.iter().map(|code| format!("{code:?}")).collect();
    assert_eq!(members.collect::<Vec<_>>(), quoted, "{out}");
    assert!(out.contains("  errorId?: string;"), "{out}");
}

/// A manifest is checked like everything else, and all of its problems name file and ID.
#[tokio::test]
async fn check_reads_manifests() {
    let config_text =
        format!("{CONFIG}persisted: {{ manifest: [persisted/*.json], mode: require }}\n");
    let (folder, config) = folder(&config_text, SDL);
    let (exit, out, _) = command(&["check", "--config", &config]).await;
    assert_eq!(exit, Exit::Problems);
    assert!(out.contains("manifest-file") && out.contains("persisted/*.json"), "{out}");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("persisted")).unwrap();
    write("persisted/a.json", r#"{ "good": "{ users { id } }" }"#);
    let (exit, out, _) = command(&["check", "--config", &config]).await;
    assert_eq!(exit, Exit::Done, "{out}");
    write("persisted/b.json", "{\n  \"bad\": \"{ users { nme } }\",\n  \"worse\": \"{\" }");
    let (exit, out, _) = command(&["check", "--config", &config]).await;
    assert_eq!(exit, Exit::Problems);
    for part in
        ["document `bad`", "`nme`", "column 11", "b.json:2:10", "document `worse`", "explain-error"]
    {
        assert!(out.contains(part), "{part} is missing in:\n{out}");
    }
}
