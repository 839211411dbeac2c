//! Signing in elsewhere, and whom teams may trust to vouch for CI workflows.

use super::{ConfigError, secret, words};
use clap::Args;
use scaledtest_domain::{TeamId, TeamRole};
use secrecy::SecretString;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Single sign-on")]
pub(super) struct OauthArgs {
    /// Client id of the OAuth app at GitHub
    #[arg(long, env = "ST_OAUTH_GITHUB_CLIENT_ID")]
    oauth_github_client_id: Option<String>,
    /// Its client secret
    #[arg(long, env = "ST_OAUTH_GITHUB_CLIENT_SECRET", hide_env_values = true)]
    oauth_github_client_secret: Option<SecretString>,
    /// File that holds the value of ST_OAUTH_GITHUB_CLIENT_SECRET
    #[arg(long, env = "ST_OAUTH_GITHUB_CLIENT_SECRET_FILE", conflicts_with = "oauth_github_client_secret")]
    oauth_github_client_secret_file: Option<PathBuf>,
    /// Where GitHub is; another one for GitHub Enterprise Server
    #[arg(long, env = "ST_OAUTH_GITHUB_URL", default_value = "https://github.com")]
    oauth_github_url: String,
    /// Where GitHub's API is; https://<host>/api/v3 for GitHub Enterprise Server
    #[arg(long, env = "ST_OAUTH_GITHUB_API_URL", default_value = "https://api.github.com")]
    oauth_github_api_url: String,
    /// Client id at Google
    #[arg(long, env = "ST_OAUTH_GOOGLE_CLIENT_ID")]
    oauth_google_client_id: Option<String>,
    /// Its client secret
    #[arg(long, env = "ST_OAUTH_GOOGLE_CLIENT_SECRET", hide_env_values = true)]
    oauth_google_client_secret: Option<SecretString>,
    /// File that holds the value of ST_OAUTH_GOOGLE_CLIENT_SECRET
    #[arg(long, env = "ST_OAUTH_GOOGLE_CLIENT_SECRET_FILE", conflicts_with = "oauth_google_client_secret")]
    oauth_google_client_secret_file: Option<PathBuf>,
    /// Who issues Google's identities
    #[arg(long, env = "ST_OAUTH_GOOGLE_ISSUER", default_value = "https://accounts.google.com")]
    oauth_google_issuer: String,
    /// Issuer of an OpenID Connect provider; its discovery document is read from there
    #[arg(long, env = "ST_OIDC_ISSUER")]
    oidc_issuer: Option<String>,
    /// Client id there
    #[arg(long, env = "ST_OIDC_CLIENT_ID")]
    oidc_client_id: Option<String>,
    /// Its client secret; none for a public client
    #[arg(long, env = "ST_OIDC_CLIENT_SECRET", hide_env_values = true)]
    oidc_client_secret: Option<SecretString>,
    /// File that holds the value of ST_OIDC_CLIENT_SECRET
    #[arg(long, env = "ST_OIDC_CLIENT_SECRET_FILE", conflicts_with = "oidc_client_secret")]
    oidc_client_secret_file: Option<PathBuf>,
    /// What its button says
    #[arg(long, env = "ST_OIDC_NAME", default_value = "Single sign-on")]
    oidc_name: String,
    /// What is asked for, beside openid
    #[arg(long, env = "ST_OIDC_SCOPES", value_delimiter = ',', default_value = "email,profile")]
    oidc_scopes: Vec<String>,
    /// The claim that lists somebody's groups
    #[arg(long, env = "ST_OIDC_GROUPS_CLAIM", default_value = "groups")]
    oidc_groups_claim: String,
    /// Which groups join which teams at sign-in, with commas: qa=<team id>:maintainer
    #[arg(long, env = "ST_OIDC_TEAMS", value_delimiter = ',', value_parser = team_of_group)]
    oidc_teams: Vec<Option<TeamOfGroup>>,
    /// Issuers of workflow tokens that teams may trust, with commas
    #[arg(
        long,
        env = "ST_TRUSTED_ISSUERS",
        value_delimiter = ',',
        default_value = "https://token.actions.githubusercontent.com,https://gitlab.com"
    )]
    trusted_issuers: Vec<String>,
}

/// What an app is known by at a provider.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Client id.
    pub id: String,
    /// Client secret; none for a public client.
    pub secret: Option<SecretString>,
}

/// GitHub, or a GitHub Enterprise Server.
#[derive(Debug, Clone)]
pub struct Github {
    /// The app.
    pub credentials: Credentials,
    /// Where people sign in, without a slash at the end.
    pub url: String,
    /// Where the API is, without a slash at the end.
    pub api_url: String,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// Where its discovery document is, below `/.well-known`.
    pub issuer: String,
    /// The app.
    pub credentials: Credentials,
    /// What its button says.
    pub name: String,
    /// What is asked for, beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that lists somebody's groups; none where groups mean nothing.
    pub groups_claim: Option<String>,
    /// Which groups join which teams.
    pub teams: Vec<TeamOfGroup>,
}

