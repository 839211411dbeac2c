//! When API tokens were used last, and from which addresses: noted in memory, written a few seconds later, at most once a
//! minute per token, by all replicas together. An address that a token was never used from is a line of the audit log.

use super::audit::Action;
use crate::app::{App, AppState};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::TokenId;
use std::{
    collections::HashMap,
    hash::Hash,
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

/// An address that a token was not used from for so long is new again.
const ADDRESSES: TimeDelta = TimeDelta::days(90);

/// Uses on their way to the database.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    uses: Notes<TokenId>,
    addresses: Notes<(TokenId, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    at: DateTime<Utc>,
    written: bool,
}

#[derive(Debug)]
struct Notes<K>(Mutex<HashMap<K, Noted>>);

impl<K> Default for Notes<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Notes<K> {
    fn note(&self, key: K, at: DateTime<Utc>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&key).is_some_and(|known| at - known.at < PAUSE) {
            return;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(key, Noted { at, written: false });
    }

    fn take(&self) -> Vec<(K, DateTime<Utc>)> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = noted.iter_mut().filter(|(_, noted)| !noted.written);
        unwritten
            .map(|(key, noted)| {
                noted.written = true;
                (key.clone(), noted.at)
            })
            .collect()
    }
}

impl Usage {
    pub fn note(&self, token: TokenId, at: DateTime<Utc>) {
        self.uses.note(token, at);
    }

    pub fn note_address(&self, token: TokenId, address: String, at: DateTime<Utc>) {
        self.addresses.note((token, address), at);
    }
}

/// Writes what was noted.
///
/// # Errors
/// What the database says; the uses are lost then, which costs nothing but a line in a list.
pub async fn flush(app: &App) -> Result<(), sqlx::Error> {
    flush_uses(app).await?;
    flush_addresses(app).await
}

async fn flush_uses(app: &App) -> Result<(), sqlx::Error> {
    let uses = app.usage.uses.take();
    let (tokens, times): (Vec<Uuid>, Vec<_>) = uses.into_iter().map(|(token, at)| (token.0, at)).unzip();
    if tokens.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update auth.api_tokens set last_used_at = used.at
         from unnest($1::uuid[], $2::timestamptz[]) as used (id, at)
         where api_tokens.id = used.id and (last_used_at is null or last_used_at <= used.at - $3)",
    )
    .bind(tokens)
    .bind(times)
    .bind(PAUSE)
    .execute(&app.db)
    .await?;
    Ok(())
}

async fn flush_addresses(app: &App) -> Result<(), sqlx::Error> {
    let (mut tokens, mut addresses, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for ((token, address), at) in app.usage.addresses.take() {
        tokens.push(token.0);
        addresses.push(address);
        times.push(at);
    }
    if tokens.is_empty() {
        return Ok(());
    }
    // A row that was there already is only made younger: `xmax` tells the two apart.
    sqlx::query(
        "with used as (
             insert into auth.token_addresses as known (token_id, ip, at)
             select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
             on conflict (token_id, ip) do update set at = greatest(known.at, excluded.at)
             returning token_id, ip, at, xmax = 0 as is_new
         )
         insert into auth.audit (at, action, user_id, token_id, team_id, ip)
         select used.at, $4, token.user_id, token.id, token.team_id, used.ip
         from used join auth.api_tokens token on token.id = used.token_id where used.is_new order by used.at",
    )
    .bind(tokens)
    .bind(addresses)
    .bind(times)
    .bind(Action::TokenUsedElsewhere.as_str())
    .execute(&app.db)
    .await?;
    Ok(())
}

/// Removes addresses that were not seen for long.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let old = app.clock.now() - ADDRESSES;
    sqlx::query("delete from auth.token_addresses where at < $1").bind(old).execute(&app.db).await?;
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
        assert_eq!(usage.uses.take(), [(token, noon)]);
        usage.note(token, noon + TimeDelta::seconds(59));
        assert_eq!(usage.uses.take(), []);
        usage.note(token, noon + TimeDelta::seconds(60));
        assert_eq!(usage.uses.take(), [(token, noon + TimeDelta::seconds(60))]);
    }
}
