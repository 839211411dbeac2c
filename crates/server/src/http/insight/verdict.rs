//! What the failures of a run mean.

use super::dto;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathId},
        read_models::{Verdicts, WaitMin},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::{RunId, Scope, TeamId};
use scaledtest_insight::verdict::{RunOutcome, Verdict};
use scaledtest_projections::{
    history::queries::{self, Failing, RunVerdict},
    issues::queries::{Ticket, tickets_of},
    reports::queries::{Run, get_run},
};
use std::collections::BTreeMap;

const VERDICTS: [&str; 8] = [
    "regression",
    "new_test_failing",
    "broken_on_base",
    "flaky_known",
    "flaky_in_run",
    "known_issue",
    "quarantined",
    "infra",
];

/// Read the verdict of a run
///
/// What each failing test means: compared with the target branch of a pull request, else with the branch itself, else with the
/// default branch.
#[utoipa::path(get, path = "/api/v1/runs/{id}/verdict", operation_id = "get_run_verdict", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::RunVerdict), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_run_verdict(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    _: WaitMin<Verdicts>,
) -> Result<Json<dto::RunVerdict>, ApiError> {
    caller.scope(Scope::Read)?;
    let not_found = || ApiError::not_found("run_not_found", "run not found");
    of_run(&app, caller.team()?, id).await?.map(Json).ok_or_else(not_found)
}

/// Failing tests by verdict.
type Counts = BTreeMap<&'static str, u64>;

/// The verdict of a run of a team in short, if it is there.
pub(in crate::http) async fn in_short(
    app: &App,
    team: TeamId,
    id: RunId,
) -> Result<Option<(dto::VerdictState, Counts)>, ApiError> {
    let Some((found, run)) = judged(app, team, id).await? else { return Ok(None) };
    let complete = run.is_some_and(|run| run.is_complete(app.clock.now()));
    Ok(Some((state(found.outcome, complete), counts(&found))))
}

/// The verdict of a run, and the run.
async fn judged(app: &App, team: TeamId, id: RunId) -> Result<Option<(RunVerdict, Option<Run>)>, ApiError> {
    let verdict = queries::run_verdict(&app.db, &app.recent, team, id);
    let (verdict, run) = tokio::try_join!(verdict, get_run(&app.db, team, id))?;
    Ok(verdict.map(|verdict| (verdict, run)))
}

async fn of_run(app: &App, team: TeamId, id: RunId) -> Result<Option<dto::RunVerdict>, ApiError> {
    let Some((found, run)) = judged(app, team, id).await? else { return Ok(None) };
    let now = app.clock.now();
    let complete = run.as_ref().is_some_and(|run| run.is_complete(now));
    let project = run.map(|run| run.project_id.0).unwrap_or_default();
    let errors: Vec<_> = found.failing.iter().map(|failing| (project, failing.fingerprint)).collect();
    let open = tickets_of(&app.db, team, &errors, (now, now)).await?;
    Ok(Some(dto::RunVerdict {
        state: state(found.outcome, complete),
        counts: counts(&found),
        baseline: found.baseline.map(|base| dto::Baseline {
            branch: base.branch,
            commit: base.commit,
            run_id: base.run_id,
        }),
        tests: found
            .failing
            .into_iter()
            .map(|failing| {
                let later = open.get(&(project, failing.fingerprint)).filter(|_| failing.ticket.is_none()).cloned();
                test(failing, later)
            })
            .collect(),
        truncated: found.truncated,
    }))
}

fn state(outcome: RunOutcome, complete: bool) -> dto::VerdictState {
    match outcome {
        // What is broken stays broken, whatever is still to come.
        RunOutcome::Regressions => dto::VerdictState::Regressions,
        _ if !complete => dto::VerdictState::Pending,
        RunOutcome::Mergeable => dto::VerdictState::Mergeable,
        RunOutcome::Neutral => dto::VerdictState::Neutral,
    }
}

fn counts(found: &RunVerdict) -> Counts {
    let mut counts: Counts = VERDICTS.into_iter().map(|verdict| (verdict, 0)).collect();
    for failing in &found.failing {
        *counts.entry(failing.verdict.as_str()).or_default() += 1;
    }
    counts
}

fn reason(failing: &Failing, linked_later: bool) -> String {
    let reason = failing.verdict.reason();
    if linked_later {
        return format!("{reason} It was linked to a ticket after the run.");
    }
    if failing.quarantined && failing.verdict.is_new_failure() {
        return format!("{reason} The test is quarantined, but failed in a way that was not seen before.");
    }
    reason
}

/// `later`: the ticket that is open now and was not when the run took place.
fn test(failing: Failing, later: Option<Ticket>) -> dto::FailingTest {
    let (report, index) = failing.result;
    let reason = reason(&failing, later.is_some());
    dto::FailingTest {
        test_id: failing.test_id,
        name: failing.name,
        suite: failing.suite,
        owners: failing.owners,
        result_id: index.to_string(),
        report_id: report,
        verdict: failing.verdict.as_str(),
        probability: match failing.verdict {
            Verdict::Regression { probability } => Some(probability),
            _ => None,
        },
        reason,
        quarantined: failing.quarantined,
        issue: failing.ticket.or(later).map(Into::into),
        fingerprint: failing.fingerprint,
        message: failing.message,
    }
}
