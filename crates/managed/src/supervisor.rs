//! One thread per child: starts it, waits until it is ready, starts it again in place when it dies, ends it when told.
//!
//! The thread is the child's parent as far as the kernel's parent-death signal goes, so it lives until the child is gone.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::{At, ManagedError, child};
use crate::sys;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A child that ran this long was healthy: its next restart is quick again.
const HEALTHY: Duration = Duration::from_secs(10);
/// How often the very first start is tried before it is reported as failed.
const FIRST_ATTEMPTS: u32 = 3;
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// Between asking a child to stop and making it.
const STOP_GRACE: Duration = Duration::from_secs(10);
const LARGEST_LOG: u64 = 1 << 20;

/// What a child is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// On its way up for the first time.
    Starting,
    /// Ready to be used.
    Running {
        /// Its process number.
        pid: u32,
    },
    /// Died and is being started again, on the same address.
    Restarting {
        /// What happened to it.
        reason: String,
    },
    /// Never became ready; nothing more is tried.
    Failed {
        /// What happened, with the end of its log.
        reason: String,
    },
    /// Ended because it was told to.
    Stopped,
}

/// What differs between the children.
pub(crate) trait Service: Send + 'static {
    /// For sentences: `PostgreSQL`.
    const NAME: &'static str;
    /// Asks it to stop promptly and cleanly.
    const STOP_SIGNAL: i32;
    /// How long it may take to become ready, recovery after a crash included.
    const READY_WITHIN: Duration;
    /// Everything that has to be there before it can be spawned. Called before every start.
    fn prepare(&mut self) -> Result<(), ManagedError>;
    /// The command, without its outputs.
    fn command(&self) -> Command;
    /// Whether the process with this number can be used.
    fn ready(&mut self, pid: u32) -> bool;
}

struct Control {
    stopping: bool,
    /// Only ever the number of a child that has not been reaped.
    pid: Option<u32>,
}

struct Shared {
    control: Mutex<Control>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, with: i32) {
        let mut control = self.lock();
        control.stopping = true;
        if let Some(pid) = control.pid {
            sys::signal(pid, with);
        }
        self.wake.notify_all();
    }
}

/// A running child. Dropping it asks the child to stop and does not wait.
pub(crate) struct Supervised {
    name: &'static str,
    stop_signal: i32,
    shared: Arc<Shared>,
    state: watch::Receiver<ChildState>,
}

impl Supervised {
    /// Starts the child and returns once it is ready.
    pub(crate) async fn start<S: Service>(service: S, log: PathBuf) -> Result<Self, ManagedError> {
        let (sender, state) = watch::channel(ChildState::Starting);
        let shared =
            Arc::new(Shared { control: Mutex::new(Control { stopping: false, pid: None }), wake: Condvar::new() });
        let supervised = Self { name: S::NAME, stop_signal: S::STOP_SIGNAL, shared: Arc::clone(&shared), state };
        let mut runner = Runner { service, log, shared, state: sender };
        std::thread::Builder::new()
            .name(S::NAME.to_owned())
            .spawn(move || runner.run())
            .map_err(|error| child(S::NAME, format!("could not be given a thread: {error}")))?;
        let mut state = supervised.state.clone();
        let settled = state.wait_for(|state| !matches!(state, ChildState::Starting)).await.map(|state| state.clone());
        match settled {
            Ok(ChildState::Running { .. }) => Ok(supervised),
            Ok(ChildState::Failed { reason }) => Err(child(S::NAME, reason)),
            Ok(_) | Err(_) => Err(child(S::NAME, "was stopped while it started")),
        }
    }

