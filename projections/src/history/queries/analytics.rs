//! Sums over time.

use super::{Narrow, QueryError, Span};
use scaledtest_domain::TeamId;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};

/// How wide a bucket is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Group {
    /// From midnight.
    #[default]
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

impl Group {
    /// Reads the word that the API uses; anything else is a day, as in the original.
    pub fn from_word(word: &str) -> Self {
        match word {
            "week" => Self::Week,
            "month" => Self::Month,
            _ => Self::Day,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// The sums of one bucket.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "counts of results by status")]
pub struct Trend {
    /// First day of the bucket in the caller's time zone, `YYYY-MM-DD`.
    pub date: String,
    pub reports: i64,
    pub total: i64,
    pub passed: i64,
    pub failed: i64,
    pub skipped: i64,
    pub flaky: i64,
    /// Sum of the results' durations, milliseconds.
    pub duration_ms: i64,
}

const SUMS: &str = "coalesce(sum(reports), 0)::bigint as reports, coalesce(sum(tests), 0)::bigint as total, \
    coalesce(sum(passed), 0)::bigint as passed, coalesce(sum(failed), 0)::bigint as failed, \
    coalesce(sum(skipped), 0)::bigint as skipped, coalesce(sum(flaky), 0)::bigint as flaky, \
    coalesce(sum(duration_ms), 0)::bigint as duration_ms";

/// Sums by day, week or month, ascending; with `fill`, also those without any result.
///
/// # Errors
/// An unknown time zone, or what the database says.
pub async fn trends(
    pool: &PgPool,
    team: TeamId,
    narrow: &Narrow,
    span: Span,
    (group, zone, fill): (Group, &str, bool),
) -> Result<Vec<Trend>, QueryError> {
    let bucket = |query: &mut QueryBuilder<Postgres>, at: &str| {
        query
            .push("date_trunc(")
            .push_bind(group.word())
            .push(format!(", {at} at time zone "))
            .push_bind(zone.to_owned());
        query.push(")");
    };
    let mut query = QueryBuilder::<Postgres>::new("with counted as (select ");
    bucket(&mut query, "sums.at");
    query.push(" as bucket, sums.* from ");
    match zone {
        "UTC" => span.push_days(&mut query, ""),
        // A day there begins and ends within one here.
        _ => span.push_quarters(&mut query, ""),
    }
    query.push(" sums join history.slice on slice.id = sums.slice_id where");
    narrow.push(&mut query, team);
    query.push(")");
    if fill {
        query.push(", every as (select generate_series(");
        query.push("date_trunc(").push_bind(group.word()).push(", ").push_bind(span.start).push(" at time zone ");
        query
            .push_bind(zone.to_owned())
            .push("), ")
            .push_bind(span.end)
            .push(" at time zone ")
            .push_bind(zone.to_owned());
        query.push(", ").push_bind(format!("1 {}", group.word())).push("::interval) as bucket)");
    }
    query.push(" select to_char(bucket, 'YYYY-MM-DD') as date, ").push(SUMS);
    query.push(if fill { " from every left join counted using (bucket)" } else { " from counted" });
    query.push(" group by bucket order by bucket");
    query.build_query_as().fetch_all(pool).await.map_err(|error| match error.as_database_error() {
        Some(found) if found.code().as_deref() == Some("22023") => QueryError::TimeZone,
        _ => error.into(),
    })
}

/// Results by the ranges of [`crate::history::RANGES`] and above the last.
///
/// # Errors
/// What the database says.
pub async fn duration_distribution(
    pool: &PgPool,
    team: TeamId,
    narrow: &Narrow,
    span: Span,
) -> Result<Vec<i64>, QueryError> {
    let ranges = crate::history::RANGES.len() + 1;
    let mut query = QueryBuilder::<Postgres>::new("select ");
    for range in 1..=ranges {
        query.push(format!("{}coalesce(sum(durations[{range}]), 0)::bigint", if range == 1 { "array[" } else { ", " }));
    }
    query.push("] from ");
    span.push_days(&mut query, "");
    query.push(" sums join history.slice on slice.id = sums.slice_id where");
    narrow.push(&mut query, team);
    Ok(query.build_query_scalar().fetch_one(pool).await?)
}
