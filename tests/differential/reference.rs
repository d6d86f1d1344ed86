//! graphql-js in a child process, asked by line.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

pub struct Reference {
    child: Child,
    input: Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

impl Reference {
    /// Starts it over the services whose addresses `variables` hold.
    ///
    /// # Panics
    /// Without node, or before `npm ci` was run in tests/node.
    pub fn start(variables: &[(&str, String)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/node");
        assert!(folder.join("node_modules/graphql").exists(), "run `npm ci --prefix tests/node`");
        let mut child = Command::new("node")
            .arg(folder.join("reference.mjs"))
            .env("SCHEMA", root.join("schema"))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let input = Mutex::new((child.stdin.take().expect("piped"), 0));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).expect("a line of JSON");
                let id = answer["id"].as_u64().expect("every answer has its number");
                if let Some(sender) = answered.lock().unwrap().remove(&id) {
                    let _ = sender.send(answer);
                }
            }
            // Whoever still waits learns that there will be no answer.
            answered.lock().unwrap().clear();
        });
        Self { child, input, waiting }
    }

    /// `{data, errors}`, or `{invalid}` where graphql-js refuses the operation.
    pub async fn ask(&self, query: &str, variables: &Value) -> Value {
        let (sender, answer) = oneshot::channel();
        {
            let mut input = self.input.lock().unwrap();
            input.1 += 1;
            let id = input.1;
            self.waiting.lock().unwrap().insert(id, sender);
            let line = json!({ "id": id, "query": query, "variables": variables });
            writeln!(input.0, "{line}").expect("the reference reads");
        }
        answer.await.expect("the reference answers")
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It is ours, and it may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
