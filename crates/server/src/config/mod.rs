//! Every setting, once: as a flag, as an environment variable, and as the plain values that the program runs with.
//!
//! `scaledtest serve --help` is the reference. No other code reads the environment.

mod mail;
mod oauth;
mod shown;
mod values;

pub use mail::{Mail, MailEncryption};
pub use oauth::{Credentials, Github, Oauth, Oidc, TeamOfGroup};
pub use shown::Setting;
pub use values::duration;

use crate::secrets::{SecretError, Secrets};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use scaledtest_domain::{Clock, retention::Retention};
use secrecy::{ExposeSecret, SecretString};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use values::{base_url, network, origin, words};

/// Settings that every command running a server takes.
#[derive(Debug, Clone, Args)]
// The sentence above would take the place of what the command itself says.
#[command(about = None, long_about = None)]
pub struct ServerArgs {
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    storage: StorageArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    oauth: oauth::OauthArgs,
    #[command(flatten)]
    mail: mail::MailArgs,
    #[command(flatten)]
    reports: ReportArgs,
    #[command(flatten)]
    logging: LoggingArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
struct HttpArgs {
    /// Port to listen on, all interfaces; 0 takes a free one
    #[arg(long, env = "ST_PORT", default_value_t = 8080)]
    port: u16,
    /// The address under which people reach the server, without a slash at the end; decides allowed origins, links
    /// and whether cookies are marked Secure [default: http://localhost:<port>]
    #[arg(long, env = "ST_BASE_URL", value_parser = base_url)]
    base_url: Option<String>,
    /// Other addresses whose pages may call the API with the caller's cookies, with commas: http://localhost:5173
    #[arg(long, env = "ST_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = origin)]
    allowed_origins: Vec<String>,
    /// Addresses or networks of proxies before the server, with commas: 10.0.0.0/8,::1. Only from them is X-Forwarded-For
    /// believed
    #[arg(long, env = "ST_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<Option<IpNet>>,
    /// Calls per minute with one session or API token
    #[arg(long, env = "ST_RATE_LIMIT_CALLS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit_calls: u32,
    /// Uploads per minute with one session or API token
    #[arg(long, env = "ST_RATE_LIMIT_UPLOADS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit_uploads: u32,
    /// Removes every rate limit, and lets uploads choose their created_at
    #[arg(long, env = "ST_DISABLE_RATE_LIMIT", action = clap::ArgAction::Set, num_args = 0..=1,
          default_value_t = false, default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new())]
    disable_rate_limit: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
