//! What is done when the test process ends normally. When it is killed the kernel ends the children, and a later test
//! process removes the directory.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use crate::database;

static DIRS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

pub(crate) fn remove_at_exit(dir: &Path) {
    static REGISTERED: Once = Once::new();
    DIRS.lock().unwrap_or_else(PoisonError::into_inner).push(dir.to_owned());
    REGISTERED.call_once(|| {
        // SAFETY: the handler is a plain function without arguments that never unwinds: what it does, it does in a
        // thread of its own, whose panic ends there.
        unsafe { libc::atexit(at_exit) };
    });
}

extern "C" fn at_exit() {
    // A thread, because the thread-local values of this one are gone already.
    let cleaner = std::thread::Builder::new().spawn(|| {
        database::stop();
        let dirs = std::mem::take(&mut *DIRS.lock().unwrap_or_else(PoisonError::into_inner));
        for dir in dirs {
            // A nats-server that is just ending may put a file back.
            for _ in 0..5 {
                if std::fs::remove_dir_all(&dir).is_ok() {
                    break;
                }
            }
        }
    });
    if let Ok(cleaner) = cleaner {
        let _ = cleaner.join();
    }
}
