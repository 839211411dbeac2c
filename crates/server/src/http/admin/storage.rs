//! What the data take, and for how long the disk suffices.

use super::instance_owner;
use crate::{
    app::AppState,
    http::{error::ApiError, extract::Caller},
};
use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_insight::disk::{self, Share};
use scaledtest_projections::{
    reports::queries::{self, PartSize},
    storage,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Days over which the growth is measured.
const DAYS: i64 = 7;

/// What the data take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Storage)]
pub(super) struct StorageBody {
    /// The database, bytes.
    database_bytes: i64,
    /// Events and bodies of reports in the log, bytes.
    log_bytes: u64,
    /// Original documents in the log, bytes.
    documents_bytes: u64,
    /// Results that are kept.
    results: i64,
    /// What a result takes, in database and log together, bytes; absent while there is none.
    bytes_per_result: Option<f64>,
    /// Results that were taken in each day of the last week, on average.
    results_per_day: f64,
    /// Size of the disk that the data are on, bytes; absent where database and log are elsewhere.
    disk_bytes: Option<u64>,
    /// What is free of it for this program, bytes.
    free_bytes: Option<u64>,
    /// In how many days the disk is full if as much comes each day as in the last week and what has had its time is dropped;
    /// absent if it is not in the next ten years, or the disk isn't known.
    days_left: Option<u32>,
    /// For how many days results are kept where a team has not chosen.
    #[schema(value_type = u16)]
    retention_days: scaledtest_domain::retention::Retention,
    /// What is dropped together, the next first; what is kept for good last.
    parts: Vec<PartBody>,
}

/// Results that are dropped together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoragePart)]
struct PartBody {
    /// For how many days they are kept; absent if for good.
    days: Option<i32>,
    /// When the week begins in which their reports were taken in.
    begins: DateTime<Utc>,
    /// When they may be dropped.
    expires_at: Option<DateTime<Utc>>,
    reports: i64,
    results: i64,
    /// In the database, bytes.
    bytes: i64,
}

impl From<&PartSize> for PartBody {
    fn from(size: &PartSize) -> Self {
        let PartSize { part, reports, results, bytes } = *size;
        let days = (!part.is_kept()).then(|| part.days());
        Self { days, begins: part.begins(), expires_at: part.expires(), reports, results, bytes }
    }
}

/// What the data take, and for how long the disk suffices
#[utoipa::path(get, path = "/api/v1/admin/storage", tag = "administration", responses(
    (status = 200, description = "What the data take", body = StorageBody),
    (status = 403, description = "Only owners of the instance, and not through an API token"),
))]
pub(super) async fn show_storage(State(app): State<AppState>, caller: Caller) -> Result<Json<StorageBody>, ApiError> {
    instance_owner(&app, &caller).await?;
    let now = app.clock.now();
    let mut sizes = queries::part_sizes(&app.db).await?;
    sizes.sort_by_key(|size| (size.part.expires().is_none(), size.part.expires(), size.part));
    let (database, results_per_day) = tokio::try_join!(
        storage::database_bytes(&app.db),
        storage::results_per_day(&app.db, now - TimeDelta::days(DAYS), DAYS)
    )?;
    let stored = app.log.stored_bytes().await?;
    let results: i64 = sizes.iter().fold(0, |sum, size| sum.saturating_add(size.results));
    let bytes = database as f64 + (stored.events + stored.results) as f64;
    let bytes_per_result = (results > 0).then(|| bytes / results as f64);
    let disk = app.config.local_disk().and_then(|dir| disk_of(&dir));
    let days_left = disk.zip(bytes_per_result).and_then(|((_, free), each)| {
        let due = |size: &PartSize| Some((size.part.expires()? - now).num_days().clamp(0, i64::from(u32::MAX)));
        let shares =
            sizes.iter().filter_map(|size| Some(Share { days: due(size)? as u32, bytes: size.results as f64 * each }));
        let growth = results_per_day * each;
        disk::days_left(free as f64, growth, app.config.retention_days.days().into(), &shares.collect::<Vec<_>>())
    });
    Ok(Json(StorageBody {
        database_bytes: database,
        log_bytes: stored.events + stored.results,
        documents_bytes: stored.documents,
        results,
        bytes_per_result,
        results_per_day,
        disk_bytes: disk.map(|(all, _)| all),
        free_bytes: disk.map(|(_, free)| free),
        days_left,
        retention_days: app.config.retention_days,
        parts: sizes.iter().map(PartBody::from).collect(),
    }))
}

/// Size and free bytes of the disk with a directory.
fn disk_of(dir: &std::path::Path) -> Option<(u64, u64)> {
    let stats = rustix::fs::statvfs(dir).ok()?;
    Some((stats.f_blocks.saturating_mul(stats.f_frsize), stats.f_bavail.saturating_mul(stats.f_frsize)))
}
