//! What interrupted requests left.

use super::{Row, Stage, create::make_usable, finish, retire, stream};
use crate::{
    accounts::{sweep, users},
    app::App,
    http::error::ApiError,
};
use chrono::{DateTime, Utc};
use scaledtest_commands::Invitation;
use scaledtest_domain::Actor;

/// Finishes or takes back what no running request can be working on, and forgets the addresses of teams that are gone;
/// returns how many.
pub(crate) async fn settle_all(app: &App, before: DateTime<Utc>, limit: i64) -> Result<usize, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select * from auth.invitations
         where state in ('pending', 'accepting', 'revoked') and changed_at < $1 order by changed_at limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(&app.db)
    .await?;
    for row in &rows {
        let done = match row.stage {
            Stage::Pending => settle_pending(app, row, before).await,
            Stage::Accepting => settle_accepting(app, row, before).await,
            Stage::Revoked => settle_revoked(app, row).await,
            Stage::Active | Stage::Accepted => Ok(()),
        };
        sweep::one("invitation", row.id.0, done)?;
    }
    sqlx::query(
        "delete from auth.invitations where state <> 'accepting'
         and exists (select from access.deleted_team where deleted_team.team_id = invitations.team_id)",
    )
    .execute(&app.db)
    .await?;
    Ok(rows.len())
}

async fn settle_pending(app: &App, row: &Row, before: DateTime<Utc>) -> Result<(), ApiError> {
    let state = app.log.state::<Invitation>(&stream(row.team, row.id)).await?;
    match state.created.zip(state.expires_at) {
        // Made, but nobody was told: the mail tells, and whoever invited can send it again.
        Some((created, expires_at)) if !state.is_revoked => {
            make_usable(app, &created, expires_at, None).await?;
        }
        // Unless somebody with the same key has begun again meanwhile.
        _ => {
            sqlx::query("delete from auth.invitations where id = $1 and state = 'pending' and changed_at < $2")
                .bind(row.id.0)
                .bind(before)
                .execute(&app.db)
                .await?;
        }
    }
    Ok(())
}

async fn settle_accepting(app: &App, row: &Row, before: DateTime<Utc>) -> Result<(), ApiError> {
    let state = app.log.state::<Invitation>(&stream(row.team, row.id)).await?;
    if let Some(user) = state.accepted
        && let Some(user) = users::by_id(app, user).await?
    {
        match finish(app, row.id, user, None).await {
            // The team is gone, and with it the rest.
            Err(error) if error.code() == "team_not_found" => {}
            other => drop(other?),
        }
        return Ok(());
    }
    let is_newcomer = match row.user {
        Some(user) => users::by_id(app, user).await?.is_some_and(|user| !user.active),
        None => false,
    };
    if is_newcomer {
        // The sweep of accounts removes the account; without one the invitation is given back here.
        return Ok(());
    }
    sqlx::query(
        "update auth.invitations set state = 'active', user_id = null
         where id = $1 and state = 'accepting' and changed_at < $2",
    )
    .bind(row.id.0)
    .bind(before)
    .execute(&app.db)
    .await?;
    Ok(())
}

async fn settle_revoked(app: &App, row: &Row) -> Result<(), ApiError> {
    if retire(app, row.team, row.id, Actor::System, None).await?.is_none() {
        // The log never had it, and nobody is making it any more.
        sqlx::query("delete from auth.invitations where id = $1 and state = 'revoked'")
            .bind(row.id.0)
            .execute(&app.db)
            .await?;
    }
    Ok(())
}
