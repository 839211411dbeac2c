//! What the failures of a run mean.
//!
//! Computed when it is asked for, from what was known when the run began: a report that comes late, or is deleted, changes it.
//! A test that is put into quarantine after the run's end, or comes out, does not; neither does a ticket that is linked or closed then.

use super::{
    recent::{Recent, Reports},
    test::Point,
};
use crate::{
    history::{facts::Fact, place::branch_id, said::short, seen::Entries},
    issues::queries::{Ticket, tickets_of},
    quarantine::queries::covering,
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{RunId, TeamId};
use scaledtest_insight::{
    Mass, Observation, Outcome, State, assess,
    flakiness::Prior,
    verdict::{self, RunOutcome, Verdict},
};
use sqlx::{FromRow, PgPool};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};
use uuid::Uuid;

/// Tests of a run that are judged, at most.
const JUDGED: i64 = 500;
/// Last runs of the base in which the same failure excuses.
const LAST_RUNS: usize = 3;

/// What a run is compared with.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Its branch.
    pub branch: String,
    /// The newest run there before this one.
    pub run_id: Option<Uuid>,
    /// Its commit.
    pub commit: Option<String>,
}

/// A test that failed in the run, at least once.
#[derive(Debug, Clone)]
pub struct Failing {
    /// Which test.
    pub test_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its suite.
    pub suite: Vec<String>,
    /// Who owns it.
    pub owners: Vec<String>,
    /// The report with the failure, and its place there.
    pub result: (Uuid, i32),
    /// What it is.
    pub verdict: Verdict,
    /// Whether the test was in quarantine then; whether that excuses it, the verdict says.
    pub quarantined: bool,
    /// The ticket that was open then for what it failed with; whether that excuses it, the verdict says.
    pub ticket: Option<Ticket>,
    /// The error: see [`super::ErrorKind`].
    pub fingerprint: Uuid,
    /// What this or a failure with the same fingerprint said first.
    pub message: Option<String>,
}

/// What the failures of a run come to.
#[derive(Debug, Clone)]
pub struct RunVerdict {
    /// All in all.
    pub outcome: RunOutcome,
    /// Compared with; none if the target never ran.
    pub baseline: Option<Baseline>,
    /// Regressions first.
    pub failing: Vec<Failing>,
    /// Whether there were more than are judged.
    pub truncated: bool,
}

#[derive(FromRow)]
struct Report {
    no: i64,
    project_id: Uuid,
    branch_id: Uuid,
    branch: String,
    default_branch: String,
    at: DateTime<Utc>,
    took_ms: i64,
    target: Option<String>,
    change: Option<String>,
    base_commit: Option<String>,
}

#[derive(FromRow)]
struct Failure {
    report_id: Uuid,
    idx: i32,
    test_id: Uuid,
    variant: i64,
    /// The first of those that say nearly the same.
    fingerprint: Uuid,
    /// All of them.
    kinds: Vec<Uuid>,
    attempts: i32,
    flaked: bool,
    name: String,
    suite: sqlx::types::Json<Vec<String>>,
    owners: sqlx::types::Json<Vec<String>>,
    message: Option<String>,
}

