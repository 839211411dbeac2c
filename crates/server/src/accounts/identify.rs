//! From a credential to a caller.

use super::{
    publishers, sessions,
    tokens::{self, PREFIX},
};
use crate::{
    app::App,
    http::{error::ApiError, extract::Caller},
};
use axum::http::{HeaderMap, HeaderValue, header};
use scaledtest_domain::{Actor, Scope, TeamId, TeamRole};

/// `Bearer <token>`, or a bare `sct_...`; anything else is none.
pub(crate) fn credential(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = match value.strip_prefix("Bearer ") {
        Some(token) => token,
        None if value.starts_with(PREFIX) => value,
        None => return None,
    };
    (!token.is_empty()).then_some(token)
}

/// Who shows this credential, and for which team.
pub(crate) async fn identify(app: &App, credential: &str, team: Option<&HeaderValue>) -> Result<Caller, ApiError> {
    let asked = Asked::of(team);
    if credential.starts_with(PREFIX) {
        by_token(app, credential, asked).await
    } else if app.upload_tokens.claims(credential) {
        by_publisher(app, credential, asked).await
    } else {
        by_jwt(app, credential, asked).await
    }
}

/// The team that the header asks for. A malformed one is asked for and never found.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Nothing,
    Team(Option<TeamId>),
}

impl Asked {
    fn of(header: Option<&HeaderValue>) -> Self {
        match header.map(HeaderValue::to_str) {
            None | Some(Ok("")) => Self::Nothing,
            Some(text) => Self::Team(text.ok().and_then(|text| text.parse().ok())),
        }
    }
}

fn invalid() -> ApiError {
    ApiError::unauthenticated("invalid_token", "invalid token")
}

async fn by_token(app: &App, secret: &str, asked: Asked) -> Result<Caller, ApiError> {
    let standing = tokens::look_up(app, secret).await?.ok_or_else(invalid)?;
    let now = app.clock.now();
    if standing.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(ApiError::unauthenticated("token_expired", "this API token has expired"));
    }
    app.usage.note(standing.token, now);
    Ok(Caller {
        user: standing.user,
        team: Some(standing.team),
        role: Some(standing.role),
        actor: Actor::Token(standing.token),
        scopes: standing.scopes,
        via_token: true,
        session: None,
        memberships: vec![(standing.team, standing.role)],
        team_error: elsewhere(asked, standing.team),
    })
}

/// A CI workflow, on behalf of the team itself: its trust outlives whoever gave it their word.
async fn by_publisher(app: &App, token: &str, asked: Asked) -> Result<Caller, ApiError> {
    let publisher = publishers::look_up(app, token).await?;
    let (team, role) = (publisher.team_id, TeamRole::Maintainer);
    Ok(Caller {
        user: publisher.user_id,
        team: Some(team),
        role: Some(role),
        actor: Actor::Publisher(publisher.id),
        scopes: vec![Scope::Upload],
        via_token: true,
        session: None,
        memberships: vec![(team, role)],
        team_error: elsewhere(asked, team),
    })
}

/// A token is for one team, whatever the request asks for.
fn elsewhere(asked: Asked, own: TeamId) -> Option<ApiError> {
    let other = matches!(asked, Asked::Team(team) if team != Some(own));
    other.then(|| ApiError::forbidden("token_of_other_team", "this API token belongs to another team"))
}

async fn by_jwt(app: &App, token: &str, asked: Asked) -> Result<Caller, ApiError> {
    let now = app.clock.now();
    let claims = app.keys.verify(token, now)?;
    let memberships = sessions::memberships(app, claims.sid, claims.sub, now).await?.ok_or_else(invalid)?;
    let chosen = match asked {
        Asked::Nothing => memberships.first(),
        Asked::Team(team) => memberships.iter().find(|(candidate, _)| Some(*candidate) == team),
    };
    let unknown = matches!(asked, Asked::Team(_)) && chosen.is_none();
    Ok(Caller {
        user: claims.sub,
        team: chosen.map(|(team, _)| *team),
        role: chosen.map(|(_, role)| *role),
        actor: Actor::User(claims.sub),
        scopes: Scope::ALL.to_vec(),
        via_token: false,
        session: Some(claims.sid),
        team_error: unknown.then(|| ApiError::not_found("team_not_found", "team not found")),
        memberships,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_in_two_forms_and_everything_else_is_none() {
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            credential(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("Bearer sct_1").as_deref(), Some("sct_1"));
        assert_eq!(read("sct_1").as_deref(), Some("sct_1"));
        for none in ["Bearer ", "bearer abc", "Basic YTpi", "abc", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(credential(&HeaderMap::new()), None);
    }
}
