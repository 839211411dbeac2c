//! API tokens: the hash of the secret and its use are rows here, everything else is in the log.

use super::{digest, sweep};
use crate::{
    app::App,
    http::error::ApiError,
    remembered::Remembered,
    secrets::{hex, random},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Token, token};
use scaledtest_domain::{
    Actor, CommandId, ErrorKind, Hash16, Kind, Position, Scope, StreamId, TeamId, TeamRole, TokenId, UserId,
    events::token::Created,
};
use scaledtest_eventlog::CommandMeta;
use scaledtest_projections::access::queries as access;
use sqlx::Row;
use std::collections::HashMap;
use uuid::Uuid;

/// How every token begins.
pub const PREFIX: &str = "sct_";

/// What a valid token stands for at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub token: TokenId,
    pub team: TeamId,
    pub user: UserId,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<DateTime<Utc>>,
    pub role: TeamRole,
}

/// What secrets stand for, by their hashes.
pub(crate) type TokenCache = Remembered<[u8; 32], Standing>;

/// What a secret stands for; `None` if it is unknown, revoked, or its creator is no longer in the team.
pub(crate) async fn look_up(app: &App, secret: &str) -> Result<Option<Standing>, ApiError> {
    let hash = digest(secret);
    // Taken before the question, so that a revocation in between cannot be outlived.
    let asked = app.clock.now();
    if let Some(standing) = app.token_cache.get(&hash, asked) {
        return Ok(Some(standing));
    }
    let row = sqlx::query(
        "select id, team_id, user_id, scopes, expires_at from auth.api_tokens
         where token_hash = $1 and state = 'active'",
    )
    .bind(hash.as_slice())
    .fetch_optional(&app.db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (team, user) = (TeamId(row.try_get("team_id")?), UserId(row.try_get("user_id")?));
    let Some(role) = access::membership(&app.db, user, team).await? else { return Ok(None) };
    let words: Vec<String> = row.try_get("scopes")?;
    let standing = Standing {
        token: TokenId(row.try_get("id")?),
        team,
        user,
        scopes: words.iter().filter_map(|word| word.parse().ok()).collect(),
        expires_at: row.try_get("expires_at")?,
        role,
    };
    app.token_cache.put(hash, asked, standing.clone());
    Ok(Some(standing))
}

/// What a new token shall be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// As typed.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token that was just made: the only time that its secret is known.
pub struct Made {
    /// `sct_` and 64 hex digits.
    pub secret: String,
    /// The rest.
    pub created: Created,
    /// When.
    pub at: DateTime<Utc>,
    /// Where the log has it.
    pub position: Position,
}

/// Makes a token. With an idempotency key everything follows from the key, so the first answer can be given again.
///
/// # Errors
/// 400 when it would be useless, 409 `token_revoked` when the key's token was revoked since, 422 when the key was used
/// for another token, 503 when log or database are away.
pub async fn create(
    app: &App,
    team: TeamId,
    user: UserId,
    wanted: Wanted,
    key: Option<&str>,
    correlation: Uuid,
) -> Result<Made, ApiError> {
    let (team_bytes, user_bytes) = (team.0.into_bytes(), user.0.into_bytes());
    let (id, command, random_part) = match key {
        Some(key) => {
            let parts: [&[u8]; 4] = [b"create_token", &team_bytes, &user_bytes, key.as_bytes()];
            let secret =
                app.secrets.derive(&[b"api token", key.as_bytes(), &user_bytes, &team_bytes, wanted.name.as_bytes()]);
            (TokenId::derived(&parts), CommandId::derived(&parts), secret)
        }
        None => (TokenId::new(), CommandId::new(), random()),
    };
    let digits = hex(&random_part);
    let secret = format!("{PREFIX}{digits}");
    let hash = digest(&secret);
    insert(app, id, team, user, &wanted, &hash).await?;
    let meta = CommandMeta {
        command,
        request: key.map(|_| fingerprint(&wanted)),
        actor: Actor::User(user),
        at: app.clock.now(),
        correlation: Some(correlation),
        causation: None,
    };
    let prefix = digits.chars().take(8).collect();
    let Wanted { name, scopes, expires_at } = wanted;
    let command = token::Command::Create { token: id, user, name, prefix, scopes, expires_at };
    let executed = app.log.execute::<Token>(StreamId::of(team, Kind::Token, id), command, &meta).await;
    let executed = match executed {
        Ok(executed) => executed,
        Err(error) => {
            if matches!(error, scaledtest_eventlog::ExecuteError::Rejected(_)) {
                discard(app, id).await?;
            }
            return Err(ApiError::from_execute(error));
        }
    };
    let token::State { created, revoked } = executed.state;
    let Some(created) = created else { return Err(ApiError::internal("a token was made without an event")) };
    if revoked {
        discard(app, id).await?;
        return Err(gone());
    }
    if !activate(app, &created, Some(&hash)).await? {
        return Err(gone());
    }
    Ok(Made { secret, created, at: executed.at, position: executed.position })
}

fn gone() -> ApiError {
    let message = "the token of this idempotency key was revoked; use a new key for a new token";
    ApiError::new(ErrorKind::Conflict, "token_revoked", message)
}

/// Makes the row what the log says, and usable; false if there is none or it is being revoked.
///
/// An attempt that a crash ended may have left the row with another secret, or with other scopes.
async fn activate(app: &App, created: &Created, hash: Option<&[u8; 32]>) -> Result<bool, ApiError> {
    let scopes: Vec<&str> = created.scopes.iter().map(|scope| scope.as_str()).collect();
    let activated = sqlx::query(
        "update auth.api_tokens
         set state = 'active', token_hash = coalesce($2, token_hash), scopes = $3, expires_at = $4
         where id = $1 and state <> 'revoked'",
    )
    .bind(created.token.0)
    .bind(hash.map(<[u8; 32]>::as_slice))
    .bind(scopes)
    .bind(created.expires_at)
    .execute(&app.db)
    .await?;
    Ok(activated.rows_affected() == 1)
}

/// A row that an interrupted attempt left is taken over; its time tells the sweep that somebody is at it.
async fn insert(
    app: &App,
    id: TokenId,
    team: TeamId,
    user: UserId,
    wanted: &Wanted,
    hash: &[u8; 32],
) -> Result<(), ApiError> {
    let scopes: Vec<&str> = wanted.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "insert into auth.api_tokens (id, team_id, user_id, token_hash, scopes, expires_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set created_at = excluded.created_at where api_tokens.state = 'pending'",
    )
    .bind(id.0)
    .bind(team.0)
    .bind(user.0)
    .bind(hash.as_slice())
    .bind(scopes)
    .bind(wanted.expires_at)
    .bind(app.clock.now())
    .execute(&app.db)
    .await?;
    Ok(())
}

