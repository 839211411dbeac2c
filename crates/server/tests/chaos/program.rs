//! The binary in a process of its own, with a data directory of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running `scaledtest up`.
pub struct Program {
    home: tempfile::TempDir,
    port: u16,
    url: String,
    child: Option<Child>,
}

impl Program {
    /// Starts it on an empty data directory and waits until it is ready.
    pub async fn start() -> Self {
        // The embedded PostgreSQL may run as another user, who must get there.
        let home = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut program = Self { home, port, url: format!("http://127.0.0.1:{port}"), child: None };
        program.start_again().await;
        program
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Starts it on the data directory that it had.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.home.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_scaledtest"))
            .args(["up", "--port", &self.port.to_string(), "--data-dir"])
            .arg(self.data_dir())
            .env("ST_LOG_LEVEL", "warn")
            .env("ST_DISABLE_RATE_LIMIT", "true")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.wait_ready().await;
    }

    async fn wait_ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        let client = reqwest::Client::new();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while Instant::now() < until {
            tick.tick().await;
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended at start: {ended:?}\n{}", self.log());
            if client.get(format!("{}/readyz", self.url)).send().await.is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
        }
        panic!("the server is not ready\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Kills it without warning and starts it again.
    pub async fn kill_and_restart(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.start_again().await;
    }

    /// Stops it cleanly; it can be started again.
    pub fn stop_for_a_while(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Stops it cleanly, for good.
    pub fn stop(mut self) {
        self.stop_for_a_while();
    }

    /// The process id of one of its children, by the name of the program.
    pub fn child(&self, name: &str) -> u32 {
        let parent = self.child.as_ref().unwrap().id();
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let found = processes.filter(|pid| {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
            let Some((command, rest)) = stat.rsplit_once(')') else { return false };
            let parent_of = rest.split_whitespace().nth(1).and_then(|parent| parent.parse::<u32>().ok());
            command.ends_with(&format!("({name}")) && parent_of == Some(parent)
        });
        found.min().unwrap_or_else(|| panic!("no child {name}\n{}", self.log()))
    }

    /// Runs another subcommand on the same data; gives what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_scaledtest"))
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data_dir())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    fn log_store(&self) -> PathBuf {
        find(&self.data_dir(), "jetstream").expect("the log's store")
    }

    /// A copy of the log's files; only while it is stopped.
    pub fn copy_log(&self) -> PathBuf {
        let copy = self.home.path().join("log-copy");
        copy_tree(&self.log_store(), &copy);
        copy
    }

    /// Puts an older copy of the log's files in place of the present ones; only while it is stopped.
    pub fn put_log_back(&self, copy: &Path) {
        let store = self.log_store();
        fs::remove_dir_all(&store).unwrap();
        copy_tree(copy, &store);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Kills a process without warning.
pub fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(dir)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .find_map(|entry| if entry.file_name() == name { Some(entry.path()) } else { find(&entry.path(), name) })
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
