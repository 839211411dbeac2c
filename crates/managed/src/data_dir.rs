//! The directory that everything of an embedded server lives in, and the lock that lets only one server use it.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::RngCore;

use crate::error::{At, ManagedError};
use crate::sys;

/// A data directory, not necessarily in use.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// A data directory that this process alone uses, until this is dropped.
#[derive(Debug)]
pub struct LockedDataDir {
    dir: DataDir,
    // The lock goes with the file, also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// The directory at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// `.scaledtest/` of the checkout that we run in, otherwise `scaledtest/` in the XDG data directory.
    pub fn default_place() -> Result<Self, ManagedError> {
        let checkout = env::current_dir().ok().and_then(|here| checkout(&here).map(Path::to_owned));
        if let Some(checkout) = checkout {
            return Ok(Self::new(checkout.join(".scaledtest")));
        }
        let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share"))) {
            Some(base) => Ok(Self::new(base.join("scaledtest"))),
            None => Err(ManagedError::Refused(
                "there is no place for data: neither HOME nor XDG_DATA_HOME is set; name a directory with --data-dir"
                    .to_owned(),
            )),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates it if need be and takes it for this process. Refused when another one has it.
    pub fn lock(&self) -> Result<LockedDataDir, ManagedError> {
        // As root, PostgreSQL's own user has to pass through. It may not list, and every secret is a file that it may not read.
        create_dir(&self.path, if sys::effective_user() == 0 { 0o711 } else { 0o700 })?;
        let path = self.path.canonicalize().at("find", &self.path)?;
        let file = path.join("lock");
        let mut options = OpenOptions::new();
        let mut lock =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&file).at("open", &file)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = lock.read_to_string(&mut text);
                return Err(ManagedError::Locked { dir: path, pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(error).at("lock", &file),
        }
        lock.set_len(0).at("write", &file)?;
        writeln!(lock, "{}", std::process::id()).at("write", &file)?;
        Ok(LockedDataDir { dir: Self { path }, _lock: lock })
    }
}

impl LockedDataDir {
    /// The directory.
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// Where it is: absolute, without links.
    pub fn path(&self) -> &Path {
        &self.dir.path
    }
}

fn checkout(here: &Path) -> Option<&Path> {
    here.ancestors().find(|dir| dir.join("Cargo.toml").is_file() && dir.join("crates/server").is_dir())
}

/// Creates a directory and those above it; one that is there already keeps its mode unless it lets in more than `mode`.
pub(crate) fn create_dir(path: &Path, mode: u32) -> Result<(), ManagedError> {
    if let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
        && !parent.exists()
    {
        create_dir(parent, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => return created.and_then(|()| set_mode(path, mode)).at("create", path),
    }
    Ok(())
}

/// Regardless of the umask, which may well be 077.
pub(crate) fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Replaces a file, readable by its owner alone. A crash leaves the old one or the new one.
pub(crate) fn write_private(path: &Path, contents: &str) -> Result<(), ManagedError> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).at("create", &fresh)?;
    file.write_all(contents.as_bytes()).and_then(|()| file.sync_all()).at("write", &fresh)?;
    fs::rename(&fresh, path).at("create", path)?;
    // The name is durable only once the directory is: what these files hold must not be generated a second time.
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent).and_then(|dir| dir.sync_all()).at("write", parent)
}

/// Random bytes in hexadecimal, kept in a file that only its owner can read.
pub(crate) fn generated(path: &Path, bytes: usize) -> Result<String, ManagedError> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() == 2 * bytes => return Ok(text.trim().to_owned()),
        Ok(_) => {
            return Err(ManagedError::Refused(format!(
                "{} does not hold {bytes} bytes in hexadecimal; restore it from a backup, or remove it to have a new one generated",
                path.display()
            )));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).at("read", path),
    }
    let mut raw = vec![0; bytes];
    rand::rng().fill_bytes(&mut raw);
    let text: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(path, &format!("{text}\n"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_with_the_process_that_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = DataDir::new(dir.path().join("data"));
        let held = dir.lock().unwrap();
        let message = dir.lock().unwrap_err().to_string();
        assert!(message.contains(&format!("in use by another server (process {})", std::process::id())), "{message}");
        drop(held);
        dir.lock().unwrap();
    }

    #[test]
    fn a_password_is_generated_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let password = generated(&one, 16).unwrap();
        assert_eq!(password.len(), 32);
        assert_eq!(generated(&one, 16).unwrap(), password);
        assert_ne!(generated(&other, 16).unwrap(), password);
        assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_password_is_never_replaced_silently() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "half").unwrap();
        let message = generated(&file, 16).unwrap_err().to_string();
        assert!(message.contains("does not hold 16 bytes"), "{message}");
    }

    #[test]
    fn a_checkout_is_recognised_from_below() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(checkout(&here.join("src")), here.parent().and_then(Path::parent));
        assert_eq!(checkout(Path::new("/")), None);
    }
}
