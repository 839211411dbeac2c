//! `scaledtest rebuild`: the read models from the log, while the server runs.

use super::stores;
use crate::config::ServerArgs;
use anyhow::ensure;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use scaledtest_projections::{self as projections, Progress, Projection};
use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The allocator's delay before it returns free memory. The binding has no name for it; it comes before one that it has.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;

/// A replay allocates and frees without a pause, which would let what waits to be returned grow with the log.
#[allow(unsafe_code, reason = "there is no safe wrapper; see SAFETY")]
fn return_memory_at_once() {
    // SAFETY: it sets a number under the allocator's own synchronisation, and may be called at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
}

/// Fills the read models anew from the log, beside the ones that serve, and swaps them in one transaction. A server may
/// run on the same data; it goes on serving.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// All projections
    #[arg(long, conflicts_with = "projection", required_unless_present = "projection")]
    all: bool,
    /// The projections to rebuild
    projection: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Rebuild {
    /// Rebuilds, one projection after the other.
    ///
    /// # Errors
    /// When a name is unknown, another rebuild runs, or the servers cannot be reached.
    pub async fn run(self) -> anyhow::Result<()> {
        let chosen = self.chosen()?;
        return_memory_at_once();
        let stores = stores::find(&self.server).await?;
        for projection in chosen {
            let started = Instant::now();
            let report = Reporter::new(projection.name());
            let rebuilt =
                projections::rebuild(&stores.db, &stores.log, &projection, |progress| report.show(progress)).await?;
            report.finish(&format!(
                "{}: {} results up to position {} in {:.1} s",
                projection.name(),
                rebuilt.results,
                rebuilt.position,
                started.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    fn chosen(&self) -> anyhow::Result<Vec<Arc<dyn Projection>>> {
        let all = projections::all();
        for name in &self.projection {
            let names: Vec<_> = all.iter().map(|projection| projection.name()).collect();
            ensure!(names.contains(&name.as_str()), "there is no projection {name:?}; there are: {}", names.join(", "));
        }
        Ok(all
            .into_iter()
            .filter(|projection| self.all || self.projection.iter().any(|name| name == projection.name()))
            .collect())
    }
}

/// A bar on a terminal, plain lines elsewhere.
enum Reporter {
    Bar(ProgressBar),
    Lines { name: &'static str, last: Mutex<Option<Instant>> },
}

impl Reporter {
    fn new(name: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { name, last: Mutex::new(None) };
        }
        let bar = ProgressBar::new(0).with_prefix(name);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} commits, {msg} ({eta})") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn show(&self, progress: Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
                bar.set_message(format!("{} results", progress.results));
            }
            Self::Lines { name, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    say(&format!("{name}: {}/{} commits, {} results", progress.done, progress.total, progress.results));
                }
            }
        }
    }

    fn finish(self, line: &str) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
        say(line);
    }
}

/// One line for whoever started the command.
fn say(line: &str) {
    // Nobody may be reading any more.
    let _ = writeln!(std::io::stdout(), "{line}");
}
