//! Words that stand for one of a few things, the same in every answer.

use scaledtest_domain as domain;
use serde::Serialize;
use utoipa::ToSchema;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TestStatus)]
pub enum Status {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed,
    /// It was left out on purpose.
    Skipped,
    /// It is not finished or not written.
    Pending,
    /// Anything else.
    Other,
}

impl From<domain::report::Status> for Status {
    fn from(status: domain::report::Status) -> Self {
        match status {
            domain::report::Status::Passed => Self::Passed,
            domain::report::Status::Failed => Self::Failed,
            domain::report::Status::Skipped => Self::Skipped,
            domain::report::Status::Pending => Self::Pending,
            domain::report::Status::Other => Self::Other,
        }
    }
}

/// What somebody may do in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Sees everything of the team.
    Readonly,
    /// Uploads and deletes reports, too.
    Maintainer,
    /// Manages tokens and the team itself, too.
    Owner,
}

impl From<domain::TeamRole> for TeamRole {
    fn from(role: domain::TeamRole) -> Self {
        match role {
            domain::TeamRole::Readonly => Self::Readonly,
            domain::TeamRole::Maintainer => Self::Maintainer,
            domain::TeamRole::Owner => Self::Owner,
        }
    }
}

/// `owner` for the owner of the instance, `maintainer` for everybody else. What somebody may do in a team is the role in
/// that team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Of the instance.
    Owner,
    /// Everybody else.
    Maintainer,
}

impl From<domain::InstanceRole> for UserRole {
    fn from(role: domain::InstanceRole) -> Self {
        match role {
            domain::InstanceRole::Owner => Self::Owner,
            domain::InstanceRole::Member => Self::Maintainer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_words_on_the_wire_are_the_ones_everywhere_else() {
        for status in domain::report::Status::ALL {
            assert_eq!(json!(Status::from(status)), status.as_str());
        }
        for role in [domain::TeamRole::Readonly, domain::TeamRole::Maintainer, domain::TeamRole::Owner] {
            assert_eq!(json!(TeamRole::from(role)), role.as_str());
        }
        for role in [domain::InstanceRole::Owner, domain::InstanceRole::Member] {
            assert_eq!(json!(UserRole::from(role)), crate::accounts::jwt::role_word(role));
        }
    }
}