    pub(crate) fn state(&self) -> watch::Receiver<ChildState> {
        self.state.clone()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// Asks the child to stop, makes it after ten seconds, and returns once it is gone.
    pub(crate) async fn shutdown(&self) {
        self.shared.stop(self.stop_signal);
        if tokio::time::timeout(STOP_GRACE, self.ended()).await.is_err() {
            tracing::warn!(child = self.name, "did not stop within {} s, killing it", STOP_GRACE.as_secs());
            self.kill().await;
        }
    }

    /// `kill -9`, and no restart. Returns once it is gone.
    pub(crate) async fn kill(&self) {
        self.shared.stop(sys::SIGKILL);
        if tokio::time::timeout(STOP_GRACE, self.ended()).await.is_err() {
            tracing::error!(child = self.name, "could not be killed");
        }
    }

    async fn ended(&self) {
        let mut state = self.state.clone();
        // An error means that the thread has ended, and it ends after the child.
        let _ = state.wait_for(|state| matches!(state, ChildState::Stopped | ChildState::Failed { .. })).await;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.shared.stop(self.stop_signal);
    }
}

struct Runner<S> {
    service: S,
    log: PathBuf,
    shared: Arc<Shared>,
    state: watch::Sender<ChildState>,
}

enum Ended {
    /// Because it was told to.
    Stopped,
    /// By itself, after having been ready or not.
    Died { was_ready: bool, reason: String },
}

impl<S: Service> Runner<S> {
    fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut failures = 0;
        let mut ever_ready = false;
        loop {
            let began = Instant::now();
            let ended =
                self.run_once().unwrap_or_else(|error| Ended::Died { was_ready: false, reason: error.to_string() });
            let Ended::Died { was_ready, reason } = ended else { break };
            ever_ready |= was_ready;
            failures += 1;
            if !ever_ready && failures >= FIRST_ATTEMPTS {
                self.state.send_replace(ChildState::Failed { reason });
                return;
            }
            if was_ready && began.elapsed() >= HEALTHY {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(child = S::NAME, %reason, pause_ms = pause.as_millis() as u64, "starting it again");
            if ever_ready {
                self.state.send_replace(ChildState::Restarting { reason });
            }
            if self.pause(pause) {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.state.send_replace(ChildState::Stopped);
    }

    /// Waits; true when told to stop.
    fn pause(&self, time: Duration) -> bool {
        let (control, _) = self
            .shared
            .wake
            .wait_timeout_while(self.shared.lock(), time, |control| !control.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        control.stopping
    }

    fn run_once(&mut self) -> Result<Ended, ManagedError> {
        self.service.prepare()?;
        let Some(mut process) = self.spawn()? else { return Ok(Ended::Stopped) };
        let pid = process.id();
        let mut problem = None;
        let deadline = Instant::now() + S::READY_WITHIN;
        let was_ready = loop {
            if self.service.ready(pid) {
                break true;
            }
            if self.has_ended(&mut process) {
                break false;
            }
            if Instant::now() > deadline {
                problem = Some(format!("was not ready within {} s", S::READY_WITHIN.as_secs()));
                sys::signal(pid, sys::SIGKILL);
                break false;
            }
            std::thread::sleep(PROBE_EVERY);
        };
        if was_ready {
            self.state.send_replace(ChildState::Running { pid });
        }
        sys::wait_without_reaping(pid);
        let mut control = self.shared.lock();
        control.pid = None;
        let status = process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        if control.stopping {
            return Ok(Ended::Stopped);
        }
        let reason = problem.unwrap_or_else(|| format!("ended ({status})"));
        Ok(Ended::Died { was_ready, reason: format!("{reason}{}", quote(&self.log)) })
    }

    /// Spawns under the lock, so that whoever stops us either sees the child or keeps it from being spawned.
    fn spawn(&self) -> Result<Option<Child>, ManagedError> {
        let mut control = self.shared.lock();
        if control.stopping {
            return Ok(None);
        }
        let log = open_log(&self.log)?;
        let errors = log.try_clone().at("open", &self.log)?;
        let mut command = self.service.command();
        // Its own process group: Ctrl-C in the terminal is for us, and we stop the children in our order.
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        sys::die_with_parent(&mut command, S::STOP_SIGNAL);
        let process = command.spawn().at("run", Path::new(command.get_program()))?;
        control.pid = Some(process.id());
        Ok(Some(process))
    }

    fn has_ended(&self, process: &mut Child) -> bool {
        let mut control = self.shared.lock();
        let ended = !matches!(process.try_wait(), Ok(None));
        if ended {
            control.pid = None;
        }
        ended
    }
}

/// Appends to the log; a large one is put aside first, replacing the one put aside before.
fn open_log(path: &Path) -> Result<File, ManagedError> {
    if path.metadata().is_ok_and(|data| data.len() > LARGEST_LOG) {
        std::fs::rename(path, path.with_extension("log.1")).at("rename", path)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).at("open", path)
}

/// The last lines of a log, as the end of a sentence.
pub(crate) fn quote(log: &Path) -> String {
    const LINES: usize = 8;
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let length = file.metadata().map_or(0, |data| data.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(4096)));
        let _ = file.take(4096).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let mut last = VecDeque::with_capacity(LINES + 1);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        last.push_back(line);
        if last.len() > LINES {
            last.pop_front();
        }
    }
    if last.is_empty() {
        return format!("; its log {} is empty", log.display());
    }
    let lines: Vec<_> = last.into_iter().map(|line| format!("\n    {line}")).collect();
    format!("; the end of {}:{}", log.display(), lines.concat())
}
