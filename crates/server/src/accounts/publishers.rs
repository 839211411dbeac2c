//! CI workflows that teams trust, and the short-lived tokens that those get.

use super::sealed::Seal;
use crate::{app::App, http::error::ApiError, remembered::Remembered, secrets::Secrets};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{Publisher, publisher};
use scaledtest_domain::{
    Actor, CommandId, ErrorKind, Hash16, Kind, Position, PublisherId, StreamId, TeamId, UserId,
    events::publisher::{Rule, Trusted},
};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use scaledtest_projections::access::queries as access;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a workflow may upload after it has shown its own token.
const LIFE: TimeDelta = TimeDelta::minutes(15);
/// Rules that a team may have.
const MOST: usize = 100;

/// Writes and checks the tokens of workflows.
#[derive(Debug)]
pub(crate) struct Tokens {
    seal: Seal,
    rules: Remembered<PublisherId, access::Publisher>,
}

/// What such a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    sub: PublisherId,
    tid: TeamId,
}

impl Tokens {
    pub fn new(secrets: &Secrets) -> Self {
        Self { seal: Seal::new(secrets, "scaledtest-upload"), rules: Remembered::default() }
    }

    /// Whether this looks like one of them.
    pub fn claims(&self, credential: &str) -> bool {
        self.seal.claims(credential)
    }
}

/// A token for the workflows of a rule, and when it expires.
pub(crate) fn issue(app: &App, publisher: &access::Publisher) -> Result<(String, DateTime<Utc>), ApiError> {
    let claims = Claims { sub: publisher.id, tid: publisher.team_id };
    app.upload_tokens.seal.seal(claims, app.clock.now(), LIFE)
}

/// The rule that a workflow's token stands for, if it still holds.
pub(crate) async fn look_up(app: &App, token: &str) -> Result<access::Publisher, ApiError> {
    let invalid = || ApiError::unauthenticated("invalid_token", "invalid token");
    let tokens = &app.upload_tokens;
    // Taken before the question, so that a removal in between cannot be outlived.
    let asked = app.clock.now();
    let (claims, holds) = tokens.seal.open::<Claims>(token, asked).ok_or_else(invalid)?;
    if !holds {
        return Err(ApiError::unauthenticated("token_expired", "the upload token has expired"));
    }
    let known = match tokens.rules.get(&claims.sub, asked) {
        Some(known) => known,
        None => {
            let known = access::publisher(&app.db, claims.sub).await?.ok_or_else(invalid)?;
            tokens.rules.put(known.id, asked, known.clone());
            known
        }
    };
    if known.team_id == claims.tid { Ok(known) } else { Err(invalid()) }
}

/// A rule that was just made.
pub struct Made {
    /// The rule.
    pub trusted: Trusted,
    /// When.
    pub at: DateTime<Utc>,
    /// Where the log has it.
    pub position: Position,
}

/// Makes a team trust workflows. With an idempotency key the first answer can be given again.
///
/// # Errors
/// 409 `too_many_publishers`, or `publisher_removed` when the key's rule was removed since; 422 when the key was used for
/// another rule; 503 when log or database are away.
pub async fn trust(
    app: &App,
    team: TeamId,
    user: UserId,
    rule: Rule,
    key: Option<&str>,
    correlation: Uuid,
) -> Result<Made, ApiError> {
    let (id, command) = match key {
        Some(key) => {
            let parts: [&[u8]; 4] = [b"trust_publisher", team.0.as_bytes(), user.0.as_bytes(), key.as_bytes()];
            (PublisherId::derived(&parts), CommandId::derived(&parts))
        }
        None => (PublisherId::new(), CommandId::new()),
    };
    if access::publishers_of(&app.db, team).await?.iter().filter(|known| known.id != id).count() >= MOST {
        let message = format!("a team trusts at most {MOST} workflows: remove one first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_publishers", message));
    }
    let meta = CommandMeta {
        command,
        request: key.map(|_| fingerprint(&rule)),
        actor: Actor::User(user),
        at: app.clock.now(),
        correlation: Some(correlation),
        causation: None,
    };
    let stream = StreamId::of(team, Kind::Publisher, id);
    let command = publisher::Command::Trust { publisher: id, user, rule };
    let executed = app.log.execute::<Publisher>(stream, command, &meta).await.map_err(ApiError::from_execute)?;
    if executed.state.is_removed {
        let message = "the rule of this idempotency key was removed; use a new key for a new rule";
        return Err(ApiError::new(ErrorKind::Conflict, "publisher_removed", message));
    }
    let trusted = executed.state.trusted.ok_or_else(|| ApiError::internal("a rule was made without an event"))?;
    Ok(Made { trusted, at: executed.at, position: executed.position })
}

fn fingerprint(rule: &Rule) -> Hash16 {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let (branch, environment) = (part(&rule.branch), part(&rule.environment));
    Hash16::of([&rule.issuer, &rule.repository, &branch, &environment].map(String::as_str).join("\n").as_bytes())
}

/// Makes a team trust workflows no longer; tokens that they have die at once. `None` if there is no such rule.
///
/// # Errors
/// 503 when log or database are away.
pub async fn remove(
    app: &App,
    team: TeamId,
    publisher: PublisherId,
    user: UserId,
    correlation: Uuid,
) -> Result<Option<Position>, ApiError> {
    // Asked first: removing what is removed already is a success for the log, but not for the caller.
    if access::publisher(&app.db, publisher).await?.is_none_or(|known| known.team_id != team) {
        return Ok(None);
    }
    let meta = CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: Actor::User(user),
        at: app.clock.now(),
        correlation: Some(correlation),
        causation: None,
    };
    let stream = StreamId::of(team, Kind::Publisher, publisher);
    let removed = app.log.execute::<Publisher>(stream, publisher::Command::Remove { publisher }, &meta).await;
    match removed {
        Ok(executed) => {
            app.upload_tokens.rules.forget(publisher, app.clock.now());
            Ok(Some(executed.position))
        }
        Err(ExecuteError::Rejected(publisher::Reject::NotFound)) => Ok(None),
        Err(error) => Err(ApiError::from_execute(error)),
    }
}
