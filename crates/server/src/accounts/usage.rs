//! When API tokens were used last: noted in memory, written a few seconds later, at most once a minute per token.

use crate::app::{App, AppState};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::TokenId;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A token's use is not written again within this time.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// How long a use may wait in memory.
const FLUSH: Duration = Duration::from_secs(5);
/// Tokens remembered; past this, uses are forgotten rather than memory filled.
const REMEMBERED: usize = 10_000;

/// Uses on their way to the database.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<HashMap<TokenId, Noted>>);

#[derive(Debug, Clone, Copy)]
struct Noted {
    at: DateTime<Utc>,
    written: bool,
}

impl Usage {
    pub fn note(&self, token: TokenId, at: DateTime<Utc>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&token).is_some_and(|known| at - known.at < PAUSE) {
            return;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(token, Noted { at, written: false });
    }

    fn take(&self) -> Vec<(TokenId, DateTime<Utc>)> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = noted.iter_mut().filter(|(_, noted)| !noted.written);
        unwritten
            .map(|(token, noted)| {
                noted.written = true;
                (*token, noted.at)
            })
            .collect()
    }
}

/// Writes what was noted.
///
/// # Errors
/// What the database says; the uses are lost then, which costs nothing but a line in a list.
pub async fn flush(app: &App) -> Result<(), sqlx::Error> {
    let (tokens, times): (Vec<Uuid>, Vec<_>) = app.usage.take().into_iter().map(|(token, at)| (token.0, at)).unzip();
    if tokens.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update auth.api_tokens set last_used_at = used.at
         from unnest($1::uuid[], $2::timestamptz[]) as used (id, at)
         where api_tokens.id = used.id and (last_used_at is null or last_used_at < used.at)",
    )
    .bind(tokens)
    .bind(times)
    .execute(&app.db)
    .await?;
    Ok(())
}

/// Writes every few seconds until `stop` is cancelled, and once more then.
pub(crate) async fn run(app: AppState, stop: CancellationToken) {
    loop {
        let stopped = stop.run_until_cancelled(tokio::time::sleep(FLUSH)).await.is_none();
        if let Err(error) = flush(&app).await {
            tracing::debug!(%error, "cannot write when tokens were used");
        }
        if stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_at_most_once_a_minute() {
        let usage = Usage::default();
        let token = TokenId::derived(&[b"t"]);
        let noon = DateTime::from_timestamp(1_795_262_400, 0).unwrap();
        usage.note(token, noon);
        usage.note(token, noon + TimeDelta::seconds(59));
        assert_eq!(usage.take(), [(token, noon)]);
        usage.note(token, noon + TimeDelta::seconds(59));
        assert_eq!(usage.take(), []);
        usage.note(token, noon + TimeDelta::seconds(60));
        assert_eq!(usage.take(), [(token, noon + TimeDelta::seconds(60))]);
    }
}
