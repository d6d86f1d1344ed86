//! A real `redis-server` on its own port, which a test may kill, restart, stop and slow down.

use super::tls::{self, Pair};
use portcullis::shared;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Below the ports that systems assign, so that no other program takes it while a server restarts.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

pub struct Redis {
    port: u16,
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// Its certificate, if it speaks only TLS.
    certificate: Option<String>,
}

impl Redis {
    /// Starts an empty server without persistence, and waits until it accepts connections.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Like [`Self::start`], with TLS only and this certificate.
    pub fn secured(pair: &Pair) -> Self {
        Self::start_with(Some(pair))
    }

    fn start_with(pair: Option<&Pair>) -> Self {
        let first = std::process::id() as usize * 37;
        for number in 0..PORTS.len() {
            let port = PORTS.start + ((first + number) % PORTS.len()) as u16;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            let folder = tempfile::tempdir().expect("a folder for the server");
            let certificate = pair.map(|pair| pair.cert.pem());
            if let Some(pair) = pair {
                tls::write(folder.path(), pair);
            }
            let mut redis = Self { port, folder, child: None, certificate };
            // Another test may have been faster; then the next port is tried.
            if redis.launch() {
                return redis;
            }
        }
        panic!("no free port for redis-server");
    }

    /// Returns the URL, with a password or an unused database if a test needs it.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn client(&self) -> redis::Client {
        let Some(certificate) = &self.certificate else {
            return redis::Client::open(self.url()).expect("an address");
        };
        let root_cert = Some(certificate.clone().into_bytes());
        let certificates = redis::TlsCertificates { client_tls: None, root_cert };
        redis::Client::build_with_tls(self.url(), certificates).expect("an address")
    }

    /// Opens a connection as the product does.
    pub fn shared(&self, timeout: Duration) -> shared::Redis {
        let url = self.url().parse().expect("an address");
        let settings = shared::Settings { timeout, ..shared::Settings::new(url) };
        shared::Redis::new(settings).expect("an address that can be used")
    }

    /// Runs one command over its own connection, and returns the answer as text.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut connection = self.client().get_connection().expect("it runs");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let reply: redis::Value = command.query(&mut connection).expect("a command it knows");
        match reply {
            redis::Value::BulkString(bytes) => String::from_utf8(bytes).expect("text"),
            redis::Value::VerbatimString { text, .. } => text,
            other => format!("{other:?}"),
        }
    }

    /// Returns all keys.
    pub fn keys(&self) -> Vec<String> {
        let mut connection = self.client().get_connection().expect("it runs");
        redis::cmd("KEYS").arg("*").query(&mut connection).expect("a command it knows")
    }

    /// Returns the number of runs of a command since the counters were reset (`CONFIG RESETSTAT`).
    pub fn calls(&self, command: &str) -> u64 {
        let start = format!("cmdstat_{command}:calls=");
        let report = self.ask(&["INFO", "commandstats"]);
        let figure = report.lines().find_map(|line| line.strip_prefix(&start));
        figure.map_or(0, |line| line.split(',').next().unwrap().parse().expect("a number"))
    }

    /// Kills the server, which loses all data.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours");
            child.wait().expect("a child of ours");
        }
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "redis-server does not start again on port {}", self.port);
    }

    /// Stops it: it keeps its connections and answers nothing, like a machine that hangs.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Delays every command of any client by this time.
    pub fn slow(&self, time: Duration) {
        self.ask(&["CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"]);
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.expect("kill is installed").success());
    }

    fn launch(&mut self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        if self.certificate.is_some() {
            command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
            for (option, file) in
                [("cert", "cert.pem"), ("key", "key.pem"), ("ca-cert", "cert.pem")]
            {
                command.arg(format!("--tls-{option}-file")).arg(self.folder.path().join(file));
            }
        } else {
            command.args(["--port", &port]);
        }
        let child = command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => panic!(
                "redis-server cannot be started ({error}): install it (Debian: apt-get install redis-server), or let \
                 ./test do so"
            ),
        };
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        self.child = Some(child);
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            if output.read_line(&mut line).expect("text") == 0 {
                self.kill();
                return false;
            }
        }
        // The rest is read, so that the server never blocks on its output.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already. This also ends a stopped process.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
