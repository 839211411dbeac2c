//! Log lines on standard error.

use crate::config::{Config, LogFormat};
use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// Sets up logging, once per process.
///
/// # Errors
/// When the level is no filter.
pub fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_level).context("ST_LOG_LEVEL")?;
    // `drop schema if exists` and the like are no news.
    let filter = filter.add_directive("sqlx::postgres::notice=warn".parse()?);
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Console => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}
