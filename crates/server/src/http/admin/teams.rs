//! Everybody's teams.

use super::{instance_owner, page, pattern};
use crate::{
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, Pairs},
        read_models::{Reports, WaitMin},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A team, as an owner of the instance sees it: nothing of what is in its reports.
#[derive(Debug, Serialize, ToSchema, FromRow)]
#[schema(as = AdminTeam)]
pub(super) struct TeamBody {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    /// How many belong to it.
    members: i64,
    /// How many reports it has.
    reports: i64,
    /// When the newest of them came.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_report_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminTeamList)]
pub(super) struct ListBody {
    /// Newest first.
    teams: Vec<TeamBody>,
    /// Of all pages.
    total: i64,
}

/// Everybody's teams
#[utoipa::path(get, path = "/api/v1/admin/teams", tag = "administration",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100; 50 otherwise"),
        ("offset" = Option<i64>, Query, description = "Teams to pass over"),
        ("search" = Option<String>, Query, description = "Part of the name, in any case"),
    ),
    responses(
        (status = 200, description = "Newest first", body = ListBody),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
    ))]
pub(super) async fn list_all_teams(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _wait: WaitMin<Reports>,
) -> Result<Json<ListBody>, ApiError> {
    instance_owner(&app, &caller).await?;
    let ((limit, offset), pattern) = (page(&pairs), pattern(&pairs));
    let teams = sqlx::query_as(
        "select id, name, created_at,
                (select count(*) from access.member where member.team_id = team.id) as members,
                (select count(*) from reports.report where report.team_id = team.id) as reports,
                (select max(created_at) from reports.report where report.team_id = team.id) as last_report_at
         from access.team where $1::text is null or name ilike $1 order by no desc limit $2 offset $3",
    )
    .bind(&pattern)
    .bind(limit)
    .bind(offset)
    .fetch_all(&app.db)
    .await?;
    let total = sqlx::query_scalar("select count(*) from access.team where $1::text is null or name ilike $1")
        .bind(&pattern)
        .fetch_one(&app.db)
        .await?;
    Ok(Json(ListBody { teams, total }))
}
