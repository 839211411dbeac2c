//! API tokens. The secret's hash is in the schema `auth`, never here.

use crate::{Scope, TokenId, UserId, events::events};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub token: TokenId,
    /// Its creator; it never may more than they.
    pub user: UserId,
    /// Its name, as typed.
    pub name: String,
    /// The first 8 hex digits of the secret, to recognise it by.
    pub prefix: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Until when; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Which.
    pub token: TokenId,
}

events! { Token:
    /// A token was made.
    "token.created" @ 1 => Created(Created),
    /// A token was revoked.
    "token.revoked" @ 1 => Revoked(Revoked),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
