//! A signed double-submit token. Nothing demands it: it is kept for clients that fetch one before their first change.

use crate::secrets::{Secrets, hex, random};

/// A new token: 64 hex digits, a dot, and their signature.
pub fn token(secrets: &Secrets) -> String {
    let nonce = hex(&random());
    let signature = hex(&secrets.derive(&[b"csrf", nonce.as_bytes()]));
    format!("{nonce}.{signature}")
}
