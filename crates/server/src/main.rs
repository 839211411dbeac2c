//! The binary `scaledtest`.

use clap::Parser;
use scaledtest_server::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // One provider for everything; fails only if somebody installed it before, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli.run().await
}
