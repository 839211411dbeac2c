//! The results of a report: the list, and one with everything.

use super::{
    convert, dto,
    show::{not_found, page},
};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, PathId, PathIds},
        read_models::{Reports, WaitMin},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::{ReportId, Scope, TeamId, report::Status};
use scaledtest_projections::reports::queries::{self, ResultFilter, Sort};

/// List a report's results
#[utoipa::path(get, path = "/api/v1/reports/{id}/results", operation_id = "list_report_results", tag = "reports",
    params(
        ("id" = uuid::Uuid, Path),
        ("status" = Option<String>, Query, description = "Any of passed, failed, skipped, pending, other, flaky; comma-separated."),
        ("suite" = Option<String>, Query, description = "A part of the suite path."),
        ("text" = Option<String>, Query, description = "Words in name, suite, file path or message."),
        ("tag" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "position (default), status (failed first), duration, -duration or name."),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 otherwise."),
        ("offset" = Option<i64>, Query, description = "Entries to leave out; prefer `cursor`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = dto::Results), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn list_report_results(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ReportId>,
    pairs: Pairs,
    _: WaitMin<Reports>,
) -> Result<Json<dto::Results>, ApiError> {
    caller.scope(Scope::Read)?;
    let listing = listing(&app, caller.team()?, queries::Scope::Report(id), &pairs).await?;
    listing.map(Json).ok_or_else(not_found)
}

/// Read one result with its trace, attempts, steps and output
#[utoipa::path(get, path = "/api/v1/reports/{id}/results/{result_id}", operation_id = "get_report_result", tag = "reports",
    params(("id" = uuid::Uuid, Path), ("result_id" = String, Path)),
    responses((status = 200, body = dto::ResultDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_report_result(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(id, index): PathIds<ReportId, u32>,
    _: WaitMin<Reports>,
) -> Result<Json<dto::ResultDetail>, ApiError> {
    caller.scope(Scope::Read)?;
    let unknown = || ApiError::not_found("result_not_found", "result not found");
    let index = i32::try_from(index).map_err(|_| unknown())?;
    let found = queries::get_result(&app.db, caller.team()?, id, index).await?;
    found.map(|row| Json(convert::result_detail(row))).ok_or_else(unknown)
}

/// A page of the results of a report or a run; `None` if the team has none such.
pub async fn listing(
    app: &AppState,
    team: TeamId,
    scope: queries::Scope,
    pairs: &Pairs,
) -> Result<Option<dto::Results>, ApiError> {
    let (filter, sort) = (filter(pairs)?, sort(pairs)?);
    let listing = queries::list_results(&app.db, team, scope, &filter, sort, &page(pairs, 100, 1000)).await?;
    Ok(listing.map(|listing| dto::Results {
        results: listing.items.into_iter().map(convert::result).collect(),
        total: i64::try_from(listing.total).unwrap_or(i64::MAX),
        next_cursor: listing.next_cursor,
    }))
}

fn filter(pairs: &Pairs) -> Result<ResultFilter, ApiError> {
    let mut filter = ResultFilter {
        suite: pairs.get("suite").map(str::to_owned),
        text: pairs.get("text").map(str::to_owned),
        tag: pairs.get("tag").map(str::to_owned),
        ..ResultFilter::default()
    };
    let words = pairs.get("status").unwrap_or_default().split(',').map(str::trim);
    for word in words.filter(|word| !word.is_empty() && *word != "all") {
        match Status::from_word(word) {
            Some(status) => filter.statuses.push(status),
            None if word == "flaky" => filter.flaky = true,
            None => {
                let expected = "must be any of passed, failed, skipped, pending, other, flaky";
                return Err(ApiError::invalid("invalid_parameter", format!("invalid status {word:?}: {expected}")));
            }
        }
    }
    Ok(filter)
}

fn sort(pairs: &Pairs) -> Result<Sort, ApiError> {
    let Some(word) = pairs.get("sort") else { return Ok(Sort::default()) };
    let expected = "must be position, status, duration, -duration or name";
    Sort::from_word(word)
        .ok_or_else(|| ApiError::invalid("invalid_parameter", format!("invalid sort {word:?}: {expected}")))
}
