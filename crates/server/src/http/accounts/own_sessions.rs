//! Where the caller is signed in.

use super::{MessageBody, cookie::refresh_cookie};
use crate::{
    accounts::{Client, audit, device, sessions},
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, Pairs, PathId},
    },
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody signed in, on some device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionBody {
    id: Uuid,
    /// In short words.
    #[schema(example = "Firefox on Linux")]
    device: String,
    /// What it called itself when it signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Where from, then.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    created_at: DateTime<Utc>,
    /// When it fetched an access token last.
    last_seen_at: DateTime<Utc>,
    /// When it ends unless it is used.
    expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    current: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionList)]
pub(super) struct ListBody {
    /// The last used first.
    sessions: Vec<SessionBody>,
}

/// Where the caller is signed in
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "accounts", responses(
    (status = 200, description = "The last used first", body = ListBody),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
))]
pub(super) async fn list_sessions(State(app): State<AppState>, caller: Caller) -> Result<Json<ListBody>, ApiError> {
    let user = caller.person()?;
    let body = |session: sessions::Shown| SessionBody {
        id: session.id,
        device: device::name(session.user_agent.as_deref()),
        user_agent: session.user_agent,
        ip: session.ip,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        current: caller.session == Some(session.id),
    };
    Ok(Json(ListBody { sessions: sessions::of(&app, user).await?.into_iter().map(body).collect() }))
}

/// End a session, at once
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{session_id}", tag = "accounts",
    params(("session_id" = Uuid, Path, description = "The session")),
    responses(
        (status = 200, description = "Ended: its access tokens are refused, too", body = MessageBody),
        (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
        (status = 404, description = "session_not_found"),
    ))]
pub(super) async fn end_session(
    State(app): State<AppState>,
    caller: Caller,
    client: Client,
    session: Result<PathId<Uuid>, ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = caller.person()?;
    let missing = || ApiError::not_found("session_not_found", "session not found");
    let PathId(session) = session.map_err(|_| missing())?;
    if !sessions::end_one(&app, user, session).await? {
        return Err(missing());
    }
    audit::note(&app, audit::Action::SessionEnded, Some(user), None, &client).await;
    let body = Json(MessageBody { message: "session ended" });
    if caller.session == Some(session) {
        return Ok((refresh_cookie(&app, &headers, ""), body).into_response());
    }
    Ok(body.into_response())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndedSessions)]
struct EndedBody {
    message: &'static str,
    /// How many.
    ended: u64,
}

/// End every other session, at once
#[utoipa::path(delete, path = "/api/v1/auth/sessions", tag = "accounts",
    params(("all" = Option<bool>, Query, description = "true: this one, too")),
    responses(
        (status = 200, description = "Ended: their access tokens are refused, too", body = EndedBody),
        (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
    ))]
pub(super) async fn end_sessions(
    State(app): State<AppState>,
    caller: Caller,
    client: Client,
    pairs: Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = caller.person()?;
    let all = pairs.parsed::<bool>("all", "true or false")?.unwrap_or(false);
    let kept = caller.session.filter(|_| !all);
    let ended = sessions::end_all(&app, user, kept).await?;
    audit::note(&app, audit::Action::SessionsEnded, Some(user), None, &client).await;
    let body = Json(EndedBody { message: "sessions ended", ended });
    if all {
        return Ok((refresh_cookie(&app, &headers, ""), body).into_response());
    }
    Ok(body.into_response())
}
