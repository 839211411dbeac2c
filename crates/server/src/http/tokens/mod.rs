//! A team's API tokens.

use super::accounts::MessageBody;
use crate::{
    accounts::tokens::{self, Wanted},
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
use scaledtest_domain::{Scope, TeamId, TeamRole, TokenId, UserId, truncate_to_micros};
use scaledtest_projections::access::queries as access;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_tokens, create_token)).routes(routes!(revoke_token))
}

/// An API token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenBody {
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    #[schema(value_type = uuid::Uuid)]
    team_id: TeamId,
    /// Who made it; it never may more than they.
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    name: String,
    /// The first 8 hex digits of the secret.
    prefix: String,
    /// `upload`, `read`, `write`, `worker`.
    scopes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenList)]
struct ListBody {
    /// Newest first.
    tokens: Vec<TokenBody>,
}

fn words(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

/// A team's API tokens
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/tokens", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "Newest first", body = ListBody),
        (status = 403, description = "insufficient_scope: the API token cannot read"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
async fn list_tokens(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    caller.role_in(team)?;
    caller.scope(Scope::Read)?;
    let (known, uses) = (access::tokens_of(&app.db, team).await?, tokens::last_uses(&app, team).await?);
    let body = |token: access::Token| TokenBody {
        last_used_at: uses.get(&token.id).copied(),
        id: token.id,
        team_id: token.team_id,
        user_id: token.user_id,
        name: token.name,
        prefix: token.prefix,
        scopes: words(&token.scopes),
        expires_at: token.expires_at,
        created_at: token.created_at,
    };
    Ok(Json(ListBody { tokens: known.into_iter().map(body).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateToken)]
struct CreateBody {
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 255)]
    name: String,
    /// `upload`, `read`, `write`, `worker`; all four when absent.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// For ever when absent.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// A new API token: the only answer that shows its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedToken)]
struct CreatedBody {
    /// The secret: `sct_` and 64 hex digits.
    token: String,
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    name: String,
    prefix: String,
    scopes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Make an API token
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/tokens", tag = "teams", request_body = CreateBody,
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, description = "The token; its secret is never shown again", body = CreatedBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
        (status = 409, description = "token_revoked: the token of this key was revoked; use a new key"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
async fn create_token(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let user = manager(&caller, team)?;
    let wanted = wanted(&app, body)?;
    let key = idempotency_key(&headers)?;
    let made = tokens::create(&app, team, user, wanted, key.as_deref(), request.correlation()).await?;
    let written = after_write(&app, made.position, &["access"], prefers_async(&headers)).await;
    let body = CreatedBody {
        token: made.secret,
        id: made.created.token,
        name: made.created.name,
        prefix: made.created.prefix,
        scopes: words(&made.created.scopes),
        expires_at: made.created.expires_at,
        created_at: made.at,
    };
    Ok((StatusCode::CREATED, written, Json(body)).into_response())
}

/// Only an owner, in person: a token that could make tokens would outlive its own limits.
fn manager(caller: &Caller, team: TeamId) -> Result<UserId, ApiError> {
    let role = caller.role_in(team)?;
    let user = caller.person()?;
    if role < TeamRole::Owner {
        return Err(ApiError::forbidden("forbidden", "only team owners can manage tokens"));
    }
    Ok(user)
}

fn wanted(app: &App, body: CreateBody) -> Result<Wanted, ApiError> {
    let mut faults = Faults::default();
    faults.check_name("name", &body.name);
    let mut scopes = Vec::new();
    match body.scopes {
        None => scopes.extend(Scope::ALL),
        Some(words) => {
            faults.check(!words.is_empty(), "scopes", "must name at least one of upload, read, write, worker");
            for (index, word) in words.iter().enumerate() {
                match word.parse() {
                    Ok(scope) => scopes.push(scope),
                    Err(_) => faults.add(&format!("scopes[{index}]"), "must be upload, read, write or worker"),
                }
            }
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    let expires_at = body.expires_at.map(truncate_to_micros);
    let future = expires_at.is_none_or(|expiry| expiry > app.clock.now());
    faults.check(future, "expires_at", "must be in the future");
    faults.finish()?;
    Ok(Wanted { name: body.name, scopes, expires_at })
}

/// Revoke an API token, at once
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/tokens/{token_id}", tag = "teams",
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("token_id" = uuid::Uuid, Path, description = "The token"),
    ),
    responses(
        (status = 200, description = "Revoked", body = MessageBody),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found or token_not_found"),
    ))]
async fn revoke_token(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, token): PathIds<TeamId, TokenId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    manager(&caller, team)?;
    let missing = || ApiError::not_found("token_not_found", "token not found");
    let revoked = tokens::revoke(&app, team, token, caller.actor, Some(request.correlation())).await?;
    let position = revoked.ok_or_else(missing)?;
    let written = after_write(&app, position, &["access"], prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "token revoked" })).into_response())
}