/// Members of a group of the provider join a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamOfGroup {
    /// As the provider names it.
    pub group: String,
    /// Which team.
    pub team: TeamId,
    /// As what.
    pub role: TeamRole,
}

impl std::fmt::Display for TeamOfGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}:{}", self.group, self.team, self.role.as_str())
    }
}

/// Signing in elsewhere, and trusted workflows.
#[derive(Debug, Clone, Default)]
pub struct Oauth {
    /// GitHub.
    pub github: Option<Github>,
    /// Google, which is an OpenID Connect provider like others.
    pub google: Option<Oidc>,
    /// Any other provider.
    pub oidc: Option<Oidc>,
    /// Issuers of workflow tokens that teams may trust.
    pub trusted_issuers: Vec<String>,
}

impl OauthArgs {
    pub(super) fn config(&self) -> Result<Oauth, ConfigError> {
        let plain = |text: &str| text.trim_end_matches('/').to_owned();
        let github = secret(
            "ST_OAUTH_GITHUB_CLIENT_SECRET_FILE",
            &self.oauth_github_client_secret,
            &self.oauth_github_client_secret_file,
        )?;
        let google = secret(
            "ST_OAUTH_GOOGLE_CLIENT_SECRET_FILE",
            &self.oauth_google_client_secret,
            &self.oauth_google_client_secret_file,
        )?;
        Ok(Oauth {
            github: complete("GITHUB", &self.oauth_github_client_id, github)?.map(|credentials| Github {
                credentials,
                url: plain(&self.oauth_github_url),
                api_url: plain(&self.oauth_github_api_url),
            }),
            google: complete("GOOGLE", &self.oauth_google_client_id, google)?.map(|credentials| Oidc {
                issuer: plain(&self.oauth_google_issuer),
                credentials,
                name: "Google".to_owned(),
                scopes: vec!["email".to_owned(), "profile".to_owned()],
                groups_claim: None,
                teams: Vec::new(),
            }),
            oidc: self.oidc()?,
            trusted_issuers: words(&self.trusted_issuers, plain),
        })
    }

    fn oidc(&self) -> Result<Option<Oidc>, ConfigError> {
        let Some(issuer) = given(&self.oidc_issuer) else { return Ok(None) };
        let secret = secret("ST_OIDC_CLIENT_SECRET_FILE", &self.oidc_client_secret, &self.oidc_client_secret_file)?;
        let Some(id) = given(&self.oidc_client_id) else {
            return Err(ConfigError::Incomplete("ST_OIDC_ISSUER needs ST_OIDC_CLIENT_ID".to_owned()));
        };
        Ok(Some(Oidc {
            // As it is written: the provider's own tokens say it to the last slash.
            issuer,
            credentials: Credentials { id, secret },
            name: self.oidc_name.clone(),
            scopes: words(&self.oidc_scopes, str::to_owned),
            groups_claim: Some(self.oidc_groups_claim.clone()).filter(|claim| !claim.is_empty()),
            teams: self.oidc_teams.iter().flatten().cloned().collect(),
        }))
    }
}

fn given(text: &Option<String>) -> Option<String> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Both halves, or none.
fn complete(name: &str, id: &Option<String>, secret: Option<SecretString>) -> Result<Option<Credentials>, ConfigError> {
    match (given(id), secret) {
        (Some(id), Some(secret)) => Ok(Some(Credentials { id, secret: Some(secret) })),
        (None, None) => Ok(None),
        _ => Err(ConfigError::Incomplete(format!(
            "ST_OAUTH_{name}_CLIENT_ID and ST_OAUTH_{name}_CLIENT_SECRET need each other"
        ))),
    }
}

/// `group=<team id>:role`; nothing for nothing.
fn team_of_group(text: &str) -> Result<Option<TeamOfGroup>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (group, rest) = text.rsplit_once('=')?;
        let (team, role) = rest.split_once(':')?;
        Some(TeamOfGroup {
            group: group.trim().to_owned(),
            team: team.trim().parse().ok()?,
            role: role.trim().parse().ok()?,
        })
    };
    let wrong = || format!("{text:?} is no group of a team: write group=<team id>:readonly, maintainer or owner");
    read().filter(|found| !found.group.is_empty()).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_teams_are_read_as_written_and_nonsense_is_refused() {
        let team = TeamId::derived(&[b"t"]);
        let read = team_of_group(&format!(" cn=qa,ou=x={team}:member ")).unwrap();
        assert_eq!(read, Some(TeamOfGroup { group: "cn=qa,ou=x".into(), team, role: TeamRole::Readonly }));
        assert_eq!(team_of_group(""), Ok(None));
        for nonsense in
            ["qa", "qa=x:owner", &format!("={team}:owner"), &format!("qa={team}"), &format!("qa={team}:king")]
        {
            assert!(team_of_group(nonsense).is_err(), "{nonsense}");
        }
    }
}
