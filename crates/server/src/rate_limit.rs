//! Limits on calls per minute, shared by all replicas.
//!
//! The counts stand in the database. A replica takes a block of a key's calls at once and hands them out from memory, so that a
//! busy token costs a statement every few calls. Of one key it takes one block at a time: calls that come in together wait for it
//! and share it. What a replica took and did not use is lost for that minute: with a limit of n, at most n/20 calls per replica;
//! never is more granted than the limit.

use crate::app::App;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::Row;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys remembered at once.
const REMEMBERED: usize = 20_000;
/// Blocks of a limit.
const BLOCKS: u32 = 20;
/// Keys for which a block can be fetched at once.
const LANES: usize = 32;

/// What is limited, and to how many calls per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Counted apart from other names.
    pub name: &'static str,
    /// Calls per minute.
    pub per_minute: u32,
}

/// Whether a call may go on, and what its answer says of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may.
    pub is_allowed: bool,
    /// Calls per minute.
    pub limit: u32,
    /// Calls that are left, about.
    pub remaining: u32,
    /// When the minute ends, seconds since the epoch.
    pub reset: i64,
    /// Seconds until then.
    pub retry_after: u32,
}

/// Calls that this replica has taken.
#[derive(Debug, Default)]
pub struct RateLimits {
    taken: Mutex<HashMap<[u8; 32], Taken>>,
    /// Whoever fetches a block of a key holds the key's lane: a second block of it would put itself in the first one's place.
    lanes: [tokio::sync::Mutex<()>; LANES],
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    minute: i64,
    left: u32,
    /// What all replicas have taken, as far as it is known here.
    used: u32,
    /// There was nothing to take at this second: no need to ask again in it.
    refused_at: Option<i64>,
}

impl RateLimits {
    fn taken(&self) -> MutexGuard<'_, HashMap<[u8; 32], Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, key: &[u8; 32]) -> &tokio::sync::Mutex<()> {
        let [first, ..] = key;
        // There are as many lanes as the remainder has values.
        &self.lanes[usize::from(*first) % LANES]
    }

    /// Uses one of the calls that were taken; `None` if the database has to be asked.
    fn spend(&self, key: &[u8; 32], now: i64, limit: Limit) -> Option<Verdict> {
        let mut keys = self.taken();
        let taken = keys.get_mut(key).filter(|taken| taken.minute == now.div_euclid(60))?;
        if taken.left > 0 {
            taken.left -= 1;
            return Some(verdict(true, limit, taken.used - taken.left, now));
        }
        (taken.refused_at == Some(now)).then(|| verdict(false, limit, limit.per_minute, now))
    }

    fn put(&self, key: [u8; 32], taken: Taken) {
        let mut keys = self.taken();
        if keys.len() >= REMEMBERED {
            keys.retain(|_, other| other.minute == taken.minute);
        }
        if keys.len() >= REMEMBERED {
            keys.clear();
        }
        keys.insert(key, taken);
    }
}

fn verdict(is_allowed: bool, limit: Limit, used: u32, now: i64) -> Verdict {
    let limit = limit.per_minute;
    let reset = (now.div_euclid(60) + 1) * 60;
    let retry_after = u32::try_from(reset - now).unwrap_or(60);
    Verdict { is_allowed, limit, remaining: limit.saturating_sub(used), reset, retry_after }
}

/// Counts a call of `who`. `None` where nothing is limited, and while the database is away: then nothing that matters
/// works anyway.
pub async fn count(app: &App, limit: Limit, who: &str) -> Option<Verdict> {
    if app.config.disable_rate_limit {
        return None;
    }
    let now: DateTime<Utc> = app.clock.now();
    let seconds = now.timestamp();
    let key: [u8; 32] = Sha256::new().chain_update(limit.name).chain_update([0]).chain_update(who).finalize().into();
    if let Some(verdict) = app.rate_limits.spend(&key, seconds, limit) {
        return Some(verdict);
    }
    let _lane = app.rate_limits.lane(&key).lock().await;
    // Somebody may have fetched a block while this call waited.
    if let Some(verdict) = app.rate_limits.spend(&key, seconds, limit) {
        return Some(verdict);
    }
    match take(app, &key, limit, seconds).await {
        Ok((granted, used)) => {
            let (left, used) = (granted.saturating_sub(1), used + granted);
            let refused_at = (granted == 0).then_some(seconds);
            app.rate_limits.put(key, Taken { minute: seconds.div_euclid(60), left, used, refused_at });
            Some(verdict(granted > 0, limit, used - left.min(used), seconds))
        }
        Err(error) => {
            tracing::warn!(%error, "calls are not counted: the database is away");
            None
        }
    }
}

async fn take(app: &App, key: &[u8; 32], limit: Limit, seconds: i64) -> Result<(u32, u32), sqlx::Error> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a minute")]
    let weight = (60 - seconds.rem_euclid(60)) as f64 / 60.0;
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let row = sqlx::query("select granted, used from ops.take_calls($1, $2, $3, $4, $5)")
        .bind(key.as_slice())
        .bind(seconds.div_euclid(60))
        .bind(weight)
        .bind(count(limit.per_minute))
        .bind(count((limit.per_minute / BLOCKS).max(1)))
        .fetch_one(&app.db)
        .await?;
    let (granted, used): (i32, i32) = (row.try_get("granted")?, row.try_get("used")?);
    Ok((granted.max(0).unsigned_abs(), used.max(0).unsigned_abs()))
}

/// Removes counts that don't matter any more.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let old = app.clock.now().timestamp().div_euclid(60) - 2;
    sqlx::query("delete from ops.rate_limit where minute < $1").bind(old).execute(&app.db).await?;
    Ok(())
}
