//! Keyless CI: the token that a CI system gives each of its workflows is exchanged for one for uploads.

use super::{
    Client,
    audit::{self, Action, Circumstances},
    issuers::{Claims, Fault, check_times, names, word},
    publishers,
};
use crate::{app::App, http::error::ApiError};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, dangerous::insecure_decode_claims};
use scaledtest_domain::{TeamId, events::publisher::Rule};
use scaledtest_projections::access::queries::{self as access, Publisher};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What CI systems sign with.
const ALGORITHMS: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256];

/// What a team's rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Github,
    Gitlab,
    Custom,
}

impl System {
    /// What an issuer is, by its address: also of a GitHub Enterprise Server, and of a GitLab whose name tells it.
    pub fn of(issuer: &str) -> Self {
        let host =
            issuer.split_once("://").map_or(issuer, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
        if host == "token.actions.githubusercontent.com" || issuer.ends_with("/_services/token") {
            Self::Github
        } else if host.split('.').any(|label| label == "gitlab") {
            Self::Gitlab
        } else {
            Self::Custom
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Custom => "custom",
        }
    }
}

/// A workflow, as its token describes it.
#[derive(Debug, PartialEq, Eq)]
struct Workflow {
    issuer: String,
    repository: String,
    branch: Option<String>,
    environment: Option<String>,
    owner: Owner,
}

/// Who has the repository's name at the moment: somebody else may register it once it is given up.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    /// The claims that tell, and what they say.
    repository: (&'static str, Option<String>),
    owner: (&'static str, Option<String>),
}

impl Owner {
    fn of(gitlab: bool, claims: &Claims) -> Self {
        let (repository, owner) =
            if gitlab { ("project_id", "namespace_id") } else { ("repository_id", "repository_owner_id") };
        let id = |name: &'static str| match claims.get(name) {
            Some(Value::String(id)) if !id.is_empty() => (name, Some(id.clone())),
            Some(Value::Number(id)) => (name, Some(id.to_string())),
            _ => (name, None),
        };
        Self { repository: id(repository), owner: id(owner) }
    }
}

impl Workflow {
    fn of(issuer: &str, claims: &Claims) -> Result<Self, Fault> {
        let claim = |name: &str| word(claims, name).map(str::to_owned);
        let gitlab = match System::of(issuer) {
            System::Github => false,
            System::Gitlab => true,
            System::Custom => !claims.contains_key("repository"),
        };
        let name = if gitlab { "project_path" } else { "repository" };
        let repository = claim(name).ok_or_else(|| Fault::token(name, "the token does not name one"))?;
        let branch = if gitlab { gitlab_branch(claims) } else { github_branch(claims) };
        Ok(Self {
            issuer: issuer.to_owned(),
            repository,
            branch: branch.map(str::to_owned),
            environment: claim("environment"),
            owner: Owner::of(gitlab, claims),
        })
    }

    /// The first claim that does not fit the rule.
    fn misfit(&self, rule: &Rule) -> Option<&'static str> {
        let fits = |pattern: &Option<String>, value: &Option<String>| {
            pattern.as_ref().is_none_or(|pattern| value.as_ref().is_some_and(|value| glob(pattern, value)))
        };
        if !fits(&rule.branch, &self.branch) {
            return Some("ref");
        }
        (!fits(&rule.environment, &self.environment)).then_some("environment")
    }
}

/// Only a branch: what a pull request or a tag comes to is none.
fn github_branch(claims: &Claims) -> Option<&str> {
    word(claims, "ref")?.strip_prefix("refs/heads/")
}

/// A merge request's pipeline has the ref of a branch, but not its path.
fn gitlab_branch(claims: &Claims) -> Option<&str> {
    let branch = word(claims, "ref").filter(|_| word(claims, "ref_type") == Some("branch"))?;
    let path = word(claims, "ref_path");
    path.is_none_or(|path| path.strip_prefix("refs/heads/") == Some(branch)).then_some(branch)
}

