//! What this instance runs with.

use super::instance_owner;
use crate::{
    app::AppState,
    config::Setting,
    http::{error::ApiError, extract::Caller},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingList)]
pub(super) struct ListBody {
    /// In the order of `scaledtest serve --help`.
    settings: Vec<Setting>,
}

/// What this instance runs with; of secrets only whether they are set
#[utoipa::path(get, path = "/api/v1/admin/settings", tag = "administration", responses(
    (status = 200, description = "Every setting", body = ListBody),
    (status = 403, description = "Only owners of the instance, and not through an API token"),
))]
pub(super) async fn list_settings(State(app): State<AppState>, caller: Caller) -> Result<Json<ListBody>, ApiError> {
    instance_owner(&app, &caller).await?;
    Ok(Json(ListBody { settings: app.config.settings() }))
}
