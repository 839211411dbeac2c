//! A child whose parent was killed may still be on its way out, or still be there. It is ended before another one starts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{ManagedError, child};
use crate::sys;

const GRACE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Ends the process whose number is the first line of `pid_file`, if its command line shows that it works on `owned`.
/// Any other process that has the number by now is left alone.
pub(crate) fn end(name: &'static str, pid_file: &Path, owned: &Path, signal: i32) -> Result<(), ManagedError> {
    let Some(pid) = read_pid(pid_file) else { return Ok(()) };
    if !works_on(pid, owned) {
        return Ok(());
    }
    tracing::warn!(child = name, pid, "an earlier one is still running, ending it");
    for signal in [signal, sys::SIGKILL] {
        sys::signal(pid, signal);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !works_on(pid, owned) {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Err(child(
        name,
        format!("of an earlier start (process {pid}) is still running and cannot be ended; end it by hand"),
    ))
}

pub(crate) fn read_pid(pid_file: &Path) -> Option<u32> {
    fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether an argument of the process is `owned`. A process that has ended but was not reaped has no arguments any more.
fn works_on(pid: u32, owned: &Path) -> bool {
    let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    arguments.split(|byte| *byte == 0).any(|argument| argument == owned.as_os_str().as_encoded_bytes())
}
