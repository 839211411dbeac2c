//! How long a team keeps results.

use super::{answer, execute, owner};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, Detail},
        extract::{Caller, JsonBody, PathId, RequestId},
    },
    ingest::Settings,
};
use axum::{extract::State, http::HeaderMap, response::Response};
use scaledtest_commands::team::Command;
use scaledtest_domain::{TeamId, retention::Retention};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long the results of reports are kept that are taken in from now on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamRetention)]
pub(super) struct RetentionBody {
    /// Days: 30, 90 or 400; null for what the instance says.
    days: Option<u16>,
}

/// Keep the results of a team's new reports for so long
///
/// Reports that are there keep the time that they came with. After it their results, bodies and documents are dropped within a
/// week; what histories, trends and gates say of them stays. Pinned runs are kept.
#[utoipa::path(put, path = "/api/v1/teams/{team_id}/retention", operation_id = "change_retention", tag = "teams",
    request_body = RetentionBody,
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "So it is", body = RetentionBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn change_retention(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RetentionBody>,
) -> Result<Response, ApiError> {
    owner(&caller, team, "only owners can change how long results are kept")?;
    let days = body.days.map(Retention::try_from).transpose().map_err(|error| {
        let details = vec![Detail::new("days", "must be 30, 90, 400 or null")];
        ApiError::invalid("invalid_field", error.to_string()).with_details(details)
    })?;
    let command = Command::ChangeRetention { team, days };
    let executed = execute(&app, team, command, &caller.meta(&app, &request)).await?;
    Settings::changed(&app, team);
    Ok(answer(&app, &headers, &executed, body).await)
}