/// The verdict of a run of a team; none if there is no such run.
///
/// # Errors
/// What the database says.
pub async fn run_verdict(
    pool: &PgPool,
    recent: &Recent,
    team: TeamId,
    run: RunId,
) -> Result<Option<RunVerdict>, sqlx::Error> {
    let reports: Vec<Report> = sqlx::query_as(
        "select fact.no, fact.project_id, fact.branch_id, branch.name as branch, coalesce(project.default_branch, '') as default_branch,
                fact.at, coalesce(report.duration_ms, 0) as took_ms, fact.target, fact.change, fact.base_commit
         from history.fact join history.branch on branch.id = fact.branch_id
         left join history.project on project.id = fact.project_id left join reports.report on report.id = fact.report_id
         where fact.run_id = $1 and fact.team_id = $2 order by fact.no",
    )
    .bind(run.0)
    .bind(team.0)
    .fetch_all(pool)
    .await?;
    let Some(first) = reports.first() else { return Ok(None) };
    let at = reports.iter().map(|report| report.at).min().unwrap_or(first.at);
    let numbers: Vec<i64> = reports.iter().map(|report| report.no).collect();
    let mut failures = failures(pool, &numbers).await?;
    let truncated = failures.len() > JUDGED as usize;
    failures.truncate(JUDGED as usize);

    let own = Branch::load((pool, recent), first.branch_id, &failures).await?;
    let target = target(first, own.earlier(run.0, at).next().is_some());
    let other = match target == first.branch {
        true => None,
        false => Some(Branch::load((pool, recent), branch_id(first.project_id, &target), &failures).await?),
    };
    let base = other.as_ref().unwrap_or(&own);
    let until = base_time(base, first.base_commit.as_deref()).unwrap_or(at);
    let earlier = earlier_failures(pool, &failures, &numbers, at).await?;
    let tests: Vec<Uuid> = failures.iter().map(|failure| failure.test_id).collect();
    let lasted = (at, end(&reports, at));
    let quarantined = covering(pool, first.project_id, &tests, lasted).await?;
    let quarantined: HashSet<Uuid> = quarantined.into_iter().collect();
    let errors: Vec<_> = failures.iter().map(|failure| (first.project_id, failure.fingerprint)).collect();
    let tickets = tickets_of(pool, team, &errors, lasted).await?;
    let tickets = tickets.into_iter().map(|((_, fingerprint), ticket)| (fingerprint, ticket)).collect();
    let judge = Judge {
        run: run.0,
        at,
        until,
        own: &own,
        again: own.again(run.0, at),
        base,
        earlier: &earlier,
        quarantined: &quarantined,
        tickets: &tickets,
    };
    let mut failing: Vec<Failing> = failures.into_iter().map(|failure| judge.failing(failure)).collect();
    failing.sort_by(|one, other| rank(&one.verdict).cmp(&rank(&other.verdict)).then_with(|| one.name.cmp(&other.name)));
    let newest = base.earlier(run.0, until).max_by_key(|point| point.at);
    Ok(Some(RunVerdict {
        outcome: verdict::outcome(failing.iter().map(|one| &one.verdict)),
        baseline: newest.map(|point| Baseline {
            branch: target,
            run_id: Some(point.run_id),
            commit: point.commit.clone(),
        }),
        failing,
        truncated,
    }))
}

/// When the run ended, as far as its reports tell; no later than a day after it began.
fn end(reports: &[Report], start: DateTime<Utc>) -> DateTime<Utc> {
    let longest = TimeDelta::days(1);
    let ended = |report: &Report| {
        let took = TimeDelta::try_milliseconds(report.took_ms).unwrap_or_default();
        report.at + took.clamp(TimeDelta::zero(), longest)
    };
    reports.iter().map(ended).max().unwrap_or(start).min(start + longest)
}

/// The branch to compare with: what a pull request is merged into; else the run's own branch, if it has run before; else the
/// default branch.
fn target(report: &Report, has_run_before: bool) -> String {
    let default = || report.default_branch.clone();
    match (&report.target, &report.change) {
        (Some(target), _) => target.clone(),
        (None, Some(_)) => default(),
        (None, None) if has_run_before => report.branch.clone(),
        (None, None) => default(),
    }
}

/// When the commit was tested that the change began with.
fn base_time(base: &Branch, commit: Option<&str>) -> Option<DateTime<Utc>> {
    let tested = base.points().filter(|point| commit.is_some() && point.commit.as_deref() == commit);
    tested.map(|point| point.at).max()
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Regression { .. } => 0,
        Verdict::NewTestFailing => 1,
        Verdict::BrokenOnBase => 2,
        Verdict::FlakyKnown => 3,
        Verdict::FlakyInRun => 4,
        Verdict::KnownIssue => 5,
        Verdict::Quarantined => 6,
        Verdict::Infra => 7,
    }
}

