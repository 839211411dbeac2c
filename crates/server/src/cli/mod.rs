//! The subcommands of `scaledtest`.

mod log;
mod logging;
mod projection;
mod rebuild;
mod serve;
mod stores;
mod up;

use clap::{Parser, Subcommand};
use std::io::Write;

/// Takes in the reports of every test run, shows runs live, and answers whether a build is good.
#[derive(Debug, Parser)]
#[command(name = "scaledtest", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product in one process, with its own PostgreSQL and NATS unless addresses are set
    Up(up::Up),
    /// Run some or all roles against a PostgreSQL and a NATS of your own
    Serve(serve::Serve),
    /// Bring the database's tables up to date, and check the streams
    Migrate(Migrate),
    /// Fill the read models anew from the log, while the server runs
    Rebuild(rebuild::Rebuild),
    /// Look after the read models
    #[command(subcommand)]
    Projection(projection::Projection),
    /// Look after the log itself
    #[command(subcommand)]
    Log(log::Log),
    /// Print the OpenAPI document
    Openapi,
}

#[derive(Debug, clap::Args)]
struct Migrate {
    #[command(flatten)]
    server: crate::config::ServerArgs,
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Up(up) => Box::pin(up.run()).await,
            Command::Serve(serve) => Box::pin(serve.run()).await,
            Command::Migrate(migrate) => {
                stores::find(&migrate.server).await?;
                Ok(())
            }
            Command::Rebuild(rebuild) => Box::pin(rebuild.run()).await,
            Command::Projection(projection) => Box::pin(projection.run()).await,
            Command::Log(log) => Box::pin(log.run()).await,
            Command::Openapi => {
                let document = crate::http::openapi::openapi().to_pretty_json()?;
                writeln!(std::io::stdout(), "{document}")?;
                Ok(())
            }
        }
    }
}
