//! Invitations: of a team, and for whoever holds a link.

mod accept;

use super::accounts::MessageBody;
use crate::{
    accounts::{
        email::Email,
        invitations::{self, Made, Shown, Standing},
    },
    app::{App, AppState},
    http::{
        error::{ApiError, Detail},
        extract::{Caller, Faults, JsonBody, PathId, PathIds, RequestId, after_write, idempotency_key, prefers_async},
        read_models::WaitMin,
        words::TeamRole,
    },
    mail,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{InvitationId, Scope, TeamId, TeamRole as Role, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the team's members may call.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_invitations, create_invitation))
        .routes(routes!(revoke_invitation))
        .routes(routes!(resend_invitation))
}

/// What whoever holds a link may call.
pub(super) fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(accept::get_invitation)).routes(routes!(accept::accept_invitation))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvitationState)]
enum StateBody {
    /// It can be accepted.
    Pending,
    /// It was.
    Accepted,
    /// It cannot be any more.
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailState)]
enum MailBody {
    /// The mail server has it.
    Sent,
    /// It is on its way.
    Queued,
    /// It was given up.
    Failed,
    /// There is none: hand the link on.
    Off,
}

/// An invitation into a team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
struct InvitationBody {
    #[schema(value_type = uuid::Uuid)]
    id: InvitationId,
    #[schema(value_type = uuid::Uuid)]
    team_id: TeamId,
    email: String,
    role: TeamRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    invited_by: Option<UserId>,
    expires_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    state: StateBody,
    mail: MailBody,
}

impl From<Shown> for InvitationBody {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            team_id: shown.team,
            email: shown.email,
            role: shown.role.into(),
            invited_by: shown.invited_by,
            expires_at: shown.expires_at,
            accepted_at: shown.accepted_at,
            created_at: shown.created_at,
            state: match shown.standing {
                Standing::Pending => StateBody::Pending,
                Standing::Accepted => StateBody::Accepted,
                Standing::Expired => StateBody::Expired,
            },
            mail: match shown.mail {
                Some(mail::State::Sent) => MailBody::Sent,
                Some(mail::State::Queued) => MailBody::Queued,
                Some(mail::State::Failed) => MailBody::Failed,
                None => MailBody::Off,
            },
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitationList)]
struct ListBody {
    /// Newest first.
    invitations: Vec<InvitationBody>,
}

/// The caller's role in the team of the path.
fn role_in(caller: &Caller, team: Result<TeamId, ApiError>) -> Result<(TeamId, Role), ApiError> {
    let found = team.ok().and_then(|team| caller.memberships.iter().find(|(candidate, _)| *candidate == team));
    found.copied().ok_or_else(|| ApiError::forbidden("not_a_member", "not a member of this team"))
}

/// Maintainers and owners in person: a token that could invite would outlive its own limits.
fn inviter(caller: &Caller, team: Result<TeamId, ApiError>) -> Result<(TeamId, Role, UserId), ApiError> {
    let (team, role) = role_in(caller, team)?;
    let user = caller.person()?;
    if role < Role::Maintainer {
        return Err(ApiError::forbidden("forbidden", "maintainer or owner role required"));
    }
    Ok((team, role, user))
}

fn not_found() -> ApiError {
    ApiError::not_found("invitation_not_found", "invitation not found")
}

/// A team's invitations
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/invitations", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "Newest first, without those that were taken back", body = ListBody),
        (status = 403, description = "not_a_member; insufficient_scope: the API token cannot read"),
    ))]
