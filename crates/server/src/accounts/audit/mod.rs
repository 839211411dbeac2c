//! Sign-ins and failures, append-only. What happens to teams and tokens is in the log already.

pub mod read;

use super::Client;
use crate::app::App;
use scaledtest_domain::UserId;

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

/// Notes it. `email` only where there is no account to name. That this fails is logged and no reason to refuse.
pub async fn note(app: &App, action: Action, user: Option<UserId>, email: Option<&str>, client: &Client) {
    insert(app, action, None, user, email, client).await;
}

/// As [`note`], of what one person did to another.
pub async fn note_by(app: &App, action: Action, actor: UserId, user: UserId, client: &Client) {
    insert(app, action, Some(actor), Some(user), None, client).await;
}

async fn insert(
    app: &App,
    action: Action,
    actor: Option<UserId>,
    user: Option<UserId>,
    email: Option<&str>,
    client: &Client,
) {
    let email: Option<String> = email.map(|email| email.chars().filter(|c| *c != '\0').take(254).collect());
    let noted = sqlx::query(
        "insert into auth.audit (at, action, actor_id, user_id, email, ip) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(app.clock.now())
    .bind(action.as_str())
    .bind(actor.map(|actor| actor.0))
    .bind(user.map(|user| user.0))
    .bind(email)
    .bind(&client.ip)
    .execute(&app.db)
    .await;
    if let Err(error) = noted {
        tracing::error!(%error, action = action.as_str(), "cannot note a sign-in");
    }
}
