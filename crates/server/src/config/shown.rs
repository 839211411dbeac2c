//! The settings as people may see them.

use super::{Config, ServerArgs};
use clap::{Args, Command};
use serde::Serialize;
use std::{fmt::Display, path::PathBuf, time::Duration};
use utoipa::ToSchema;

/// A setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Setting {
    /// The environment variable.
    pub name: String,
    /// What it belongs to.
    pub group: String,
    /// Its value; of a secret only `set` or `not set`.
    pub value: String,
    /// What it does.
    pub help: String,
}

impl Config {
    /// Where database and log are, if they are on this machine's disk and this program's own.
    pub fn local_disk(&self) -> Option<PathBuf> {
        self.data_dir.clone().filter(|_| self.database_url.is_none() && self.nats_url.is_none())
    }

    /// Every setting, in the order of the help. Where a file may hold the value of a setting, the setting alone is listed.
    pub fn settings(&self) -> Vec<Setting> {
        let command = ServerArgs::augment_args(Command::new("scaledtest"));
        let named = || command.get_arguments().filter_map(|arg| Some((arg, arg.get_env()?.to_str()?.to_owned())));
        let is_listed = |name: &str| named().any(|(_, known)| known == name);
        named()
            .filter(|(_, name)| !name.strip_suffix("_FILE").is_some_and(is_listed))
            .map(|(arg, name)| Setting {
                group: arg.get_help_heading().unwrap_or_default().to_owned(),
                value: self.value(&name),
                help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
                name,
            })
            .collect()
    }

    fn value(&self, name: &str) -> String {
        let github = self.oauth.github.as_ref();
        let google = self.oauth.google.as_ref();
        let oidc = self.oauth.oidc.as_ref();
        let mail = self.mail.as_ref();
        match name {
            "ST_PORT" => self.port.to_string(),
            "ST_BASE_URL" => self.base_url.clone(),
            "ST_ALLOWED_ORIGINS" => self.allowed_origins.join(","),
            "ST_TRUSTED_PROXIES" => list(&self.trusted_proxies),
            "ST_RATE_LIMIT_CALLS" => self.rate_limit_calls.to_string(),
            "ST_RATE_LIMIT_UPLOADS" => self.rate_limit_uploads.to_string(),
            "ST_DISABLE_RATE_LIMIT" => self.disable_rate_limit.to_string(),
            "ST_DATA_DIR" => path(self.data_dir.as_deref()),
            "ST_NATS_USER" => text(self.nats_user.as_deref()),
            "ST_NATS_REPLICAS" => self.nats_replicas.to_string(),
            "ST_DURABILITY" => format!("{:?}", self.durability).to_lowercase(),
            "ST_NATS_SERVER" => path(self.nats_server.as_deref()),
            "ST_POSTGRES_BIN" => path(self.postgres_bin.as_deref()),
            "ST_JWT_ACCESS_DURATION" => duration(self.jwt_access_duration),
            "ST_JWT_REFRESH_DURATION" => duration(self.jwt_refresh_duration),
            "ST_REGISTRATION" => self.registration.as_str().to_owned(),
            "ST_ALLOWED_EMAIL_DOMAINS" => self.allowed_email_domains.join(","),
            "ST_OAUTH_GITHUB_CLIENT_ID" => text(github.map(|app| app.credentials.id.as_str())),
            "ST_OAUTH_GITHUB_URL" => text(github.map(|app| app.url.as_str())),
            "ST_OAUTH_GITHUB_API_URL" => text(github.map(|app| app.api_url.as_str())),
            "ST_OAUTH_GOOGLE_CLIENT_ID" => text(google.map(|app| app.credentials.id.as_str())),
            "ST_OAUTH_GOOGLE_ISSUER" => text(google.map(|app| app.issuer.as_str())),
            "ST_OIDC_ISSUER" => text(oidc.map(|app| app.issuer.as_str())),
            "ST_OIDC_CLIENT_ID" => text(oidc.map(|app| app.credentials.id.as_str())),
            "ST_OIDC_NAME" => text(oidc.map(|app| app.name.as_str())),
            "ST_OIDC_SCOPES" => oidc.map(|app| app.scopes.join(",")).unwrap_or_default(),
            "ST_OIDC_GROUPS_CLAIM" => text(oidc.and_then(|app| app.groups_claim.as_deref())),
            "ST_OIDC_TEAMS" => oidc.map(|app| list(&app.teams)).unwrap_or_default(),
            "ST_TRUSTED_ISSUERS" => self.oauth.trusted_issuers.join(","),
            "ST_SMTP_HOST" => text(mail.map(|mail| mail.host.as_str())),
            "ST_SMTP_PORT" => mail.map(|mail| mail.port.to_string()).unwrap_or_default(),
            "ST_SMTP_ENCRYPTION" => {
                mail.map(|mail| format!("{:?}", mail.encryption).to_lowercase()).unwrap_or_default()
            }
            "ST_SMTP_CA_FILE" => {
                mail.and_then(|mail| mail.ca_file.as_ref()).map(|path| path.display().to_string()).unwrap_or_default()
            }
            "ST_SMTP_USER" => text(mail.and_then(|mail| mail.login.as_ref()).map(|login| login.0.as_str())),
            "ST_SMTP_FROM" => text(mail.map(|mail| mail.from.as_str())),
            "ST_MAX_REPORT_BYTES" => self.max_report_bytes.to_string(),
            "ST_MAX_REPORT_WIRE_BYTES" => self.max_report_wire_bytes.to_string(),
            "ST_RAW_RETENTION" => duration(self.raw_retention),
            "ST_RETENTION_DAYS" => self.retention_days.to_string(),
            "ST_LOG_LEVEL" => self.log_level.clone(),
            "ST_LOG_FORMAT" => format!("{:?}", self.log_format).to_lowercase(),
            // Secrets, and addresses that may hold one.
            "ST_DATABASE_URL" => set(self.database_url.is_some()),
            "ST_NATS_URL" => set(self.nats_url.is_some()),
            "ST_NATS_PASSWORD" => set(self.nats_password.is_some()),
            "ST_OAUTH_GITHUB_CLIENT_SECRET" => set(github.is_some()),
            "ST_OAUTH_GOOGLE_CLIENT_SECRET" => set(google.is_some()),
            "ST_OIDC_CLIENT_SECRET" => set(oidc.is_some_and(|app| app.credentials.secret.is_some())),
            "ST_SMTP_PASS" => set(mail.is_some_and(|mail| mail.login.is_some())),
            // The server does not start without them.
            "ST_JWT_SECRET" | "ST_HMAC_SECRET" => set(true),
            _ => String::new(),
        }
    }
}

