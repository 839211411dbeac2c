//! Which tests seem to have been renamed.
//!
//! Computed when it is asked for, from the series of the project's usual branch: what was last seen in one commit, and what
//! was first seen in the next one that ran the same tests.

use super::{renames::named, standing::usual_branch_name, test::Point};
use crate::history::seen::{Entries, WINDOW};
use chrono::{DateTime, Utc};
use scaledtest_domain::{ProjectId, TeamId, events::alias::Named};
pub use scaledtest_insight::rename::Reason;
use scaledtest_insight::rename::{self, proposals};
use sqlx::{FromRow, PgPool};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Commits that are looked at, the newest ones: as many as fit into a mask.
const STEPS: usize = 60;
/// Reports of these, at most.
const REPORTS: i64 = 500;
/// Later commits that ran the same tests and lack one, before it has vanished.
const MISSING: usize = 2;
/// Commits in which tests are compared, at most: the newest ones in which some vanished and others appeared.
const COMPARED: usize = 10;
/// Tests on either side of a comparison, at most: where more have gone, a suite was replaced.
const SIDE: usize = 1_000;
/// Proposals, at most.
const PROPOSED: usize = 100;

/// Two tests that seem to be one.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The test that vanished.
    pub from: (Uuid, Named),
    /// The one that appeared.
    pub to: (Uuid, Named),
    /// 1 − edit distance / length, of the names.
    pub similarity: f64,
    /// Why they seem to be one.
    pub reason: Reason,
    /// The last report with the old one.
    pub last_seen: Point,
    /// The first report with the new one.
    pub first_seen: Point,
}

/// What a project's usual branch suggests.
#[derive(Debug, Clone, Default)]
pub struct Proposals {
    /// The branch; none if nothing ran yet.
    pub branch: Option<String>,
    /// The newest ones first, and of a commit the most similar ones; at most 100.
    pub list: Vec<Proposal>,
}

/// The renames that a project's usual branch suggests, without those that somebody has accepted or dismissed.
///
/// # Errors
/// What the database says.
pub async fn propose(pool: &PgPool, team: TeamId, project: ProjectId) -> Result<Proposals, sqlx::Error> {
    let Some((branch, name)) = usual_branch_name(pool, project.0).await? else { return Ok(Proposals::default()) };
    let steps = Steps::load(pool, branch).await?;
    let tests = tests(pool, branch, &steps).await?;
    let mut groups = groups(&steps, &tests);
    groups.truncate(COMPARED);
    let dismissed: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select from_id, to_id from history.dismissed where project_id = $1")
            .bind(project.0)
            .fetch_all(pool)
            .await?;
    let dismissed: HashSet<(Uuid, Uuid)> = dismissed.into_iter().collect();
    let ids: Vec<Uuid> =
        groups.iter().flat_map(|group| group.vanished.iter().chain(&group.appeared)).copied().collect();
    let names = named(pool, team, project, &ids).await?;
    let mut list: Vec<Proposal> = Vec::new();
    for group in &groups {
        for (from, to, pair) in compare(group, &names) {
            let is_taken = list.iter().any(|other| other.to.0 == to || other.from.0 == from);
            let (Some(old), Some(new)) = (tests.get(&from), tests.get(&to)) else { continue };
            let (Some(last), Some(first)) = (steps.points.get(&old.last), steps.points.get(&new.first)) else {
                continue;
            };
            if is_taken || dismissed.contains(&(from, to)) {
                continue;
            }
            list.push(Proposal {
                from: (from, names[&from].clone()),
                to: (to, names[&to].clone()),
                similarity: pair.similarity,
                reason: pair.reason,
                last_seen: last.clone(),
                first_seen: first.clone(),
            });
        }
    }
    list.truncate(PROPOSED);
    Ok(Proposals { branch: Some(name), list })
}

/// The newest commits of a branch, oldest first; a report without one is its run's. Reports of which not all is in the series yet
/// are passed over: tests would seem to have vanished.
#[derive(Default)]
struct Steps {
    points: HashMap<u32, Point>,
    /// Which commit a report is of, by the report's number, from `first` on.
    of: Vec<Option<usize>>,
    /// Whether a complete run of the whole suite is among its reports.
    whole: Vec<bool>,
    /// Number of the first report that is looked at.
    first: u32,
    /// Number of the last one.
    last: u32,
    /// Whether the branch began before the first one.
    cut: bool,
}

