//! A nats-server of our own: JetStream in a directory, on the loopback, behind a generated password.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::sync::watch;

use crate::data_dir::{create_dir, generated, write_private};
use crate::error::{At, ManagedError, child};
use crate::orphan;
use crate::supervisor::{ChildState, Service, Supervised};
use crate::sys;

const NAME: &str = "nats-server";
const USER: &str = "scaledtest";
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Below this even a nearly full disk is not taken at its word, in bytes.
const LEAST_STORE: u64 = 256 << 20;

/// What an acknowledged write has survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Flushed to disk one by one: a power cut loses nothing.
    Strict,
    /// Flushed every 100 ms: a crash of any program loses nothing, a power cut at most the last 100 ms.
    #[default]
    Standard,
    /// Flushed every two minutes: for tests.
    Relaxed,
}

/// How to run the server.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Holds everything of it. Created if need be.
    pub dir: PathBuf,
    /// See [`Durability`].
    pub durability: Durability,
    /// The port on the loopback; `None` takes a free one.
    pub port: Option<u16>,
}

/// A running nats-server. Dropping it asks it to stop and does not wait.
pub struct Nats {
    child: Supervised,
    port: u16,
    password: String,
    store: PathBuf,
}

impl Nats {
    /// Ends one that an earlier process left running, starts it and waits until JetStream takes requests.
    pub async fn start(program: &Path, settings: NatsSettings) -> Result<Self, ManagedError> {
        create_dir(&settings.dir, 0o700)?;
        let dir = settings.dir.canonicalize().at("find", &settings.dir)?;
        let password = generated(&dir.join("password"), 16)?;
        let (sender, port) = watch::channel(settings.port);
        let service = Server {
            program: program.to_owned(),
            dir: dir.clone(),
            durability: settings.durability,
            password: password.clone(),
            port: sender,
        };
        let child = Supervised::start(service, dir.join("nats.log")).await?;
        let port = port.borrow().unwrap_or_default();
        Ok(Self { child, port, password, store: dir.join("store") })
    }

    /// Where to connect, without the credential.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where to connect, with the credential. Not for logs.
    pub fn url_with_credential(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// The user to connect as.
    pub fn user(&self) -> &str {
        USER
    }

    /// Its password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// On the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where JetStream keeps its files.
    pub fn store_dir(&self) -> &Path {
        &self.store
    }

    /// What it is doing.
    pub fn state(&self) -> watch::Receiver<ChildState> {
        self.child.state()
    }

    /// Its process number, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    /// Stops it and returns once it is gone, at most about ten seconds later.
    pub async fn shutdown(&self) {
        self.child.shutdown().await;
    }

    /// `kill -9`, without a restart.
    pub async fn kill(&self) {
        self.child.kill().await;
    }
}

struct Server {
    program: PathBuf,
    dir: PathBuf,
    durability: Durability,
    password: String,
    /// Chosen by the system at the first start, kept at every restart in place, so that clients find it again.
    port: watch::Sender<Option<u16>>,
}

impl Service for Server {
    const NAME: &'static str = NAME;
    const STOP_SIGNAL: i32 = sys::SIGTERM;
    /// After a crash it scans its blocks: seconds for a million messages.
    const READY_WITHIN: Duration = Duration::from_secs(120);

    fn prepare(&mut self) -> Result<(), ManagedError> {
        let config = self.config();
        orphan::end(NAME, &self.dir.join("nats.pid"), &config, sys::SIGTERM)?;
        if let Some(port) = *self.port.borrow() {
            check_free(port)?;
        }
        create_dir(&self.dir.join("store"), 0o700)?;
        let ports = self.dir.join("ports");
        if ports.exists() {
            fs::remove_dir_all(&ports).at("remove", &ports)?;
        }
        create_dir(&ports, 0o700)?;
        write_private(&config, &self.config_text())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config()).current_dir(&self.dir);
        if let Some(memory) = memory() {
            // Its collector works harder above this, instead of the system ending a process.
            command.env("GOMEMLIMIT", (memory / 2).to_string());
        }
        command
    }

