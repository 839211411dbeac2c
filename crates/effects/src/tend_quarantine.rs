//! Ends stays in quarantine that are over or not needed any more, and lets the projects' policies take what is flaky.
//!
//! Every command has an id that follows from what it is about, so a round that broke off is carried on by the next one, and
//! a round that sees old read models changes nothing twice.

use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{
    Quarantine,
    quarantine::{Command, Reject},
};
use scaledtest_domain::{
    CommandId, Kind, QuarantineId, StreamId, TeamId, TestId,
    events::quarantine::{By, Entered, Evidence, Terms, Why},
};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError};
use scaledtest_insight::State;
use scaledtest_projections::quarantine::queries::{self, Candidate, Candidates, Open, Policy, Standing};
use sqlx::PgPool;
use uuid::Uuid;

/// Stays looked at in a round, at most; of those whose time is over as many again.
const STAYS: i64 = 500;
/// Policies looked at in a round, at most.
const POLICIES: i64 = 200;
/// Tests that a policy takes in a round, at most.
const TAKEN: i64 = 20;
/// So many clean runs in a row end a stay.
const CLEAN: usize = 30;
/// Or so many, if the flakiness score is surely below this.
const SURELY_BELOW: (usize, f64) = (10, 0.01);

/// Why a round broke off.
#[derive(Debug, thiserror::Error)]
pub enum TendError {
    /// What the log says.
    #[error(transparent)]
    Log(#[from] ExecuteError<Reject>),
    /// What the database says.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tended {
    /// Stays whose time was over.
    pub expired: u64,
    /// Stays that ended because the test has recovered.
    pub recovered: u64,
    /// Stays that ended because the test is broken.
    pub broken: u64,
    /// Tests that policies took.
    pub taken: u64,
}

/// Goes through stays and policies, a bounded number in each round, each round from where the last one ended.
#[derive(Debug, Default)]
pub struct Keeper {
    stay: Option<Uuid>,
    policy: Option<Uuid>,
}

impl Keeper {
    /// One round.
    ///
    /// # Errors
    /// See [`TendError`]; the next round goes on.
    pub async fn round(&mut self, log: &EventLog, pool: &PgPool, now: DateTime<Utc>) -> Result<Tended, TendError> {
        let mut tended = Tended::default();
        for open in queries::expired(pool, now, STAYS).await? {
            tended.expired += u64::from(release(log, &open, Why::Expired, now).await?);
        }
        self.look_at_stays(log, pool, now, &mut tended).await?;
        let policies = queries::enabled_policies(pool, self.policy, POLICIES).await?;
        for policy in &policies {
            tended.taken += take(log, pool, policy, now).await?;
        }
        let all_seen = policies.len() < usize::try_from(POLICIES).unwrap_or(usize::MAX);
        self.policy = policies.last().filter(|_| !all_seen).map(|policy| policy.project.0);
        Ok(tended)
    }

