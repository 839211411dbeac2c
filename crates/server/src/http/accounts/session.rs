//! Register, log in, refresh, log out.

use super::{
    AuthBody, MessageBody,
    cookie::{REFRESH_TOKEN, check_origin, cookie, refresh_cookie, set_cookie},
    sign_in,
};
use crate::{
    accounts::{
        Client, admission, attempts, audit, csrf, email::Email, recovery, registration, rules, sessions,
        sessions::Refreshed, users, users::User,
    },
    app::{App, AppState},
    http::{
        error::ApiError,
        extract::{Faults, JsonBody, RequestId, after_write},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scaledtest_domain::{InstanceRole, TeamId};
use scaledtest_projections::access::queries as access;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub(in crate::http) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Register)]
pub(super) struct RegisterBody {
    #[serde(default)]
    #[schema(required, example = "ada@example.com")]
    email: String,
    /// 8 to 1,024 characters.
    #[serde(default, deserialize_with = "secret")]
    #[schema(required, value_type = String, min_length = 8, max_length = 1024)]
    password: SecretString,
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 255)]
    display_name: String,
}

/// Make an account with a team of its own, and sign in
#[utoipa::path(post, path = "/register", tag = "accounts", request_body = RegisterBody, responses(
    (status = 201, description = "Registered and signed in; the refresh token is in the cookie refresh_token", body = AuthBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 403, description = "registration_closed, email_domain_not_allowed or foreign_origin; or email_not_verified: the \
        account is made, and the mailed link has to be opened first"),
    (status = 409, description = "email_taken"),
))]
pub(super) async fn register(
    State(app): State<AppState>,
    client: Client,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RegisterBody>,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let email = checked(&body)?;
    admission::admit(&app, &email, admission::Way::Uninvited).await?;
    let name = body.display_name;
    let registered = registration::register(&app, &email, body.password, &name, request.correlation()).await?;
    let (user, role, team) = (registered.user, registered.instance_role, registered.team);
    audit::note(&app, audit::Action::Registered, Some(user.id), None, &client).await;
    recovery::queue_verification(&app, &user).await;
    admission::check_proven(&app, &user, role)?;
    let (body, token) = sign_in(&app, user, role, Some(team), &client).await?;
    let written = after_write(&app, registered.position, &["access"], false).await;
    Ok((StatusCode::CREATED, written, refresh_cookie(&app, &headers, &token), Json(body)).into_response())
}

fn checked(body: &RegisterBody) -> Result<Email, ApiError> {
    let mut faults = Faults::default();
    let email = Email::parse(&body.email);
    faults.check(email.is_some(), "email", "must be an e-mail address");
    rules::check_password(&mut faults, "password", &body.password);
    rules::check_name(&mut faults, &body.display_name);
    faults.finish()?;
    email.ok_or_else(|| ApiError::internal("an unreadable address passed"))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Login)]
pub(super) struct LoginBody {
    #[serde(default)]
    #[schema(required)]
    email: String,
    #[serde(default, deserialize_with = "secret")]
    #[schema(required, value_type = String)]
    password: SecretString,
}

/// Sign in
#[utoipa::path(post, path = "/login", tag = "accounts", request_body = LoginBody, responses(
    (status = 200, description = "Signed in; the refresh token is in the cookie refresh_token", body = AuthBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 401, description = "invalid_credentials: unknown address or wrong password"),
    (status = 429, description = "too_many_attempts: this account has to wait; rate_limited: this address has"),
    (status = 403, description = "account_disabled or email_not_verified: the password was right, but the account is \
        switched off, or the mailed link has to be opened first; or foreign_origin"),
))]
pub(super) async fn login(
    State(app): State<AppState>,
    client: Client,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<LoginBody>,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let mut faults = Faults::default();
    faults.check(!body.email.trim().is_empty() && !body.email.contains('\0'), "email", "must be an e-mail address");
    rules::check_present(&mut faults, "password", &body.password);
    faults.finish()?;
    attempts::begin(&app, &body.email).await?;
    let known = users::by_email(&app, &body.email).await?;
    let hash = known.as_ref().map(|user| user.password_hash.clone());
    let fits = app.passwords.verify(body.password, hash).await?;
    let Some(mut user) = known.filter(|_| fits) else {
        audit::note(&app, audit::Action::SignInFailed, None, Some(&body.email), &client).await;
        return Err(ApiError::unauthenticated("invalid_credentials", "invalid credentials"));
    };
    attempts::succeeded(&app, &body.email).await?;
    if users::is_disabled(&app, user.id).await? {
        audit::note(&app, audit::Action::SignInFailed, Some(user.id), None, &client).await;
        return Err(ApiError::forbidden("account_disabled", "this account is switched off; ask an administrator"));
    }
    if !user.active {
        // Interrupted while registering; whoever knows the password may carry on.
        user = registration::finish(&app, user, Some(request.correlation())).await?.user;
    }
    let (role, team) = standing(&app, &user, &request).await?;
    if let Err(error) = recovery::insist_on_proof(&app, &user, role).await {
        audit::note(&app, audit::Action::SignInFailed, Some(user.id), None, &client).await;
        return Err(error);
    }
    audit::note(&app, audit::Action::SignedIn, Some(user.id), None, &client).await;
    let (body, token) = sign_in(&app, user, role, team, &client).await?;
    Ok((refresh_cookie(&app, &headers, &token), Json(body)).into_response())
}

