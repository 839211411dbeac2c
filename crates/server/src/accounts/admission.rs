//! Who may have a new account here. The one rule, for every way that leads to one.

use super::{email::Email, users::User};
use crate::{app::App, config::Registration, http::error::ApiError};
use scaledtest_domain::InstanceRole;

/// How somebody comes to want an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On their own: with a password, or through another provider.
    Uninvited,
    /// By an invitation into a team.
    Invited,
}

/// Passes whoever may have a new account. The very first one can always be made: without it nobody could invite anybody.
///
/// # Errors
/// 403 `registration_closed` or `email_domain_not_allowed`.
pub async fn admit(app: &App, email: &Email, way: Way) -> Result<(), ApiError> {
    let closed = match (app.config.registration, way) {
        (Registration::Open, _) | (Registration::Invite, Way::Invited) => None,
        (Registration::Invite, Way::Uninvited) => Some("an account here needs an invitation"),
        (Registration::Closed, _) => Some("no new accounts can be made here"),
    };
    let admitted = match closed {
        Some(message) => Err(ApiError::forbidden("registration_closed", message)),
        None => check_domain(app, email),
    };
    match admitted {
        Err(_) if is_first(app).await? => Ok(()),
        other => other,
    }
}

/// Refuses addresses that accounts of this instance may not have.
///
/// # Errors
/// 403 `email_domain_not_allowed`.
pub(crate) fn check_domain(app: &App, email: &Email) -> Result<(), ApiError> {
    if is_domain_allowed(&app.config.allowed_email_domains, email.as_str()) {
        return Ok(());
    }
    let message = "accounts with an address of this domain cannot be made here";
    Err(ApiError::forbidden("email_domain_not_allowed", message))
}

/// Refuses a session to who has not proven their address, where only some domains may have accounts and mail can prove it:
/// else anybody could claim an address there. An owner of the instance gets in all the same: somebody has to mend the mail.
///
/// # Errors
/// 403 `email_not_verified`.
pub(crate) fn check_proven(app: &App, user: &User, role: InstanceRole) -> Result<(), ApiError> {
    let is_asked = !app.config.allowed_email_domains.is_empty() && app.config.mail.is_some();
    if !is_asked || user.email_verified || role == InstanceRole::Owner {
        return Ok(());
    }
    let message = "your address is not verified yet: open the link that was mailed to it, then sign in";
    Err(ApiError::forbidden("email_not_verified", message))
}

/// Whether there is no account yet.
///
/// # Errors
/// What the database says.
pub async fn is_first(app: &App) -> Result<bool, ApiError> {
    let first = "select not exists (select from auth.users where state = 'active')";
    Ok(sqlx::query_scalar(first).fetch_one(&app.db).await?)
}

/// Exactly a domain of the list: not one below it, nor one that ends like it.
fn is_domain_allowed(domains: &[String], email: &str) -> bool {
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    domains.is_empty() || domain.is_some_and(|domain| domains.contains(&domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_allowed_as_a_whole_whatever_its_case() {
        let domains = ["example.com".to_owned(), "example.org".to_owned()];
        for good in ["ada@example.com", "ada@Example.ORG"] {
            assert!(is_domain_allowed(&domains, good), "{good}");
        }
        for bad in ["ada@sub.example.com", "ada@notexample.com", "ada@example.com.evil.net", "example.com"] {
            assert!(!is_domain_allowed(&domains, bad), "{bad}");
        }
        assert!(is_domain_allowed(&[], "ada@anywhere.net"));
    }
}
