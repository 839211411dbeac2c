//! Sign-ins and failures, append-only. What happens to teams and tokens is in the log already.

pub mod read;

use super::Client;
use crate::app::App;
use scaledtest_domain::{TeamId, UserId};
use serde_json::Value;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// What is noted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $name),* }

        impl Action {
            /// Every one.
            pub const ALL: &[Action] = &[$(Self::$name),*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

actions! {
    /// Somebody signed in.
    SignedIn "signed_in",
    /// Somebody tried to.
    SignInFailed "sign_in_failed",
    /// A new account.
    Registered "registered",
    /// A session was ended.
    SignedOut "signed_out",
    /// A refresh token was used again after its time; the session was ended.
    RefreshTokenReused "refresh_token_reused",
    /// An account at another provider signs somebody in from now on.
    IdentityLinked "identity_linked",
    /// It does no longer.
    IdentityUnlinked "identity_unlinked",
    /// A CI workflow got a token for uploads.
    TokenExchanged "token_exchanged",
    /// It did not.
    TokenExchangeRefused "token_exchange_refused",
    /// An API token was used from an address that it was never used from.
    TokenUsedElsewhere "token_used_from_new_address",
    /// Somebody ended one of their sessions.
    SessionEnded "session_ended",
    /// Somebody ended all of their sessions, or all but one.
    SessionsEnded "sessions_ended",
    /// Somebody changed their password.
    PasswordChanged "password_changed",
    /// Somebody asked for a link to set a new password.
    PasswordResetRequested "password_reset_requested",
    /// Somebody set a new password by such a link.
    PasswordReset "password_reset",
    /// An owner of the instance made such a link for somebody.
    PasswordResetHanded "password_reset_handed",
    /// Somebody proved that an address is theirs.
    EmailVerified "email_verified",
}

/// Every action that can be in the audit log, what the log knows included, by name.
pub fn actions() -> Vec<&'static str> {
    let noted = Action::ALL.iter().map(|action| action.as_str());
    let mut actions: Vec<_> = noted.chain(scaledtest_projections::audit::ACTIONS.iter().copied()).collect();
    actions.sort_unstable();
    actions
}

/// What is known of an act beside what it is.
#[derive(Debug, Default)]
pub struct Circumstances {
    /// Who did it, where it is not the person that it was done to.
    pub actor: Option<UserId>,
    /// Whose account.
    pub user: Option<UserId>,
    /// The address that was typed, where there is no account to name.
    pub email: Option<String>,
    /// Whose team.
    pub team: Option<TeamId>,
    /// More, for people to read: never a secret.
    pub detail: Option<Value>,
}

/// Notes it. `email` only where there is no account to name.
pub async fn note(app: &App, action: Action, user: Option<UserId>, email: Option<&str>, client: &Client) {
    let email = email.map(str::to_owned);
    note_with(app, action, Circumstances { user, email, ..Circumstances::default() }, client).await;
}

/// As [`note`], with more to say. That this fails is logged and no reason to refuse anything.
pub async fn note_with(app: &App, action: Action, circumstances: Circumstances, client: &Client) {
    let Circumstances { actor, user, email, team, detail } = circumstances;
    let email: Option<String> = email.map(|email| email.chars().filter(|c| *c != '\0').take(254).collect());
    let noted = sqlx::query(
        "insert into auth.audit (at, action, actor_id, user_id, email, team_id, detail, ip)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(app.clock.now())
    .bind(action.as_str())
    .bind(actor.map(|actor| actor.0))
    .bind(user.map(|user| user.0))
    .bind(email)
    .bind(team.map(|team| team.0))
    .bind(detail)
    .bind(&client.ip)
    .execute(&app.db)
    .await;
    if let Err(error) = noted {
        tracing::error!(%error, action = action.as_str(), "cannot note what happened");
    }
}
