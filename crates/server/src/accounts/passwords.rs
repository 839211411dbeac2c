//! Password hashes: argon2id, off the request threads, a few at a time because each takes 19 MiB.

use crate::{app::Turns, http::error::ApiError};
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::OnceCell;

/// Hashes that are computed at once.
const AT_ONCE: usize = 2;
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hashes and checks passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    turns: Turns,
    /// Checked when there is no account, so that it takes as long as if there were one.
    decoy: OnceCell<Arc<str>>,
    computed: AtomicU64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Turns::new(AT_ONCE, PATIENCE), decoy: OnceCell::new(), computed: AtomicU64::new(0) }
    }
}

impl Passwords {
    /// The hash of a password with a new salt, in PHC notation.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn hash(&self, password: SecretString) -> Result<String, ApiError> {
        self.run(move || {
            let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| ApiError::internal(&error))
        })
        .await?
    }

    /// Whether the password is the one. Without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
        let decoy = self.decoy.get_or_try_init(|| async {
            self.hash(SecretString::from("nobody's password")).await.map(Arc::<str>::from)
        });
        let decoy = Arc::clone(decoy.await?);
        self.run(move || {
            let real = hash.filter(|hash| !hash.is_empty());
            let known = real.is_some();
            let text = real.as_deref().unwrap_or(&decoy);
            let parsed = PasswordHash::new(text);
            let fits = parsed.is_ok_and(|hash| {
                Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
            });
            known && fits
        })
        .await
    }

    /// How many hashes were computed so far.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let turn = self.turns.acquire().await?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_fits_and_nothing_else_does() {
        let passwords = Passwords::default();
        let long = "pässwörd ".repeat(100);
        let hash = passwords.hash(long.clone().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert_ne!(hash, passwords.hash(long.clone().into()).await.unwrap());
        assert!(passwords.verify(long.clone().into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(long.trim_end().to_owned().into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody's password".to_owned().into(), None).await.unwrap());
        assert!(!passwords.verify(String::new().into(), Some(String::new())).await.unwrap());
    }
}
