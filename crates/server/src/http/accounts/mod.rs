//! Registration, signing in and out, and the caller's own account.

mod cookie;
mod exchange;
mod identities;
mod me;
mod oauth;
mod own_sessions;
mod recovery;
mod session;

pub(in crate::http) use cookie::check_origin;
pub(in crate::http) use session::secret;

use crate::{
    accounts::{Client, sessions, users::User},
    app::{App, AppState},
    http::{error::ApiError, extract::client_ip, words::UserRole},
};
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{InstanceRole, TeamId, UserId};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// What needs no token; mounted at /auth and at /api/v1/auth.
pub(super) fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(session::register))
        .routes(routes!(session::login))
        .routes(routes!(session::refresh))
        .routes(routes!(session::logout))
        .routes(routes!(session::csrf_token))
        .routes(routes!(recovery::forgot_password))
        .routes(routes!(recovery::reset_password))
        .routes(routes!(recovery::verify_email))
        .routes(routes!(exchange::exchange))
        .routes(routes!(oauth::methods))
        .routes(routes!(oauth::start))
        .routes(routes!(oauth::callback))
}

/// What is about the caller.
pub(super) fn private_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(me::get_me, me::update_me))
        .routes(routes!(own_sessions::list_sessions, own_sessions::end_sessions))
        .routes(routes!(own_sessions::end_session))
        .routes(routes!(recovery::change_password))
        .routes(routes!(recovery::resend_verification))
        .routes(routes!(identities::list_identities))
        .routes(routes!(identities::unlink_identity))
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    #[schema(value_type = uuid::Uuid)]
    id: UserId,
    email: String,
    display_name: String,
    role: UserRole,
    /// Whether the address was proven to be theirs.
    email_verified: bool,
    /// Whether they can sign in with a password.
    has_password: bool,
}

impl UserBody {
    fn of(user: User, role: InstanceRole) -> Self {
        let (email_verified, has_password) = (user.email_verified, user.has_password());
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            role: role.into(),
            email_verified,
            has_password,
        }
    }
}

/// Signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Auth)]
pub(super) struct AuthBody {
    user: UserBody,
    /// Sent as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// When the access token expires.
    expires_at: DateTime<Utc>,
}

/// One sentence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(in crate::http) struct MessageBody {
    /// The sentence.
    pub message: &'static str,
}

impl AuthBody {
    fn issue(app: &App, user: User, role: InstanceRole, team: Option<TeamId>, session: Uuid) -> Result<Self, ApiError> {
        let (access_token, expires_at) = app.keys.issue(user.id, &user.email, role, team, session, app.clock.now())?;
        Ok(Self { user: UserBody::of(user, role), access_token, expires_at })
    }
}

/// Opens a session and issues the token that goes with it.
async fn sign_in(
    app: &App,
    user: User,
    role: InstanceRole,
    team: Option<TeamId>,
    client: &Client,
) -> Result<(AuthBody, String), ApiError> {
    let opened = sessions::open(app, &user, client).await?;
    let opened = opened.ok_or_else(|| ApiError::unauthenticated("invalid_credentials", "invalid credentials"))?;
    Ok((AuthBody::issue(app, user, role, team, opened.session)?, opened.refresh_token))
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let ip = client_ip(&app.config.trusted_proxies, parts).map(|ip| ip.to_string());
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self { ip, user_agent: agent.map(|agent| agent.chars().take(255).collect()) })
    }
}
