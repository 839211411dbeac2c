//! The comparison of two branches from the series of their tests: nearly all of them passed in the same reports, and are counted
//! together; results are read only of those that are listed.

use super::{
    branches::{BranchTotals, Contrast, Judged, Lists, Rules, Runs, Sample, Shown, sorted},
    compare::{BECAME, Piece, RENAMED},
};
use crate::history::{
    queries::{Alike, Outcomes, outcomes},
    variant_id,
};
use scaledtest_domain::{ReportId, RunId, report::Variant};
use scaledtest_insight::fisher;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A test, its variant, and the report whose result of it is shown.
type Key = (Uuid, i64, Option<Uuid>);

/// What became of the tests of both samples; none if their series do not have all of it.
pub(super) async fn contrast(
    pool: &PgPool,
    (base, head): (&Sample, &Sample),
    renamed: bool,
    rules: &Rules,
) -> Result<Option<Contrast>, sqlx::Error> {
    let reports = |sample: &Sample| sample.pieces.iter().map(|piece| piece.id).collect::<Vec<_>>();
    let Some(found) = outcomes(pool, [&reports(base), &reports(head)]).await? else { return Ok(None) };
    let (totals, lists) = judged(&found, rules);
    let pieces = base.pieces.iter().chain(&head.pieces).map(|piece| (piece.id, piece)).collect();
    let mut shown = shown(pool, &lists, &pieces, renamed).await?;
    Ok(Some(Contrast::new(totals, lists, |key| shown.remove(key))))
}

fn judged(found: &[Alike], rules: &Rules) -> (BranchTotals, Lists<Key>) {
    let runs = |outcomes: &Outcomes| Runs { failed: outcomes.failed, passed: outcomes.passed };
    let mut totals = BranchTotals::default();
    let mut judged = Vec::new();
    for alike in found {
        let (base, head) = (runs(&alike.sides[0]), runs(&alike.sides[1]));
        if base.total() + head.total() == 0 {
            totals.not_run += alike.tests.len();
            continue;
        }
        let [in_base, in_head] = &alike.sides;
        let report = in_head.newest_failure.or(in_head.newest).or(in_base.newest);
        let comparison = fisher::compare(head, base, rules);
        let one = |(test, variant): &(Uuid, i64)| Judged { base, head, comparison, key: (*test, *variant, report) };
        judged.extend(alike.tests.iter().map(one));
    }
    sorted(judged.into_iter(), totals)
}

#[derive(FromRow)]
struct Row {
    became: Uuid,
    #[sqlx(flatten)]
    shown: Shown,
}

/// The results of these tests in these reports.
async fn shown(
    pool: &PgPool,
    lists: &Lists<Key>,
    pieces: &BTreeMap<Uuid, &Piece>,
    renamed: bool,
) -> Result<HashMap<Key, Shown>, sqlx::Error> {
    let keys: BTreeSet<Key> = lists.iter().flatten().map(|judged| judged.key).collect();
    let reports: BTreeSet<Uuid> = keys.iter().filter_map(|(.., report)| *report).collect();
    let pieces: BTreeMap<i64, &Piece> =
        reports.iter().filter_map(|report| pieces.get(report)).map(|piece| (piece.no, *piece)).collect();
    let (became, renamed) = if renamed { (BECAME, RENAMED) } else { ("test_id", "") };
    // The last one counts: a failure, if a report has a test more than once.
    let sql = format!(
        "select {became} as became, report_no, idx, test_id, name, suite, file_path, browser, device, os
         from reports.test_result {renamed}
         where part = any($1) and report_no = any($2) and {became} = any($3) order by report_no, status = 1, idx"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pieces.values().map(|piece| piece.part).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())
        .bind(pieces.keys().copied().collect::<Vec<_>>())
        .bind(keys.iter().map(|(test, ..)| *test).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let found = rows.into_iter().filter_map(|Row { became, mut shown }| {
        let piece = pieces.get(&shown.no)?;
        (shown.report, shown.run) = (ReportId(piece.id), RunId(piece.run));
        let (browser, device, os) = (shown.browser.clone(), shown.device.clone(), shown.os.clone());
        let key = (became, variant_id(&Variant { browser, device, os }), Some(piece.id));
        keys.contains(&key).then_some((key, shown))
    });
    Ok(found.collect())
}