/// A refused creation leaves no row behind; an earlier one of the same key keeps its own.
async fn discard(app: &App, id: TokenId) -> Result<(), ApiError> {
    sqlx::query("delete from auth.api_tokens where id = $1 and state = 'pending'").bind(id.0).execute(&app.db).await?;
    Ok(())
}

fn fingerprint(wanted: &Wanted) -> Hash16 {
    let scopes: Vec<_> = wanted.scopes.iter().map(|scope| scope.as_str()).collect();
    let expiry = wanted.expires_at.map(|at| at.to_rfc3339()).unwrap_or_default();
    Hash16::of(format!("{}\n{}\n{expiry}", scopes.join(","), wanted.name).as_bytes())
}

/// Makes a token useless at once, then says so in the log; `None` if the team has no such token.
///
/// # Errors
/// 503 when log or database are away: the token is useless all the same, and the same again carries on.
pub async fn revoke(
    app: &App,
    team: TeamId,
    token: TokenId,
    actor: Actor,
    correlation: Option<Uuid>,
) -> Result<Option<Position>, ApiError> {
    let revoked = sqlx::query("update auth.api_tokens set state = 'revoked' where id = $1 and team_id = $2")
        .bind(token.0)
        .bind(team.0)
        .execute(&app.db)
        .await?;
    app.token_cache.forget_where(app.clock.now(), |standing| standing.token == token);
    if revoked.rows_affected() == 0 {
        // Without a row it may still be in the log: of a database restored from an older backup.
        match access::token(&app.db, token).await? {
            Some(known) if known.team_id == team => {}
            _ => return Ok(None),
        }
    }
    let position = retire(app, team, token, actor, correlation).await?;
    sqlx::query("delete from auth.api_tokens where id = $1").bind(token.0).execute(&app.db).await?;
    Ok(position)
}

