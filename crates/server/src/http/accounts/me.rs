//! The caller's own account.

use super::UserBody;
use crate::{
    accounts::{rules::check_name, users},
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, Faults, JsonBody},
    },
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

/// The caller's account
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "accounts", responses(
    (status = 200, description = "The account", body = UserBody),
    (status = 401, description = "Not signed in, or the account is gone"),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
))]
pub(super) async fn get_me(State(app): State<AppState>, caller: Caller) -> Result<Json<UserBody>, ApiError> {
    let id = caller.person()?;
    let gone = || ApiError::unauthenticated("invalid_token", "unauthorized");
    let user = users::by_id(&app, id).await?.ok_or_else(gone)?;
    Ok(Json(UserBody::of(user, users::instance_role(&app, id).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateMe)]
pub(super) struct UpdateBody {
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 255)]
    display_name: String,
}

/// Change the name that is shown
#[utoipa::path(patch, path = "/api/v1/auth/me", tag = "accounts", request_body = UpdateBody, responses(
    (status = 200, description = "The changed account", body = UserBody),
    (status = 400, description = "Faulty fields, each named in details"),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
    (status = 404, description = "user_not_found"),
))]
pub(super) async fn update_me(
    State(app): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<UpdateBody>,
) -> Result<Json<UserBody>, ApiError> {
    let id = caller.person()?;
    let mut faults = Faults::default();
    check_name(&mut faults, &body.display_name);
    faults.finish()?;
    let gone = || ApiError::not_found("user_not_found", "user not found");
    let user = users::rename(&app, id, &body.display_name).await?.ok_or_else(gone)?;
    Ok(Json(UserBody::of(user, users::instance_role(&app, id).await?)))
}