    async fn look_at_stays(
        &mut self,
        log: &EventLog,
        pool: &PgPool,
        now: DateTime<Utc>,
        tended: &mut Tended,
    ) -> Result<(), TendError> {
        let stays = queries::open_entries(pool, self.stay, STAYS).await?;
        for open in stays.iter().filter(|open| open.expires_at > now) {
            let Some(standing) = queries::standing(pool, open).await? else { continue };
            match end(open, &standing) {
                Some(Why::Broken) => tended.broken += u64::from(release(log, open, Why::Broken, now).await?),
                Some(why) => tended.recovered += u64::from(release(log, open, why, now).await?),
                None => {}
            }
        }
        let all_seen = stays.len() < usize::try_from(STAYS).unwrap_or(usize::MAX);
        self.stay = stays.last().filter(|_| !all_seen).map(|open| open.id().0);
        Ok(())
    }
}

/// Why a stay should end, if it should.
fn end(open: &Open, standing: &Standing) -> Option<Why> {
    if standing.state == State::Broken {
        return open.by_policy.then_some(Why::Broken);
    }
    let (clean, below) = SURELY_BELOW;
    // What never failed has no score.
    let surely_below = standing.score_high > 0.0 && standing.score_high < below;
    let recovered = standing.clean >= CLEAN || standing.clean >= clean && surely_below;
    recovered.then_some(Why::Recovered)
}

async fn release(log: &EventLog, open: &Open, why: Why, now: DateTime<Utc>) -> Result<bool, TendError> {
    let quarantine = open.id();
    // An extended stay can expire again.
    let until = open.expires_at.timestamp_micros().to_be_bytes();
    let command = CommandId::derived(&[b"release", quarantine.0.as_bytes(), why.as_str().as_bytes(), &until]);
    let wanted = Command::Release { quarantine, why, user: None };
    execute(log, open.team(), open.test(), command, wanted, now).await
}

/// Lets a policy take as many of the flaky tests as it may.
async fn take(log: &EventLog, pool: &PgPool, policy: &Policy, now: DateTime<Utc>) -> Result<u64, TendError> {
    let rules = &policy.rules;
    let pause = TimeDelta::days(i64::from(rules.expiry_days));
    let found = queries::candidates(pool, policy.project, rules.owner.as_deref(), (pause, now), TAKEN).await?;
    let room = room(policy, &found);
    let mut taken = 0;
    for candidate in found.tests.iter().take(room) {
        let entered = entered(policy, candidate, now);
        let command = CommandId::derived(&[b"enter", entered.quarantine.0.as_bytes()]);
        let wanted = Command::Enter(Box::new(entered));
        taken += u64::from(execute(log, policy.team, candidate.test(), command, wanted, now).await?);
    }
    Ok(taken)
}

/// How many more tests may come: of a suite, however small, one may be there, if any.
fn room(policy: &Policy, found: &Candidates) -> usize {
    let rules = &policy.rules;
    let tests = f64::from(u32::try_from(found.of).unwrap_or(u32::MAX));
    let least = if rules.max_share > 0.0 { 1.0 } else { 0.0 };
    let share = (tests * rules.max_share).floor().max(least) as i64;
    let mut room = share.min(i64::from(rules.max_count)) - found.active;
    if let (Some(_), Some(most)) = (&rules.owner, rules.max_per_owner) {
        room = room.min(i64::from(most) - found.active_of_owner);
    }
    usize::try_from(room).unwrap_or(0)
}

fn entered(policy: &Policy, candidate: &Candidate, now: DateTime<Utc>) -> Entered {
    let (project, test, rules) = (policy.project, candidate.test(), &policy.rules);
    let failed = candidate.failed_at.timestamp_micros().to_be_bytes();
    let percent = |share: f64| (share * 1_000.0).round() / 10.0;
    let (low, high) = (percent(candidate.score_low), percent(candidate.score_high));
    Entered {
        quarantine: QuarantineId::derived(&[project.0.as_bytes(), test.0.as_bytes(), &failed]),
        project,
        test,
        by: By::Policy,
        terms: Terms {
            mode: rules.mode,
            reason: format!("Flaky on {}: fails by chance in {low} % to {high} % of its attempts.", candidate.branch),
            owner: rules.owner.clone(),
            ticket: None,
            expires_at: now + TimeDelta::days(i64::from(rules.expiry_days)),
        },
        evidence: Some(Evidence {
            branch: candidate.branch.clone(),
            state: State::Flaky.as_str().to_owned(),
            score: candidate.score,
            score_low: candidate.score_low,
            score_high: candidate.score_high,
            runs: u32::try_from(candidate.runs).unwrap_or_default(),
        }),
    }
}

/// Whether anything happened.
async fn execute(
    log: &EventLog,
    team: TeamId,
    test: TestId,
    command: CommandId,
    wanted: Command,
    now: DateTime<Utc>,
) -> Result<bool, TendError> {
    let meta = CommandMeta::of_system(command, now);
    match log.execute::<Quarantine>(StreamId::of(team, Kind::Quarantine, test), wanted, &meta).await {
        Ok(executed) => Ok(!executed.events.is_empty() && !executed.replayed),
        // The read model was behind: somebody else has seen to it.
        Err(ExecuteError::Rejected(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
