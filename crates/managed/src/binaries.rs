//! Finds nats-server and PostgreSQL: where we are told, in `.tools/`, on the PATH, in well-known places.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::ManagedError;

const USUAL: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/opt/bin", "/opt/homebrew/bin"];

/// Where the user says the programs are.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The nats-server program.
    pub nats_server: Option<PathBuf>,
    /// The directory with `postgres` and `initdb`.
    pub postgres_bin: Option<PathBuf>,
}

/// Programs that were found and are recent enough.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The nats-server program, 2.11 or newer.
    pub nats_server: PathBuf,
    /// PostgreSQL, 15 or newer.
    pub postgres: PostgresPrograms,
}

/// An installation of PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresPrograms {
    /// The directory with `postgres`, `initdb` and the client programs.
    pub bin: PathBuf,
    /// E.g. 18.
    pub major: u32,
    /// E.g. `18.6`.
    pub version: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Version(u32, u32);

struct Found {
    path: PathBuf,
    version: Version,
}

impl Binaries {
    /// Looks for both. The error names everything that was found too old and says how to get a newer one.
    pub fn find(overrides: &Overrides) -> Result<Self, ManagedError> {
        Ok(Self { nats_server: Self::find_nats_server(overrides)?, postgres: Self::find_postgres(overrides)? })
    }

    /// Looks for nats-server alone.
    pub fn find_nats_server(overrides: &Overrides) -> Result<PathBuf, ManagedError> {
        let wanted = Wanted {
            program: "nats-server",
            title: "nats-server",
            least: Version(2, 11),
            flag: "--nats-server FILE",
            url: "ST_NATS_URL",
        };
        let places = match &overrides.nats_server {
            Some(path) => vec![path.clone()],
            None => candidates("nats-server", "nats-server", &[]),
        };
        Ok(wanted.among(places)?.path)
    }

    /// Looks for PostgreSQL alone.
    pub fn find_postgres(overrides: &Overrides) -> Result<PostgresPrograms, ManagedError> {
        let wanted = Wanted {
            program: "postgres",
            title: "PostgreSQL",
            least: Version(15, 0),
            flag: "--postgres-bin DIR",
            url: "ST_DATABASE_URL",
        };
        let places = match &overrides.postgres_bin {
            Some(dir) => vec![dir.join("postgres")],
            None => candidates("postgres", "postgres/bin", &debian()),
        };
        let Found { path, version: Version(major, minor) } = wanted.among(places)?;
        let bin = path.parent().unwrap_or(Path::new("/")).to_owned();
        if !bin.join("initdb").exists() {
            return Err(ManagedError::NotFound(format!(
                "{} has `postgres` but not `initdb`: the server package of PostgreSQL is incomplete there; `make setup` brings another",
                bin.display()
            )));
        }
        Ok(PostgresPrograms { bin, major, version: format!("{major}.{minor}") })
    }
}

struct Wanted {
    program: &'static str,
    title: &'static str,
    least: Version,
    flag: &'static str,
    url: &'static str,
}

impl Wanted {
    fn among(&self, places: Vec<PathBuf>) -> Result<Found, ManagedError> {
        let mut unfit = Vec::new();
        for place in places {
            // Resolved, because PostgreSQL's other programs are beside the real one, not beside a link to it.
            let Ok(path) = place.canonicalize() else { continue };
            match version(&path) {
                Some(version) if version >= self.least => return Ok(Found { path, version }),
                Some(Version(major, minor)) => unfit.push(format!("{} is {major}.{minor}", place.display())),
                None => unfit.push(format!("{} does not run", place.display())),
            }
        }
        let Self { program, title, least: Version(major, minor), flag, url } = self;
        let found = if unfit.is_empty() { "none was found".to_owned() } else { unfit.join(", ") };
        Err(ManagedError::NotFound(format!(
            "{title} {major}.{minor} or newer is needed, but {found}. `make setup` in a checkout brings one; or put `{program}` on \
             the PATH, or name it with {flag}, or use a running one through {url}."
        )))
    }
}

/// Every place where `program` could be, best first.
fn candidates(program: &str, in_tools: &str, known: &[PathBuf]) -> Vec<PathBuf> {
    let mut starts = Vec::new();
    starts.extend(env::current_exe().ok());
    starts.extend(env::current_dir().ok());
    let tools =
        starts.iter().flat_map(|start| start.ancestors()).map(|dir| dir.join(".tools").join(in_tools).join(program));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = env::split_paths(OsStr::new(&path)).map(|dir| dir.join(program)).collect();
    let usual = USUAL.iter().map(|dir| Path::new(dir).join(program));
    tools.chain(on_path).chain(known.iter().map(|dir| dir.join(program))).chain(usual).collect()
}

/// Debian keeps PostgreSQL's server programs off the PATH, a directory for each major version. Newest first.
fn debian() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut majors: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))).collect()
}

fn version(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| parse(&String::from_utf8_lossy(&output.stdout)))?
}

/// `nats-server: v2.15.1` or `postgres (PostgreSQL) 18.6 (Debian 18.6-1)`.
fn parse(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.');
        let major = numbers.next()?.parse().ok()?;
        // "19beta1" has no minor number, and is not for us.
        let minor = numbers.next()?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        Some(Version(major, minor[..digits].parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        assert_eq!(parse("nats-server: v2.15.1\n"), Some(Version(2, 15)));
        assert_eq!(parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(Version(15, 18)));
        assert_eq!(parse("nats-server: v2.11.0-RC.3"), Some(Version(2, 11)));
        assert_eq!(parse("no number here"), None);
    }

    #[test]
    fn one_that_is_too_old_is_refused_by_name_and_version() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("nats-server");
        fs::write(&old, "#!/bin/sh\necho nats-server: v2.9.10\n").unwrap();
        fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).unwrap();
        let overrides = Overrides { nats_server: Some(old.clone()), postgres_bin: None };
        let message = Binaries::find(&overrides).unwrap_err().to_string();
        assert!(message.starts_with("nats-server 2.11 or newer is needed, but"), "{message}");
        assert!(message.contains(&format!("{} is 2.9", old.display())), "{message}");
        assert!(message.contains("make setup"), "{message}");
    }
}
