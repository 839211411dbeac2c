//! Everybody's accounts.

use super::{instance_owner, only_owners, page, pattern};
use crate::{
    accounts::{
        Client,
        audit::{self, Action, Circumstances},
        recovery, sessions, users,
    },
    app::{App, AppState},
    http::{
        error::ApiError,
        extract::{Caller, Faults, JsonBody, Pairs, PathId, RequestId, after_write},
        read_models::WaitMin,
        words::UserRole,
    },
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{User, user::Command};
use scaledtest_domain::{ErrorKind, InstanceRole, Kind, Position, StreamId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, FromRow};
use utoipa::ToSchema;
use uuid::Uuid;

/// Changes of instance roles wait for each other, so that two owners cannot demote one another.
const LOCK: i64 = 0x5ca1_ed7e_0001;

/// An account, as an owner of the instance sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub(super) struct UserBody {
    id: Uuid,
    email: String,
    display_name: String,
    role: UserRole,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    disabled: bool,
    email_verified: bool,
    /// When a session of theirs was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<DateTime<Utc>>,
    /// Teams that they belong to.
    teams: i64,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    email: String,
    display_name: String,
    is_owner: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    is_disabled: bool,
    email_verified: bool,
    last_seen_at: Option<DateTime<Utc>>,
    teams: i64,
}

impl From<Row> for UserBody {
    fn from(row: Row) -> Self {
        let role = if row.is_owner { UserRole::Owner } else { UserRole::Maintainer };
        Self {
            id: row.id,
            email: row.email,
            display_name: row.display_name,
            role,
            created_at: row.created_at,
            updated_at: row.updated_at,
            disabled: row.is_disabled,
            email_verified: row.email_verified,
            last_seen_at: row.last_seen_at,
            teams: row.teams,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUserList)]
pub(super) struct ListBody {
    /// Newest first.
    users: Vec<UserBody>,
    /// Of all pages.
    total: i64,
}

/// Everybody's accounts
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "administration",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100; 50 otherwise"),
        ("offset" = Option<i64>, Query, description = "Accounts to pass over"),
        ("search" = Option<String>, Query, description = "Part of the address or the name, in any case"),
    ),
    responses(
        (status = 200, description = "Newest first", body = ListBody),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
    ))]
pub(super) async fn list_users(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    instance_owner(&app, &caller).await?;
    let ((limit, offset), pattern) = (page(&pairs), pattern(&pairs));
    let rows = select(&app, None, pattern.as_deref(), limit, offset).await?;
    let total = sqlx::query_scalar(
        "select count(*) from auth.users
         where state = 'active' and ($1::text is null or email ilike $1 or display_name ilike $1)",
    )
    .bind(pattern)
    .fetch_one(&app.db)
    .await?;
    Ok(Json(ListBody { users: rows.into_iter().map(UserBody::from).collect(), total }))
}

async fn select(
    app: &App,
    user: Option<UserId>,
    pattern: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "select u.id, u.email, u.display_name, u.created_at, u.updated_at,
                coalesce(a.instance_role = 'owner', false) as is_owner, coalesce(a.is_disabled, false) as is_disabled,
                u.email_verified_at is not null as email_verified,
                (select max(s.last_seen_at) from auth.sessions s where s.user_id = u.id) as last_seen_at,
                (select count(*) from access.member m where m.user_id = u.id) as teams
         from auth.users u left join access.account a on a.user_id = u.id
         where u.state = 'active' and ($1::uuid is null or u.id = $1)
           and ($2::text is null or u.email ilike $2 or u.display_name ilike $2)
         order by u.created_at desc, u.id desc limit $3 offset $4",
    )
    .bind(user.map(|user| user.0))
    .bind(pattern)
    .bind(limit)
    .bind(offset)
    .fetch_all(&app.db)
    .await
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChangeUser)]
pub(super) struct ChangeBody {
    /// Whether the account is switched off.
    #[serde(default)]
    disabled: Option<bool>,
    /// `owner` of the instance, or `maintainer`.
    #[serde(default)]
    role: Option<String>,
}

/// Switch an account off or on, or make somebody an owner of the instance or no longer one
///
/// Switching off ends the account's sessions at once, and its API tokens within a second.
#[utoipa::path(patch, path = "/api/v1/admin/users/{user_id}", tag = "administration", request_body = ChangeBody,
    params(("user_id" = uuid::Uuid, Path, description = "The account")),
    responses(
        (status = 200, description = "The account now", body = UserBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
        (status = 404, description = "user_not_found"),
        (status = 409, description = "own_account: nobody locks themselves out"),
    ))]
