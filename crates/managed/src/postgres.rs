//! A PostgreSQL cluster of our own: created on first use, on a unix socket, behind a generated password.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::sync::watch;

use crate::account::{self, Account, SHARED_ROOT};
use crate::binaries::PostgresPrograms;
use crate::data_dir::{create_dir, generated, set_mode, write_private};
use crate::error::{At, ManagedError, child};
use crate::orphan;
use crate::supervisor::{ChildState, Service, Supervised};
use crate::sys;

const NAME: &str = "PostgreSQL";
const USER: &str = "scaledtest";
const DATABASE: &str = "scaledtest";
/// Part of the socket's file name; no port is opened when there is a socket.
const SOCKET_PORT: u16 = 5432;
/// The length of a socket's path that every Unix takes, in bytes.
const LONGEST_SOCKET_PATH: usize = 103;

/// How to run the cluster.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// Holds everything of it (or a pointer to it, when we are root and it has to be elsewhere). Created if need be.
    pub dir: PathBuf,
    /// Further settings, name and value, over our own.
    pub settings: Vec<(String, String)>,
    /// For tests: never flushes to disk.
    pub volatile: bool,
}

/// A running cluster. Dropping it asks it to stop and does not wait.
pub struct Postgres {
    child: Supervised,
    address: Address,
    password: String,
    cluster: PathBuf,
}

#[derive(Clone, Debug)]
enum Address {
    Socket(PathBuf),
    Port(u16),
}

impl Postgres {
    /// Creates the cluster if there is none, ends one that an earlier process left running, starts it and waits until it
    /// takes connections.
    pub async fn start(programs: &PostgresPrograms, settings: PostgresSettings) -> Result<Self, ManagedError> {
        let mut place = Place::choose(&settings.dir)?;
        let password = generated(&settings.dir.join("postgres.password"), 16)?;
        let bin = match &place.account {
            Some(account) => account.reachable_programs(&programs.bin, &programs.version)?,
            None => programs.bin.clone(),
        };
        place.take()?;
        let address = place.address()?;
        let log = settings.dir.join("postgres.log");
        let cluster = place.cluster();
        let service = Server {
            programs: Programs { bin, account: place.account.clone(), major: programs.major },
            place,
            address: address.clone(),
            password: password.clone(),
            settings,
        };
        let child = Supervised::start(service, log).await?;
        Ok(Self { child, address, password, cluster })
    }

    /// Where to connect, password included. Works with sqlx and with PostgreSQL's own programs.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// As [`Self::url`], for another database of the cluster.
    pub fn url_of(&self, database: &str) -> String {
        let password = &self.password;
        match &self.address {
            Address::Socket(dir) => {
                let host = percent_encode(&dir.to_string_lossy());
                format!("postgres://{USER}:{password}@localhost:{SOCKET_PORT}/{database}?host={host}")
            }
            Address::Port(port) => format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}"),
        }
    }

    /// What it is doing.
    pub fn state(&self) -> watch::Receiver<ChildState> {
        self.child.state()
    }

    /// The number of its first process, while there is one.
    pub fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    /// The directory of the data itself.
    pub fn cluster(&self) -> &Path {
        &self.cluster
    }

    /// A fast shutdown: open transactions are rolled back. Returns once it is gone, at most about ten seconds later.
    pub async fn shutdown(&self) {
        self.child.shutdown().await;
    }

    /// `kill -9`, without a restart.
    pub async fn kill(&self) {
        self.child.kill().await;
    }
}

/// Where the cluster is and who runs it.
struct Place {
    home: PathBuf,
    account: Option<Account>,
}

impl Place {
    fn choose(dir: &Path) -> Result<Self, ManagedError> {
        let dir = dir.canonicalize().at("find", dir)?;
        let home = dir.join("postgres");
        let Some(account) = account::to_drop_to()? else { return Ok(Self { home, account: None }) };
        // Where it is once, it stays: a new place would be an empty one.
        let pointer = dir.join("postgres.location");
        if let Ok(text) = fs::read_to_string(&pointer) {
            return Ok(Self { home: PathBuf::from(text.trim_end()), account: Some(account) });
        }
        if account.reaches(&dir) {
            return Ok(Self { home, account: Some(account) });
        }
        if home.exists() {
            return Err(ManagedError::Refused(format!(
                "PostgreSQL cannot run as root, and the user `{}` that it is to run as cannot reach its data in {}; open the \
                 directories on the way to it (chmod o+x)",
                account.name,
                home.display()
            )));
        }
        let home = Path::new(SHARED_ROOT).join(fingerprint(&dir));
        write_private(&pointer, &format!("{}\n", home.display()))?;
        Ok(Self { home, account: Some(account) })
    }

