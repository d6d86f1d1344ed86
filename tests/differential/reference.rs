//! graphql-js in a child process, asked by line.

use super::case::Case;
use super::outcome::Answer;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

pub struct Reference {
    child: Child,
    input: Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
    /// What clients see, as graphql-js prints it, by the graph's name.
    pub schemas: Value,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// The Node that the folder brings, or else the machine's.
fn node(folder: &Path) -> PathBuf {
    let own = folder.join("node_modules/.bin/node");
    if own.exists() { own } else { "node".into() }
}

impl Reference {
    /// Starts it over the services whose addresses `variables` hold.
    ///
    /// # Panics
    /// Without Node 22, or before `npm ci` was run in tests/reference.
    pub fn start(variables: &[(&str, String)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/reference");
        let installed = folder.join("node_modules/graphql").exists();
        assert!(installed, "run `npm ci --prefix tests/reference`");
        let mut child = Command::new(node(&folder))
            .arg(folder.join("main.mjs"))
            .env("STOREFRONT", root.join("schema"))
            .env("ATLAS", root.join("tests/differential/atlas.graphql"))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let input = Mutex::new((child.stdin.take().expect("piped"), 0));
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("text");
        let first: Value =
            serde_json::from_str(&first).expect("graphql-js starts: Node 22 or later");
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
        Self { child, input, waiting, schemas: first["schemas"].clone() }
    }

    pub async fn ask(&self, world: &str, case: &Case) -> Answer {
        let (sender, answer) = oneshot::channel();
        {
            let mut input = self.input.lock().unwrap();
            input.1 += 1;
            let id = input.1;
            self.waiting.lock().unwrap().insert(id, sender);
            let (query, variables) = (Value::from(&*case.text), Value::from(&*case.variables));
            writeln!(
                input.0,
                "{{\"id\":{id},\"world\":\"{world}\",\"query\":{query},\"variables\":{variables}}}"
            )
            .expect("the reference reads");
        }
        Answer::of_reference(&answer.await.expect("the reference answers"))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It is ours, and it may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
