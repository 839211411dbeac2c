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

/// An account was switched off: nobody signs in with it, and its tokens are good for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Whose.
    pub user: UserId,
}

/// It was switched on again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabled {
    /// Whose.
    pub user: UserId,
}

/// Somebody became an owner of the instance, or ceased to be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRoleChanged {
    /// Who.
    pub user: UserId,
    /// What they are now.
    pub instance_role: InstanceRole,
}

events! { User:
    /// An account was made.
    "user.registered" @ 1 => Registered(Registered),
    /// An account was switched off.
    "user.disabled" @ 1 => Disabled(Disabled),
    /// It was switched on again.
    "user.enabled" @ 1 => Enabled(Enabled),
    /// Somebody became an owner of the instance, or ceased to be one.
    "user.instance_role_changed" @ 1 => InstanceRoleChanged(InstanceRoleChanged),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