/// Revokes every token that somebody made in a team which they have left: they would come back to life with them. Returns where
/// the log has the last of it.
///
/// # Errors
/// 503 when log or database are away: the tokens are useless all the same, and the sweep carries on.
pub(crate) async fn revoke_of(
    app: &App,
    team: TeamId,
    user: UserId,
    actor: Actor,
    correlation: Option<Uuid>,
) -> Result<Option<Position>, ApiError> {
    let revoked: Vec<Uuid> = sqlx::query_scalar(
        "update auth.api_tokens set state = 'revoked' where team_id = $1 and user_id = $2 and state <> 'revoked'
         returning id",
    )
    .bind(team.0)
    .bind(user.0)
    .fetch_all(&app.db)
    .await?;
    let mut last = None;
    for token in revoked {
        last = last.max(revoke(app, team, TokenId(token), actor, correlation).await?);
    }
    Ok(last)
}

/// Removes every token of a team that the log knows nothing of.
pub(crate) async fn forget_team(app: &App, team: TeamId) -> Result<(), ApiError> {
    let removed: Vec<Uuid> = sqlx::query_scalar("delete from auth.api_tokens where team_id = $1 returning id")
        .bind(team.0)
        .fetch_all(&app.db)
        .await?;
    app.token_cache.forget_where(app.clock.now(), |standing| removed.contains(&standing.token.0));
    Ok(())
}

/// `None` if the log never had it.
async fn retire(
    app: &App,
    team: TeamId,
    token: TokenId,
    actor: Actor,
    correlation: Option<Uuid>,
) -> Result<Option<Position>, ApiError> {
    let meta = CommandMeta {
        command: CommandId::derived(&[b"revoke_token", token.0.as_bytes()]),
        request: None,
        actor,
        at: app.clock.now(),
        correlation,
        causation: None,
    };
    let stream = StreamId::of(team, Kind::Token, token);
    match app.log.execute::<Token>(stream, token::Command::Revoke { token }, &meta).await {
        Ok(executed) => Ok(Some(executed.position)),
        Err(scaledtest_eventlog::ExecuteError::Rejected(token::Reject::NotFound)) => Ok(None),
        Err(error) => Err(ApiError::from_execute(error)),
    }
}

/// When each of a team's tokens was used last.
///
/// # Errors
/// What the database says.
pub async fn last_uses(app: &App, team: TeamId) -> Result<HashMap<TokenId, DateTime<Utc>>, ApiError> {
    let rows: Vec<(Uuid, DateTime<Utc>)> =
        sqlx::query_as("select id, last_used_at from auth.api_tokens where team_id = $1 and last_used_at is not null")
            .bind(team.0)
            .fetch_all(&app.db)
            .await?;
    Ok(rows.into_iter().map(|(id, at)| (TokenId(id), at)).collect())
}

/// Finishes or removes rows that no running request can belong to; returns how many.
pub(crate) async fn settle_all(app: &App, before: DateTime<Utc>, limit: i64) -> Result<usize, ApiError> {
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "select id, team_id, state from auth.api_tokens
         where state <> 'active' and created_at < $1 order by created_at limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(&app.db)
    .await?;
    for (id, team, state) in &rows {
        let (token, team) = (TokenId(*id), TeamId(*team));
        let done = match state.as_str() {
            "revoked" => revoke(app, team, token, Actor::System, None).await.map(drop),
            _ => settle(app, team, token, before).await,
        };
        sweep::one("token", *id, done)?;
    }
    Ok(rows.len())
}

async fn settle(app: &App, team: TeamId, id: TokenId, before: DateTime<Utc>) -> Result<(), ApiError> {
    let state = app.log.state::<Token>(&StreamId::of(team, Kind::Token, id)).await?;
    match state.created {
        // Made, but its secret was never told: nobody can use it, so it may as well be usable.
        Some(created) if !state.revoked => activate(app, &created, None).await.map(drop),
        _ => {
            // Unless somebody with the same key has begun again meanwhile.
            sqlx::query("delete from auth.api_tokens where id = $1 and state = 'pending' and created_at < $2")
                .bind(id.0)
                .bind(before)
                .execute(&app.db)
                .await?;
            Ok(())
        }
    }
}
