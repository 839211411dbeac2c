//! Every operation × everybody who might call it. The operations come from the document: a new one without a line in
//! [`rule`] fails here.

use super::authorisation::operations;
use crate::support::{Answer, Person, TestApp, providers::Providers};
use axum::http::Method;
use scaledtest_domain::{Scope, TeamId, TeamRole};
use serde_json::{Value, json};

/// What an operation asks of its caller.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Somebody signed in.
    Person,
    /// An owner of the instance, signed in.
    InstanceOwner,
    /// Anybody of the team, or a token with this scope.
    Member(Scope),
    /// At least this role in the team, or a token with this scope whose creator has it.
    Role(TeamRole, Scope),
    /// At least this role in the team, signed in.
    PersonWithRole(TeamRole),
    /// Anybody, or a token with this scope: what is answered is the caller's own.
    Own(Scope),
}

use Rule::{InstanceOwner, Member, Own, Person as Signed, PersonWithRole, Role};

fn rule(operation: &str) -> Option<Rule> {
    Some(match operation {
        "get_me"
        | "update_me"
        | "create_team"
        | "list_sessions"
        | "end_session"
        | "end_sessions"
        | "change_password"
        | "resend_verification"
        | "list_identities"
        | "unlink_identity" => Signed,
        "list_users" | "change_user" | "hand_reset" | "list_all_teams" | "list_audit_log" | "export_audit_log"
        | "list_settings" | "show_storage" => InstanceOwner,
        "list_projects"
        | "get_project_owners"
        | "list_reports"
        | "compare_reports"
        | "compare_branches"
        | "get_report"
        | "get_report_raw"
        | "list_report_results"
        | "get_report_result"
        | "list_runs"
        | "get_run"
        | "list_run_results"
        | "list_shares"
        | "get_run_verdict"
        | "get_report_ctrf"
        | "get_run_ctrf"
        | "list_tests"
        | "get_test"
        | "get_test_history"
        | "get_trends"
        | "list_flaky_tests"
        | "list_errors"
        | "get_error"
        | "get_duration_distribution"
        | "list_slowest_tests"
        | "list_quarantine"
        | "get_quarantine"
        | "get_quarantine_summary"
        | "get_quarantine_list"
        | "get_quarantine_policy"
        | "get_renames"
        | "list_issues"
        | "get_issue"
        | "watch_live"
        | "get_team"
        | "list_members"
        | "list_tokens"
        | "list_invitations"
        | "list_publishers"
        | "list_gates"
        | "get_gate"
        | "list_gate_evaluations"
        | "get_run_gates"
        | "list_waivers"
        | "evaluate_gate"
        | "preview_gate" => Member(Scope::Read),
        "list_teams" => Own(Scope::Read),
        "upload_report" | "put_project_owners" => Role(TeamRole::Maintainer, Scope::Upload),
        "delete_report"
        | "create_share"
        // Who may only read revokes their own: see shares.rs. This is about another's.
        | "revoke_share"
        | "create_gate"
        | "update_gate"
        | "delete_gate"
        | "waive_rule"
        | "revoke_waiver"
        | "quarantine_test"
        | "change_quarantine"
        | "release_quarantine"
        | "link_issue"
        | "change_issue"
        | "close_issue"
        | "rename_test"
        | "dismiss_rename"
        | "undo_rename"
        | "set_quarantine_policy"
        | "pin_run"
        | "unpin_run" => Role(TeamRole::Maintainer, Scope::Write),
        "create_invitation" | "revoke_invitation" | "resend_invitation" | "show_badges" => {
            PersonWithRole(TeamRole::Maintainer)
        }
        // Leaving is for every member: see team_life.rs. This is about removing somebody else.
        "remove_member" | "create_publisher" | "remove_publisher" | "rename_team" | "delete_team" | "transfer_team"
        | "change_member" | "create_token" | "revoke_token" | "change_retention" => PersonWithRole(TeamRole::Owner),
        _ => return None,
    })
}

/// What lets the call get as far as the question who may.
fn body(operation: &str) -> Value {
    let somebody = "019aab10-0000-7000-8000-00000000ffff";
    match operation {
        "transfer_team" => json!({"user_id": somebody}),
        "show_badges" => json!({"public": true}),
        "change_member" => json!({"role": "readonly"}),
        _ => json!({}),
    }
}

/// The codes with which a caller is turned away.
const REFUSALS: &[&str] = &[
    "missing_authorization",
    "invalid_token",
    "token_expired",
    "forbidden",
    "insufficient_scope",
    "not_a_member",
    "team_not_found",
    "token_not_allowed",
    "token_of_other_team",
];

/// Somebody who calls, and what they are.
struct Caller {
    name: String,
    credential: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Nobody,
    /// Signed in, with a role in the team.
    Member(TeamRole),
    /// Signed in, with nothing to do with the team.
    Stranger {
        owns_instance: bool,
    },
    /// An API token of the team with one scope, whose creator has a role.
    Token(TeamRole, Scope),
    /// An API token of another team, with every scope.
    ForeignToken,
    /// The upload token of a workflow that the team trusts.
    Workflow,
}

fn may(kind: Kind, rule: Rule) -> bool {
    match (kind, rule) {
        (Kind::Nobody, _) => false,
        (Kind::Member(_) | Kind::Stranger { .. }, Signed | Own(_)) => true,
        (Kind::Member(role), Role(least, _) | PersonWithRole(least)) => role >= least,
        (Kind::Member(_), Member(_)) => true,
        (Kind::Stranger { owns_instance }, InstanceOwner) => owns_instance,
        (Kind::Token(_, scope), Member(needed) | Own(needed)) => scope == needed,
        (Kind::Token(role, scope), Role(least, needed)) => scope == needed && role >= least,
        (Kind::ForeignToken, Own(_)) => true,
        (Kind::Workflow, Role(_, needed)) => needed == Scope::Upload,
        _ => false,
    }
}

