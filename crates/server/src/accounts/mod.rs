//! Accounts: what is kept of people, how they prove who they are, and what API tokens stand for.
//!
//! Personal data and hashes of secrets are rows of the schema `auth`; the log knows ids only. A row is written as pending,
//! then the commit, then the row is made active; [`sweep`] finishes or removes what a crash left between.

pub mod attempts;
pub mod audit;
pub mod csrf;
pub mod device;
pub mod email;
pub(crate) mod identify;
pub mod invitations;
pub(crate) mod jwt;
pub mod links;
pub(crate) mod passwords;
pub mod recovery;
pub mod registration;
pub(crate) mod rules;
pub mod sessions;
pub mod sweep;
pub mod teams;
pub mod tokens;
pub mod usage;
pub mod users;

use sha2::{Digest, Sha256};

/// What is stored of a secret that is long and random: plain SHA-256 is enough for those.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Where a sign-in came from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The peer's address, if the server knows it.
    pub ip: Option<String>,
    /// What the browser calls itself, cut to 255 characters.
    pub user_agent: Option<String>,
}
