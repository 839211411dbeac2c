//! What must never be logged: the keys that sign access tokens and derive other secrets.

use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use std::{fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// Least length of a signing secret, bytes.
pub const MIN_SECRET: usize = 32;

/// The instance's keys. `Debug` shows none of them.
#[derive(Debug)]
pub struct Secrets {
    /// Signs access tokens (HS256).
    pub jwt: SecretBox<Vec<u8>>,
    /// Derives and signs everything else.
    pub hmac: SecretBox<Vec<u8>>,
}

/// The keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither given nor a place to keep a generated one.
    #[error("ST_JWT_SECRET is not set, and there is no data directory to keep a generated one in")]
    Missing,
    /// Too easy to guess.
    #[error("{0} must have at least {MIN_SECRET} bytes")]
    TooShort(&'static str),
    /// The file cannot be read or written.
    #[error("secret file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Secrets {
    /// Takes what is given; what is not given is read from `<dir>/secrets/`, where it is generated once (mode 0600).
    ///
    /// The HMAC key is derived from a JWT key that is given, unless the directory holds one from before: replicas that share
    /// nothing but the given key must come to the same one.
    ///
    /// # Errors
    /// When a key is missing or too short, or a file refuses.
    pub fn resolve(jwt: Option<Vec<u8>>, hmac: Option<Vec<u8>>, dir: Option<&Path>) -> Result<Self, SecretError> {
        let is_shared = jwt.is_some();
        let jwt = match (jwt, dir) {
            (Some(given), _) => given,
            (None, Some(dir)) => kept(dir, "jwt")?,
            (None, None) => return Err(SecretError::Missing),
        };
        let hmac = match (hmac, dir) {
            (Some(given), _) => given,
            (None, Some(dir)) if !is_shared || is_kept(dir, "hmac")? => kept(dir, "hmac")?,
            (None, _) => sign(&jwt, &[b"scaledtest hmac key v1"]).to_vec(),
        };
        Self::new(jwt, hmac)
    }

    /// Takes both keys as they are.
    ///
    /// # Errors
    /// When one is shorter than [`MIN_SECRET`].
    pub fn new(jwt: Vec<u8>, hmac: Vec<u8>) -> Result<Self, SecretError> {
        if jwt.len() < MIN_SECRET {
            return Err(SecretError::TooShort("ST_JWT_SECRET"));
        }
        if hmac.len() < MIN_SECRET {
            return Err(SecretError::TooShort("ST_HMAC_SECRET"));
        }
        Ok(Self { jwt: SecretBox::new(Box::new(jwt)), hmac: SecretBox::new(Box::new(hmac)) })
    }

    /// HMAC-SHA256 over length-prefixed parts with the HMAC key.
    pub fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        sign(self.hmac.expose_secret(), parts)
    }
}

fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // Every length of key is fine for HMAC, so the error cannot be; an empty answer would be the wrong way out.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return random() };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// 32 bytes that nobody can guess.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_kept(dir: &Path, name: &str) -> Result<bool, SecretError> {
    let path = dir.join("secrets").join(name);
    path.try_exists().map_err(|source| SecretError::File { path: path.display().to_string(), source })
}

fn kept(dir: &Path, name: &str) -> Result<Vec<u8>, SecretError> {
    let dir = dir.join("secrets");
    let path = dir.join(name);
    let failed = |source| SecretError::File { path: path.display().to_string(), source };
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().as_bytes().to_vec()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) => {}
    }
    fs::create_dir_all(&dir).map_err(failed)?;
    // Written aside and linked into place, so that two starting processes agree and a crash leaves no half of one.
    let draft = dir.join(format!("{name}.{}.new", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(hex(&random()).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = fs::hard_link(&draft, &path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => fs::read_to_string(&path).map(|text| text.trim().as_bytes().to_vec()).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_generated_once_and_only_the_owner_can_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::resolve(None, None, Some(dir.path())).unwrap();
        let second = Secrets::resolve(None, None, Some(dir.path())).unwrap();
        assert_eq!(first.jwt.expose_secret(), second.jwt.expose_secret());
        assert_ne!(first.jwt.expose_secret(), first.hmac.expose_secret());
        let mode = fs::metadata(dir.path().join("secrets/jwt")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("secrets")).unwrap().count(), 2);
    }

    #[test]
    fn replicas_that_share_the_jwt_secret_alone_have_the_same_hmac_key_and_a_generated_one_stays() {
        let given = || Some(vec![b'x'; 32]);
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hmac = |dir: Option<&Path>| Secrets::resolve(given(), None, dir).unwrap().hmac.expose_secret().clone();
        assert_eq!(hmac(Some(one.path())), hmac(Some(other.path())));
        assert_eq!(hmac(Some(one.path())), hmac(None));
        assert_eq!(fs::read_dir(one.path()).unwrap().count(), 0, "nothing is generated");
        let before = Secrets::resolve(None, None, Some(one.path())).unwrap();
        assert_eq!(&hmac(Some(one.path())), before.hmac.expose_secret());
    }

    #[test]
    fn a_short_or_missing_secret_is_refused_and_debug_shows_nothing() {
        let short = Secrets::resolve(Some(b"short".to_vec()), None, None);
        assert!(matches!(short, Err(SecretError::TooShort("ST_JWT_SECRET"))));
        assert!(matches!(Secrets::resolve(None, None, None), Err(SecretError::Missing)));
        let secrets = Secrets::resolve(Some(vec![b'x'; 32]), None, None).unwrap();
        assert!(!format!("{secrets:?}").contains("xxx"));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let secrets = Secrets::resolve(Some(vec![b'x'; 32]), None, None).unwrap();
        assert_ne!(secrets.derive(&[b"ab", b"c"]), secrets.derive(&[b"a", b"bc"]));
    }
}
