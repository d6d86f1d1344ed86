//! The built binary as a child process, with bounded memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Kilobytes of address space that a child may have: 6 GB.
const MEMORY: u64 = 6 << 20;

pub struct Process {
    child: Child,
    /// Of the GraphQL endpoint.
    pub url: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    let script = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
    // Another build, such as a release of before: `PORTCULLIS_BINARY=path`.
    let binary = std::env::var("PORTCULLIS_BINARY");
    let binary = binary.as_deref().unwrap_or(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["-c", &script, binary]).args(arguments);
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("bash is installed")
}

impl Process {
    /// Starts `serve` or `demo`, and waits until it says where it serves.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Serves the configuration in this folder, whose schema stands beside it, with these environment variables.
    pub fn serve(folder: &Path, sdl: &str, config: &str, variables: &[(&str, &str)]) -> Self {
        std::fs::write(folder.join("schema.graphql"), sdl).expect("a temporary file");
        Self::configured(folder, config, variables)
    }

    /// Serves the configuration in this folder, which has its schema already.
    pub fn configured(folder: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let file = folder.join("portcullis.yaml");
        std::fs::write(&file, config).expect("a temporary file");
        let file = file.to_str().expect("a path");
        Self::start_with(&["serve", "--listen", "127.0.0.1:0", "--config", file], variables)
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(arguments)
            .env("PORTCULLIS_LOG", "error")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is installed");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut url = None;
        let mut line = String::new();
        while url.is_none() && output.read_line(&mut line).expect("text") > 0 {
            let word = |word: &&str| word.starts_with("http") && word.ends_with("/graphql");
            url = line.split_whitespace().find(word).map(str::to_owned);
            line.clear();
        }
        // The rest is read, so that the child never waits for us.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        Self { url: url.expect("it says where it serves"), child }
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("Linux, and the child lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes << 10
    }

    /// Ends it at once, as a crash does: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// A figure of `/metrics`, by its name and labels as they stand there; 0 where it was never counted.
    pub async fn metric(&self, name: &str) -> u64 {
        let url = self.url.replace("/graphql", "/metrics");
        let text = super::client::Http::new().get(&url).await.text();
        let figure = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(figure).unwrap_or_default()
    }

    /// Sends it a signal by name, such as `-HUP`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.expect("kill is installed").success());
    }

    /// Still running.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
