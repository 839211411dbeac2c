//! `POST /api/v1/reports`.

use super::{convert, dto};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, RequestId, ST_PROJECTION, after_write, created, idempotency_key, prefers_async},
        gates,
        insight::{self, dto::VerdictState},
    },
    ingest::{Accepted, Params, Settings, Upload, ingest},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use scaledtest_domain::{RunId, Scope, TeamId, TeamRole};
use std::collections::BTreeMap;

/// Send a report
///
/// CTRF as reporters write it; gzip and zstd are unpacked. What is odd in it is accepted and told in `diagnostics`. The same
/// upload again (by `Idempotency-Key`, or by the document's own `reportId` and content) gets the first answer again.
#[utoipa::path(post, path = "/api/v1/reports", operation_id = "upload_report", tag = "reports",
    params(
        ("project" = Option<String>, Query, description = "The suite of tests; else the report's repository, else its tool. Also a header."),
        ("branch" = Option<String>, Query, description = "Branch. This and the following win over the report's environment."),
        ("commit" = Option<String>, Query, description = "Commit."),
        ("base_commit" = Option<String>, Query, description = "Where the branch left its target."),
        ("target_branch" = Option<String>, Query, description = "What a pull request is to be merged into."),
        ("pr" = Option<String>, Query, description = "Pull request."),
        ("build" = Option<String>, Query, description = "Build number."),
        ("build_url" = Option<String>, Query, description = "The build's page."),
        ("run_id" = Option<String>, Query, description = "Reports of a project with the same run_id are one run."),
        ("shard_id" = Option<String>, Query, description = "Which shard of the run."),
        ("shards" = Option<u32>, Query, description = "How many shards the run has: it is complete when all are there."),
        ("tags" = Option<String>, Query, description = "Words for the report, comma-separated."),
        ("execution_id" = Option<uuid::Uuid>, Query, description = "The execution that the report belongs to."),
        ("created_at" = Option<String>, Query, description = "RFC 3339; honoured only with ST_DISABLE_RATE_LIMIT=true."),
        ("triage_github_status" = Option<String>, Query, description = "`true` to post a commit status after triage."),
        ("github_owner" = Option<String>, Query, description = "With repo and sha: post a commit status."),
        ("github_repo" = Option<String>, Query, description = "See github_owner."),
        ("github_sha" = Option<String>, Query, description = "See github_owner."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless."),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: acknowledge as soon as the log has it (202)."),
    ),
    request_body(content = Object, description = "A CTRF report", content_type = "application/json"),
    responses(
        (status = 201, description = "Accepted, and visible", body = dto::UploadAnswer),
        (status = 202, description = "Accepted (Prefer: respond-async)", body = dto::UploadAnswer),
        (status = 400, description = "Unreadable; says where", body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 413, description = "Over a limit, which is named", body = ErrorBody),
        (status = 422, description = "The key was used with another body", body = ErrorBody),
        (status = 503, body = ErrorBody),
    ))]
pub(super) async fn upload_report(
    State(app): State<AppState>,
    caller: Caller,
    RequestContext { request, pairs: Pairs(mut pairs), headers }: RequestContext,
    body: Body,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Upload)?;
    let team = caller.require(TeamRole::Maintainer)?;
    if !pairs.iter().any(|(name, _)| name == "project")
        && let Some(project) = headers.get("project").and_then(|value| value.to_str().ok())
    {
        pairs.push(("project".to_owned(), project.to_owned()));
    }
    let params = Params::parse(&pairs)?;
    let (triage, execution) = (params.triage_github_status, params.execution_text.clone());
    let upload = Upload {
        team,
        actor: caller.actor,
        correlation: Some(request.correlation()),
        key: idempotency_key(&headers)?,
        encoding: headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()).map(str::to_owned),
        pairs,
        params,
    };
    let (accepted, _coming) = ingest(&app, upload, body).await?;
    // The report is taken in whether this can be read or not.
    let has_gate = Settings::of(&app, team).await.ok().and_then(|settings| settings.has_gate);
    let prefer_async = prefers_async(&headers);
    let shown = ["reports", "history", "quarantine", "issues", "gates"];
    let mut written = after_write(&app, accepted.position, &shown, prefer_async).await;
    let mut answer = answer(&app, &accepted);
    let is_visible = !prefer_async && !written.contains_key(ST_PROJECTION);
    let (gate, evaluated) = gates::of_upload(&app, team, &accepted, caller.actor, (has_gate, is_visible)).await;
    answer.quality_gate = gate;
    if let Some(evaluated) = evaluated {
        written = after_write(&app, evaluated, &["gates"], false).await;
    }
    if is_visible {
        answer.verdict = verdict(&app, team, accepted.report.run).await;
    }
    answer.triage_github_status = triage.then_some(true);
    answer.execution_id = execution;
    Ok((created(prefer_async), written, Json(answer)).into_response())
}

fn answer(app: &AppState, accepted: &Accepted) -> dto::UploadAnswer {
    let report = &accepted.report;
    let tool = &report.meta.tool;
    let summary = convert::shown_of_event(report);
    dto::UploadAnswer {
        id: report.report.0,
        message: "report accepted",
        tool: tool.name.clone(),
        tests: summary.tests,
        results: report.counts.tests,
        execution_id: None,
        triage_github_status: None,
        summary,
        name: convert::report_name(&tool.name, tool.version.as_deref()),
        url: convert::pages(&app.config, "reports", report.report),
        run_id: report.run.0,
        diagnostics: report.diagnostics.iter().map(convert::diagnostic).collect(),
        verdict: dto::Verdict { state: VerdictState::Pending, counts: BTreeMap::new() },
        quality_gate: None,
    }
}

/// That of the run, as far as it is there. The report is taken in whether this can be read or not.
async fn verdict(app: &AppState, team: TeamId, run: RunId) -> dto::Verdict {
    let found = insight::verdict_in_short(app, team, run).await.unwrap_or_else(|error| {
        tracing::warn!(error = error.message(), "the verdict of a run cannot be read");
        None
    });
    let (state, counts) = found.unwrap_or((VerdictState::Pending, BTreeMap::new()));
    dto::Verdict { state, counts }
}

/// What an upload reads of its request beside the body.
pub(super) struct RequestContext {
    request: RequestId,
    pairs: Pairs,
    headers: HeaderMap,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for RequestContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self {
            request: RequestId::from_request_parts(parts, state).await?,
            pairs: Pairs::from_request_parts(parts, state).await?,
            headers: parts.headers.clone(),
        })
    }
}
