//! A server as a child process: started, measured and stopped by its handle.

use anyhow::{Context, Result, bail};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

const START: Duration = Duration::from_secs(20);
/// Kernel ticks per second in `/proc/PID/stat`; Linux fixes it at 100 for user space.
const TICKS: f64 = 100.0;

/// A running server; dropping it kills the process.
pub struct Server {
    pub name: String,
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a program of this package, which prints its address.
    pub async fn announced(
        name: &str,
        program: &Path,
        args: &[&str],
        env: &[(String, String)],
    ) -> Result<Self> {
        let mut child = command(program, args, env)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let out = child.stdout.take().context("a piped stdout")?;
        let mut line = String::new();
        timeout(START, BufReader::new(out).read_line(&mut line))
            .await
            .with_context(|| format!("{name} did not say where it listens"))??;
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .with_context(|| format!("{name} said `{}`", line.trim()))?
            .parse()?;
        Ok(Self { name: name.into(), address, child })
    }

    /// Starts a program that was told where to listen, and waits until it takes connections there.
    pub async fn at(
        name: &str,
        address: SocketAddr,
        program: &Path,
        args: &[&str],
        env: &[(String, String)],
    ) -> Result<Self> {
        let mut child = command(program, args, env)
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let end = Instant::now() + START;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended before it listened: {status}");
            }
            if Instant::now() > end {
                bail!("{name} does not listen on {address}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { name: name.into(), address, child })
    }

    /// User and system time that the process has used, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // The command in parentheses may hold spaces; utime and stime are the 12th and 13th words behind it.
        let behind = stat.rsplit_once(')').context("a command in stat")?.1;
        let words: Vec<&str> = behind.split_whitespace().collect();
        let ticks =
            |at: usize| -> Result<f64> { Ok(words.get(at).context("a short stat")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// The most resident memory that the process ever had, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let pid = self.child.id().with_context(|| format!("{} has ended", self.name))?;
        Ok(std::fs::read_to_string(format!("/proc/{pid}/{file}"))?)
    }
}

fn command(program: &Path, args: &[&str], env: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A loopback address that nothing listens on at this moment.
pub fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Another program of this package, built with this one.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    path.exists()
        .then_some(path)
        .with_context(|| format!("{name} is not built: cargo build --release --bins"))
}
