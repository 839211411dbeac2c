//! Groups of the provider become members of teams, at every sign-in.

use super::{Profile, Provider};
use crate::{app::App, config::TeamOfGroup};
use scaledtest_commands::{Team, team};
use scaledtest_domain::{CommandId, Kind, Position, StreamId, TeamId, TeamRole, UserId};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Brings somebody into the teams of their groups, in the role of their groups; who is in none of a team's groups stays what
/// they are there. Returns where the log has it. What cannot be done is logged: it keeps nobody from signing in.
pub(super) async fn join(app: &App, user: UserId, profile: &Profile, correlation: Uuid) -> Option<Position> {
    let oidc = app.config.oauth.oidc.as_ref().filter(|_| profile.provider == Provider::Oidc)?;
    let mut last = None;
    for (team, role) in wanted(&oidc.teams, profile.groups.as_deref()?) {
        let change = Change { app, user, team, role, correlation };
        match change.carry_out().await {
            Ok(position) => last = last.max(position),
            Err(ExecuteError::Rejected(team::Reject::NotFound)) => {
                tracing::warn!(%team, "ST_OIDC_TEAMS names a team that does not exist");
            }
            Err(ExecuteError::Rejected(team::Reject::LastOwner)) => {
                tracing::info!(%team, %user, "the last owner of a team keeps that role, whatever their groups say");
            }
            Err(error) => tracing::warn!(%team, %user, %error, "the groups of a person could not be followed"),
        }
    }
    last
}

/// The highest role of each team that these groups come to.
fn wanted(mapped: &[TeamOfGroup], groups: &[String]) -> BTreeMap<TeamId, TeamRole> {
    let mut wanted = BTreeMap::new();
    for mapping in mapped.iter().filter(|mapping| groups.contains(&mapping.group)) {
        let role = wanted.entry(mapping.team).or_insert(mapping.role);
        *role = mapping.role.max(*role);
    }
    wanted
}

struct Change<'a> {
    app: &'a App,
    user: UserId,
    team: TeamId,
    role: TeamRole,
    correlation: Uuid,
}

impl Change<'_> {
    /// Joins, unless they are a member: then the role is changed, if it is another.
    async fn carry_out(&self) -> Result<Option<Position>, ExecuteError<team::Reject>> {
        let (user, role) = (self.user, self.role);
        match self.execute(team::Command::ChangeRole { user, role }).await {
            Err(ExecuteError::Rejected(team::Reject::NoMember)) => {
                self.execute(team::Command::Join { user, role }).await.map(Some)
            }
            changed => changed.map(Some),
        }
    }

    async fn execute(&self, command: team::Command) -> Result<Position, ExecuteError<team::Reject>> {
        let meta = CommandMeta::of_system(CommandId::new(), self.app.clock.now());
        let meta = CommandMeta { correlation: Some(self.correlation), ..meta };
        let stream = StreamId::of(self.team, Kind::Team, self.team);
        Ok(self.app.log.execute::<Team>(stream, command, &meta).await?.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_several_groups_counts() {
        let (a, b) = (TeamId::derived(&[b"a"]), TeamId::derived(&[b"b"]));
        let mapping = |group: &str, team, role| TeamOfGroup { group: group.into(), team, role };
        let mapped = [
            mapping("qa", a, TeamRole::Maintainer),
            mapping("all", a, TeamRole::Readonly),
            mapping("ops", a, TeamRole::Owner),
            mapping("all", b, TeamRole::Readonly),
        ];
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let both = BTreeMap::from([(a, TeamRole::Maintainer), (b, TeamRole::Readonly)]);
        assert_eq!(wanted(&mapped, &groups(&["all", "qa", "other"])), both);
        assert_eq!(wanted(&mapped, &groups(&["QA"])), BTreeMap::new());
    }
}
