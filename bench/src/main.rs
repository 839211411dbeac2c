//! Load generators. Prints a table and writes `target/bench.json`; every ratio is against a baseline of the same run.

mod baseline;
mod client;
mod generate;
mod insight;
mod measure;
mod process;
mod suite;
mod table;

use clap::Parser;
use std::path::PathBuf;

/// How much to measure.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Size {
    /// Everything at the sizes that the targets name; minutes.
    Full,
    /// The same measurements, smaller; for a quick look. Targets are judged, but the ratios are noisier.
    Quick,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Everything.
    All,
    /// Ingestion, acknowledgement, replay, memory.
    Ingest,
    /// Questions about histories, and what they cost.
    Insight,
}

#[derive(Debug, Parser)]
struct Arguments {
    /// How much to measure.
    #[arg(value_enum, default_value = "full")]
    size: Size,
    /// What to measure.
    #[arg(long, value_enum, default_value = "all")]
    part: Part,
    /// Leave the data directories, to look at by hand.
    #[arg(long)]
    keep: bool,
    /// Where to write the results.
    #[arg(long, default_value = "target/bench.json")]
    output: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let rows = measure::all(arguments.size, arguments.part, arguments.keep).await?;
    table::publish(&rows, &arguments.output)?;
    if rows.iter().any(|row| row.met == Some(false)) {
        anyhow::bail!("at least one target is missed");
    }
    Ok(())
}
