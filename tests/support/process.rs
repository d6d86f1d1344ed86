//! The built binary as a child process, with bounded memory.

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread::JoinHandle;

/// Kilobytes of address space that a child may have: 6 GB.
const MEMORY: u64 = 6 << 20;

pub struct Process {
    child: Child,
    /// Address of the admin page, if there is one.
    pub admin: Option<String>,
    /// Lines of the log, if they are kept.
    log: Option<BufReader<ChildStderr>>,
    /// URL of the GraphQL endpoint.
    pub url: String,
}

fn command(arguments: &[&str]) -> Command {
    limited(&format!("ulimit -v {MEMORY}"), arguments)
}

/// Creates a command with limits that a shell sets.
fn limited(limits: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    let script = format!("{limits}; exec \"$0\" \"$@\"");
    // Another build, such as an earlier release: `PORTCULLIS_BINARY=path`.
    let binary = std::env::var("PORTCULLIS_BINARY");
    let binary = binary.as_deref().unwrap_or(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["-c", &script, binary]).args(arguments);
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// Like [`run`], with these environment variables.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(arguments).envs(variables.iter().copied()).output().expect("bash is installed")
}

impl Process {
    /// Starts `serve` or `demo`, and waits until it prints its address.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Serves the configuration in this folder, with the schema beside it and these environment variables.
    pub fn serve(folder: &Path, sdl: &str, config: &str, variables: &[(&str, &str)]) -> Self {
        std::fs::write(folder.join("schema.graphql"), sdl).expect("a temporary file");
        Self::configured(folder, config, variables)
    }

    /// Serves the configuration in this folder, which already contains its schema.
    pub fn configured(folder: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let file = folder.join("portcullis.yaml");
        std::fs::write(&file, config).expect("a temporary file");
        let file = file.to_str().expect("a path");
        Self::start_with(&["serve", "--listen", "127.0.0.1:0", "--config", file], variables)
    }

    /// Like [`Process::serve`], with its log kept for [`Process::until_logged`].
    pub fn serve_logging(
        folder: &Path,
        sdl: &str,
        config: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        std::fs::write(folder.join("schema.graphql"), sdl).expect("a temporary file");
        let file = folder.join("portcullis.yaml");
        std::fs::write(&file, config).expect("a temporary file");
        let file = file.to_str().expect("a path");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", file];
        Self::start_logging(&arguments, variables)
    }

    /// Like [`Process::start`], with its log kept for [`Process::until_logged`].
    pub fn start_logging(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(&mut command(arguments), variables, Stdio::piped())
    }

    /// Waits for a line with this text.
    pub fn until_logged(&mut self, text: &str) {
        let log = self.log.as_mut().expect("its log is kept");
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(log.read_line(&mut line).expect("text") > 0, "`{text}` was not logged");
        }
    }

    /// Reads the log until the process ends.
    pub fn collect_log(&mut self) -> JoinHandle<String> {
        let mut log = self.log.take().expect("its log is kept");
        std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).expect("text");
            text
        })
    }

    /// Closes the pipe of the log.
    pub fn close_log(&mut self) {
        self.log = None;
    }

    /// Starts `serve` with at most this many open files.
    pub fn start_within(
        files: usize,
        arguments: &[&str],
        variables: &[(&'static str, String)],
    ) -> Self {
        let limits = format!("ulimit -v {MEMORY}; ulimit -n {files}");
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
        Self::spawn(&mut limited(&limits, arguments), &variables, Stdio::inherit())
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(&mut command(arguments), variables, Stdio::inherit())
    }

    fn spawn(command: &mut Command, variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut child = command
            .env("PORTCULLIS_LOG", "error")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("bash is installed");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (mut url, mut admin) = (None, None);
        let mut line = String::new();
        while url.is_none() && output.read_line(&mut line).expect("text") > 0 {
            let word = |word: &&str| word.starts_with("http") && word.ends_with("/graphql");
            url = line.split_whitespace().find(word).map(str::to_owned);
            admin = admin.or(line.strip_prefix("admin ").map(|url| url.trim().to_owned()));
            line.clear();
        }
        // The rest is read, so that the child never blocks on its output.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        let log = child.stderr.take().map(BufReader::new);
        Self { url: url.expect("it says where it serves"), admin, child, log }
    }

    /// Returns the number of open files.
    pub fn files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).expect("Linux, and the child lives").count()
    }

    /// Returns the bytes of memory in use.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("Linux, and the child lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes << 10
    }

    /// Kills it with SIGKILL, like a crash.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// Returns a figure of `/metrics`, by its name and labels as written there; 0 if it was never counted.
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

    /// Returns whether it is still running.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
