//! Sign-ins and failures, append-only. What happens to teams and tokens is in the log already.

use super::Client;
use crate::app::App;
use scaledtest_domain::{TeamId, UserId};
use serde_json::Value;

/// What is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody signed in with a password.
    SignedIn,
    /// Somebody tried to.
    SignInFailed,
    /// A new account.
    Registered,
    /// A session was ended.
    SignedOut,
    /// A refresh token was used again after its time; the session was ended.
    RefreshTokenReused,
    /// An account at another provider signs somebody in from now on.
    IdentityLinked,
    /// A CI workflow got a token for uploads.
    TokenExchanged,
    /// It did not.
    TokenExchangeRefused,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::Registered => "registered",
            Self::SignedOut => "signed_out",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::IdentityLinked => "identity_linked",
            Self::TokenExchanged => "token_exchanged",
            Self::TokenExchangeRefused => "token_exchange_refused",
        }
    }
}

/// Notes it. `email` only where there is no account to name. That this fails is logged and no reason to refuse.
pub async fn note(app: &App, action: Action, user: Option<UserId>, email: Option<&str>, client: &Client) {
    let email: Option<String> = email.map(|email| email.chars().filter(|c| *c != '\0').take(254).collect());
    let noted = sqlx::query("insert into auth.audit (at, action, user_id, email, ip) values ($1, $2, $3, $4, $5)")
        .bind(app.clock.now())
        .bind(action.as_str())
        .bind(user.map(|user| user.0))
        .bind(email)
        .bind(&client.ip)
        .execute(&app.db)
        .await;
    if let Err(error) = noted {
        tracing::error!(%error, action = action.as_str(), "cannot note a sign-in");
    }
}

/// What is known of an act beside what it is.
#[derive(Debug, Default)]
pub struct Circumstances {
    /// Whose account.
    pub user: Option<UserId>,
    /// Whose team.
    pub team: Option<TeamId>,
    /// More, for people to read: never a secret.
    pub detail: Option<Value>,
}

/// As [`note`], with more to say.
pub async fn note_with(app: &App, action: Action, circumstances: Circumstances, client: &Client) {
    let Circumstances { user, team, detail } = circumstances;
    let noted = sqlx::query(
        "insert into auth.audit (at, action, user_id, team_id, detail, ip) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(app.clock.now())
    .bind(action.as_str())
    .bind(user.map(|user| user.0))
    .bind(team.map(|team| team.0))
    .bind(detail)
    .bind(&client.ip)
    .execute(&app.db)
    .await;
    if let Err(error) = noted {
        tracing::error!(%error, action = action.as_str(), "cannot note a sign-in");
    }
}