    /// Makes the place and gives it to whoever runs the cluster.
    fn take(&mut self) -> Result<(), ManagedError> {
        create_dir(&self.home, 0o700)?;
        create_dir(&self.home.join("run"), 0o700)?;
        if let Some(account) = &self.account {
            let owner =
                fs::metadata(self.home.join("cluster")).or_else(|_| fs::metadata(&self.home)).at("read", &self.home)?;
            if owner.uid() != account.uid {
                account.own(&self.home)?;
            } else {
                account.own(&self.home.join("run"))?;
            }
        }
        Ok(())
    }

    fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    fn address(&self) -> Result<Address, ManagedError> {
        let dir = self.home.join("run");
        let socket = dir.join(format!(".s.PGSQL.{SOCKET_PORT}"));
        if socket.as_os_str().len() <= LONGEST_SOCKET_PATH && dir.to_str().is_some() {
            return Ok(Address::Socket(dir));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).at("listen on a port instead of", &socket)?;
        Ok(Address::Port(listener.local_addr().at("listen on a port instead of", &socket)?.port()))
    }
}

/// Tells data directories apart by their path (FNV-1a, 64 bits).
fn fingerprint(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// For the value of a query parameter.
fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

struct Programs {
    bin: PathBuf,
    account: Option<Account>,
    major: u32,
}

impl Programs {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // Nothing of our environment: PGDATA, PGPORT and the like would change what these programs do.
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/");
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        if let Some(account) = &self.account {
            // Setting the user as root also drops the other groups.
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn run(&self, program: &'static str, arguments: &[OsString], input: Stdio) -> Result<(), ManagedError> {
        let mut command = self.command(program);
        sys::die_with_parent(&mut command, sys::SIGTERM);
        let output = command.args(arguments).stdin(input).output().at("run", &self.bin.join(program))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(child(
            NAME,
            format!("could not create its cluster: {program} said: {}", String::from_utf8_lossy(&said).trim()),
        ))
    }
}

struct Server {
    programs: Programs,
    place: Place,
    address: Address,
    password: String,
    settings: PostgresSettings,
}

impl Service for Server {
    const NAME: &'static str = NAME;
    /// Fast shutdown. SIGTERM would wait for the clients to leave.
    const STOP_SIGNAL: i32 = sys::SIGINT;
    /// Recovery after a crash reads what was written since the last checkpoint.
    const READY_WITHIN: Duration = Duration::from_secs(120);

    fn prepare(&mut self) -> Result<(), ManagedError> {
        let cluster = self.place.cluster();
        orphan::end(NAME, &cluster.join("postmaster.pid"), &cluster, sys::SIGINT)?;
        if cluster.exists() { self.check_version(&cluster) } else { self.create(&cluster) }
    }

    fn command(&self) -> Command {
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.place.cluster());
        for (name, value) in self.own_settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.settings.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
    }

    fn ready(&mut self, pid: u32) -> bool {
        // What pg_ctl looks at: the number in the first line, the state in the eighth.
        let Ok(text) = fs::read_to_string(self.place.cluster().join("postmaster.pid")) else { return false };
        let mut lines = text.lines();
        lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid)
            && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    }
}

impl Server {
    fn own_settings(&self) -> Vec<(&'static str, String)> {
        let (listen, port, sockets) = match &self.address {
            Address::Socket(dir) => ("", SOCKET_PORT, dir.to_string_lossy().replace('"', "")),
            Address::Port(port) => ("127.0.0.1", *port, String::new()),
        };
        let quoted = if sockets.is_empty() { String::new() } else { format!("\"{sockets}\"") };
        let mut settings = vec![
            ("listen_addresses", listen.to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", quoted),
            ("unix_socket_permissions", "0700".to_owned()),
            ("max_connections", "60".to_owned()),
            ("shared_buffers", "256MB".to_owned()),
            ("cluster_name", USER.to_owned()),
            ("timezone", "UTC".to_owned()),
            ("log_timezone", "UTC".to_owned()),
            ("log_checkpoints", "off".to_owned()),
            // Compiling a query pays off for reports over years of data, not for ours, and its library may be missing.
            ("jit", "off".to_owned()),
        ];
        if self.settings.volatile {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                settings.push((name, "off".to_owned()));
            }
        }
        settings
    }

