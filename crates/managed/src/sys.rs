//! The system calls that the standard library does not offer. The only unsafe code of this crate.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

pub(crate) use libc::{SIGINT, SIGKILL, SIGTERM};

/// Lets the kernel send `signal` to the child when the *thread* that spawns it ends, however it ends.
/// The caller therefore spawns from a thread that lives as long as the child may.
pub(crate) fn die_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    let arrange = move || {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: prctl with PR_SET_PDEATHSIG takes a plain number and touches no memory; async-signal-safe.
            if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = signal;
        // The parent may have died between fork and prctl; then no signal would ever come.
        // SAFETY: getppid has no arguments and cannot fail; async-signal-safe.
        if unsafe { libc::getppid() } as u32 != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing, as is required between fork
    // and exec. The standard library runs it after changing the user, which would otherwise clear the setting.
    unsafe { command.pre_exec(arrange) };
}

/// Sends a signal; false when there is no such process (or it is not ours to signal).
pub(crate) fn signal(pid: u32, signal: i32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // Zero and negative numbers would mean whole process groups.
    // SAFETY: kill takes two plain numbers and touches no memory.
    pid > 0 && unsafe { libc::kill(pid, signal) } == 0
}

/// Whether a process with this number exists.
pub(crate) fn exists(pid: u32) -> bool {
    signal(pid, 0) || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Blocks until the child has ended and leaves it to be reaped, so that its number cannot be taken by another process
/// while somebody may still want to signal it.
pub(crate) fn wait_without_reaping(pid: u32) {
    loop {
        // SAFETY: siginfo_t is plain data for which all zeroes is valid; the kernel writes only into it.
        let result = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, libc::WEXITED | libc::WNOWAIT)
        };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// The effective user of this process.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Bytes that can still be written to the file system of `path`; `None` when it cannot be told.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: statvfs is plain data for which all zeroes is valid; the path is a NUL-terminated string that outlives the call.
    let (result, stat) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stat), stat)
    };
    (result == 0).then(|| stat.f_bavail * stat.f_frsize)
}