    fn ready(&mut self, pid: u32) -> bool {
        let Some(port) = self.reported_port(pid) else { return false };
        if !greets_with_jetstream(port) {
            return false;
        }
        self.port.send_replace(Some(port));
        true
    }
}

impl Server {
    fn config(&self) -> PathBuf {
        self.dir.join("nats.conf")
    }

    fn config_text(&self) -> String {
        let sync = match self.durability {
            Durability::Strict => "sync_interval: always",
            Durability::Standard => "sync_interval: \"100ms\"",
            Durability::Relaxed => "",
        };
        let port = self.port.borrow().map_or(-1, i32::from);
        let store = self.dir.join("store");
        let most = most_bytes(&store);
        let (store, ports, pid_file) =
            (quoted(&store), quoted(&self.dir.join("ports")), quoted(&self.dir.join("nats.pid")));
        format!(
            "# Written at every start; changes are lost.\n\
             server_name: scaledtest\n\
             host: 127.0.0.1\n\
             port: {port}\n\
             pid_file: {pid_file}\n\
             ports_file_dir: {ports}\n\
             max_payload: 1MB\n\
             logtime_utc: true\n\
             authorization {{ user: \"{USER}\", password: \"{}\" }}\n\
             jetstream {{\n  store_dir: {store}\n  max_memory_store: 64MB\n  max_file_store: {most}\n  {sync}\n}}\n",
            self.password
        )
    }

    /// The server writes the port it got to a file that has its process number in the name.
    fn reported_port(&self, pid: u32) -> Option<u16> {
        let ending = format!("_{pid}.ports");
        let entries = fs::read_dir(self.dir.join("ports")).ok()?;
        let file = entries.flatten().find(|entry| entry.file_name().to_string_lossy().ends_with(&ending))?;
        let ports: serde_json::Value = serde_json::from_str(&fs::read_to_string(file.path()).ok()?).ok()?;
        ports.get("nats")?.get(0)?.as_str()?.rsplit(':').next()?.parse().ok()
    }
}

/// Clients know the port and ask for no other, so a server elsewhere would be of no use to them: it waits for its own.
fn check_free(port: u16) -> Result<(), ManagedError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(child(
            NAME,
            format!(
                "cannot have its port {port} on 127.0.0.1: another process has taken it. End that process, or start \
                 this program anew, which takes a free port; until then it is tried again every few seconds"
            ),
        )),
        // Whatever else is wrong, the server itself says it best.
        _ => Ok(()),
    }
}

fn greets_with_jetstream(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(stream) = TcpStream::connect_timeout(&address, PROBE_PATIENCE) else { return false };
    if stream.set_read_timeout(Some(PROBE_PATIENCE)).is_err() {
        return false;
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.contains("\"jetstream\":true")
}

/// What the store may grow to: what it has and nine tenths of what is free, so that it refuses writes before the disk is full.
fn most_bytes(store: &Path) -> u64 {
    let free = sys::free_bytes(store).unwrap_or(u64::from(u32::MAX));
    (size_of_tree(store) + free / 10 * 9).max(LEAST_STORE)
}

/// What this machine or container has, in bytes; `None` when it cannot be told.
fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 =
        machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()?;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some((kib * 1024).min(limit.unwrap_or(u64::MAX)))
}

fn size_of_tree(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_of_tree(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// As a string of the configuration language.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_durability_has_its_own_sync_interval() {
        let text = |durability| {
            let port = watch::channel(Some(4321)).0;
            let (program, dir, password) = (PathBuf::new(), PathBuf::from("/d"), "p".to_owned());
            Server { program, dir, durability, password, port }.config_text()
        };
        assert!(text(Durability::Strict).contains("sync_interval: always"));
        assert!(text(Durability::Standard).contains("sync_interval: \"100ms\""));
        assert!(!text(Durability::Relaxed).contains("sync_interval"));
        assert!(text(Durability::Relaxed).contains("port: 4321\n"));
    }
}