/// The failed tests of the reports, failures before flakes; the first failure of each counts.
async fn failures(pool: &PgPool, numbers: &[i64]) -> Result<Vec<Failure>, sqlx::Error> {
    sqlx::query_as(
        "with found as (
           select distinct on (failure.test_id, failure.variant) fact.report_id, failure.idx, failure.test_id, failure.variant,
                  error.cluster_id as fingerprint, failure.attempts, failure.flaked, test.name, test.suite, test.owners,
                  error.message, error.project_id
           from history.failure join history.fact on fact.no = failure.no join history.test on test.id = failure.test_id
           join history.error on error.project_id = failure.project_id and error.fingerprint = failure.fingerprint
           where failure.no = any($1)
           order by failure.test_id, failure.variant, failure.flaked, failure.no, failure.idx
         ), judged as materialized (
           select * from found order by flaked, name, test_id, variant limit $2
         ), kinds as (
           select kind.cluster_id, array_agg(kind.fingerprint) as kinds
           from (select distinct project_id, fingerprint from judged) own
           join history.error kind on kind.project_id = own.project_id and kind.cluster_id = own.fingerprint
           group by kind.cluster_id
         ) select judged.*, kinds.kinds from judged join kinds on kinds.cluster_id = judged.fingerprint
         order by flaked, name, test_id, variant",
    )
    .bind(numbers)
    .bind(JUDGED + 1)
    .fetch_all(pool)
    .await
}

/// Those that did not pass on retry.
fn in_the_end(failures: &[Failure]) -> impl Iterator<Item = &Failure> {
    failures.iter().filter(|failure| !failure.flaked)
}

/// By test and error: whether it was seen in an earlier flake.
async fn earlier_failures(
    pool: &PgPool,
    failures: &[Failure],
    numbers: &[i64],
    at: DateTime<Utc>,
) -> Result<HashMap<(Uuid, Uuid), bool>, sqlx::Error> {
    let wanted: Vec<(Uuid, Uuid, Uuid)> = in_the_end(failures)
        .flat_map(|failure| failure.kinds.iter().map(|kind| (failure.test_id, failure.fingerprint, *kind)))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(
        // One of each sort is enough, however many there are.
        "select test, error, bool_or(sort.flaked)
         from (select distinct * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as one (test, error, kind)) wanted
         cross join (values (false), (true)) as sort (flaked)
         cross join lateral (select from history.failure f where f.test_id = test and f.fingerprint = kind
                             and f.flaked = sort.flaked and f.at <= $5 and not f.no = any($4) limit 1) earlier
         group by test, error",
    )
    .bind(wanted.iter().map(|(test, ..)| *test).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, error, _)| *error).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(.., kind)| *kind).collect::<Vec<_>>())
    .bind(numbers)
    .bind(at)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(|(test, error, flaked)| ((test, error), flaked)).collect())
}

/// The newest reports of a branch, and what they said of the tests that failed in the end: what passed on retry needs no excuse.
struct Branch {
    reports: Arc<Reports>,
    series: BTreeMap<(Uuid, i64), Entries>,
}

impl Branch {
    async fn load((pool, recent): (&PgPool, &Recent), id: Uuid, failures: &[Failure]) -> Result<Self, sqlx::Error> {
        let reports = recent.load(pool, id).await?;
        if in_the_end(failures).next().is_none() {
            return Ok(Self { reports, series: BTreeMap::new() });
        }
        let series: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(
            "select test_id, variant, seen from unnest($2::uuid[], $3::bigint[]) as wanted (test, variety)
             join history.series on branch_id = $1 and test_id = test and variant = variety",
        )
        .bind(id)
        .bind(in_the_end(failures).map(|failure| failure.test_id).collect::<Vec<_>>())
        .bind(in_the_end(failures).map(|failure| failure.variant).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
        let series =
            series.into_iter().map(|(test, variant, seen)| ((test, variant), Entries::decode(&seen))).collect();
        Ok(Self { reports, series })
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.reports.points.iter().map(Arc::as_ref)
    }

    /// Reports of other runs until then.
    fn earlier(&self, run: Uuid, until: DateTime<Utc>) -> impl Iterator<Item = &Point> {
        self.points().filter(move |point| point.run_id != run && point.at <= until)
    }

    /// The numbers of reports of the run's commit in other runs until then.
    fn again(&self, run: Uuid, until: DateTime<Utc>) -> HashSet<u32> {
        let commit = self.points().find(|point| point.run_id == run).and_then(|point| point.commit.as_deref());
        let is_same = |point: &&Point| commit.is_some() && point.commit.as_deref() == commit;
        self.earlier(run, until).filter(is_same).map(Point::seq).collect()
    }

    /// What those reports of the branch that count, by their numbers, say of the test, run by run.
    fn observations(&self, failure: &Failure, counts: impl Fn(u32) -> bool) -> Vec<Observation> {
        let Some(entries) = self.series.get(&(failure.test_id, failure.variant)) else { return Vec::new() };
        let entries = entries.iter().filter(|entry| counts(entry.seq));
        self.reports.facts.observations(entries).1
    }
}

struct Judge<'a> {
    run: Uuid,
    /// When the run was.
    at: DateTime<Utc>,
    /// Until when the base counts.
    until: DateTime<Utc>,
    own: &'a Branch,
    /// Its reports of other runs of the same commit, no later than this one.
    again: HashSet<u32>,
    base: &'a Branch,
    earlier: &'a HashMap<(Uuid, Uuid), bool>,
    /// Tests that were in quarantine.
    quarantined: &'a HashSet<Uuid>,
    /// Tickets that were open, by fingerprint.
    tickets: &'a HashMap<Uuid, Ticket>,
}

