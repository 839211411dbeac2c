//! Runs and reports as CTRF documents, written while the results are read.

use super::file;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathId},
        read_models::{Reports, WaitMin},
    },
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use scaledtest_domain::{
    ReportId, RunId, Scope, TeamId,
    report::{Counts, ReportMeta, Tool},
};
use scaledtest_formats::Writer;
use scaledtest_projections::reports::queries::{self, ResultPlace, Whole};
use serde_json::{Map, Value};
use std::{io, sync::Arc, time::Duration};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Results read at once, at first and at most.
const FEW: u32 = 100;
const MANY: u32 = 1_000;
/// Bytes written of a page after which the next one is smaller; a quarter of it, and the next one is larger.
const LARGE: usize = 2 * 1024 * 1024;
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Their routes.
pub(in crate::http) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_report_ctrf)).routes(routes!(get_run_ctrf))
}

/// Read a report as CTRF
///
/// With everything that was read of it, whether or not the original document is still kept.
#[utoipa::path(get, path = "/api/v1/reports/{id}/ctrf", operation_id = "get_report_ctrf", tag = "reports",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "A CTRF document", content_type = "application/json", body = Object),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, description = "results_dropped: they were kept for their time", body = ErrorBody)))]
async fn get_report_ctrf(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ReportId>,
    _: WaitMin<Reports>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Read)?;
    let missing = || ApiError::not_found("report_not_found", "report not found");
    let whole = begin(&app, caller.team()?, queries::Scope::Report(id)).await?.ok_or_else(missing)?;
    answer(app, whole, &format!("report-{id}.ctrf.json"))
}

/// Read a run as one CTRF document
///
/// Of several reports: the results one after another, and of tool and environment what all of them have in common.
#[utoipa::path(get, path = "/api/v1/runs/{id}/ctrf", operation_id = "get_run_ctrf", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "A CTRF document", content_type = "application/json", body = Object),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, description = "results_dropped: they were kept for their time", body = ErrorBody)))]
async fn get_run_ctrf(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    _: WaitMin<Reports>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Read)?;
    let missing = || ApiError::not_found("run_not_found", "run not found");
    let whole = begin(&app, caller.team()?, queries::Scope::Run(id)).await?.ok_or_else(missing)?;
    answer(app, whole, &format!("run-{id}.ctrf.json"))
}

async fn begin(app: &AppState, team: TeamId, scope: queries::Scope) -> Result<Option<Whole>, ApiError> {
    let whole = queries::whole(&app.db, team, scope).await?;
    match whole {
        Some(whole) if whole.is_dropped() => Err(ApiError::results_dropped("that it had")),
        whole => Ok(whole),
    }
}

struct Export {
    app: AppState,
    whole: Whole,
    writer: Writer,
    after: Option<ResultPlace>,
    limit: u32,
    is_done: bool,
}

fn answer(app: AppState, whole: Whole, name: &str) -> Result<Response, ApiError> {
    let headers = file("application/json", name)?;
    let project = whole.reports.first().map(|first| first.report.project_id).unwrap_or_default();
    let writer = Writer::new(project);
    let (meta, counts) = head(&whole);
    let begin = writer.begin(&meta, &counts).map_err(|error| ApiError::internal(&error))?;
    let export = Export { app, whole, writer, after: None, limit: FEW, is_done: false };
    let pages = stream::try_unfold(export, |mut export| async move {
        if export.is_done {
            return Ok(None);
        }
        let page = tokio::time::timeout(PATIENCE, export.page()).await;
        let page = page.unwrap_or_else(|_| Err("a page took too long".to_owned()));
        match page {
            Ok(page) => Ok(Some((Bytes::from(page), export))),
            // Broken off: nobody takes a part for the whole.
            Err(why) => {
                tracing::warn!(why, "an export broke off");
                Err(io::Error::other("the export broke off"))
            }
        }
    });
    let body = stream::once(async move { Ok::<_, io::Error>(Bytes::from(begin)) }).chain(pages);
    Ok((headers, Body::from_stream(body)).into_response())
}

impl Export {
    async fn page(&mut self) -> Result<Vec<u8>, String> {
        let page = self.whole.page(&self.app.db, self.after, self.limit).await;
        let (results, last) = page.map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        for result in &results {
            self.writer.test(result, &mut text).map_err(|error| error.to_string())?;
        }
        // What one page weighed is the best guess for the next.
        self.limit = match text.len() {
            LARGE.. => (self.limit / 2).max(1),
            small if small < LARGE / 4 => (self.limit * 2).min(MANY),
            _ => self.limit,
        };
        if last.is_some() {
            self.after = last;
            return Ok(text);
        }
        let (written, expected) = (self.writer.tests(), self.whole.results());
        if written != expected {
            return Err(format!("there are {written} results of {expected}: one of the reports was deleted"));
        }
        self.is_done = true;
        text.extend_from_slice(self.writer.end().as_bytes());
        Ok(text)
    }
}

/// What stands before the results.
fn head(whole: &Whole) -> (ReportMeta, Counts) {
    let metas: Vec<(ReportMeta, Counts)> = whole.reports.iter().map(|one| (one.meta(), one.counts())).collect();
    match metas.as_slice() {
        [(meta, counts)] => (meta.clone(), *counts),
        many => merged(many),
    }
}

fn merged(reports: &[(ReportMeta, Counts)]) -> (ReportMeta, Counts) {
    let metas = || reports.iter().map(|(meta, _)| meta);
    let mut tools: Vec<&Tool> = metas().map(|meta| &meta.tool).collect();
    tools.dedup();
    let tool = match tools.as_slice() {
        [one] => (*one).clone(),
        many => {
            let mut names: Vec<&str> = many.iter().map(|tool| tool.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            Tool { name: names.join(", "), version: None }
        }
    };
    let is_partial = metas().any(|meta| meta.partial);
    let declared = |(meta, counts): &(ReportMeta, Counts)| meta.declared.filter(|_| meta.partial).unwrap_or(*counts);
    let start_ms = metas().map(|meta| meta.start_ms).filter(|start| *start > 0).min().unwrap_or(0);
    let stop_ms = metas().map(|meta| meta.stop_ms).max().unwrap_or(0);
    let spans = start_ms > 0 && stop_ms >= start_ms;
    let sum = metas().fold(0_i64, |sum, meta| sum.saturating_add(meta.duration_ms));
    let meta = ReportMeta {
        format: "ctrf".to_owned(),
        run_key: metas().find_map(|meta| meta.run_key.clone()),
        tool,
        environment: common(metas().map(|meta| meta.environment.as_ref())),
        declared: is_partial.then(|| reports.iter().map(declared).sum()),
        partial: is_partial,
        start_ms,
        stop_ms,
        duration_ms: if spans { stop_ms - start_ms } else { sum },
        ..ReportMeta::default()
    };
    (meta, reports.iter().map(|(_, counts)| *counts).sum())
}

/// The fields that all environments have alike.
fn common<'v>(mut environments: impl Iterator<Item = Option<&'v Value>>) -> Option<Value> {
    let mut common: Map<String, Value> = environments.next()??.as_object()?.clone();
    for other in environments {
        common.retain(|name, value| other.and_then(|other| other.get(name)) == Some(value));
    }
    Some(Value::Object(common))
}
