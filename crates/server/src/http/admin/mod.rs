//! Administration: for owners of the instance, in person.

mod audit;
mod settings;
mod storage;
mod teams;
mod users;

use crate::{
    accounts::users as people,
    app::App,
    http::{
        error::ApiError,
        extract::{Caller, Pairs},
    },
};
use scaledtest_domain::{InstanceRole, UserId};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(users::list_users))
        .routes(routes!(users::change_user))
        .routes(routes!(users::hand_reset))
        .routes(routes!(teams::list_all_teams))
        .routes(routes!(audit::list_audit_log))
        .routes(routes!(audit::export_audit_log))
        .routes(routes!(settings::list_settings))
        .routes(routes!(storage::show_storage))
}

/// Only owners of the instance, and never through an API token, whatever its creator is.
async fn instance_owner(app: &App, caller: &Caller) -> Result<UserId, ApiError> {
    let user = caller.person()?;
    match people::instance_role(app, user).await? {
        InstanceRole::Owner => Ok(user),
        InstanceRole::Member => Err(only_owners()),
    }
}

fn only_owners() -> ApiError {
    ApiError::forbidden("forbidden", "only owners of this instance may do this")
}

/// `limit` (50 unless it is 1 to 100) and `offset`.
fn page(pairs: &Pairs) -> (i64, i64) {
    (pairs.number("limit", 50, 1, 100), pairs.number("offset", 0, 0, i64::MAX))
}

/// `search` as a pattern: anywhere in the text, and every character for itself.
fn pattern(pairs: &Pairs) -> Option<String> {
    let text = pairs.get("search")?.trim().replace('\0', "");
    let plain = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Some(format!("%{plain}%"))
}
