//! Assembling a gateway.

use crate::config::Config;
use crate::gateway;
use crate::problem::Problem;
use crate::source::secrets;

async fn assemble(config: &str, sdl: &str) -> Result<Vec<Problem>, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), config).unwrap();
    std::fs::write(folder.path().join("a.graphql"), sdl).unwrap();
    let config = Config::read(&folder.path().join("portcullis.yaml"))?;
    gateway::assemble(&config).await.map(|(_, warnings)| warnings)
}

#[tokio::test]
async fn a_folder_becomes_a_gateway() {
    let config = "sources: { api: { rest: { url: http://127.0.0.1:1 } } }";
    let sdl = r#"type Query { a: String @rest(source: "api", GET: "/a") }"#;
    assert_eq!(assemble(config, sdl).await, Ok(Vec::new()));
}

/// Metrics are created after their recorder: otherwise nothing would be counted.
#[tokio::test]
async fn what_is_counted_of_sources_can_be_read() {
    let config = "server: { metrics: { public: true } }\n\
                  sources: { api: { rest: { url: http://127.0.0.1:1 } } }";
    let sdl = r#"type Query { a: String @rest(source: "api", GET: "/a") }"#;
    assert_eq!(assemble(config, sdl).await, Ok(Vec::new()));
    let metrics = gateway::telemetry::exposition().unwrap()();
    assert!(metrics.contains("portcullis_upstream_instances{source=\"api\"} 1"), "{metrics}");
}

#[tokio::test]
async fn what_is_wrong_in_several_rooms_is_said_together() {
    let config = "schema: [none.graphql]\nsources: { api: { grpc: { url: http://h:1, protos: [none.proto] } } }";
    let problems = assemble(config, "").await.unwrap_err();
    let said = crate::problem::render(&problems, false);
    assert!(said.contains("none.graphql") && said.contains("none.proto"), "{said}");
}

#[tokio::test]
async fn the_credentials_of_a_proxy_are_secrets_from_then_on() {
    let config = "sources: { api: { rest: { url: http://127.0.0.1:1 }, proxy: \"http://me:hush%2Fhush@p:1\" } }";
    let sdl = r#"type Query { a: String @rest(source: "api", GET: "/a") }"#;
    assert_eq!(assemble(config, sdl).await, Ok(Vec::new()));
    for text in ["hush/hush", "hush%2Fhush", "hush%2fhush", "Basic bWU6aHVzaC9odXNo"] {
        let masked = secrets::mask(text);
        assert!(!masked.to_lowercase().contains("hush") && !masked.contains("bWU6"), "{masked}");
    }
}