#[derive(FromRow)]
struct Fact {
    #[sqlx(flatten)]
    point: Point,
    whole: bool,
}

impl Steps {
    async fn load(pool: &PgPool, branch: Uuid) -> Result<Self, sqlx::Error> {
        let facts: Vec<Fact> = sqlx::query_as(
            "select seq, report_id, run_id, at, fact.commit, change, fact.passed, fact.failed,
                    coalesce(run.complete and not run.partial, false) as whole
             from (select * from history.fact where branch_id = $1
                     and seq <= (select settled from history.branch where id = $1) order by seq desc limit $2) fact
             left join reports.run on run.id = fact.run_id order by seq",
        )
        .bind(branch)
        .bind(REPORTS)
        .fetch_all(pool)
        .await?;
        let mut found: BTreeMap<usize, Vec<&Fact>> = BTreeMap::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for fact in &facts {
            let Point { run_id, commit, .. } = &fact.point;
            let next = known.len();
            let key = commit.clone().unwrap_or_else(|| run_id.to_string());
            found.entry(*known.entry(key).or_insert(next)).or_default().push(fact);
        }
        let older = found.len().saturating_sub(STEPS);
        let mut steps = Self { cut: older > 0 || facts.len() as i64 == REPORTS, ..Self::default() };
        let mut of = Vec::new();
        for (index, facts) in found.into_values().skip(older).enumerate() {
            steps.whole.push(facts.iter().any(|fact| fact.whole));
            of.extend(facts.iter().map(|fact| (fact.point.seq(), index)));
            steps.points.extend(facts.iter().map(|fact| (fact.point.seq(), fact.point.clone())));
        }
        steps.last = facts.last().map_or(0, |fact| fact.point.seq());
        steps.first = of.iter().map(|(seq, _)| *seq).min().unwrap_or(u32::MAX);
        for (seq, index) in of {
            let place = (seq - steps.first) as usize;
            steps.of.resize(steps.of.len().max(place + 1), None);
            steps.of[place] = Some(index);
        }
        Ok(steps)
    }

    /// What it means for a test to be in the reports with these numbers.
    fn seen(&self, first: u32, last: u32) -> Test {
        let mut test = Test { old: first < self.first, ..Test::NONE };
        for seq in first.max(self.first)..=last.min(self.last) {
            match self.step(seq) {
                Some(step) => {
                    test.mask |= 1 << step;
                    (test.first, test.last) = (test.first.min(seq), test.last.max(seq));
                }
                None => test.old = true,
            }
        }
        test
    }

    /// Which commit the report with this number is of; none if it is not looked at.
    fn step(&self, seq: u32) -> Option<usize> {
        *self.of.get(seq.checked_sub(self.first)? as usize)?
    }
}

/// In which commits a test was seen, in any variant.
#[derive(Debug, Clone, Copy)]
struct Test {
    mask: u64,
    /// The numbers of the first and last report with it.
    first: u32,
    last: u32,
    /// It may have been there before.
    old: bool,
}

impl Test {
    /// One that was not seen.
    const NONE: Self = Self { mask: 0, first: u32::MAX, last: 0, old: false };

    /// It was seen there, too.
    fn add(&mut self, other: Self) {
        self.mask |= other.mask;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.old |= other.old;
    }

    fn first_step(&self) -> usize {
        self.mask.trailing_zeros() as usize
    }

    fn last_step(&self) -> usize {
        63_usize.saturating_sub(self.mask.leading_zeros() as usize)
    }
}