/// What somebody is on the instance, and the team of their oldest membership. Who has none because an older log was put
/// back gets their own team again.
async fn standing(app: &App, user: &User, request: &RequestId) -> Result<(InstanceRole, Option<TeamId>), ApiError> {
    let team = access::oldest_team(&app.db, user.id).await?;
    if team.is_none() {
        match registration::restore(app, user, request.correlation()).await {
            Ok(Some(restored)) => {
                after_write(app, restored.position, &["access"], false).await;
                return Ok((restored.instance_role, Some(restored.team)));
            }
            Ok(None) => {}
            // Signing in does not need the log; the next time is soon enough.
            Err(error) => tracing::warn!(user = %user.id, %error, "whether this account has a team is not known"),
        }
    }
    Ok((users::instance_role(app, user.id).await?, team))
}

/// Exchange the refresh cookie for a new access token
#[utoipa::path(post, path = "/refresh", tag = "accounts", responses(
    (status = 200, description = "A new access token, and a new refresh token in the cookie", body = AuthBody),
    (status = 401, description = "No session, or it is over: sign in"),
    (status = 403, description = "foreign_origin"),
))]
pub(super) async fn refresh(
    State(app): State<AppState>,
    client: Client,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let missing = || ApiError::unauthenticated("missing_refresh_token", "missing refresh token");
    let token = cookie(&headers, REFRESH_TOKEN).ok_or_else(missing)?;
    let unknown = || ApiError::unauthenticated("invalid_refresh_token", "invalid refresh token");
    let (session, user, next) = match sessions::refresh(&app, token, &client).await? {
        Refreshed::Alive(session, user, next) => (session, user, next),
        Refreshed::Unknown => return Err(unknown()),
        Refreshed::Expired => {
            let error = ApiError::unauthenticated("refresh_token_expired", "refresh token expired");
            return Ok((refresh_cookie(&app, &headers, ""), error).into_response());
        }
    };
    if users::is_disabled(&app, user).await? {
        sessions::end_all(&app, user, None).await?;
        return Ok((refresh_cookie(&app, &headers, ""), unknown()).into_response());
    }
    let user = users::by_id(&app, user).await?.ok_or_else(unknown)?;
    let (role, team) = standing(&app, &user, &request).await?;
    let body = AuthBody::issue(&app, user, role, team, session)?;
    Ok((refresh_cookie(&app, &headers, &next), Json(body)).into_response())
}

/// End the session of the refresh cookie
#[utoipa::path(post, path = "/logout", tag = "accounts", responses(
    (status = 200, description = "Signed out, also if there was no session", body = MessageBody),
    (status = 403, description = "foreign_origin"),
))]
pub(super) async fn logout(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    if let Some(token) = cookie(&headers, REFRESH_TOKEN)
        && let Some(user) = sessions::close(&app, token).await?
    {
        audit::note(&app, audit::Action::SignedOut, Some(user), None, &client).await;
    }
    let body = Json(MessageBody { message: "logged out" });
    Ok((refresh_cookie(&app, &headers, ""), body).into_response())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CsrfToken)]
pub(super) struct CsrfBody {
    csrf_token: String,
}

/// A token against cross-site requests; no operation demands one
#[utoipa::path(get, path = "/csrf-token", tag = "accounts", responses(
    (status = 200, description = "A new token, also in the cookie __csrf_token", body = CsrfBody),
))]
pub(super) async fn csrf_token(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let csrf_token = csrf::token(&app.secrets);
    let cookie = format!("__csrf_token={csrf_token}; Path=/; Max-Age=86400; SameSite=Strict");
    (set_cookie(&app, &headers, cookie), Json(CsrfBody { csrf_token })).into_response()
}