fn set(is_set: bool) -> String {
    if is_set { "set" } else { "not set" }.to_owned()
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn path(path: Option<&std::path::Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn list<T: Display>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// As it is written in a setting.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let whole = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{}ms", duration.as_millis()), |(unit, word)| format!("{}{word}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        server: ServerArgs,
    }

    #[test]
    fn every_setting_has_its_value_and_secrets_have_none() {
        let secret = "0123456789abcdef0123456789abcdef";
        let arguments = [
            "--allowed-origins",
            "https://a.example",
            "--trusted-proxies",
            "10.0.0.0/8",
            "--data-dir",
            "/d",
            "--nats-user",
            "u",
            "--nats-server",
            "/n",
            "--postgres-bin",
            "/p",
            "--allowed-email-domains",
            "example.com",
            "--nats-password",
            secret,
            "--database-url",
            secret,
            "--nats-url",
            secret,
            "--jwt-secret",
            secret,
            "--hmac-secret",
            secret,
            "--oauth-github-client-id",
            "g",
            "--oauth-github-client-secret",
            secret,
            "--oauth-google-client-id",
            "o",
            "--oauth-google-client-secret",
            secret,
            "--oidc-issuer",
            "https://i.example",
            "--oidc-client-id",
            "c",
            "--oidc-client-secret",
            secret,
            "--oidc-teams",
            "qa=019aab10-0000-7000-8000-000000000002:owner",
            "--smtp-host",
            "mail.example",
            "--smtp-from",
            "a@b.c",
            "--smtp-ca-file",
            "/c",
            "--smtp-user",
            "m",
            "--smtp-password",
            secret,
        ];
        let cli = Cli::parse_from(std::iter::once("scaledtest").chain(arguments));
        let settings = cli.server.config().unwrap().settings();
        for setting in &settings {
            assert!(!setting.value.is_empty() && !setting.help.is_empty() && !setting.group.is_empty(), "{setting:?}");
            assert!(!setting.value.contains(secret), "{setting:?}");
        }
        let value = |name: &str| settings.iter().find(|setting| setting.name == name).unwrap().value.clone();
        assert_eq!(value("ST_JWT_REFRESH_DURATION"), "7d");
        assert_eq!(value("ST_OIDC_CLIENT_SECRET"), "set");
        assert_eq!(value("ST_TRUSTED_PROXIES"), "10.0.0.0/8");
    }
}
