//! Sessions: an opaque refresh token that is replaced at every use.
//!
//! The next token follows from the presented one and the instance's key, so that two tabs (or a retry after a lost answer)
//! presenting the same token within seconds are given the same next one. Later, a used token means that somebody has
//! a copy: the session ends for everybody.

use super::{Client, audit, digest, users::User};
use crate::{
    app::App,
    http::error::ApiError,
    secrets::{hex, random},
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{TeamId, TeamRole, UserId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// How long a replaced token is still taken for another tab's.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// Replacements within the grace that are followed.
const HOPS: usize = 8;

/// What a refresh comes to.
#[derive(Debug)]
pub enum Refreshed {
    /// The session goes on: which, whose it is, and the token to present next.
    Alive(Uuid, UserId, String),
    /// It had expired; it is gone now.
    Expired,
    /// No such session, or one that had to be ended.
    Unknown,
}

/// A session that was just opened.
pub struct Opened {
    /// Which.
    pub session: Uuid,
    /// Its refresh token.
    pub refresh_token: String,
}

/// A new session for somebody who has proven to be `user`, as it was read then; `None` if the password was changed in
/// between, or the account is gone: that ended every session, this one included.
///
/// # Errors
/// What the database says.
pub async fn open(app: &App, user: &User, client: &Client) -> Result<Option<Opened>, ApiError> {
    let (session, refresh_token, now) = (Uuid::now_v7(), hex(&random()), app.clock.now());
    let opened = sqlx::query(
        "insert into auth.sessions (id, user_id, token_hash, expires_at, created_at, last_seen_at, user_agent, ip)
         select $1, id, $3, $4, $5, $5, $6, $7 from auth.users where id = $2 and password_hash = $8 for share",
    )
    .bind(session)
    .bind(user.id.0)
    .bind(digest(&refresh_token).as_slice())
    .bind(expiry(app, now))
    .bind(now)
    .bind(&client.user_agent)
    .bind(&client.ip)
    .bind(&user.password_hash)
    .execute(&app.db)
    .await?;
    Ok((opened.rows_affected() == 1).then_some(Opened { session, refresh_token }))
}

fn expiry(app: &App, now: DateTime<Utc>) -> DateTime<Utc> {
    let life = TimeDelta::from_std(app.config.jwt_refresh_duration).unwrap_or(TimeDelta::days(7));
    now.checked_add_signed(life).unwrap_or(now)
}

/// Replaces the presented token by the next one.
///
/// # Errors
/// What the database says.
pub async fn refresh(app: &App, token: &str, client: &Client) -> Result<Refreshed, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (refreshed, thief) = match current(&mut tx, token).await? {
        Some(session) if session.expires_at <= now => {
            end(&mut tx, session.id).await?;
            (Refreshed::Expired, None)
        }
        Some(session) => (rotate(app, &mut tx, &session, token, now).await?, None),
        None => reuse(app, &mut tx, token, now).await?,
    };
    tx.commit().await?;
    if let Some(user) = thief {
        tracing::warn!(%user, "a refresh token was used twice; its session is ended");
        audit::note(app, audit::Action::RefreshTokenReused, Some(user), None, client).await;
    }
    Ok(refreshed)
}

struct Session {
    id: Uuid,
    user: UserId,
    token_hash: Vec<u8>,
    expires_at: DateTime<Utc>,
}

fn session(row: &sqlx::postgres::PgRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: row.try_get("id")?,
        user: UserId(row.try_get("user_id")?),
        token_hash: row.try_get("token_hash")?,
        expires_at: row.try_get("expires_at")?,
    })
}

async fn current(conn: &mut PgConnection, token: &str) -> Result<Option<Session>, sqlx::Error> {
    let row =
        sqlx::query("select id, user_id, token_hash, expires_at from auth.sessions where token_hash = $1 for update")
            .bind(digest(token).as_slice())
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(session).transpose()
}

fn successor(app: &App, session: Uuid, token: &str) -> String {
    hex(&app.secrets.derive(&[b"refresh token", session.as_bytes(), token.as_bytes()]))
}

async fn rotate(
    app: &App,
    conn: &mut PgConnection,
    session: &Session,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Refreshed, sqlx::Error> {
    let next = successor(app, session.id, token);
    sqlx::query("update auth.sessions set token_hash = $2, expires_at = $3, last_seen_at = $4 where id = $1")
        .bind(session.id)
        .bind(digest(&next).as_slice())
        .bind(expiry(app, now))
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query("insert into auth.retired_refresh_tokens (token_hash, session_id, retired_at) values ($1, $2, $3)")
        .bind(&session.token_hash)
        .bind(session.id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(Refreshed::Alive(session.id, session.user, next))
}

/// A token that was replaced: within the grace its successor is given again, later the session ends.
async fn reuse(
    app: &App,
    conn: &mut PgConnection,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(Refreshed, Option<UserId>), sqlx::Error> {
    let row = sqlx::query(
        "select s.id, s.user_id, s.token_hash, s.expires_at, r.retired_at
         from auth.retired_refresh_tokens r join auth.sessions s on s.id = r.session_id
         where r.token_hash = $1 for update of s",
    )
    .bind(digest(token).as_slice())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok((Refreshed::Unknown, None)) };
    let (found, retired_at): (Session, DateTime<Utc>) = (session(&row)?, row.try_get("retired_at")?);
    if now - retired_at <= GRACE && found.expires_at > now {
        let mut next = token.to_owned();
        for _ in 0..HOPS {
            next = successor(app, found.id, &next);
            if digest(&next).as_slice() == found.token_hash {
                return Ok((Refreshed::Alive(found.id, found.user, next), None));
            }
        }
    }
    end(conn, found.id).await?;
    Ok((Refreshed::Unknown, Some(found.user)))
}

async fn end(conn: &mut PgConnection, session: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("delete from auth.sessions where id = $1").bind(session).execute(conn).await?;
    Ok(())
}

/// Ends the session of a token, also if the token was replaced since; returns whose it was.
///
/// # Errors
/// What the database says.
pub async fn close(app: &App, token: &str) -> Result<Option<UserId>, ApiError> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "delete from auth.sessions where token_hash = $1
            or id in (select session_id from auth.retired_refresh_tokens where token_hash = $1)
         returning user_id",
    )
    .bind(digest(token).as_slice())
    .fetch_optional(&app.db)
    .await?;
    Ok(user.map(UserId))
}