/// Whether the value is what the pattern says; `*` stands for anything.
fn glob(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| value.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A token for uploads.
pub(crate) struct Exchanged {
    pub token: String,
    pub expires_at: DateTime<Utc>,
    pub publisher: Publisher,
}

/// Exchanges a workflow's token.
///
/// # Errors
/// 401 `untrusted_token`, 400 `team_required`, 503 when the issuer is away.
pub(crate) async fn exchange(
    app: &App,
    token: &str,
    team: Option<TeamId>,
    client: &Client,
) -> Result<Exchanged, ApiError> {
    let mut seen = json!({});
    let exchanged = try_exchange(app, token, team, &mut seen).await;
    let (action, team) = match &exchanged {
        Ok(exchanged) => (Action::TokenExchanged, Some(exchanged.publisher.team_id)),
        Err(error) => {
            seen["reason"] = json!(error.message());
            (Action::TokenExchangeRefused, team)
        }
    };
    audit::note_with(app, action, Circumstances { team, detail: Some(seen), ..Circumstances::default() }, client).await;
    exchanged
}

async fn try_exchange(app: &App, token: &str, team: Option<TeamId>, seen: &mut Value) -> Result<Exchanged, ApiError> {
    let now = app.clock.now();
    let (issuer, claims) = verified(app, token, now).await?;
    let workflow = Workflow::of(&issuer, &claims)?;
    *seen = json!({"issuer": workflow.issuer, "repository": workflow.repository, "branch": workflow.branch,
        "environment": workflow.environment});
    let publisher = matching(app, &workflow, team).await?;
    seen["publisher_id"] = json!(publisher.id);
    use_up(app, &issuer, &claims, now).await?;
    pinned(app, &publisher, &workflow.owner).await?;
    let (token, expires_at) = publishers::issue(app, &publisher)?;
    Ok(Exchanged { token, expires_at, publisher })
}

/// The issuer, as the settings write it, and the claims that it signed.
async fn verified(app: &App, token: &str, now: DateTime<Utc>) -> Result<(String, Claims), ApiError> {
    // Read before it is believed, only to know whom to ask; and only those are asked whom the settings name.
    let unread: Claims = insecure_decode_claims(token).map_err(|_| Fault::token("payload", "it cannot be read"))?;
    let named = word(&unread, "iss").unwrap_or_default().trim_end_matches('/');
    let trusted = app.config.oauth.trusted_issuers.iter().find(|issuer| *issuer == named);
    let issuer = trusted.ok_or_else(|| Fault::token("iss", "this instance does not trust the issuer"))?;
    let claims = app.issuers.claims(issuer, token, ALGORITHMS, now).await?;
    if !names(claims.get("aud"), &app.config.base_url) {
        return Err(Fault::token("aud", format!("the token must be for {}", app.config.base_url)).into());
    }
    check_times(&claims, now)?;
    Ok((issuer.clone(), claims))
}

/// The rule that lets the workflow in: the oldest one of its team.
async fn matching(app: &App, workflow: &Workflow, team: Option<TeamId>) -> Result<Publisher, ApiError> {
    let rules = access::publishers_for(&app.db, &workflow.issuer, &workflow.repository).await?;
    // Of other systems it is not known whether names that differ in case are the same.
    let exact = System::of(&workflow.issuer) == System::Custom;
    let rules = rules.into_iter().filter(|rule| !exact || rule.rule.repository == workflow.repository);
    let rules: Vec<_> = rules.collect();
    if rules.is_empty() {
        return Err(Fault::token("repository", "no team trusts workflows of this repository").into());
    }
    let mut misfit = "team_id";
    let mut teams = BTreeMap::new();
    for rule in rules {
        match workflow.misfit(&rule.rule) {
            Some(claim) => misfit = claim,
            None => {
                teams.entry(rule.team_id).or_insert(rule);
            }
        }
    }
    if let Some(team) = team {
        let other = if teams.is_empty() { misfit } else { "team_id" };
        let missing = || Fault::token(other, "the team does not trust this workflow").into();
        return teams.remove(&team).ok_or_else(missing);
    }
    let Some((_, rule)) = teams.pop_first() else {
        return Err(Fault::token(misfit, "no team trusts workflows like this of the repository").into());
    };
    if teams.is_empty() {
        return Ok(rule);
    }
    let choices: Vec<_> = std::iter::once(rule.team_id).chain(teams.into_keys()).map(|team| team.to_string()).collect();
    let message = format!("several teams trust this workflow; send team_id, one of {}", choices.join(", "));
    Err(ApiError::invalid("team_required", message))
}

/// A rule names a repository, and from its first exchange on it means the one that had the name then.
async fn pinned(app: &App, publisher: &Publisher, now: &Owner) -> Result<(), ApiError> {
    if let (Some(repository), Some(owner)) = (&now.repository.1, &now.owner.1) {
        sqlx::query(
            "insert into auth.publisher_pins (publisher_id, repository_id, owner_id) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(publisher.id.0)
        .bind(repository)
        .bind(owner)
        .execute(&app.db)
        .await?;
    }
    let pin = "select repository_id, owner_id from auth.publisher_pins where publisher_id = $1";
    let pin: Option<(String, String)> = sqlx::query_as(pin).bind(publisher.id.0).fetch_optional(&app.db).await?;
    // Of issuers whose tokens tell no ids the name is all there is.
    let Some((repository, owner)) = pin else { return Ok(()) };
    for (then, (claim, now)) in [(repository, &now.repository), (owner, &now.owner)] {
        if now.as_ref() != Some(&then) {
            let message = format!(
                "the rule was first used by {then}, which is another repository of this name; to trust the present one, \
                 remove the rule and make it again"
            );
            return Err(Fault::token(claim, message).into());
        }
    }
    Ok(())
}

/// A token is good for one exchange: remembered until it has expired.
async fn use_up(app: &App, issuer: &str, claims: &Claims, now: DateTime<Utc>) -> Result<(), ApiError> {
    let id = word(claims, "jti").ok_or_else(|| Fault::token("jti", "the token has no id"))?;
    #[allow(clippy::cast_possible_truncation, reason = "a time too far away becomes the farthest")]
    let exp = claims.get("exp").and_then(Value::as_f64).map(|exp| exp as i64).unwrap_or_default();
    let forgotten_at =
        DateTime::from_timestamp(exp, 0).unwrap_or(now + TimeDelta::days(36_500)) + TimeDelta::minutes(1);
    let hash = Sha256::new().chain_update(issuer).chain_update("\n").chain_update(id).finalize();
    let first = sqlx::query(
        "insert into auth.used_workflow_tokens (token_hash, expires_at) values ($1, $2) on conflict do nothing",
    )
    .bind(hash.as_slice())
    .bind(forgotten_at)
    .execute(&app.db)
    .await?;
    if first.rows_affected() == 0 {
        return Err(Fault::token("jti", "the token was used already; get a new one for each exchange").into());
    }
    Ok(())
}

/// Removes what has expired.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let expired = "delete from auth.used_workflow_tokens where expires_at <= $1";
    sqlx::query(expired).bind(app.clock.now()).execute(&app.db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything_and_everything_else_for_itself() {
        for (pattern, value) in [
            ("main", "main"),
            ("*", ""),
            ("*", "a/b"),
            ("release/*", "release/1/2"),
            ("release/*", "release/"),
            ("*-x", "a-x"),
            ("a*b*c", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("a**c", "abc"),
            ("*a*", "xax"),
        ] {
            assert!(glob(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [
            ("main", "main2"),
            ("main", "xmain"),
            ("release/*", "release"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("", "a"),
            ("ma.n", "main"),
            ("Main", "main"),
            ("*ab*ab", "ab"),
        ] {
            assert!(!glob(pattern, value), "{pattern} {value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn a_star_is_what_it_is_in_the_textbook(pattern in "[ab*]{0,6}", value in "[ab]{0,8}") {
            fn textbook(pattern: &[u8], value: &[u8]) -> bool {
                match (pattern.split_first(), value.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) if textbook(rest, value) => true,
                    (Some((b'*', _)), Some((_, tail))) => textbook(pattern, tail),
                    (Some((p, rest)), Some((v, tail))) if p == v => textbook(rest, tail),
                    _ => false,
                }
            }
            prop_assert_eq!(glob(&pattern, &value), textbook(pattern.as_bytes(), value.as_bytes()));
        }
    }

    #[test]
    fn only_a_real_branch_is_one() {
        let branch = |issuer: &str, claims: Value| Workflow::of(issuer, claims.as_object().unwrap()).unwrap().branch;
        let github = "https://token.actions.githubusercontent.com";
        let gitlab = "https://gitlab.example.com";
        let hub = |name: &str| branch(github, json!({"repository": "a/b", "ref": name, "ref_type": "branch"}));
        assert_eq!(hub("refs/heads/a/b").as_deref(), Some("a/b"));
        assert_eq!((hub("refs/pull/1/merge"), hub("refs/tags/main"), hub("main")), (None, None, None));
        let lab = |kind: &str, name: &str, path: &str| {
            branch(gitlab, json!({"project_path": "a/b", "ref": name, "ref_type": kind, "ref_path": path}))
        };
        assert_eq!(lab("branch", "main", "refs/heads/main").as_deref(), Some("main"));
        assert_eq!(lab("branch", "main", "").as_deref(), Some("main"));
        assert_eq!(lab("tag", "main", "refs/tags/main"), None);
        assert_eq!(lab("branch", "main", "refs/merge-requests/1/head"), None);
        // A branch may be called like this there, and is not the one called main.
        assert_eq!(lab("branch", "refs/heads/main", "refs/heads/refs/heads/main").as_deref(), Some("refs/heads/main"));
    }

    #[test]
    fn systems_are_known_by_their_issuers() {
        for (issuer, system) in [
            ("https://token.actions.githubusercontent.com", System::Github),
            ("https://github.example.com/_services/token", System::Github),
            ("https://gitlab.com", System::Gitlab),
            ("https://gitlab.example.com:8443/x", System::Gitlab),
            ("https://notgitlab.com", System::Custom),
            ("https://ci.example/token.actions.githubusercontent.com", System::Custom),
        ] {
            assert_eq!(System::of(issuer), system, "{issuer}");
        }
    }
}