    fn check_version(&self, cluster: &Path) -> Result<(), ManagedError> {
        let file = cluster.join("PG_VERSION");
        let created_by = fs::read_to_string(&file).at("read", &file)?;
        if created_by.trim() == self.programs.major.to_string() {
            return Ok(());
        }
        Err(ManagedError::Refused(format!(
            "the data in {} was created by PostgreSQL {}, and {} is PostgreSQL {}; name the programs of version {0} with \
             --postgres-bin, or take a backup with them and restore it into a new data directory",
            cluster.display(),
            created_by.trim(),
            self.programs.bin.display(),
            self.programs.major,
        )))
    }

    /// Everything happens in another directory that is renamed at the end: a crash leaves a whole cluster or none.
    fn create(&self, cluster: &Path) -> Result<(), ManagedError> {
        let fresh = self.place.home.join("cluster.new");
        let password_file = self.place.home.join("initdb.password");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).at("remove", &fresh)?;
        }
        write_private(&password_file, &self.password)?;
        if let Some(account) = &self.programs.account {
            account.own(&password_file)?;
        }
        let made = self.initdb(&fresh, &password_file);
        fs::remove_file(&password_file).at("remove", &password_file)?;
        made?;
        self.create_database(&fresh)?;
        if !self.settings.volatile {
            self.flush(&fresh)?;
        }
        set_mode(&fresh, 0o700).at("create", &fresh)?;
        fs::rename(&fresh, cluster).at("create", cluster)
    }

    fn flush(&self, fresh: &Path) -> Result<(), ManagedError> {
        let with = |method: Option<&str>| {
            let arguments = ["--sync-only"].into_iter().chain(method).map(OsString::from);
            self.programs.run(
                "initdb",
                &arguments.chain(["-D".into(), fresh.into()]).collect::<Vec<_>>(),
                Stdio::null(),
            )
        };
        // One flush of the file system instead of a thousand of files: a tenth of the time. Not every system has it.
        if self.programs.major >= 17 && with(Some("--sync-method=syncfs")).is_ok() {
            return Ok(());
        }
        with(None)
    }

    fn initdb(&self, fresh: &Path, password_file: &Path) -> Result<(), ManagedError> {
        let with = |locale: &[&str]| {
            let checksums = if self.settings.volatile { None } else { Some("--data-checksums") };
            let fixed = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--no-sync", "-U", USER];
            let mut arguments: Vec<OsString> = fixed.iter().copied().chain(checksums).map(OsString::from).collect();
            arguments.extend(locale.iter().map(OsString::from));
            arguments.extend(["-D".into(), fresh.into(), "--pwfile".into(), password_file.into()]);
            self.programs.run("initdb", &arguments, Stdio::null())
        };
        if self.programs.major >= 17 {
            return with(&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]);
        }
        // Not every system has C.UTF-8; sorting by code point is the same in both.
        with(&["--locale=C.UTF-8"]).or_else(|_| with(&["--locale=C"]))
    }

    fn create_database(&self, fresh: &Path) -> Result<(), ManagedError> {
        let script = self.place.home.join("create.sql");
        fs::write(&script, format!("create database {DATABASE}\n")).at("write", &script)?;
        let input = fs::File::open(&script).at("read", &script)?;
        let arguments = ["--single", "-c", "fsync=off", "-c", "log_checkpoints=off", "-D"].map(OsString::from);
        let arguments: Vec<_> = arguments.into_iter().chain([fresh.into(), "postgres".into()]).collect();
        let made = self.programs.run("postgres", &arguments, input.into());
        fs::remove_file(&script).at("remove", &script)?;
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_survives_the_way_into_a_url() {
        assert_eq!(percent_encode("/a b/c?d&é"), "/a%20b/c%3Fd%26%C3%A9");
    }

    #[test]
    fn directories_have_different_fingerprints() {
        assert_ne!(fingerprint(Path::new("/a")), fingerprint(Path::new("/b")));
        assert_eq!(fingerprint(Path::new("/a")).len(), 16);
    }
}
