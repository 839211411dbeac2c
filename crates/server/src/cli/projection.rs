//! `scaledtest projection`: how the read models stand, and passing over a commit that cannot be applied.

use super::stores::{self, Stores};
use crate::config::ServerArgs;
use clap::{Args, Subcommand};
use scaledtest_projections::{self as projections, Positions, State};
use std::io::{self, Write};

/// Looks after the read models
#[derive(Debug, Subcommand)]
pub enum Projection {
    /// Where each projection stands, and why it halted if it did
    List(List),
    /// Pass over the commit at which a projection halted; recorded, with the reason
    Skip(Skip),
}

/// Which server.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: ServerArgs,
}

/// What to pass over.
#[derive(Debug, Args)]
pub struct Skip {
    /// The projection: reports, access
    name: String,
    /// The position at which it halted, as `list` shows it
    position: u64,
    /// Why; kept with the record
    #[arg(long)]
    reason: String,
    /// Who; kept with the record
    #[arg(long, env = "USER", default_value = "operator")]
    by: String,
    #[command(flatten)]
    server: ServerArgs,
}

impl Projection {
    /// Does it.
    ///
    /// # Errors
    /// When the servers cannot be reached, or the projection has not halted at that position.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => show(&stores::find(&list.server).await?).await,
            Self::Skip(skip) => {
                let stores = stores::find(&skip.server).await?;
                projections::skip(&stores.db, &skip.name, skip.position, &skip.by, &skip.reason).await?;
                writeln!(io::stdout(), "{} goes on after position {}", skip.name, skip.position)?;
                Ok(())
            }
        }
    }
}

async fn show(stores: &Stores) -> anyhow::Result<()> {
    let statuses = projections::status(&stores.db, &stores.log, &Positions::new(stores.db.clone())).await?;
    let mut out = io::stdout().lock();
    for projection in statuses {
        let state = match projection.state {
            State::Active => "active",
            State::Halted => "halted",
            State::Yielding => "yielding",
        };
        write!(
            out,
            "{:<14} {state:<9} {:>10} behind by {}",
            projection.name,
            projection.position.to_string(),
            projection.lag
        )?;
        if let (Some(at), Some(error)) = (projection.halted_at, projection.error) {
            write!(out, "  halted at {at}: {error}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
