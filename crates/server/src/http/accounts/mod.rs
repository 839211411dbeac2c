//! Registration, signing in and out, and the caller's own account.

mod cookie;
mod exchange;
mod me;
mod oauth;
mod session;

use crate::{
    accounts::{Client, sessions, users::User},
    app::App,
    http::{error::ApiError, words::UserRole},
};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{InstanceRole, TeamId, UserId};
use serde::Serialize;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What needs no token; mounted at /auth and at /api/v1/auth.
pub(super) fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(session::register))
        .routes(routes!(session::login))
        .routes(routes!(session::refresh))
        .routes(routes!(session::logout))
        .routes(routes!(session::csrf_token))
        .routes(routes!(exchange::exchange))
        .routes(routes!(oauth::methods))
        .routes(routes!(oauth::start))
        .routes(routes!(oauth::callback))
}

/// What is about the caller.
pub(super) fn private_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(me::get_me, me::update_me)).routes(routes!(oauth::list_identities))
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
}

impl UserBody {
    fn of(user: User, role: InstanceRole) -> Self {
        Self { id: user.id, email: user.email, display_name: user.display_name, role: role.into() }
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
    fn issue(app: &App, user: User, role: InstanceRole, team: Option<TeamId>) -> Result<Self, ApiError> {
        let (access_token, expires_at) = app.keys.issue(user.id, &user.email, role, team, app.clock.now())?;
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
    let refresh_token = sessions::open(app, user.id, client).await?;
    Ok((AuthBody::issue(app, user, role, team)?, refresh_token))
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let ip = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self { ip, user_agent: agent.map(|agent| agent.chars().take(255).collect()) })
    }
}