async fn list_invitations(
    State(app): State<AppState>,
    caller: Caller,
    team: Result<PathId<TeamId>, ApiError>,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    let (team, _) = role_in(&caller, team.map(|team| team.0))?;
    caller.scope(Scope::Read)?;
    let shown = invitations::list(&app, team).await?;
    Ok(Json(ListBody { invitations: shown.into_iter().map(InvitationBody::from).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateInvitation)]
struct CreateBody {
    #[serde(default)]
    #[schema(required, example = "bob@example.com")]
    email: String,
    /// `readonly`, `maintainer` or `owner`.
    #[serde(default)]
    #[schema(required)]
    role: String,
}

/// A new invitation, or one with new links.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedInvitation)]
struct MadeBody {
    invitation: InvitationBody,
    /// `inv_` and 64 hex digits; never shown again.
    token: String,
    /// The link to hand on.
    url: String,
}

impl MadeBody {
    fn of(app: &App, made: Made) -> Self {
        let url = invitations::url(&app.config.base_url, &made.token);
        Self { invitation: made.shown.into(), token: made.token, url }
    }
}

fn wanted(body: &CreateBody, inviter: Role) -> Result<(Email, Role), ApiError> {
    const ROLE: &str = "must be readonly, maintainer, or owner";
    let (email, role) = (Email::parse(&body.email), body.role.parse::<Role>().ok());
    if let Some(email) = email {
        let Some(role) = role else {
            let error = ApiError::invalid("invalid_request", format!("invalid role: {ROLE}"));
            return Err(error.with_details(vec![Detail::new("role", ROLE)]));
        };
        if role == Role::Owner && inviter < Role::Owner {
            return Err(ApiError::forbidden("forbidden", "only owners can invite owners"));
        }
        return Ok((email, role));
    }
    let mut faults = Faults::default();
    faults.add("email", "must be an e-mail address");
    faults.check(role.is_some(), "role", ROLE);
    faults.finish()?;
    Err(ApiError::internal("a faulty invitation passed"))
}

/// Invite somebody; an earlier invitation of the same address is replaced
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/invitations", tag = "teams", request_body = CreateBody,
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, description = "Good for seven days; mailed where mail is configured", body = MadeBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "not_a_member; only maintainers and owners, owners only by owners, and not through an API token"),
        (status = 409, description = "already_member; invitation_revoked: the one of this key was taken back"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
        (status = 429, description = "rate_limited: the address was sent many invitations, or the caller made many"),
        (status = 503, description = "mail_busy: too much mail is waiting"),
    ))]
async fn create_invitation(
    State(app): State<AppState>,
    caller: Caller,
    team: Result<PathId<TeamId>, ApiError>,
    request: RequestId,
    headers: HeaderMap,
    body: Result<JsonBody<CreateBody>, ApiError>,
) -> Result<Response, ApiError> {
    let (team, role, user) = inviter(&caller, team.map(|team| team.0))?;
    let (email, as_role) = wanted(&body?.0, role)?;
    let key = idempotency_key(&headers)?;
    let made = invitations::create(&app, team, user, &email, as_role, key.as_deref(), request.correlation());
    let made = Box::pin(made).await?;
    let written = after_write(&app, made.position, &["access"], prefers_async(&headers)).await;
    Ok((StatusCode::CREATED, written, Json(MadeBody::of(&app, made))).into_response())
}

/// Take an invitation back: its link is dead at once
///
/// One that was accepted leaves the list; who joined by it stays in the team.
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/invitations/{invitation_id}", tag = "teams",
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("invitation_id" = uuid::Uuid, Path, description = "The invitation"),
    ),
    responses(
        (status = 200, description = "Taken back", body = MessageBody),
        (status = 403, description = "not_a_member; only maintainers and owners, and not through an API token"),
        (status = 404, description = "invitation_not_found"),
        (status = 409, description = "invitation_accepted: somebody is accepting it right now"),
    ))]
async fn revoke_invitation(
    State(app): State<AppState>,
    caller: Caller,
    ids: Ids,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (team, _, _) = inviter(&caller, ids.team)?;
    let id = ids.invitation?;
    let revoked = invitations::revoke(&app, team, id, caller.actor, Some(request.correlation())).await?;
    let position = revoked.ok_or_else(not_found)?;
    let written = after_write(&app, position, &["access"], prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "invitation revoked" })).into_response())
}

/// Send an invitation again: another seven days, and a new link; the old one is dead at once
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/invitations/{invitation_id}/resend", tag = "teams",
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("invitation_id" = uuid::Uuid, Path, description = "The invitation"),
    ),
    responses(
        (status = 200, description = "As if it were new", body = MadeBody),
        (status = 403, description = "not_a_member; only maintainers and owners, owners' only by owners, and not through an API token"),
        (status = 404, description = "invitation_not_found"),
        (status = 409, description = "invitation_accepted"),
        (status = 429, description = "rate_limited: the address was sent many invitations, or the caller made many"),
        (status = 503, description = "mail_busy: too much mail is waiting"),
    ))]
async fn resend_invitation(
    State(app): State<AppState>,
    caller: Caller,
    ids: Ids,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (team, role, user) = inviter(&caller, ids.team)?;
    let made = invitations::resend(&app, team, ids.invitation?, user, role, request.correlation()).await?;
    let made = made.ok_or_else(not_found)?;
    let written = after_write(&app, made.position, &["access"], prefers_async(&headers)).await;
    Ok((written, Json(MadeBody::of(&app, made))).into_response())
}

/// The ids of the path; each is judged when its turn comes.
struct Ids {
    team: Result<TeamId, ApiError>,
    invitation: Result<InvitationId, ApiError>,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let PathIds(team, invitation) = PathIds::<String, String>::from_request_parts(parts, state).await?;
        let (team, invitation) = (team.parse().map_err(|_| not_found()), invitation.parse().map_err(|_| not_found()));
        Ok(Self { team, invitation })
    }
}