/// What the person of a session may do in each of their teams, the oldest membership first; `None` when the session is
/// over or the account is switched off. One question, because every call asks it.
pub(crate) async fn memberships(
    app: &App,
    session: Uuid,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Vec<(TeamId, TeamRole)>>, sqlx::Error> {
    let rows: Vec<(Option<Uuid>, Option<String>)> = sqlx::query_as(
        "select place.team_id, place.role
         from auth.sessions as session
         left join access.account on account.user_id = session.user_id
         left join (select member.user_id, member.team_id, member.role, member.no, team.no as team_no
                    from access.member join access.team on team.id = member.team_id) as place
           on place.user_id = session.user_id
         where session.id = $1 and session.user_id = $2 and session.expires_at > $3
           and account.is_disabled is not true
         order by place.no, place.team_no",
    )
    .bind(session)
    .bind(user.0)
    .bind(now)
    .fetch_all(&app.db)
    .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let places = rows.into_iter().filter_map(|(team, role)| Some((TeamId(team?), role?.parse().ok()?)));
    Ok(Some(places.collect()))
}

/// Whose browser shows this refresh token, without using it up: the session.
///
/// # Errors
/// What the database says.
pub async fn shown(app: &App, refresh_token: &str) -> Result<Option<Uuid>, ApiError> {
    let session = sqlx::query_scalar("select id from auth.sessions where token_hash = $1 and expires_at > $2")
        .bind(digest(refresh_token).as_slice())
        .bind(app.clock.now())
        .fetch_optional(&app.db)
        .await?;
    Ok(session)
}

/// Whose session it is, if it lives. It does until the transaction ends: whoever ends it meanwhile waits.
pub(crate) async fn holder_in(
    conn: &mut PgConnection,
    session: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, sqlx::Error> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "select session.user_id from auth.sessions as session
         left join access.account on account.user_id = session.user_id
         where session.id = $1 and session.expires_at > $2 and account.is_disabled is not true
         for share of session",
    )
    .bind(session)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(user.map(UserId))
}

/// A session, as its person sees it.
#[derive(Debug)]
pub struct Shown {
    /// Which.
    pub id: Uuid,
    /// What the browser called itself.
    pub user_agent: Option<String>,
    /// Where they signed in.
    pub ip: Option<String>,
    /// When they did.
    pub created_at: DateTime<Utc>,
    /// When an access token was fetched last.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends unless it is used.
    pub expires_at: DateTime<Utc>,
}

/// Somebody's living sessions, the last used first.
///
/// # Errors
/// What the database says.
pub async fn of(app: &App, user: UserId) -> Result<Vec<Shown>, ApiError> {
    let rows = sqlx::query(
        "select id, user_agent, ip, created_at, last_seen_at, expires_at from auth.sessions
         where user_id = $1 and expires_at > $2 order by last_seen_at desc, id desc",
    )
    .bind(user.0)
    .bind(app.clock.now())
    .fetch_all(&app.db)
    .await?;
    let shown = |row: &sqlx::postgres::PgRow| {
        Ok(Shown {
            id: row.try_get("id")?,
            user_agent: row.try_get("user_agent")?,
            ip: row.try_get("ip")?,
            created_at: row.try_get("created_at")?,
            last_seen_at: row.try_get("last_seen_at")?,
            expires_at: row.try_get("expires_at")?,
        })
    };
    Ok(rows.iter().map(shown).collect::<Result<_, sqlx::Error>>()?)
}

/// Ends one of somebody's sessions; false if they have no such session. Its access tokens are refused from now on.
///
/// # Errors
/// What the database says.
pub async fn end_one(app: &App, user: UserId, session: Uuid) -> Result<bool, ApiError> {
    let ended = sqlx::query("delete from auth.sessions where id = $1 and user_id = $2")
        .bind(session)
        .bind(user.0)
        .execute(&app.db)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends all of somebody's sessions but one, or all of them; returns how many. Their access tokens are refused from now on.
///
/// # Errors
/// What the database says.
pub async fn end_all(app: &App, user: UserId, except: Option<Uuid>) -> Result<u64, ApiError> {
    Ok(end_all_in(&mut *app.db.acquire().await?, user, except).await?)
}

/// As [`end_all`], inside a transaction.
pub(crate) async fn end_all_in(
    conn: &mut PgConnection,
    user: UserId,
    except: Option<Uuid>,
) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query("delete from auth.sessions where user_id = $1 and id is distinct from $2")
        .bind(user.0)
        .bind(except)
        .execute(conn)
        .await?;
    Ok(ended.rows_affected())
}

/// Removes what has expired.
///
/// # Errors
/// What the database says.
pub async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now();
    sqlx::query("delete from auth.sessions where expires_at <= $1").bind(now).execute(&app.db).await?;
    let life = TimeDelta::from_std(app.config.jwt_refresh_duration).unwrap_or(TimeDelta::days(7));
    let old = now.checked_sub_signed(life).unwrap_or(now);
    sqlx::query("delete from auth.retired_refresh_tokens where retired_at <= $1").bind(old).execute(&app.db).await?;
    Ok(())
}