pub(super) async fn change_user(
    State(app): State<AppState>,
    caller: Caller,
    PathId(user): PathId<UserId>,
    request: RequestId,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<Response, ApiError> {
    let actor = instance_owner(&app, &caller).await?;
    let commands = commands(user, &body)?;
    if users::by_id(&app, user).await?.is_none() {
        return Err(ApiError::not_found("user_not_found", "user not found"));
    }
    let loses = body.disabled == Some(true) || body.role.as_deref() == Some("maintainer");
    if user == actor && loses {
        let message = "nobody switches off or demotes their own account: ask another owner of the instance";
        return Err(ApiError::new(ErrorKind::Conflict, "own_account", message));
    }
    // One connection of this process at most waits for the lock: whoever has it needs others.
    let _turn = app.instance_roles.lock().await;
    let mut conn = app.db.acquire().await?;
    let mut lock = conn.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *lock).await?;
    // Somebody may have demoted the caller while they waited, and the read model may not know it yet.
    let standing = app.log.state::<User>(&StreamId::global(Kind::User, actor)).await?;
    if standing.instance_role != Some(InstanceRole::Owner) || standing.is_disabled {
        return Err(only_owners());
    }
    let mut written = axum::http::HeaderMap::new();
    for command in commands {
        let position = execute(&app, &caller, &request, user, command).await?;
        written = after_write(&app, position, &["access"], false).await;
    }
    lock.commit().await?;
    if body.disabled == Some(true) {
        sessions::end_all(&app, user, None).await?;
    }
    let gone = || ApiError::not_found("user_not_found", "user not found");
    let row = select(&app, Some(user), None, 1, 0).await?.into_iter().next().ok_or_else(gone)?;
    Ok((written, Json(UserBody::from(row))).into_response())
}

fn commands(user: UserId, body: &ChangeBody) -> Result<Vec<Command>, ApiError> {
    let role = match body.role.as_deref() {
        None => None,
        Some("owner") => Some(InstanceRole::Owner),
        Some("maintainer") => Some(InstanceRole::Member),
        Some(_) => return Err(Faults::one("role", "must be owner or maintainer")),
    };
    let change = role.map(|instance_role| Command::ChangeInstanceRole { user, instance_role });
    let switch = body.disabled.map(|off| if off { Command::Disable { user } } else { Command::Enable { user } });
    if change.is_none() && switch.is_none() {
        return Err(Faults::one("disabled", "or role must be there: nothing is to be changed"));
    }
    Ok(change.into_iter().chain(switch).collect())
}

async fn execute(
    app: &App,
    caller: &Caller,
    request: &RequestId,
    user: UserId,
    command: Command,
) -> Result<Position, ApiError> {
    let meta = caller.meta(app, request);
    let executed = app.log.execute::<User>(StreamId::global(Kind::User, user), command, &meta).await;
    executed.map(|executed| executed.position).map_err(ApiError::from_execute)
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HandedReset)]
pub(super) struct ResetBody {
    /// The page with the link, to be handed to the person. Shown this once.
    reset_url: String,
    expires_at: DateTime<Utc>,
    /// Whether the person gets a link by mail, too.
    mailed: bool,
}

/// End somebody's sessions, and make a link with which they set a new password
#[utoipa::path(post, path = "/api/v1/admin/users/{user_id}/reset-password", tag = "administration",
    params(("user_id" = uuid::Uuid, Path, description = "The account")),
    responses(
        (status = 200, description = "The link; the present password stays until it is used", body = ResetBody),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
        (status = 404, description = "user_not_found"),
    ))]
pub(super) async fn hand_reset(
    State(app): State<AppState>,
    caller: Caller,
    client: Client,
    PathId(user): PathId<UserId>,
) -> Result<Json<ResetBody>, ApiError> {
    let actor = instance_owner(&app, &caller).await?;
    let gone = || ApiError::not_found("user_not_found", "user not found");
    let user = users::by_id(&app, user).await?.ok_or_else(gone)?;
    let handed = recovery::hand_reset(&app, &user).await?;
    let circumstances = Circumstances { actor: Some(actor), user: Some(user.id), ..Circumstances::default() };
    audit::note_with(&app, Action::PasswordResetHanded, circumstances, &client).await;
    Ok(Json(ResetBody { reset_url: handed.url, expires_at: handed.expires_at, mailed: handed.mailed }))
}
