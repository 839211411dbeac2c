//! Passwords that are changed or forgotten, and addresses that are proven.

use super::{MessageBody, check_origin, session::secret};
use crate::{
    accounts::{Client, audit, email::Email, recovery, rules, users},
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, Faults, JsonBody},
    },
    mail,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use scaledtest_domain::ErrorKind;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangePassword)]
pub(super) struct ChangeBody {
    #[serde(default, deserialize_with = "secret")]
    #[schema(required, value_type = String)]
    current_password: SecretString,
    /// 8 to 1,024 characters.
    #[serde(default, deserialize_with = "secret")]
    #[schema(required, value_type = String, min_length = 8, max_length = 1024)]
    new_password: SecretString,
}

/// Set another password; every other session ends at once
#[utoipa::path(post, path = "/api/v1/auth/change-password", tag = "accounts", request_body = ChangeBody, responses(
    (status = 200, description = "Changed", body = MessageBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 401, description = "invalid_current_password"),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
))]
pub(super) async fn change_password(
    State(app): State<AppState>,
    caller: Caller,
    client: Client,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<Json<MessageBody>, ApiError> {
    let user = caller.person()?;
    let mut faults = Faults::default();
    rules::check_present(&mut faults, "current_password", &body.current_password);
    rules::check_password(&mut faults, "new_password", &body.new_password);
    faults.finish()?;
    recovery::change_password(&app, user, caller.session, body.current_password, body.new_password).await?;
    audit::note(&app, audit::Action::PasswordChanged, Some(user), None, &client).await;
    Ok(Json(MessageBody { message: "password changed" }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ForgotPassword)]
pub(super) struct ForgotBody {
    #[serde(default)]
    #[schema(required, example = "ada@example.com")]
    email: String,
}

/// Have a link mailed with which a new password can be set
#[utoipa::path(post, path = "/forgot-password", tag = "accounts", request_body = ForgotBody, responses(
    (status = 202, description = "If there is such an account, a mail is on its way: at most three an hour", body = MessageBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 503, description = "mail_not_configured"),
))]
pub(super) async fn forgot_password(
    State(app): State<AppState>,
    client: Client,
    JsonBody(body): JsonBody<ForgotBody>,
) -> Result<(StatusCode, Json<MessageBody>), ApiError> {
    let mut faults = Faults::default();
    let email = Email::parse(&body.email);
    faults.check(email.is_some(), "email", "must be an e-mail address");
    faults.finish()?;
    mail::require(&app)?;
    if let Some(email) = email {
        recovery::request_reset(&app, &email, &client).await?;
    }
    let message = "if there is an account with this address, a mail with a link is on its way";
    Ok((StatusCode::ACCEPTED, Json(MessageBody { message })))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ResetPassword)]
pub(super) struct ResetBody {
    /// Of the link.
    #[serde(default)]
    #[schema(required)]
    token: String,
    /// 8 to 1,024 characters.
    #[serde(default, deserialize_with = "secret")]
    #[schema(required, value_type = String, min_length = 8, max_length = 1024)]
    password: SecretString,
}

/// Set a new password with a link; every session ends at once
#[utoipa::path(post, path = "/reset-password", tag = "accounts", request_body = ResetBody, responses(
    (status = 200, description = "Changed: sign in with it", body = MessageBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 403, description = "foreign_origin"),
    (status = 410, description = "reset_expired: the link is unknown, used or too old"),
))]
pub(super) async fn reset_password(
    State(app): State<AppState>,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ResetBody>,
) -> Result<Json<MessageBody>, ApiError> {
    check_origin(&app, &headers)?;
    let mut faults = Faults::default();
    faults.check(!body.token.is_empty(), "token", "must be the end of the link");
    rules::check_password(&mut faults, "password", &body.password);
    faults.finish()?;
    recovery::reset_password(&app, &body.token, body.password, &client).await?;
    Ok(Json(MessageBody { message: "password changed" }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VerifyEmail)]
pub(super) struct VerifyBody {
    /// Of the link.
    #[serde(default)]
    #[schema(required)]
    token: String,
}

/// Prove an address with a link
#[utoipa::path(post, path = "/verify-email", tag = "accounts", request_body = VerifyBody, responses(
    (status = 200, description = "Proven", body = MessageBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 410, description = "verification_expired: the link is unknown, used or too old"),
))]
pub(super) async fn verify_email(
    State(app): State<AppState>,
    client: Client,
    JsonBody(body): JsonBody<VerifyBody>,
) -> Result<Json<MessageBody>, ApiError> {
    let mut faults = Faults::default();
    faults.check(!body.token.is_empty(), "token", "must be the end of the link");
    faults.finish()?;
    recovery::verify_email(&app, &body.token, &client).await?;
    Ok(Json(MessageBody { message: "email verified" }))
}

/// Have the link mailed again that proves the caller's address
#[utoipa::path(post, path = "/api/v1/auth/resend-verification", tag = "accounts", responses(
    (status = 202, description = "A mail is on its way: at most three an hour", body = MessageBody),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
    (status = 409, description = "already_verified"),
    (status = 503, description = "mail_not_configured"),
))]
pub(super) async fn resend_verification(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<(StatusCode, Json<MessageBody>), ApiError> {
    let id = caller.person()?;
    mail::require(&app)?;
    let gone = || ApiError::unauthenticated("invalid_token", "unauthorized");
    let user = users::by_id(&app, id).await?.ok_or_else(gone)?;
    if user.email_verified {
        return Err(ApiError::new(ErrorKind::Conflict, "already_verified", "this address is verified already"));
    }
    recovery::queue_verification(&app, &user).await;
    Ok((StatusCode::ACCEPTED, Json(MessageBody { message: "a mail with a link is on its way" })))
}
