//! What a socket is told of a commit: small facts and ids, enough to know what to fetch again.

use scaledtest_domain::{
    Event, Position, TeamId,
    events::{alias, evaluation, gate, issue, policy, project, quarantine, report, run, share, team, token},
};
use scaledtest_eventlog::Recorded;
use serde_json::{Value, json};

/// One JSON message for the sockets of one team: a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whom it concerns.
    pub team: TeamId,
    /// The position of the commit.
    pub position: Position,
    /// `{position, type, ...}`; events beside the first are in `also`.
    pub json: String,
}

impl Message {
    /// The message of a commit; none for accounts and internal claims.
    ///
    /// One for the whole commit, however many events it holds: a client that resumes from a position has seen all of it.
    pub fn of(epoch: u64, recorded: &Recorded) -> Option<Self> {
        let team = recorded.commit.team?;
        let position = Position { epoch, n: recorded.n };
        // Written by a newer version: the projections stop there and say so; the socket only misses a hint.
        let events = recorded.commit.decode_events().ok()?;
        let names = recorded.commit.events.iter().map(|raw| raw.t.as_str());
        let mut told = events.iter().zip(names).filter_map(|(event, name)| Some(with_type(name, facts(event)?)));
        let mut message = told.next()?;
        let also: Vec<Value> = told.collect();
        message["position"] = json!(position);
        if !also.is_empty() {
            message["also"] = Value::Array(also);
        }
        Some(Self { team, position, json: message.to_string() })
    }
}

fn with_type(name: &str, mut facts: Value) -> Value {
    facts["type"] = json!(name);
    facts
}

fn facts(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Report(report::Event::Ingested(report)) => json!({
            "report_id": report.report,
            "run_id": report.run,
            "project_id": report.project,
            "tool": report.meta.tool.name,
            "branch": report.origin.branch,
            "counts": report.counts,
        }),
        Event::Report(report::Event::Sealed(sealed)) => json!({"report_id": sealed.report}),
        Event::Report(report::Event::Deleted(deleted)) => json!({"report_id": deleted.report}),
        Event::Project(project::Event::Created(project)) => {
            json!({"project_id": project.project, "name": project.name})
        }
        Event::Project(project::Event::OwnersChanged(project)) => json!({"project_id": project.project}),
        Event::Team(team::Event::Created(team)) => json!({"team_id": team.team, "name": team.name}),
        Event::Team(team::Event::Renamed(team)) => json!({"name": team.name}),
        Event::Team(team::Event::BadgesMadePublic(_)) => json!({"public": true}),
        Event::Team(team::Event::BadgesMadePrivate(_)) => json!({"public": false}),
        Event::Team(team::Event::RetentionChanged(team)) => json!({"days": team.days}),
        Event::Team(team::Event::Deleted(team)) => json!({"team_id": team.team}),
        Event::Team(team::Event::MemberAdded(member)) => json!({"user_id": member.user, "role": member.role}),
        Event::Team(team::Event::MemberRoleChanged(member)) => json!({"user_id": member.user, "role": member.role}),
        Event::Team(team::Event::MemberRemoved(member)) => json!({"user_id": member.user}),
        Event::Token(token::Event::Created(token)) => json!({"token_id": token.token, "name": token.name}),
        Event::Token(token::Event::Revoked(token)) => json!({"token_id": token.token}),
        Event::Gate(gate::Event::Created(gate)) => json!({"gate_id": gate.gate, "name": gate.definition.name}),
        Event::Gate(gate::Event::Changed(gate)) => json!({"gate_id": gate.gate, "name": gate.definition.name}),
        Event::Gate(gate::Event::Deleted(gate)) => json!({"gate_id": gate.gate}),
        Event::Gate(gate::Event::RuleWaived(waived)) => json!({"gate_id": waived.gate, "waiver_id": waived.waiver.id}),
        Event::Gate(gate::Event::WaiverRevoked(gone)) => json!({"gate_id": gone.gate, "waiver_id": gone.waiver}),
        Event::Evaluation(evaluation::Event::Evaluated(one)) => json!({
            "evaluation_id": one.evaluation,
            "gate_id": one.gate,
            "name": one.name,
            "report_id": one.report,
            "run_id": one.run,
            "status": one.outcome,
            "passed": one.outcome.passed(),
        }),
        Event::Quarantine(quarantine::Event::Entered(entered)) => json!({
            "quarantine_id": entered.quarantine, "test_id": entered.test, "project_id": entered.project,
        }),
        Event::Quarantine(quarantine::Event::Changed(changed)) => json!({"quarantine_id": changed.quarantine}),
        Event::Quarantine(quarantine::Event::Released(released)) => {
            json!({"quarantine_id": released.quarantine, "why": released.why})
        }
        Event::Run(run::Event::Pinned(run)) => json!({"run_id": run.run}),
        Event::Run(run::Event::Unpinned(run)) => json!({"run_id": run.run}),
        Event::Policy(policy::Event::Set(set)) => json!({"project_id": set.project}),
        Event::Share(share::Event::Created(share)) => json!({"share_id": share.share, "run_id": share.run}),
        Event::Share(share::Event::Revoked(share)) => json!({"share_id": share.share}),
        Event::Alias(alias::Event::Accepted(joined)) => {
            json!({"project_id": joined.project, "from": joined.from, "to": joined.to})
        }
        Event::Alias(alias::Event::Dismissed(two)) => {
            json!({"project_id": two.project, "from": two.from, "to": two.to})
        }
        Event::Alias(alias::Event::Removed(two)) => {
            json!({"project_id": two.project, "from": two.from, "to": two.to})
        }
        Event::Issue(issue::Event::Linked(linked)) => json!({
            "issue_id": linked.issue, "fingerprint": linked.fingerprint, "project_id": linked.project,
        }),
        Event::Issue(issue::Event::Changed(changed)) => json!({"issue_id": changed.issue}),
        Event::Issue(issue::Event::Closed(closed)) => json!({"issue_id": closed.issue}),
        // Whom somebody invites and trusts, and what becomes of accounts, is not news for every member.
        Event::User(_)
        | Event::Invitation(_)
        | Event::Publisher(_)
        | Event::Rollup(_)
        | Event::Part(_)
        | Event::Claim(_) => return None,
    })
}