struct StorageArgs {
    /// Directory for everything that the server keeps itself: the embedded PostgreSQL and NATS, generated secrets,
    /// spooled uploads
    #[arg(long, env = "ST_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL 15 or newer, as postgres://user:password@host/database; without it an embedded one is started
    #[arg(long, env = "ST_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretString>,
    /// File that holds the value of ST_DATABASE_URL
    #[arg(long, env = "ST_DATABASE_URL_FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
    /// NATS 2.11 or newer with JetStream, as nats://host:4222; several with commas; without it an embedded one is started
    #[arg(long, env = "ST_NATS_URL", hide_env_values = true)]
    nats_url: Option<SecretString>,
    /// User name at NATS
    #[arg(long, env = "ST_NATS_USER")]
    nats_user: Option<String>,
    /// Password at NATS
    #[arg(long, env = "ST_NATS_PASSWORD", hide_env_values = true)]
    nats_password: Option<SecretString>,
    /// File that holds the value of ST_NATS_PASSWORD
    #[arg(long, env = "ST_NATS_PASSWORD_FILE", conflicts_with = "nats_password")]
    nats_password_file: Option<PathBuf>,
    /// Copies of each message that a NATS cluster keeps: 1 or 3
    #[arg(long, env = "ST_NATS_REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
    /// What a crash may cost, for the embedded NATS
    #[arg(long, env = "ST_DURABILITY", value_enum, default_value_t)]
    durability: Durability,
    /// Program to run as the embedded NATS [default: looked for in .tools, PATH and well-known places]
    #[arg(long, env = "ST_NATS_SERVER")]
    nats_server: Option<PathBuf>,
    /// Directory with initdb and postgres for the embedded database [default: looked for likewise]
    #[arg(long, env = "ST_POSTGRES_BIN")]
    postgres_bin: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accounts")]
struct AuthArgs {
    /// Signs access tokens; at least 32 bytes [default: generated once into the data directory]
    #[arg(long, env = "ST_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<SecretString>,
    /// File that holds the value of ST_JWT_SECRET
    #[arg(long, env = "ST_JWT_SECRET_FILE", conflicts_with = "jwt_secret")]
    jwt_secret_file: Option<PathBuf>,
    /// Derives other secrets; at least 32 bytes [default: the data directory's if it has one, else derived from a given
    /// ST_JWT_SECRET, else generated once into the data directory]
    #[arg(long, env = "ST_HMAC_SECRET", hide_env_values = true)]
    hmac_secret: Option<SecretString>,
    /// File that holds the value of ST_HMAC_SECRET
    #[arg(long, env = "ST_HMAC_SECRET_FILE", conflicts_with = "hmac_secret")]
    hmac_secret_file: Option<PathBuf>,
    /// How long an access token is good for: 90s, 15m, 1h30m, 7d
    #[arg(long, env = "ST_JWT_ACCESS_DURATION", default_value = "15m", value_parser = duration)]
    jwt_access_duration: Duration,
    /// Who may make an account: anybody, only who was invited, or nobody. The very first account can always be made
    #[arg(long, env = "ST_REGISTRATION", value_enum, default_value_t)]
    registration: Registration,
    /// Domains that e-mail addresses of accounts may have, with commas: example.com,example.org; any when empty. Proven only
    /// where mail is sent; without ST_SMTP_HOST anybody can type an address of such a domain
    #[arg(long, env = "ST_ALLOWED_EMAIL_DOMAINS", value_delimiter = ',')]
    allowed_email_domains: Vec<String>,
    /// How long a session lives without being used
    #[arg(long, env = "ST_JWT_REFRESH_DURATION", default_value = "168h", value_parser = duration)]
    jwt_refresh_duration: Duration,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reports")]
struct ReportArgs {
    /// Largest report after unpacking, bytes
    #[arg(long, env = "ST_MAX_REPORT_BYTES", default_value_t = 256 * 1024 * 1024)]
    max_report_bytes: u64,
    /// Largest report as it is sent, bytes
    #[arg(long, env = "ST_MAX_REPORT_WIRE_BYTES", default_value_t = 64 * 1024 * 1024)]
    max_report_wire_bytes: u64,
    /// How long original documents are kept
    #[arg(long, env = "ST_RAW_RETENTION", default_value = "30d", value_parser = duration)]
    raw_retention: Duration,
    /// For how many days results are kept at least where a team has not chosen: 30, 90 or 400
    #[arg(long, env = "ST_RETENTION_DAYS", default_value_t)]
    retention_days: Retention,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
struct LoggingArgs {
    /// trace, debug, info, warn, error or off; also a filter such as info,sqlx=debug
    #[arg(long, env = "ST_LOG_LEVEL", default_value = "info")]
    log_level: String,
    /// How log lines look
    #[arg(long, env = "ST_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Durability {
    /// Loses nothing at any crash of a process; at most the last 100 ms at a power cut.
    #[default]
    Standard,
    /// Loses nothing at a power cut either; every write waits for the disk.
    Strict,
    /// For tests: the disk is written when it suits.
    Relaxed,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Registration {
    /// Anybody.
    #[default]
    Open,
    /// Whoever was invited into a team.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// The word used in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Console,
}

/// The settings that the program runs with. Secrets are apart, in [`Secrets`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Without a slash at the end.
    pub base_url: String,
    /// Other addresses whose pages may call the API with cookies, without slashes at the end.
    pub allowed_origins: Vec<String>,
    /// Networks whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Calls per minute with one session or API token.
    pub rate_limit_calls: u32,
    /// Uploads per minute with one session or API token.
    pub rate_limit_uploads: u32,
    /// No limits, and uploads may be backdated.
    pub disable_rate_limit: bool,
    /// Where things are kept, if anywhere.
    pub data_dir: Option<PathBuf>,
    /// An external database.
    pub database_url: Option<SecretString>,
    /// An external NATS.
    pub nats_url: Option<SecretString>,
    /// User name at NATS.
    pub nats_user: Option<String>,
    /// Password at NATS.
    pub nats_password: Option<SecretString>,
    /// Copies of each message.
    pub nats_replicas: usize,
    /// Of the embedded NATS.
    pub durability: Durability,
    /// The embedded NATS's program.
    pub nats_server: Option<PathBuf>,
    /// The embedded PostgreSQL's programs.
    pub postgres_bin: Option<PathBuf>,
    /// Life of an access token.
    pub jwt_access_duration: Duration,
    /// Life of an unused session.
    pub jwt_refresh_duration: Duration,
    /// Who may make an account.
    pub registration: Registration,
    /// Domains of the addresses of accounts, in lower case; any when empty.
    pub allowed_email_domains: Vec<String>,
    /// Signing in elsewhere, and trusted workflows.
    pub oauth: Oauth,
    /// How mail is sent, if it is.
    pub mail: Option<Mail>,
    /// Largest unpacked report, bytes.
    pub max_report_bytes: u64,
    /// Largest report on the wire, bytes.
    pub max_report_wire_bytes: u64,
    /// How long original documents are kept.
    pub raw_retention: Duration,
    /// How long results are kept where a team has not chosen.
    pub retention_days: Retention,
    /// Log filter.
    pub log_level: String,
    /// Log format.
    pub log_format: LogFormat,
}

/// The settings don't fit.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that a setting names.
    #[error("{name}: cannot read {path}: {source}")]
    File {
        /// The setting.
        name: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Settings that need each other.
    #[error("{0}")]
    Incomplete(String),
}

impl ServerArgs {
    /// The plain values, with `_FILE` settings read and defaults that depend on others filled in.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let Self { http, storage, auth, oauth, mail, reports, logging } = self;
        let nats_password = secret("ST_NATS_PASSWORD_FILE", &storage.nats_password, &storage.nats_password_file)?;
        let database_url = secret("ST_DATABASE_URL_FILE", &storage.database_url, &storage.database_url_file)?;
        Ok(Config {
            port: http.port,
            base_url: http.base_url.clone().unwrap_or_else(|| format!("http://localhost:{}", http.port)),
            allowed_origins: http.allowed_origins.iter().filter(|origin| !origin.is_empty()).cloned().collect(),
            trusted_proxies: http.trusted_proxies.iter().copied().flatten().collect(),
            rate_limit_calls: http.rate_limit_calls,
            rate_limit_uploads: http.rate_limit_uploads,
            disable_rate_limit: http.disable_rate_limit,
            data_dir: storage.data_dir.clone(),
            database_url,
            nats_url: storage.nats_url.clone().filter(|url| !url.expose_secret().is_empty()),
            nats_user: storage.nats_user.clone().filter(|user| !user.is_empty()),
            nats_password,
            nats_replicas: usize::from(storage.nats_replicas),
            durability: storage.durability,
            nats_server: storage.nats_server.clone(),
            postgres_bin: storage.postgres_bin.clone(),
            jwt_access_duration: auth.jwt_access_duration,
            jwt_refresh_duration: auth.jwt_refresh_duration,
            registration: auth.registration,
            allowed_email_domains: words(&auth.allowed_email_domains, str::to_lowercase),
            oauth: oauth.config()?,
            mail: mail.config()?,
            max_report_bytes: reports.max_report_bytes,
            max_report_wire_bytes: reports.max_report_wire_bytes,
            raw_retention: reports.raw_retention,
            retention_days: reports.retention_days,
            log_level: logging.log_level.clone(),
            log_format: logging.log_format,
        })
    }

