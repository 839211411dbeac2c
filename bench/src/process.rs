//! The server under measurement: the real binary, in its own process.

use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running `scaledtest up`.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub url: String,
    /// Its data.
    pub data_dir: PathBuf,
    /// How long it took to be ready.
    pub ready_after: Duration,
}

impl Server {
    /// Starts the release binary beside this program and waits until it is ready.
    pub async fn start(data_dir: &Path, durability: &str) -> anyhow::Result<Self> {
        let port = free_port()?;
        let started = Instant::now();
        let log = std::fs::File::create(data_dir.with_extension("server.log"))?;
        let child = Command::new(binary()?)
            .args(["up", "--port", &port.to_string(), "--data-dir"])
            .arg(data_dir)
            .env("ST_DURABILITY", durability)
            .env("ST_DISABLE_RATE_LIMIT", "true")
            .env("ST_LOG_LEVEL", "warn")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start the server")?;
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Self { child, url, data_dir: data_dir.to_owned(), ready_after: Duration::ZERO };
        server.wait_ready(Duration::from_secs(60)).await?;
        server.ready_after = started.elapsed();
        Ok(server)
    }

    async fn wait_ready(&mut self, limit: Duration) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at start: {status}");
            }
            if client.get(format!("{}/readyz", self.url)).send().await.is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("the server isn't ready after {limit:?}")
    }

    /// Resident memory now, bytes (children not counted).
    pub fn resident(&self) -> anyhow::Result<u64> {
        status_line(self.child.id(), "VmRSS:")
    }

    /// Forgets the peak, so that the next [`Server::peak`] speaks of what came since.
    pub fn reset_peak(&self) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").context("cannot reset the peak")
    }

    /// Most resident memory since the start or the last reset, bytes.
    pub fn peak(&self) -> anyhow::Result<u64> {
        status_line(self.child.id(), "VmHWM:")
    }

    /// Stops it cleanly.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server stopped with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a subcommand to its end; gives how long it took and its peak memory, bytes.
pub fn run(arguments: &[&str], data_dir: &Path) -> anyhow::Result<(Duration, u64)> {
    let started = Instant::now();
    let mut child =
        Command::new(binary()?).args(arguments).arg("--data-dir").arg(data_dir).stdout(Stdio::null()).spawn()?;
    let mut peak = 0;
    let status = loop {
        // The peak only grows, so the last look before the end is the peak up to a moment before it.
        peak = status_line(child.id(), "VmHWM:").unwrap_or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        bail!("scaledtest {} failed: {status}", arguments.join(" "));
    }
    Ok((started.elapsed(), peak))
}

fn binary() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let binary = here.with_file_name("scaledtest");
    if !binary.exists() {
        bail!("build the server first: cargo build --release -p scaledtest-server");
    }
    Ok(binary)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn status_line(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
