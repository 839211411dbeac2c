//! Accounts. The person's data (e-mail, name, password) is in the schema `auth`, never here.

use crate::{InstanceRole, UserId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An account was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Who.
    pub user: UserId,
    /// On the whole instance.
    pub instance_role: InstanceRole,
}

events! { User:
    /// An account was made.
    "user.registered" @ 1 => Registered(Registered),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
