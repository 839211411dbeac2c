//! Events in the words of the audit log.

use crate::{Item, checkpoint::signed, copy::clean};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Actor, Event,
    events::{
        alias, gate, invitation, issue, policy, project, publisher, quarantine, report, run, share, team, token, user,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A row of the audit log.
pub(super) struct Entry {
    pub no: i64,
    pub idx: i32,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub team: Option<Uuid>,
    pub action: &'static str,
    pub resource_type: &'static str,
    pub resource_id: Uuid,
    pub metadata: Option<Value>,
}

/// Every action that can be in the log.
pub const ACTIONS: &[&str] = &[
    "invitation.accepted",
    "invitation.created",
    "invitation.renewed",
    "invitation.revoked",
    "issue.changed",
    "issue.closed",
    "issue.linked",
    "member.added",
    "member.removed",
    "member.role_changed",
    "project.created",
    "project.owners_changed",
    "publisher.removed",
    "publisher.trusted",
    "quality_gate.created",
    "quality_gate.deleted",
    "quality_gate.rule_waived",
    "quality_gate.updated",
    "quality_gate.waiver_revoked",
    "quarantine.changed",
    "quarantine.entered",
    "quarantine.released",
    "quarantine_policy.set",
    "rename.accepted",
    "rename.dismissed",
    "rename.removed",
    "report.deleted",
    "report.submitted",
    "run.pinned",
    "run.unpinned",
    "share.created",
    "share.revoked",
    "team.badges_made_private",
    "team.badges_made_public",
    "team.created",
    "team.deleted",
    "team.renamed",
    "team.retention_changed",
    "token.created",
    "token.deleted",
    "user.disabled",
    "user.enabled",
    "user.instance_role_changed",
    "user.registered",
];

impl Entry {
    pub fn of(item: &Item) -> impl Iterator<Item = Self> {
        let commit = &item.commit;
        item.events.iter().zip(0..).filter_map(move |(event, idx)| {
            let (action, resource_type, resource_id, metadata) = words(event, commit.id)?;
            let metadata = metadata.map(without_nul);
            let (no, at, actor, team) = (signed(item.n), commit.at, commit.actor, commit.team.map(Uuid::from));
            Some(Self { no, idx, at, actor, team, action, resource_type, resource_id, metadata })
        })
    }
}

type Words = (&'static str, &'static str, Uuid, Option<Value>);

/// Action, type and id of what it was done to, and what else is worth knowing. `id`: the aggregate's.
fn words(event: &Event, id: Uuid) -> Option<Words> {
    Some(match event {
        Event::User(event) => user(event, id),
        Event::Team(event) => team(event, id),
        Event::Token(token::Event::Created(event)) => {
            let scopes: Vec<_> = event.scopes.iter().map(|scope| scope.as_str()).collect();
            ("token.created", "token", id, Some(json!({"name": event.name, "scopes": scopes})))
        }
        Event::Token(token::Event::Revoked(_)) => ("token.deleted", "token", id, None),
        Event::Invitation(event) => invitation(event, id),
        Event::Publisher(publisher::Event::Trusted(event)) => {
            ("publisher.trusted", "publisher", id, Some(json!(event.rule)))
        }
        Event::Publisher(publisher::Event::Removed(_)) => ("publisher.removed", "publisher", id, None),
        Event::Share(share::Event::Created(event)) => {
            let metadata = json!({"run_id": event.run, "project_id": event.project, "expires_at": event.expires_at});
            ("share.created", "share", id, Some(metadata))
        }
        Event::Share(share::Event::Revoked(_)) => ("share.revoked", "share", id, None),
        Event::Project(project::Event::Created(event)) => {
            ("project.created", "project", id, Some(json!({"name": event.name})))
        }
        Event::Project(project::Event::OwnersChanged(_)) => ("project.owners_changed", "project", id, None),
        Event::Report(report::Event::Ingested(event)) => {
            let mut metadata = json!({"tool": event.meta.tool.name, "tests": event.counts.tests});
            if let Some(execution) = event.execution {
                metadata["execution_id"] = json!(execution);
            }
            ("report.submitted", "report", id, Some(metadata))
        }
        Event::Report(report::Event::Deleted(_)) => ("report.deleted", "report", id, None),
        Event::Gate(gate::Event::Created(event)) => {
            ("quality_gate.created", "quality_gate", id, Some(json!({"name": event.definition.name})))
        }
        Event::Gate(gate::Event::Changed(event)) => {
            ("quality_gate.updated", "quality_gate", id, Some(json!({"name": event.definition.name})))
        }
        Event::Gate(gate::Event::RuleWaived(event)) => {
            let waiver = &event.waiver;
            let metadata = json!({"waiver_id": waiver.id, "rule": waiver.rule.check.as_str(), "extent": waiver.extent,
                                  "reason": waiver.reason, "expires_at": waiver.expires_at});
            ("quality_gate.rule_waived", "quality_gate", id, Some(metadata))
        }
        Event::Gate(gate::Event::WaiverRevoked(event)) => {
            ("quality_gate.waiver_revoked", "quality_gate", id, Some(json!({"waiver_id": event.waiver})))
        }
        Event::Gate(gate::Event::Deleted(_)) => ("quality_gate.deleted", "quality_gate", id, None),
        Event::Quarantine(event) => quarantine(event),
        Event::Policy(policy::Event::Set(event)) => ("quarantine_policy.set", "project", id, Some(json!(event.rules))),
        Event::Alias(event) => alias(event),
        Event::Issue(event) => issue(event),
        Event::Run(run::Event::Pinned(_)) => ("run.pinned", "run", id, None),
        Event::Run(run::Event::Unpinned(_)) => ("run.unpinned", "run", id, None),
        // How uniqueness is kept and what time does is nobody's act, and what a gate says of an upload is in the gate's own
        // history.
        Event::Claim(_)
        | Event::Evaluation(_)
        | Event::Rollup(_)
        | Event::Part(_)
        | Event::Report(report::Event::Sealed(_)) => return None,
    })
}

fn user(event: &user::Event, id: Uuid) -> Words {
    match event {
        user::Event::Registered(event) => {
            ("user.registered", "user", id, Some(json!({"instance_role": event.instance_role})))
        }
        user::Event::Disabled(_) => ("user.disabled", "user", id, None),
        user::Event::Enabled(_) => ("user.enabled", "user", id, None),
        user::Event::InstanceRoleChanged(event) => {
            ("user.instance_role_changed", "user", id, Some(json!({"instance_role": event.instance_role})))
        }
    }
}

fn team(event: &team::Event, id: Uuid) -> Words {
    match event {
        team::Event::Created(event) => ("team.created", "team", id, Some(json!({"name": event.name}))),
        team::Event::Renamed(event) => ("team.renamed", "team", id, Some(json!({"name": event.name}))),
        team::Event::BadgesMadePublic(_) => ("team.badges_made_public", "team", id, None),
        team::Event::BadgesMadePrivate(_) => ("team.badges_made_private", "team", id, None),
        team::Event::RetentionChanged(event) => {
            ("team.retention_changed", "team", id, Some(json!({"days": event.days})))
        }
        team::Event::Deleted(_) => ("team.deleted", "team", id, None),
        team::Event::MemberAdded(event) => ("member.added", "member", event.user.0, Some(json!({"role": event.role}))),
        team::Event::MemberRoleChanged(event) => {
            ("member.role_changed", "member", event.user.0, Some(json!({"role": event.role})))
        }
        team::Event::MemberRemoved(event) => ("member.removed", "member", event.user.0, None),
    }
}

fn invitation(event: &invitation::Event, id: Uuid) -> Words {
    match event {
        invitation::Event::Created(event) => {
            ("invitation.created", "invitation", id, Some(json!({"role": event.role})))
        }
        invitation::Event::Renewed(_) => ("invitation.renewed", "invitation", id, None),
        invitation::Event::Accepted(event) => {
            ("invitation.accepted", "invitation", id, Some(json!({"role": event.role})))
        }
        invitation::Event::Revoked(_) => ("invitation.revoked", "invitation", id, None),
    }
}

fn quarantine(event: &quarantine::Event) -> Words {
    match event {
        quarantine::Event::Entered(event) => {
            let mut metadata = json!(event.terms);
            metadata["test_id"] = json!(event.test);
            metadata["project_id"] = json!(event.project);
            ("quarantine.entered", "quarantine", event.quarantine.0, Some(metadata))
        }
        quarantine::Event::Changed(event) => {
            ("quarantine.changed", "quarantine", event.quarantine.0, Some(json!(event.terms)))
        }
        quarantine::Event::Released(event) => {
            ("quarantine.released", "quarantine", event.quarantine.0, Some(json!({"why": event.why})))
        }
    }
}

fn alias(event: &alias::Event) -> Words {
    match event {
        alias::Event::Accepted(event) => {
            let evidence = &event.evidence;
            let metadata = json!({"project_id": event.project, "to": event.to, "from_name": evidence.from.name,
                                  "to_name": evidence.to.name, "reason": evidence.reason});
            ("rename.accepted", "test", event.from.0, Some(metadata))
        }
        alias::Event::Dismissed(event) => {
            let metadata = json!({"project_id": event.project, "to": event.to});
            ("rename.dismissed", "test", event.from.0, Some(metadata))
        }
        alias::Event::Removed(event) => {
            ("rename.removed", "test", event.from.0, Some(json!({"project_id": event.project, "to": event.to})))
        }
    }
}

fn issue(event: &issue::Event) -> Words {
    match event {
        issue::Event::Linked(event) => {
            let mut metadata = json!(event.terms);
            metadata["fingerprint"] = json!(event.fingerprint);
            metadata["project_id"] = json!(event.project);
            ("issue.linked", "issue", event.issue.0, Some(metadata))
        }
        issue::Event::Changed(event) => ("issue.changed", "issue", event.issue.0, Some(json!(event.terms))),
        issue::Event::Closed(event) => ("issue.closed", "issue", event.issue.0, None),
    }
}

/// Postgres keeps no NUL, in documents neither.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, without_nul(value))).collect(),
        other => other,
    }
}