impl Judge<'_> {
    fn failing(&self, failure: Failure) -> Failing {
        let verdict = verdict::judge(&self.facts(&failure));
        Failing {
            test_id: failure.test_id,
            name: failure.name,
            suite: failure.suite.0,
            owners: failure.owners.0,
            result: (failure.report_id, failure.idx),
            verdict,
            quarantined: self.quarantined.contains(&failure.test_id),
            ticket: self.tickets.get(&failure.fingerprint).cloned(),
            fingerprint: failure.fingerprint,
            message: failure.message.filter(|message| !message.is_empty()),
        }
    }

    fn facts(&self, failure: &Failure) -> verdict::Facts {
        let infra = self.own.reports.facts.mass(self.run) == Mass::Outage;
        // What passed in the end, or failed with everything else, is judged without a look at its history.
        let before = match infra || failure.flaked {
            true => Vec::new(),
            false => {
                let counts = |fact: &Fact| fact.run != self.run && fact.at <= self.until;
                self.base.observations(failure, |seq| self.base.reports.facts.get(seq).is_some_and(counts))
            }
        };
        let found = assess(&before, Prior::default(), self.at.timestamp());
        let kinds: Vec<u64> = failure.kinds.iter().copied().map(short).collect();
        let says_nothing = failure.fingerprint.is_nil();
        let known = self.earlier.get(&(failure.test_id, failure.fingerprint));
        let ordinary = before.iter().rev().filter(|seen| seen.mass != Mass::Outage);
        let failed_on_base = ordinary.take(LAST_RUNS).any(|seen| {
            seen.outcome == Outcome::Failed
                && (says_nothing || seen.fingerprint.is_some_and(|kind| kinds.contains(&kind)))
        });
        verdict::Facts {
            infra,
            // What passed in the end needs no excuse.
            quarantined: !failure.flaked && self.quarantined.contains(&failure.test_id),
            known_issue: !failure.flaked && self.tickets.contains_key(&failure.fingerprint),
            fingerprint_known: says_nothing || known.is_some(),
            passed_on_this_code: failure.flaked || self.passed_on_this_code(failure),
            has_history: !before.is_empty(),
            failing_on_target: !before.is_empty() && found.failing_now(),
            failed_on_base,
            state: if before.is_empty() { State::Healthy } else { found.state },
            fingerprint_flaked: known == Some(&true),
            flake_rate: found.flake_rate(),
            failing_attempts: u16::try_from(failure.attempts).unwrap_or(u16::MAX),
            breaks: verdict::BREAKS,
        }
    }

    /// In another run of the same commit, no later than this one.
    fn passed_on_this_code(&self, failure: &Failure) -> bool {
        let seen = self.own.observations(failure, |seq| self.again.contains(&seq));
        seen.iter().any(|seen| seen.outcome == Outcome::Passed)
    }
}