    /// The keys, as given or kept in `data_dir`.
    ///
    /// # Errors
    /// When one is missing, too short, or cannot be read or kept.
    pub fn secrets(&self, data_dir: Option<&std::path::Path>) -> Result<Secrets, ConfigError> {
        let jwt = secret("ST_JWT_SECRET_FILE", &self.auth.jwt_secret, &self.auth.jwt_secret_file)?;
        let hmac = secret("ST_HMAC_SECRET_FILE", &self.auth.hmac_secret, &self.auth.hmac_secret_file)?;
        let bytes = |secret: SecretString| secret.expose_secret().as_bytes().to_vec();
        Ok(Secrets::resolve(jwt.map(bytes), hmac.map(bytes), data_dir)?)
    }
}

/// The value given, else the content of the file, without the white space around it; an empty one counts as not given.
fn secret(
    name: &'static str,
    given: &Option<SecretString>,
    file: &Option<PathBuf>,
) -> Result<Option<SecretString>, ConfigError> {
    if let Some(given) = given.as_ref().filter(|given| !given.expose_secret().is_empty()) {
        return Ok(Some(given.clone()));
    }
    let Some(path) = file.as_ref().filter(|path| !path.as_os_str().is_empty()) else { return Ok(None) };
    let failed = |source| ConfigError::File { name, path: path.display().to_string(), source };
    Ok(Some(fs::read_to_string(path).map_err(failed)?.trim().to_owned().into()))
}

/// The clock that a server runs by.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(crate::clock::SystemClock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    /// What the command says of itself
    #[derive(Parser)]
    #[command(name = "scaledtest")]
    struct Cli {
        #[command(flatten)]
        server: ServerArgs,
    }