async fn tests(pool: &PgPool, branch: Uuid, steps: &Steps) -> Result<HashMap<Uuid, Test>, sqlx::Error> {
    let rows: Vec<(Uuid, Vec<u8>, DateTime<Utc>)> =
        sqlx::query_as("select test_id, seen, first_at from history.series where branch_id = $1 and last_seq >= $2")
            .bind(branch)
            .bind(i32::try_from(steps.first).unwrap_or(i32::MAX))
            .fetch_all(pool)
            .await?;
    let began = steps.points.values().map(|point| point.at).min();
    let mut tests: HashMap<Uuid, Test> = HashMap::with_capacity(rows.len());
    // Most tests were seen in the same reports.
    let mut known: HashMap<(u32, u32), Test> = HashMap::new();
    for (id, seen, first_at) in rows {
        let entries = Entries::decode(&seen);
        let test = tests.entry(id).or_insert(Test::NONE);
        let was_before = steps.cut && began.is_some_and(|began| first_at < began);
        test.old |= was_before || entries.count(|_| true) >= WINDOW;
        for (first, last) in entries.ranges() {
            test.add(*known.entry((first, last)).or_insert_with(|| steps.seen(first, last)));
        }
    }
    tests.retain(|_, test| test.mask != 0);
    Ok(tests)
}

/// Tests that were last seen in one commit, and those that were first seen after it, up to the next one that ran the same
/// tests.
#[derive(Debug, Default)]
struct Group {
    vanished: Vec<Uuid>,
    appeared: Vec<Uuid>,
}

/// The newest first; only those with tests on either side.
fn groups(steps: &Steps, tests: &HashMap<Uuid, Test>) -> Vec<Group> {
    let newest = steps.whole.len().saturating_sub(1);
    let mut gone: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
    let mut came: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
    for (id, test) in tests {
        if test.last_step() < newest {
            gone.entry(test.last_step()).or_default().push(*id);
        }
        if !test.old {
            came.entry(test.first_step()).or_default().push(*id);
        }
    }
    let group = |(step, mut vanished): (usize, Vec<Uuid>)| {
        let next = next_alike(steps, tests, step)?;
        let mut appeared: Vec<Uuid> = came.range(step + 1..=next).flat_map(|(_, ids)| ids).copied().collect();
        for side in [&mut vanished, &mut appeared] {
            side.sort_unstable();
        }
        let fits = |side: &[Uuid]| (1..=SIDE).contains(&side.len());
        (fits(&vanished) && fits(&appeared)).then_some(Group { vanished, appeared })
    };
    gone.into_iter().rev().filter_map(group).collect()
}

/// The next commit after this one that ran at least half of its tests as a whole; none if there are not enough to tell that
/// what is missing has vanished.
fn next_alike(steps: &Steps, tests: &HashMap<Uuid, Test>, step: usize) -> Option<usize> {
    let mut both = [0_usize; STEPS];
    for mask in tests.values().map(|test| test.mask).filter(|mask| mask >> step & 1 == 1) {
        for (later, both) in both.iter_mut().enumerate().skip(step) {
            *both += usize::from(mask >> later & 1 == 1);
        }
    }
    let alike = |later: &usize| steps.whole[*later] && both[*later] * 2 >= both[step];
    let mut later = (step + 1..steps.whole.len()).filter(alike);
    let next = later.next()?;
    (later.count() + 1 >= MISSING).then_some(next)
}

/// What is taken for one.
fn compare(group: &Group, names: &HashMap<Uuid, Named>) -> Vec<(Uuid, Uuid, rename::Proposal)> {
    let side = |ids: &[Uuid]| -> Vec<(Uuid, String)> {
        ids.iter().filter_map(|id| Some((*id, names.get(id)?.suite.join("\u{1f}")))).collect()
    };
    let (old, new) = (side(&group.vanished), side(&group.appeared));
    let pairs = proposals(&views(&old, names), &views(&new, names));
    pairs.into_iter().map(|pair| (old[pair.old].0, new[pair.new].0, pair)).collect()
}

fn views<'a>(side: &'a [(Uuid, String)], names: &'a HashMap<Uuid, Named>) -> Vec<rename::Named<'a>> {
    let view = |(id, suite): &'a (Uuid, String)| {
        let one = names.get(id)?;
        Some(rename::Named { name: &one.name, suite, file: one.file_path.as_deref() })
    };
    side.iter().filter_map(view).collect()
}
