//! The newest reports of the branches that were asked for last, kept in memory: a verdict reads hundreds of them, and all but a
//! few are those that the verdict before read.

use super::test::Point;
use crate::history::facts::Facts;
use sqlx::{FromRow, PgPool, Row as _, postgres::PgRow};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// Reports of a branch that are looked at, at least.
const REPORTS: i32 = 1_000;
/// The oldest ones are left out so many at a time: so that what is left is a matter of how many there are, not of who asked when.
const STEP: i32 = 100;
/// Reports that are remembered, some 400 bytes each.
const REMEMBERED: usize = 32 * 1024;

/// Remembers the newest reports of some branches. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<HashMap<Uuid, Arc<Reports>>>>);

/// The newest reports of a branch, oldest first, and how its runs failed as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    pub points: Vec<Arc<Point>>,
    pub facts: Facts,
    /// Position of the newest one. Where the same commit stands in the log, the same ones stand before it.
    no: i64,
    /// Reports of the branch that were deleted, when these were read.
    deleted: i32,
}

/// A report, with its position, and what is known of its branch; without one where there is no newer one.
struct Row {
    point: Option<(i64, Point)>,
    deleted: i32,
    /// Whether those that are remembered still stand.
    is_known: bool,
    /// The number after which those begin that are looked at.
    after: i32,
}

/// The columns of a [`Point`], then these.
impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let no: Option<i64> = row.try_get(8)?;
        let point = no.map(|no| Ok::<_, sqlx::Error>((no, Point::from_row(row)?))).transpose()?;
        Ok(Self { point, deleted: row.try_get(9)?, is_known: row.try_get(10)?, after: row.try_get(11)? })
    }
}

impl Recent {
    /// The newest reports of a branch; those that are known are not read again.
    pub(super) async fn load(&self, pool: &PgPool, branch: Uuid) -> Result<Arc<Reports>, sqlx::Error> {
        let known = self.get(branch);
        let newest = known.as_ref().and_then(|known| Some((known.points.last()?, known.no, known.deleted)));
        let (seq, report, no, deleted) = newest.map_or_else(Default::default, |(newest, no, deleted)| {
            (i32::try_from(newest.seq()).unwrap_or(i32::MAX), newest.report_id, no, deleted)
        });
        let rows: Vec<Row> = sqlx::query_as(
            "select seq, report_id, run_id, at, commit, change, passed, failed, no, deleted, is_known, oldest
             from (select id, deleted, greatest(reports - $5, 0) / $6 * $6 as oldest, branch.deleted = $4
                     and exists (select from history.fact where no = $3 and report_id = $7 and branch_id = $1 and seq = $2)
                     as is_known
                   from history.branch where id = $1) branch
             left join lateral (
               select * from history.fact where branch_id = id and seq > case when is_known then $2 else oldest end
             ) newer on true order by seq",
        )
        .bind(branch)
        .bind(seq)
        .bind(no)
        .bind(deleted)
        .bind(REPORTS)
        .bind(STEP)
        .bind(report)
        .fetch_all(pool)
        .await?;
        let Some(first) = rows.first() else { return Ok(Arc::default()) };
        let (deleted, after) = (first.deleted, u32::try_from(first.after).unwrap_or_default());
        let known = known.filter(|_| first.is_known).unwrap_or_default();
        let newer: Vec<(i64, Point)> = rows.into_iter().filter_map(|row| row.point).collect();
        if newer.is_empty() {
            return Ok(known);
        }
        let reports = Arc::new(known.with(newer, after, deleted));
        self.put(branch, &reports);
        Ok(reports)
    }

    fn get(&self, branch: Uuid) -> Option<Arc<Reports>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&branch).cloned()
    }

    fn put(&self, branch: Uuid, reports: &Arc<Reports>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held: usize = all.values().map(|reports| reports.points.len()).sum();
        if held + reports.points.len() > REMEMBERED {
            all.clear();
        }
        all.insert(branch, Arc::clone(reports));
    }
}

impl Reports {
    /// The same with newer ones, and without those up to `after`.
    fn with(&self, newer: Vec<(i64, Point)>, after: u32, deleted: i32) -> Self {
        let no = newer.last().map_or(self.no, |(no, _)| *no);
        let newer = newer.into_iter().map(|(_, point)| Arc::new(point));
        if self.points.first().is_some_and(|first| first.seq() > after) {
            let mut all = Self { no, deleted, ..self.clone() };
            for point in newer {
                all.facts.push(point.fact());
                all.points.push(point);
            }
            return all;
        }
        let points: Vec<Arc<Point>> =
            self.points.iter().filter(|point| point.seq() > after).cloned().chain(newer).collect();
        let facts = Facts::new(points.iter().map(|point| point.fact()).collect());
        Self { points, facts, no, deleted }
    }
}
