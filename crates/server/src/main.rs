//! The binary `scaledtest`.

use clap::Parser;
use scaledtest_server::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    small_pages();
    run()
}

/// Asks for pages of the usual size: with huge ones the allocator's segments stay resident as a whole, which more than
/// doubles the memory under load and makes nothing faster.
#[allow(unsafe_code, reason = "there is no safe wrapper; see SAFETY")]
fn small_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with this option takes plain numbers and touches no memory of ours. Should it fail, nothing is lost.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

#[tokio::main]
async fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // One provider for everything; fails only if somebody installed it before, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli.run().await
}
