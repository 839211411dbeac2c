//! Putting a test into quarantine.

use super::{
    WRITTEN, dto,
    terms::{Wanted, checked},
};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, RequestId, after_write, created, idempotency_key, prefers_async},
        insight::dto::Project,
    },
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{
    Quarantine,
    quarantine::{Command, Reject},
};
use scaledtest_domain::{
    CommandId, ErrorKind, Hash16, Kind, QuarantineId, Scope, StreamId, TeamId, TeamRole, TestId,
    events::quarantine::{By, Entered, Evidence},
};
use scaledtest_eventlog::{CommandMeta, ExecuteError, Executed};
use scaledtest_projections::{
    history::queries::{TestDetail, get_test},
    quarantine::queries,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tests of a project that may be in quarantine at once: the list for CI stays small.
const MOST: i64 = 2_000;

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = QuarantineTest)]
pub(super) struct Body {
    #[serde(default)]
    #[schema(required, value_type = uuid::Uuid)]
    test_id: String,
    /// `mute` (default): it runs, and its failures don't count. `skip`: it does not run.
    #[serde(default)]
    mode: Option<String>,
    /// Why.
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 500)]
    reason: Option<String>,
    /// Who sees to it: a team or a handle, no e-mail address.
    #[serde(default)]
    #[schema(max_length = 100, example = "@payments")]
    owner: Option<String>,
    /// Where it is followed up: an http(s) link or a key.
    #[serde(default)]
    #[schema(max_length = 500, example = "SHOP-7")]
    ticket: Option<String>,
    /// At most 90 days from now; in 14 days otherwise. Must be given with `skip`.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// Put a test into quarantine
///
/// In all its variants, until it is released, has recovered, or its time is over.
#[utoipa::path(post, path = "/api/v1/quarantine", operation_id = "quarantine_test", tag = "quarantine", request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer")),
    responses(
        (status = 201, description = "It is in quarantine", body = dto::Entry),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "test_not_found: none of the team's", body = ErrorBody),
        (status = 409, description = "already_quarantined, too_many_quarantined", body = ErrorBody),
        (status = 422, description = "idempotency_key_reused: the key came with another body", body = ErrorBody),
    ))]
pub(super) async fn quarantine_test(
    State(app): State<AppState>,
    caller: Caller,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let (now, asked) = (app.clock.now(), serde_json::to_vec(&body).unwrap_or_default());
    let mut faults = Faults::default();
    let test = body.test_id.parse::<TestId>();
    faults.check(test.is_ok(), "test_id", "must be the id of a test");
    let Body { mode, reason, owner, ticket, expires_at, .. } = body;
    let terms = checked(Wanted { mode, reason, owner, ticket, expires_at }, None, now, &mut faults);
    faults.finish()?;
    let no_test = || ApiError::not_found("test_not_found", "test not found");
    let test = test.map_err(|_| no_test())?;
    let detail = get_test(&app.db, team, test.0, (None, None)).await?.ok_or_else(no_test)?;
    let (test, project) = detail.series.first().map(|row| (TestId(row.id), row.project_id)).ok_or_else(no_test)?;

    let key = idempotency_key(&headers)?;
    let (quarantine, command) = ids(team, &caller, key.as_deref());
    if queries::active_count(&app.db, team, project, now).await? >= MOST {
        let message = format!("a project may have {MOST} tests in quarantine: release some first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_quarantined", message));
    }
    // Under a name that it had: another stream than that of the test that it has become.
    let active = queries::active_of(&app.db, team, &[test.0], now).await?;
    if active.get(&test.0).is_some_and(|stay| stay.entered_test_id != test.0) {
        return Err(ApiError::from_execute(ExecuteError::Rejected(Reject::Already)));
    }
    let request_hash = key.map(|_| Hash16::of(&asked));
    let meta = CommandMeta { command, request: request_hash, at: now, ..caller.meta(&app, &request) };
    let (by, evidence) = (By::Person { user: caller.user }, evidence(&detail));
    let entered = Entered { quarantine, project: project.into(), test, by, terms, evidence };
    let stream = StreamId::of(team, Kind::Quarantine, test);
    let executed = app.log.execute::<Quarantine>(stream, Command::Enter(Box::new(entered)), &meta).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    let prefer_async = prefers_async(&headers);
    let written = after_write(&app, executed.position, WRITTEN, prefer_async).await;
    let body = answer(&app, team, quarantine, executed, &detail).await?;
    Ok((created(prefer_async), written, Json(body)).into_response())
}

fn ids(team: TeamId, caller: &Caller, key: Option<&str>) -> (QuarantineId, CommandId) {
    let Some(key) = key else { return (QuarantineId::new(), CommandId::new()) };
    let parts: [&[u8]; 4] = [b"quarantine_test", team.0.as_bytes(), caller.user.0.as_bytes(), key.as_bytes()];
    (QuarantineId::derived(&parts), CommandId::derived(&parts))
}

/// What is known of the test on its project's usual branch.
fn evidence(detail: &TestDetail) -> Option<Evidence> {
    let chosen = detail.chosen.as_ref()?;
    let row = detail.series.iter().find(|row| row.branch == chosen.branch && row.variant == chosen.variant)?;
    Some(Evidence {
        branch: row.branch.clone(),
        state: row.state().as_str().to_owned(),
        score: row.score,
        score_low: row.score_low,
        score_high: row.score_high,
        runs: u32::try_from(row.runs).unwrap_or_default(),
    })
}

/// As the read model has it, or, when that lags, as it was decided.
async fn answer(
    app: &App,
    team: TeamId,
    id: QuarantineId,
    executed: Executed<Quarantine>,
    detail: &TestDetail,
) -> Result<dto::Entry, ApiError> {
    if let Some(row) = queries::entry(&app.db, team, id).await? {
        return Ok(dto::Entry::of(&row, app.clock.now()));
    }
    let lost = || ApiError::internal("a test was quarantined without an event");
    let (entered, terms) = executed.state.entered.zip(executed.state.terms).ok_or_else(lost)?;
    let row = detail.series.first().ok_or_else(lost)?;
    let entry = dto::Entry {
        id: entered.quarantine.0,
        project: Project { id: row.project_id, name: row.project.clone() },
        test_id: entered.test.0,
        name: row.name.clone(),
        suite: row.suite.0.clone(),
        file_path: row.file_path.clone(),
        state: dto::State::Active,
        mode: terms.mode.into(),
        reason: String::new(),
        owner: None,
        ticket: None,
        by: dto::By::Person,
        user_id: if let By::Person { user } = entered.by { Some(user.0) } else { None },
        entered_at: executed.at,
        changed_at: executed.at,
        expires_at: terms.expires_at,
        expires_soon: false,
        released_at: None,
        release: None,
        released_by: None,
        evidence: entered.evidence.as_ref().map(dto::Evidence::from),
    };
    Ok(entry.with_terms(terms, executed.at))
}
