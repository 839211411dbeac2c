//! Temporary directories that PostgreSQL's own user can reach, removed at the end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::exit;

const PREFIX: &str = "scaledtest-test-";
/// Young directories may belong to children that are still on their way out.
const STALE: Duration = Duration::from_secs(600);

/// A temporary directory of this process: removed when dropped, and at the latest with the process.
#[derive(Debug)]
pub struct TestDir(PathBuf);

impl TestDir {
    /// An empty one that others may pass through but not list, as PostgreSQL's own user has to when tests run as root.
    pub fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = of_this_process()?.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        create(&dir)?;
        Ok(Self(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        // What a child that is still stopping puts back goes with the directory of the process.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn of_this_process() -> anyhow::Result<&'static Path> {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    if let Some(dir) = DIR.get() {
        return Ok(dir);
    }
    let base = std::env::temp_dir();
    remove_stale(&base);
    let random = uuid::Uuid::new_v4().simple().to_string();
    let dir = base.join(format!("{PREFIX}{}-{}", std::process::id(), &random[..8]));
    create(&dir)?;
    let dir = DIR.get_or_init(|| dir);
    exit::remove_at_exit(dir);
    Ok(dir)
}

fn create(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o711)))
        .with_context(|| format!("cannot create {}", dir.display()))
}

/// What processes left that were killed.
fn remove_stale(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(pid) = pid else { continue };
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > STALE) && !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