/// The people of the test; every operation gets a team of its own.
struct World {
    providers: Providers,
    server: TestApp,
    /// Owner of the instance, in no team of the test.
    root: Person,
    owner: Person,
    maintainer: Person,
    readonly: Person,
    stranger: Person,
    foreign: String,
}

impl World {
    async fn new() -> Self {
        let providers = Providers::start().await;
        let server = providers.server().await;
        let root = server.register("root@example.com").await;
        let owner = server.register("owner@example.com").await;
        let maintainer = server.register("maintainer@example.com").await;
        let readonly = server.register("readonly@example.com").await;
        let stranger = server.register("stranger@example.com").await;
        let foreign = server.api_token(&stranger, &["upload", "read", "write", "worker"]).await;
        Self { providers, server, root, owner, maintainer, readonly, stranger, foreign }
    }

    async fn team(&self) -> TeamId {
        let made = self.server.post(&self.owner.token, "/api/v1/teams", json!({"name": "T"})).await.expect(201);
        let team: TeamId = made["id"].as_str().unwrap().parse().unwrap();
        self.server.join(team, self.maintainer.user, TeamRole::Maintainer).await;
        self.server.join(team, self.readonly.user, TeamRole::Readonly).await;
        team
    }

    async fn token(&self, team: TeamId, of: &Person, scope: Scope) -> String {
        // Only owners make tokens; who is a lesser member by now keeps those that were made before.
        self.server.join(team, of.user, TeamRole::Owner).await;
        let path = format!("/api/v1/teams/{team}/tokens");
        let made = self.server.post(&of.token, &path, json!({"name": "t", "scopes": [scope.as_str()]})).await;
        made.expect(201)["token"].as_str().unwrap().to_owned()
    }

    async fn callers(&self, team: TeamId) -> Vec<Caller> {
        let mut callers = Vec::new();
        for (of, role) in [(&self.readonly, TeamRole::Readonly), (&self.owner, TeamRole::Owner)] {
            for scope in Scope::ALL {
                let name = format!("token of a {} with {}", role.as_str(), scope.as_str());
                let credential = Some(self.token(team, of, scope).await);
                callers.push(Caller { name, credential, kind: Kind::Token(role, scope) });
            }
            let path = format!("/api/v1/teams/{team}/members/{}", of.user);
            let headers = [("authorization", format!("Bearer {}", self.owner.token))];
            let back = json!({"role": role.as_str()});
            self.server.call(Method::PATCH, &path, &headers, Some(back)).await.expect(200);
        }
        let workflow = self.providers.upload_token(&self.server, &self.owner.token, team).await;
        let mut push = |name: &str, token: &str, kind| {
            callers.push(Caller { name: name.to_owned(), credential: Some(token.to_owned()), kind });
        };
        push("garbage", "garbage", Kind::Nobody);
        push("stranger", &self.stranger.token, Kind::Stranger { owns_instance: false });
        push("token of another team", &self.foreign, Kind::ForeignToken);
        push("workflow", &workflow, Kind::Workflow);
        push("readonly", &self.readonly.token, Kind::Member(TeamRole::Readonly));
        push("maintainer", &self.maintainer.token, Kind::Member(TeamRole::Maintainer));
        push("instance owner", &self.root.token, Kind::Stranger { owns_instance: true });
        callers.push(Caller { name: "none".into(), credential: None, kind: Kind::Nobody });
        // Last, because what they may do may end the team.
        let (name, credential) = ("owner".to_owned(), Some(self.owner.token.clone()));
        callers.push(Caller { name, credential, kind: Kind::Member(TeamRole::Owner) });
        callers
    }
}

fn refusal(answer: &Answer) -> Option<String> {
    let code = serde_json::from_slice::<Value>(&answer.body).ok()?["code"].as_str()?.to_owned();
    let is_refusal = REFUSALS.contains(&code.as_str());
    assert_eq!(is_refusal, matches!(answer.status.as_u16(), 401 | 403) || code == "team_not_found", "{code}");
    is_refusal.then_some(code)
}

#[tokio::test]
async fn every_operation_lets_in_exactly_whom_it_should() {
    let world = World::new().await;
    let (mut wrong, mut called) = (Vec::new(), 0);
    for operation in operations().into_iter().filter(|operation| !operation.public) {
        let rule = rule(&operation.id).unwrap_or_else(|| panic!("{} has no line in rule()", operation.id));
        let team = world.team().await;
        let somebody = "019aab10-0000-7000-8000-00000000ffff";
        let path = operation.template.replace("{team_id}", &team.to_string());
        let path = path.split('/').map(|part| match part {
            "{result_id}" => "1",
            part if part.starts_with('{') => somebody,
            part => part,
        });
        let path = path.collect::<Vec<_>>().join("/");
        for caller in world.callers(team).await {
            let mut headers = Vec::new();
            if let Some(credential) = &caller.credential {
                headers.push(("authorization", format!("Bearer {credential}")));
            }
            // Where the path names no team, the header does.
            if !matches!(rule, Signed | InstanceOwner | Own(_)) && !operation.template.contains("{team_id}") {
                headers.push(("x-team-id", team.to_string()));
            }
            let body = (operation.method != Method::GET).then(|| body(&operation.id));
            let answer = world.server.call(operation.method.clone(), &path, &headers, body).await;
            let refused = refusal(&answer);
            if may(caller.kind, rule) != refused.is_none() {
                wrong.push(format!("{} by {}: {} {refused:?}", operation.id, caller.name, answer.status));
            }
            called += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(called > 400, "{called}");
}
