//! From a row to a letter, with the link that no row holds.

use super::{Template, letters};
use crate::{
    accounts::{invitations, links, links::Purpose, users, users::User},
    secrets::Secrets,
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use scaledtest_domain::Clock;
use scaledtest_effects::send_mail::{Letter, Queued, RenderError, Renderer};
use scaledtest_projections::access::queries as access;
use sqlx::PgPool;
use std::sync::Arc;

/// Writes letters; needs no more of the server than this.
pub struct Letters {
    /// The database.
    pub db: PgPool,
    /// The keys that links follow from.
    pub secrets: Arc<Secrets>,
    /// What links begin with.
    pub base_url: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Renderer for Letters {
    fn render<'a>(&'a self, mail: &'a Queued) -> BoxFuture<'a, Result<Option<Letter>, RenderError>> {
        Box::pin(async move {
            // A kind that another version queued waits for that version.
            let template = Template::ALL.into_iter().find(|template| template.as_str() == mail.template);
            match template.ok_or("this version does not know the template")? {
                Template::Invitation => self.invitation(mail).await,
                Template::ResetPassword => self.reset_password(mail).await,
                Template::VerifyEmail => self.verify_email(mail).await,
            }
        })
    }
}

impl Letters {
    async fn invitation(&self, mail: &Queued) -> Result<Option<Letter>, RenderError> {
        let Some(link) = invitations::mailed(&self.db, &self.secrets, mail.subject_id.into(), &mail.params).await?
        else {
            return Ok(None);
        };
        let Some(team) = access::team(&self.db, link.team).await? else { return Ok(None) };
        let until: DateTime<Utc> = serde_json::from_value(mail.params["expires_at"].clone())?;
        let role = mail.params["role"].as_str().unwrap_or_default();
        let until = until.format("%-d %B %Y, %H:%M UTC").to_string();
        let link = invitations::url(&self.base_url, &link.token);
        Ok(Some(letters::invitation(mail.recipient.clone(), &team.name, role, &until, &link)))
    }

    async fn reset_password(&self, mail: &Queued) -> Result<Option<Letter>, RenderError> {
        // Only now it shows whether there is an account: whoever asked has had their answer.
        let Some(user) = users::find_by_email(&self.db, &mail.recipient).await? else { return Ok(None) };
        self.letter(user, Purpose::ResetPassword).await
    }

    async fn verify_email(&self, mail: &Queued) -> Result<Option<Letter>, RenderError> {
        let user = users::find_by_id(&self.db, mail.subject_id.into()).await?;
        let Some(user) = user.filter(|user| !user.email_verified && user.email == mail.recipient) else {
            return Ok(None);
        };
        self.letter(user, Purpose::VerifyEmail).await
    }

    /// To the address of the account, however somebody else may have typed it.
    async fn letter(&self, user: User, purpose: Purpose) -> Result<Option<Letter>, RenderError> {
        let account = access::account(&self.db, user.id).await?;
        if !user.active || account.is_some_and(|account| account.is_disabled) {
            return Ok(None);
        }
        let link = links::make(&self.db, &self.secrets, &user, purpose, self.clock.now()).await?;
        let url = links::url(&self.base_url, purpose, &link.token);
        Ok(Some(match purpose {
            Purpose::ResetPassword => letters::reset_password(user.email, &url),
            Purpose::VerifyEmail => letters::verify_email(user.email, &url),
        }))
    }
}
