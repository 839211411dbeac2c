//! Looking at it.

use super::{dto, not_found};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, Detail, ErrorBody},
        extract::{Caller, Pairs, PathId},
        read_models::{Quarantine, WaitMin},
    },
};
use axum::{Json, extract::State};
use chrono::TimeDelta;
use scaledtest_domain::{QuarantineId, Scope, events::quarantine::Mode};
use scaledtest_projections::quarantine::queries::{self, Filter, Phase};

/// Days that sums look back, when nothing is said and at most.
const DAYS: (i64, i64) = (30, 90);

/// List what is or was in quarantine
///
/// Active entries by their end, the next one first; other lists by their end, the latest first.
#[utoipa::path(get, path = "/api/v1/quarantine", operation_id = "list_quarantine", tag = "quarantine",
    params(
        ("project" = Option<String>, Query, description = "Name or id."),
        ("test_id" = Option<uuid::Uuid>, Query),
        ("state" = Option<String>, Query, description = "active (default), expired, released or all."),
        ("mode" = Option<String>, Query, description = "mute or skip."),
        ("owner" = Option<String>, Query, description = "Exactly."),
        ("text" = Option<String>, Query, description = "A part of name, suite, file path, reason, owner or ticket."),
        ("limit" = Option<i64>, Query, description = "1 to 200; 50 otherwise."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = dto::Entries), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list_quarantine(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Quarantine>,
) -> Result<Json<dto::Entries>, ApiError> {
    caller.scope(Scope::Read)?;
    let text = |name| pairs.get(name).map(str::to_owned);
    let phase = match pairs.get("state").unwrap_or("active") {
        "all" => None,
        word => Some(Phase::from_word(word).ok_or_else(|| odd("state", "active, expired, released or all"))?),
    };
    let mode = pairs.get("mode").map(|word| Mode::from_word(word).ok_or_else(|| odd("mode", "mute or skip")));
    let filter = Filter {
        project: text("project"),
        test: pairs.parsed("test_id", "the id of a test")?,
        phase,
        mode: mode.transpose()?,
        owner: text("owner"),
        text: text("text"),
    };
    let limit = u32::try_from(pairs.number("limit", 50, 1, 200)).unwrap_or(50);
    let (now, page) = (app.clock.now(), (limit, pairs.get("cursor")));
    let (rows, total, next_cursor) = queries::list_entries(&app.db, caller.team()?, &filter, now, page).await?;
    Ok(Json(dto::Entries { entries: rows.iter().map(|row| dto::Entry::of(row, now)).collect(), total, next_cursor }))
}

fn odd(name: &str, expected: &str) -> ApiError {
    let message = format!("invalid {name}: must be {expected}");
    ApiError::invalid("invalid_parameter", message.clone()).with_details(vec![Detail::new(name, message)])
}

/// Read one stay in quarantine
#[utoipa::path(get, path = "/api/v1/quarantine/{id}", operation_id = "get_quarantine", tag = "quarantine",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Entry), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_quarantine(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<QuarantineId>,
    _: WaitMin<Quarantine>,
) -> Result<Json<dto::Entry>, ApiError> {
    caller.scope(Scope::Read)?;
    let row = queries::entry(&app.db, caller.team()?, id).await?.ok_or_else(not_found)?;
    Ok(Json(dto::Entry::of(&row, app.clock.now())))
}

/// Read what quarantine has saved and what it costs
#[utoipa::path(get, path = "/api/v1/quarantine/summary", operation_id = "get_quarantine_summary", tag = "quarantine",
    params(
        ("project" = Option<String>, Query, description = "Name or id; every project otherwise."),
        ("days" = Option<i64>, Query, description = "1 to 90 days looked back; 30 otherwise."),
    ),
    responses((status = 200, body = dto::Summary), (status = 401, body = ErrorBody)))]
pub(super) async fn get_quarantine_summary(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Quarantine>,
) -> Result<Json<dto::Summary>, ApiError> {
    caller.scope(Scope::Read)?;
    let (days, now) = (pairs.number("days", DAYS.0, 1, DAYS.1), app.clock.now());
    let window = (now - TimeDelta::days(days), now);
    let sums = queries::sums(&app.db, caller.team()?, pairs.get("project"), window).await?;
    Ok(Json(dto::Summary {
        days,
        active: sums.active,
        expiring: sums.expiring,
        test_days: (sums.test_days * 10.0).round() / 10.0,
        rescued_runs: sums.rescued_runs,
        rescued_ms: sums.rescued_ms,
    }))
}