    #[test]
    fn the_help_names_every_setting() {
        Cli::command().debug_assert();
        // The values of the environment that the test happens to run in are none of the reference.
        let command = Cli::command().mut_args(|arg| arg.hide_env_values(true));
        insta::assert_snapshot!(command.clone().render_long_help());
    }

    #[test]
    fn secrets_are_never_shown_by_help_or_debug() {
        for arg in Cli::command().get_arguments() {
            let id = arg.get_id().as_str();
            let secret = id.contains("secret") || id.contains("password") || matches!(id, "database_url" | "nats_url");
            assert_eq!(secret && !id.ends_with("_file"), arg.is_hide_env_values_set(), "{id}");
        }
        let cli = Cli::parse_from(["scaledtest", "--jwt-secret", "0123456789abcdef0123456789abcdef"]);
        assert!(!format!("{:?}", cli.server).contains("0123"));
    }

    #[test]
    fn secrets_come_from_files_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jwt");
        fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        let cli = Cli::parse_from(["scaledtest", "--jwt-secret-file", file.to_str().unwrap()]);
        let secrets = cli.server.secrets(None).unwrap();
        assert_eq!(secrets.jwt.expose_secret().len(), 32);
    }

    #[test]
    fn no_other_origin_is_allowed_unless_it_is_named() {
        let allowed = |args: &[&str]| {
            Cli::try_parse_from([&["scaledtest"], args].concat())
                .map(|cli| cli.server.config().unwrap().allowed_origins)
        };
        assert!(allowed(&[]).unwrap().is_empty());
        assert!(allowed(&["--allowed-origins", ""]).unwrap().is_empty());
        let two = ["--allowed-origins", "http://localhost:5173/, https://ci.example"];
        assert_eq!(allowed(&two).unwrap(), ["http://localhost:5173", "https://ci.example"]);
        for wrong in ["*", "localhost:5173", "https://ci.example/page"] {
            assert!(allowed(&["--allowed-origins", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_base_url_follows_the_port_and_loses_its_slash() {
        let config = |args: &[&str]| Cli::parse_from([&["scaledtest"], args].concat()).server.config().unwrap();
        assert_eq!(config(&["--port", "9000"]).base_url, "http://localhost:9000");
        assert_eq!(config(&["--base-url", "https://tests.example/"]).base_url, "https://tests.example");
        assert!(Cli::try_parse_from(["scaledtest", "--base-url", "tests.example"]).is_err());
    }

    #[test]
    fn durations_are_read_as_written_and_nonsense_is_refused() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("168h"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for nonsense in ["", "0s", "15", "m", "-1h", "1.5h", "99999999999999999999d", "1y"] {
            assert!(duration(nonsense).is_err(), "{nonsense}");
        }
    }
}
