//! How mail is sent.

use super::{ConfigError, secret};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Mail")]
pub(super) struct MailArgs {
    /// SMTP server; without it no mail is sent: links are shown to whoever made them, and nobody can reset a password alone
    #[arg(long, env = "ST_SMTP_HOST")]
    smtp_host: Option<String>,
    /// Its port
    #[arg(long, env = "ST_SMTP_PORT", default_value_t = 587)]
    smtp_port: u16,
    /// How the connection is encrypted
    #[arg(long, env = "ST_SMTP_ENCRYPTION", value_enum, default_value_t)]
    smtp_encryption: MailEncryption,
    /// File with certificates (PEM) to trust beside the system's, where the SMTP server's own was made by you
    #[arg(long, env = "ST_SMTP_CA_FILE")]
    smtp_ca_file: Option<PathBuf>,
    /// User name at the SMTP server
    #[arg(long, env = "ST_SMTP_USER")]
    smtp_user: Option<String>,
    /// Password at the SMTP server
    #[arg(long, env = "ST_SMTP_PASS", hide_env_values = true)]
    smtp_password: Option<SecretString>,
    /// File that holds the value of ST_SMTP_PASS
    #[arg(long, env = "ST_SMTP_PASS_FILE", conflicts_with = "smtp_password")]
    smtp_password_file: Option<PathBuf>,
    /// Whom mail comes from: ScaledTest <tests@example.com>
    #[arg(long, env = "ST_SMTP_FROM")]
    smtp_from: Option<String>,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MailEncryption {
    /// Begins in the clear and goes on encrypted where the server offers it.
    #[default]
    Opportunistic,
    /// As before, but refuses a server that does not offer it.
    Starttls,
    /// Encrypted from the first byte: mostly port 465.
    Tls,
    /// Never.
    None,
}

/// An SMTP server.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: MailEncryption,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// User and password there.
    pub login: Option<(String, SecretString)>,
    /// Whom mail comes from.
    pub from: String,
}

impl MailArgs {
    pub(super) fn config(&self) -> Result<Option<Mail>, ConfigError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let Some(host) = given(&self.smtp_host) else { return Ok(None) };
        let password = secret("ST_SMTP_PASS_FILE", &self.smtp_password, &self.smtp_password_file)?;
        let from = given(&self.smtp_from).ok_or_else(|| {
            ConfigError::Incomplete("ST_SMTP_HOST needs ST_SMTP_FROM: whom mail comes from".to_owned())
        })?;
        let (port, encryption) = (self.smtp_port, self.smtp_encryption);
        let ca_file = self.smtp_ca_file.clone().filter(|path| !path.as_os_str().is_empty());
        Ok(Some(Mail { host, port, encryption, ca_file, login: given(&self.smtp_user).zip(password), from }))
    }
}
