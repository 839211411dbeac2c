//! CI workflows that a team trusts to upload without a secret.

use super::accounts::MessageBody;
use crate::{
    accounts::{publishers, workflows::System},
    app::{App, AppState},
    http::{
        error::ApiError,
        extract::{Caller, Faults, JsonBody, PathId, PathIds, RequestId, after_write, idempotency_key, prefers_async},
        read_models::WaitMin,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{PublisherId, Scope, TeamId, TeamRole, UserId, events::publisher::Rule};
use scaledtest_projections::access::queries as access;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Longest name of a repository, a branch or an environment, characters.
const MAX_NAME: usize = 255;

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_publishers, create_publisher)).routes(routes!(remove_publisher))
}

/// CI workflows that a team trusts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrustedPublisher)]
struct PublisherBody {
    #[schema(value_type = uuid::Uuid)]
    id: PublisherId,
    /// `github`, `gitlab` or `custom`.
    provider: &'static str,
    /// Who vouches for the workflows.
    issuer: String,
    /// The repository or project, as the issuer names it.
    repository: String,
    /// Only on this branch; `*` stands for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// Only in this deployment environment; `*` stands for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    created_at: DateTime<Utc>,
    #[schema(value_type = uuid::Uuid)]
    created_by: UserId,
}

impl PublisherBody {
    fn of(id: PublisherId, rule: Rule, created_at: DateTime<Utc>, created_by: UserId) -> Self {
        let Rule { issuer, repository, branch, environment } = rule;
        let provider = System::of(&issuer).as_str();
        Self { id, provider, issuer, repository, branch, environment, created_at, created_by }
    }
}

/// Who may vouch for workflows on this instance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrustedIssuer)]
struct IssuerBody {
    /// `github`, `gitlab` or `custom`.
    provider: &'static str,
    issuer: String,
    /// For people.
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrustedPublisherList)]
struct ListBody {
    /// Newest first.
    publishers: Vec<PublisherBody>,
    /// Whom rules of this instance can name.
    issuers: Vec<IssuerBody>,
}

fn issuers(app: &App) -> Vec<IssuerBody> {
    let body = |issuer: &String| {
        let (system, host) = (System::of(issuer), issuer.split("://").last().unwrap_or(issuer));
        let name = match (system, issuer.as_str()) {
            (System::Github, "https://token.actions.githubusercontent.com") => "GitHub Actions".to_owned(),
            (System::Github, _) => format!("GitHub Actions ({})", host.trim_end_matches("/_services/token")),
            (System::Gitlab, "https://gitlab.com") => "GitLab".to_owned(),
            (System::Gitlab, _) => format!("GitLab ({host})"),
            (System::Custom, _) => host.to_owned(),
        };
        IssuerBody { provider: system.as_str(), issuer: issuer.clone(), name }
    };
    app.config.oauth.trusted_issuers.iter().map(body).collect()
}

/// The CI workflows that a team trusts
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/trusted-publishers", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "Newest first", body = ListBody),
        (status = 403, description = "insufficient_scope: the API token cannot read"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
async fn list_publishers(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    caller.role_in(team)?;
    caller.scope(Scope::Read)?;
    let known = access::publishers_of(&app.db, team).await?.into_iter();
    let body = |known: access::Publisher| PublisherBody::of(known.id, known.rule, known.created_at, known.user_id);
    Ok(Json(ListBody { publishers: known.map(body).collect(), issuers: issuers(&app) }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TrustPublisher)]
struct CreateBody {
    /// One of this instance's trusted issuers.
    #[serde(default)]
    #[schema(required, example = "https://token.actions.githubusercontent.com")]
    issuer: String,
    /// As the issuer names it.
    #[serde(default)]
    #[schema(required, example = "octo-org/octo-repo", min_length = 1, max_length = 255)]
    repository: String,
    /// Any when absent; `*` stands for anything.
    #[serde(default)]
    #[schema(example = "release/*")]
    branch: Option<String>,
    /// Any or none when absent; `*` stands for anything.
    #[serde(default)]
    environment: Option<String>,
}

/// Trust CI workflows to upload without a secret
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/trusted-publishers", tag = "teams", request_body = CreateBody,
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, description = "Trusted", body = PublisherBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
        (status = 409, description = "too_many_publishers; publisher_removed: the rule of the key was removed, use a new key"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
async fn create_publisher(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let user = manager(&caller, team)?;
    let rule = checked(&app, body)?;
    let key = idempotency_key(&headers)?;
    let made = publishers::trust(&app, team, user, rule, key.as_deref(), request.correlation()).await?;
    let written = after_write(&app, made.position, &["access"], prefers_async(&headers)).await;
    let trusted = made.trusted;
    let body = PublisherBody::of(trusted.publisher, trusted.rule, made.at, trusted.user);
    Ok((StatusCode::CREATED, written, Json(body)).into_response())
}

/// Only an owner, in person.
fn manager(caller: &Caller, team: TeamId) -> Result<UserId, ApiError> {
    let role = caller.role_in(team)?;
    let user = caller.person()?;
    if role < TeamRole::Owner {
        return Err(ApiError::forbidden("forbidden", "only team owners can manage trusted publishers"));
    }
    Ok(user)
}

fn checked(app: &App, body: CreateBody) -> Result<Rule, ApiError> {
    let mut faults = Faults::default();
    let issuer = body.issuer.trim().trim_end_matches('/').to_owned();
    let allowed = &app.config.oauth.trusted_issuers;
    let message = || format!("must be one of {}", allowed.join(", "));
    faults.check(allowed.contains(&issuer), "issuer", message());
    let plain = |name: &str| {
        let fits = (1..=MAX_NAME).contains(&name.chars().count());
        fits && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let repository = body.repository.trim().to_owned();
    let message = format!("must have 1 to {MAX_NAME} characters, without spaces and *");
    faults.check(plain(&repository) && !repository.contains('*'), "repository", message);
    if matches!(System::of(&issuer), System::Github | System::Gitlab) {
        faults.check(repository.contains('/'), "repository", "must be written as owner/name");
    }
    let mut pattern = |name: &str, pattern: Option<String>, spaces: bool| {
        let pattern = pattern.map(|pattern| pattern.trim().to_owned()).filter(|pattern| !pattern.is_empty());
        let fits =
            pattern.as_ref().is_none_or(|pattern| plain(pattern) || (spaces && plain(&pattern.replace(' ', "_"))));
        faults.check(fits, name, format!("must have at most {MAX_NAME} characters"));
        pattern
    };
    let branch = pattern("branch", body.branch, false);
    // Environments may be called "review app".
    let environment = pattern("environment", body.environment, true);
    faults.finish()?;
    Ok(Rule { issuer, repository, branch, environment })
}

/// Trust CI workflows no longer, at once
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/trusted-publishers/{publisher_id}", tag = "teams",
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("publisher_id" = uuid::Uuid, Path, description = "The rule"),
    ),
    responses(
        (status = 200, description = "Trusted no longer; upload tokens of this rule are refused from now on", body = MessageBody),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found or publisher_not_found"),
    ))]
async fn remove_publisher(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, publisher): PathIds<TeamId, PublisherId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = manager(&caller, team)?;
    let missing = || ApiError::not_found("publisher_not_found", "publisher not found");
    let removed = publishers::remove(&app, team, publisher, user, request.correlation()).await?;
    let written = after_write(&app, removed.ok_or_else(missing)?, &["access"], prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "trusted publisher removed" })).into_response())
}
