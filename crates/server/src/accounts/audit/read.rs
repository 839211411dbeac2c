//! Reading the audit log: what the log knows (projection `audit`) and what it doesn't (`auth.audit`), as one list.

use crate::app::App;
use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, UserId};
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use std::str::FromStr;
use uuid::Uuid;

/// What to look for; everything that is absent fits.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Exactly this action.
    pub action: Option<String>,
    /// Exactly this type of resource.
    pub resource_type: Option<String>,
    /// To exactly this.
    pub resource: Option<Uuid>,
    /// Who did it.
    pub actor: Option<UserId>,
    /// In which team.
    pub team: Option<TeamId>,
    /// From then on, inclusive.
    pub since: Option<DateTime<Utc>>,
    /// Until then, inclusive.
    pub until: Option<DateTime<Utc>>,
}

/// A line of the audit log.
#[derive(Debug, Clone, FromRow)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The person, also behind an API token; none for the system and for who was not known.
    pub actor_id: Option<Uuid>,
    /// Their address, or the one that was typed.
    pub actor_email: Option<String>,
    /// In which team.
    pub team_id: Option<Uuid>,
    /// What it is called now.
    pub team_name: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub resource_type: Option<String>,
    /// Which.
    pub resource_id: Option<Uuid>,
    /// What else is known.
    pub metadata: Option<Value>,
    /// From which address.
    pub ip: Option<String>,
}

/// Where a page ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: DateTime<Utc>,
    id: String,
}

impl Cursor {
    /// After this entry.
    pub fn after(entry: &Entry) -> Self {
        Self { at: entry.at, id: entry.id.clone() }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.at.timestamp_micros(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('_').ok_or(())?;
        let at = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(())?;
        let plain = (1..=40).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        plain.then(|| Self { at, id: id.to_owned() }).ok_or(())
    }
}

/// What the log knows. Of a token its owner did it; of a trusted workflow nobody in person.
const ACTS: &str = "
    select 'e' || lpad(entry.no::text, 20, '0') || '.' || lpad(entry.idx::text, 5, '0') as id, entry.at,
           coalesce(entry.user_id, owner.user_id) as actor_id, null::text as typed, entry.team_id, entry.action,
           entry.resource_type, entry.resource_id,
           case when entry.token_id is not null then coalesce(entry.metadata, '{}') || jsonb_build_object('token_id', entry.token_id)
                when entry.publisher_id is not null
                    then coalesce(entry.metadata, '{}') || jsonb_build_object('publisher_id', entry.publisher_id)
                else entry.metadata end as metadata,
           null::text as ip
    from audit.entry left join audit.token_owner owner on owner.token_id = entry.token_id";

/// What it doesn't.
const NOTES: &str = "
    select 's' || lpad(id::text, 20, '0') as id, at, coalesce(actor_id, user_id) as actor_id, email as typed, team_id, action,
           case when token_id is not null then 'token' when user_id is not null then 'user' end as resource_type,
           coalesce(token_id, user_id) as resource_id, detail as metadata, ip
    from auth.audit";

/// Adds one half: what fits, newest first, as much of it as the page can need. Each half is cut on its own, so that the
/// indexes on time are read from their ends instead of everything being sorted.
fn push_half(
    query: &mut QueryBuilder<Postgres>,
    half: &'static str,
    filter: &Filter,
    after: Option<&Cursor>,
    most: Option<i64>,
) {
    query.push("(select * from (").push(half).push(") line where true");
    for (column, value) in [("action", &filter.action), ("resource_type", &filter.resource_type)] {
        if let Some(value) = value {
            query.push(" and ").push(column).push(" = ").push_bind(value.clone());
        }
    }
    for (column, value) in [
        ("resource_id", filter.resource),
        ("actor_id", filter.actor.map(|id| id.0)),
        ("team_id", filter.team.map(|id| id.0)),
    ] {
        if let Some(value) = value {
            query.push(" and ").push(column).push(" = ").push_bind(value);
        }
    }
    if let Some(since) = filter.since {
        query.push(" and at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and at <= ").push_bind(until);
    }
    if let Some(cursor) = after {
        // The first condition says less than the second, and an index can answer it.
        query.push(" and at <= ").push_bind(cursor.at);
        query.push(" and (at, id) < (").push_bind(cursor.at).push(", ").push_bind(cursor.id.clone()).push(")");
    }
    if let Some(most) = most {
        query.push(" order by at desc, id desc limit ").push_bind(most);
    }
    query.push(")");
}

/// A page, newest first.
///
/// # Errors
/// What the database says.
pub async fn page(
    app: &App,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    let mut query = QueryBuilder::new(
        "select line.id, line.at, line.actor_id, coalesce(person.email, line.typed) as actor_email, line.team_id,
                team.name as team_name, line.action, line.resource_type, line.resource_id, line.ip,
                case when invited.email is not null
                    then coalesce(line.metadata, '{}') || jsonb_build_object('email', invited.email)
                    else line.metadata end as metadata
         from (",
    );
    let most = Some(limit.saturating_add(offset));
    push_half(&mut query, ACTS, filter, after, most);
    query.push(" union all ");
    push_half(&mut query, NOTES, filter, after, most);
    query.push(
        ") line left join auth.users person on person.id = line.actor_id left join access.team on team.id = line.team_id
         left join auth.invitations invited on line.resource_type = 'invitation' and invited.id = line.resource_id",
    );
    query.push(" order by line.at desc, line.id desc limit ").push_bind(limit).push(" offset ").push_bind(offset);
    query.build_query_as().fetch_all(&app.db).await
}

/// How many fit.
///
/// # Errors
/// What the database says.
pub async fn count(app: &App, filter: &Filter) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select count(*) from (");
    push_half(&mut query, ACTS, filter, None, None);
    query.push(" union all ");
    push_half(&mut query, NOTES, filter, None, None);
    query.push(") line").build_query_scalar().fetch_one(&app.db).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_is_none() {
        let at = DateTime::from_timestamp_micros(1_795_262_400_123_456).unwrap();
        let cursor = Cursor { at, id: "e00000000000000000042.00001".into() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for nonsense in ["", "1", "x_e1", "1_", "1_e'1", &format!("1_{}", "e".repeat(41))] {
            assert_eq!(nonsense.parse::<Cursor>(), Err(()), "{nonsense}");
        }
    }
}
