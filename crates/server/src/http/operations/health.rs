//! Whether the process is alive, and whether it can work.

use crate::app::{App, AppState};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SubsecRound, Utc};
use scaledtest_domain::Position;
use scaledtest_projections::{ProjectionStatus, State as Standing, status};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How long each question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Alive {
    Ok,
}

/// Whether the server can work.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    Ready,
    NotReady,
}

/// `yielding` lets a rebuild swap the tables.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ProjectionState {
    Active,
    Halted,
    Yielding,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthBody {
    #[schema(inline)]
    status: Alive,
    /// The server's time.
    timestamp: DateTime<Utc>,
}

/// Whether the process is alive; asks nobody else
#[utoipa::path(get, path = "/health", tag = "operations", responses(
    (status = 200, description = "Alive", body = HealthBody),
))]
pub(super) async fn get_health(State(app): State<AppState>) -> Json<HealthBody> {
    Json(HealthBody { status: Alive::Ok, timestamp: app.clock.now().trunc_subsecs(0) })
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadyBody {
    #[schema(inline)]
    status: Readiness,
    /// `ok`, or what is wrong.
    database: String,
    /// `ok`, or what is wrong.
    log: String,
    projections: Vec<ProjectionBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectionStatus)]
struct ProjectionBody {
    /// `<name>_next` is one that is being rebuilt beside the live one.
    name: String,
    #[schema(inline)]
    state: ProjectionState,
    #[schema(value_type = String)]
    position: Position,
    /// Commits that it has yet to see.
    lag: u64,
    /// Why it halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The number of the commit at which it halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    halted_at: Option<u64>,
}

impl From<ProjectionStatus> for ProjectionBody {
    fn from(status: ProjectionStatus) -> Self {
        let state = match status.state {
            Standing::Active => ProjectionState::Active,
            Standing::Halted => ProjectionState::Halted,
            Standing::Yielding => ProjectionState::Yielding,
        };
        let ProjectionStatus { name, position, lag, error, halted_at, .. } = status;
        Self { name, state, position, lag, error, halted_at }
    }
}

/// Whether the server can work: database, log and read models
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "Ready", body = ReadyBody),
    (status = 503, description = "Not ready; the body says why", body = ReadyBody),
))]
pub(super) async fn get_readiness(State(app): State<AppState>) -> Response {
    let (database, log) = tokio::join!(database(&app), log(&app));
    let projections = if database.is_ok() && log.is_ok() { projections(&app).await } else { Ok(Vec::new()) };
    let mut ready = database.is_ok() && log.is_ok();
    let mut body = ReadyBody {
        status: Readiness::Ready,
        database: database.err().unwrap_or_else(|| "ok".to_owned()),
        log: log.err().unwrap_or_else(|| "ok".to_owned()),
        projections: Vec::new(),
    };
    match projections {
        Ok(statuses) => {
            ready &= statuses.iter().all(|status| status.state != Standing::Halted);
            // Each must be there, and of the log's present history: one that is rebuilt after a rewind is not yet, and one
            // that is ahead of the log has not noticed yet.
            let present = |status: &ProjectionStatus| {
                status.position.epoch == status.last.epoch && status.position <= status.last
            };
            let level = |name| statuses.iter().any(|status| status.name == name && present(status));
            ready &= scaledtest_projections::all().iter().all(|projection| level(projection.name()));
            body.projections = statuses.into_iter().map(ProjectionBody::from).collect();
        }
        Err(error) => {
            ready = false;
            body.log = error;
        }
    }
    if ready {
        return Json(body).into_response();
    }
    body.status = Readiness::NotReady;
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn database(app: &App) -> Result<(), String> {
    let answer = tokio::time::timeout(PATIENCE, sqlx::query("select 1").execute(&app.db)).await;
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database is not ready");
            Err("not available".to_owned())
        }
        Err(_) => Err("does not answer".to_owned()),
    }
}

async fn log(app: &App) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, app.log.connected()).await {
        Ok(true) => Ok(()),
        Ok(false) => Err("not connected".to_owned()),
        Err(_) => Err("does not answer".to_owned()),
    }
}

/// Where the projections stand; their gauges are set on the way.
pub(super) async fn projections(app: &App) -> Result<Vec<ProjectionStatus>, String> {
    let answer = tokio::time::timeout(PATIENCE, status(&app.db, &app.log, &app.positions)).await;
    match answer {
        Ok(Ok(statuses)) => Ok(statuses),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the projections' state is unknown");
            Err("the projections' state is unknown".to_owned())
        }
        Err(_) => Err("does not answer".to_owned()),
    }
}
