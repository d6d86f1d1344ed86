use super::terminal::Captured;
use super::*;
use crate::graphql::ErrorCode;
use clap::CommandFactory as _;
use std::path::Path;

/// The exit, the output, and what was said beside it.
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
    for name in ["demo", "serve", "check", "explain", "explain-error"] {
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

/// The one variable that every process has stands for a secret here.
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

/// A manifest is checked like everything else, and all of its mistakes are told with file and id.
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
