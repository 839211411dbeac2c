//! For whoever holds a link.

use crate::{
    accounts::{
        Client, audit,
        invitations::{self, Answer},
        recovery,
    },
    app::AppState,
    http::{
        accounts::{check_origin, secret},
        error::ApiError,
        extract::{Caller, JsonBody, PathId, RequestId, after_write, prefers_async},
        read_models::WaitMin,
        words::TeamRole,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An invitation, for whoever holds its link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitationPreview)]
pub(super) struct PreviewBody {
    email: String,
    role: TeamRole,
    team_name: String,
    expires_at: DateTime<Utc>,
    /// Whether the address has an account: then its password is asked for, else a new one is chosen.
    account_exists: bool,
}

/// Look at an invitation
#[utoipa::path(get, path = "/api/v1/invitations/{token}", tag = "teams",
    params(("token" = String, Path, description = "The end of the link: inv_ and 64 hex digits")),
    responses(
        (status = 200, description = "It can be accepted", body = PreviewBody),
        (status = 404, description = "invitation_not_found"),
        (status = 410, description = "invitation_accepted or invitation_expired"),
    ))]
pub(super) async fn get_invitation(
    State(app): State<AppState>,
    PathId(token): PathId<String>,
    _wait: WaitMin,
) -> Result<Json<PreviewBody>, ApiError> {
    let preview = invitations::preview(&app, &token).await?;
    Ok(Json(PreviewBody {
        email: preview.email,
        role: preview.role.into(),
        team_name: preview.team_name,
        expires_at: preview.expires_at,
        account_exists: preview.account_exists,
    }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AcceptInvitation)]
pub(super) struct AcceptBody {
    /// Of the account, or 8 to 1,024 characters for a new one; not needed by who is signed in with the account.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = String)]
    password: SecretString,
    /// For a new account.
    #[serde(default)]
    #[schema(max_length = 255)]
    display_name: String,
}

/// Somebody has joined.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedInvitation)]
struct AcceptedBody {
    message: &'static str,
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = uuid::Uuid)]
    team_id: TeamId,
    /// As what they are in the team now.
    role: TeamRole,
}

/// Accept an invitation, with the account of its address or a new one
#[utoipa::path(post, path = "/api/v1/invitations/{token}/accept", tag = "teams", request_body = AcceptBody,
    params(
        ("token" = String, Path, description = "The end of the link: inv_ and 64 hex digits"),
        ("Authorization" = Option<String>, Header, description = "Without a password: of the account of the address"),
    ),
    responses(
        (status = 200, description = "Joined; sign in as always", body = AcceptedBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 401, description = "invalid_password: the address has an account"),
        (status = 403, description = "other_account, account_disabled, email_domain_not_allowed, token_not_allowed, \
            foreign_origin"),
        (status = 404, description = "invitation_not_found, or team_not_found: it was deleted meanwhile"),
        (status = 410, description = "invitation_accepted or invitation_expired"),
    ))]
pub(super) async fn accept_invitation(
    State(app): State<AppState>,
    PathId(token): PathId<String>,
    client: Client,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AcceptBody>,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let signed_in = if body.password.expose_secret().is_empty() && headers.contains_key(header::AUTHORIZATION) {
        Some(Caller::of(&app, &headers).await?.person()?)
    } else {
        None
    };
    let answer = Answer { password: body.password, display_name: body.display_name, signed_in };
    let accepted = Box::pin(invitations::accept(&app, &token, answer, request.correlation())).await?;
    if accepted.is_new {
        audit::note(&app, audit::Action::Registered, Some(accepted.user.id), None, &client).await;
        recovery::queue_verification(&app, &accepted.user).await;
    }
    let written = after_write(&app, accepted.position, &["access"], prefers_async(&headers)).await;
    let body = AcceptedBody {
        message: "invitation accepted",
        user_id: accepted.user.id,
        team_id: accepted.team,
        role: accepted.role.into(),
    };
    Ok((written, Json(body)).into_response())
}
