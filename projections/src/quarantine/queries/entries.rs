//! Stays, one by one.

use crate::{
    cursor,
    history::queries::{QueryError, push_target},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    QuarantineId, TeamId,
    events::quarantine::{Evidence, Mode, Why},
};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

/// A stay.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as in the event")]
pub struct Entry {
    pub id: Uuid,
    pub project_id: Uuid,
    pub test_id: Uuid,
    /// As which test it was put there: what that has become since is `test_id`.
    pub entered_test_id: Uuid,
    /// Who put it there; nobody if the policy did.
    pub user_id: Option<Uuid>,
    mode: String,
    pub reason: String,
    pub owner: Option<String>,
    pub ticket: Option<String>,
    pub entered_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When it ends or has ended.
    pub ends_at: DateTime<Utc>,
    pub released_at: Option<DateTime<Utc>>,
    released_why: Option<String>,
    pub released_user: Option<Uuid>,
    evidence: Option<Json<Evidence>>,
    pub project: String,
    /// None if every report with the test was deleted.
    pub name: Option<String>,
    suite: Option<Json<Vec<String>>>,
    pub file_path: Option<String>,
}

/// Where a stay is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The test is in quarantine.
    Active,
    /// Its time is over.
    Expired,
    /// It was ended before.
    Released,
}

impl Phase {
    /// Reads the word that the API uses.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Active),
            "expired" => Some(Self::Expired),
            "released" => Some(Self::Released),
            _ => None,
        }
    }
}

impl Entry {
    /// What becomes of the test in CI.
    pub fn mode(&self) -> Mode {
        Mode::from_word(&self.mode).unwrap_or_default()
    }

    /// Names of suites, outermost first.
    pub fn suite(&self) -> &[String] {
        self.suite.as_ref().map_or(&[], |suite| &suite.0)
    }

    /// What was known of the test when it came.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref().map(|evidence| &evidence.0)
    }

    /// Where it is in its life at `now`.
    pub fn phase(&self, now: DateTime<Utc>) -> Phase {
        match self.why(now) {
            None => Phase::Active,
            Some(Why::Expired) => Phase::Expired,
            Some(_) => Phase::Released,
        }
    }

    /// Why it has ended, if it has, noted or not.
    pub fn why(&self, now: DateTime<Utc>) -> Option<Why> {
        let noted = self.released_why.as_deref().and_then(Why::from_word);
        noted.or_else(|| (self.ends_at <= now).then_some(Why::Expired))
    }
}

/// What the list is narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Name or id of the project.
    pub project: Option<String>,
    /// Id of the test.
    pub test: Option<Uuid>,
    /// Where in their life they are.
    pub phase: Option<Phase>,
    /// What becomes of the test in CI.
    pub mode: Option<Mode>,
    /// Who sees to it, exactly.
    pub owner: Option<String>,
    /// A part of name, suite, file path, reason, owner or ticket.
    pub text: Option<String>,
}

const COLUMNS: &str = "select entry.id, entry.project_id, coalesce(alias.target_id, entry.test_id) as test_id, \
    entry.test_id as entered_test_id, entry.user_id, entry.mode, entry.reason, entry.owner, \
    entry.ticket, entry.entered_at, entry.changed_at, entry.expires_at, entry.ends_at, entry.released_at, entry.released_why, \
    entry.released_user, entry.evidence, coalesce(project.name, '') as project, test.name, test.suite, test.file_path";
const TABLES: &str = " from quarantine.entry left join history.project on project.id = entry.project_id \
    left join history.alias on alias.from_id = entry.test_id \
    left join history.test on test.id = coalesce(alias.target_id, entry.test_id) and test.project_id = entry.project_id";

/// A stay of a test of a team.
///
/// # Errors
/// What the database says.
pub async fn entry(pool: &PgPool, team: TeamId, id: QuarantineId) -> Result<Option<Entry>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(TABLES).push(" where entry.team_id = ").push_bind(team.0).push(" and entry.id = ").push_bind(id.0);
    query.build_query_as().fetch_optional(pool).await
}

/// A page of stays, how many there are, and where the next page begins. Active ones by their end, the next one first; else
/// what ended last, or will end last, first.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_entries(
    pool: &PgPool,
    team: TeamId,
    filter: &Filter,
    now: DateTime<Utc>,
    (limit, cursor): (u32, Option<&str>),
) -> Result<(Vec<Entry>, i64, Option<String>), QueryError> {
    let mut query = QueryBuilder::<Postgres>::new("select count(*)");
    query.push(TABLES);
    push(&mut query, team, filter, now);
    let total = query.build_query_scalar().fetch_one(pool).await?;

    let (compare, order) = match filter.phase {
        Some(Phase::Active) => (">", "order by entry.ends_at, entry.id"),
        _ => ("<", "order by entry.ends_at desc, entry.id desc"),
    };
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(TABLES);
    push(&mut query, team, filter, now);
    if let Some(cursor) = cursor {
        let (at, id) = cursor::decode(cursor)?;
        query.push(" and (entry.ends_at, entry.id) ").push(compare).push(" (");
        query.push_bind(at).push(", ").push_bind(id).push(")");
    }
    query.push(" ").push(order).push(" limit ").push_bind(i64::from(limit) + 1);
    let mut rows: Vec<Entry> = query.build_query_as().fetch_all(pool).await?;
    let next = cursor::cut(&mut rows, limit, |row| (row.ends_at, row.id));
    Ok((rows, total, next))
}

fn push(query: &mut QueryBuilder<Postgres>, team: TeamId, filter: &Filter, now: DateTime<Utc>) {
    query.push(" where entry.team_id = ").push_bind(team.0);
    if let Some(project) = &filter.project {
        query.push(" and (project.name = ").push_bind(project.clone());
        query.push(" or entry.project_id::text = ").push_bind(project.clone()).push(")");
    }
    if let Some(test) = filter.test {
        query.push(" and entry.test_id in (with wanted as (select ");
        push_target(query, test);
        query.push(
            " as id) select id from wanted
             union select from_id from history.alias old join wanted on old.target_id = wanted.id)",
        );
    }
    match filter.phase {
        Some(Phase::Active) => query.push(" and entry.ends_at > ").push_bind(now),
        Some(Phase::Expired) => query
            .push(" and entry.ends_at <= ")
            .push_bind(now)
            .push(" and coalesce(entry.released_why, 'expired') = 'expired'"),
        Some(Phase::Released) => query.push(" and entry.released_why <> 'expired'"),
        None => query,
    };
    if let Some(mode) = filter.mode {
        query.push(" and entry.mode = ").push_bind(mode.as_str());
    }
    if let Some(owner) = &filter.owner {
        query.push(" and entry.owner = ").push_bind(owner.clone());
    }
    if let Some(text) = &filter.text {
        query.push(" and strpos(lower(concat_ws(' ', test.words, entry.reason, entry.owner, entry.ticket)), ");
        query.push_bind(text.to_lowercase()).push(") > 0");
    }
}
