//! The measurements, in order.

use crate::{
    Part, Size, baseline,
    client::{Client, p50_ms},
    generate, insight,
    process::{self, Server},
    table::{Row, Target},
};
use anyhow::Context;
use bytes::Bytes;
use scaledtest_domain::{Commit, events::report::Event as ReportEvent};
use scaledtest_eventlog::{EventLog, NatsOptions};
use scaledtest_managed::Running;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Tests in a report of the load.
const TESTS: usize = 500;
/// Clients of the load.
const CLIENTS: usize = 8;
/// Bytes in a mebibyte.
const MIB: f64 = 1024.0 * 1024.0;

/// How many of each.
struct Amounts {
    copy_rows: usize,
    load_reports: u64,
    rounds: usize,
    small_replay: u64,
    large_replay: u64,
    large_report: usize,
}

impl Amounts {
    fn of(size: Size) -> Self {
        match size {
            Size::Full => Self {
                copy_rows: 300_000,
                load_reports: 600,
                rounds: 400,
                small_replay: 100_000,
                large_replay: 1_000_000,
                large_report: 100_000,
            },
            Size::Quick => Self {
                copy_rows: 50_000,
                load_reports: 100,
                rounds: 100,
                small_replay: 20_000,
                large_replay: 60_000,
                large_report: 20_000,
            },
        }
    }
}

/// Runs everything; `standard` durability carries the targets, `strict` is measured beside it.
///
/// # Errors
/// When something fails; a missed target is none.
pub async fn all(size: Size, part: Part, keep: bool) -> anyhow::Result<Vec<Row>> {
    let amounts = Amounts::of(size);
    let mut rows = Vec::new();
    let mut home = tempfile::Builder::new().prefix("scaledtest-bench-").permissions(readable()).tempdir()?;
    home.disable_cleanup(keep);
    if part != Part::Insight {
        standard(&home.path().join("standard"), &amounts, &mut rows).await?;
        strict(&home.path().join("strict"), &amounts, &mut rows).await?;
    }
    if part != Part::Ingest {
        insight::measure(&home.path().join("insight"), size, &mut rows).await?;
    }
    if keep {
        eprintln!("kept {}", home.path().display());
    }
    Ok(rows)
}

/// The embedded PostgreSQL runs as another user when this program runs as root, and must reach its directory.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

async fn standard(dir: &Path, amounts: &Amounts, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let server = Server::start(dir, "standard").await?;
    let client = Client::sign_up(&server.url).await?;
    rows.push(Row::absolute("server idle, resident", mib(server.resident()?), "MiB", Target::AtMost(64.0)));
    small(&client, amounts, rows).await?;
    let few = replay_few(&server, &client, amounts).await?;
    ingest(&server, &client, amounts, rows, "standard", Target::AtLeast(0.5)).await?;
    acknowledge(&server, &client, amounts, rows, "standard", Target::AtMost(5.0)).await?;
    // Before the large report: a body takes memory by its size, and both replays are to be of the same kind of reports.
    replay(&server, &client, amounts, few, rows).await?;
    large(&server, &client, amounts, rows).await?;
    let data = server.data_dir.clone();
    server.stop()?;
    let warm = Server::start(&data, "standard").await?;
    rows.push(Row::absolute("ready on a warm data dir", warm.ready_after.as_secs_f64(), "s", Target::AtMost(3.0)));
    warm.stop()
}

async fn strict(dir: &Path, amounts: &Amounts, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let server = Server::start(dir, "strict").await?;
    let client = Client::sign_up(&server.url).await?;
    ingest(&server, &client, amounts, rows, "strict", Target::None).await?;
    acknowledge(&server, &client, amounts, rows, "strict", Target::None).await?;
    server.stop()
}

/// POST then GET of a small report.
async fn small(client: &Client, amounts: &Amounts, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let mut rounds = Vec::new();
    for round in 0..amounts.rounds {
        let body = Bytes::from(generate::report(5, round as u64));
        let started = Instant::now();
        let id = client.upload(body, false).await?;
        client.get(&format!("/reports/{id}")).await?.context("the report isn't there")?;
        rounds.push(started.elapsed());
    }
    rows.push(Row::absolute("POST then GET of a 5-test report, p50", p50_ms(rounds), "ms", Target::AtMost(10.0)));
    Ok(())
}

/// Reports of 500 tests from 8 clients, each visible before the next.
async fn ingest(
    server: &Server,
    client: &Client,
    amounts: &Amounts,
    rows: &mut Vec<Row>,
    mode: &str,
    target: Target,
) -> anyhow::Result<()> {
    let copy = baseline::copy(&children(server)?.database_url, amounts.copy_rows).await?;
    // Threads, connections and prepared statements are made once, not per report.
    load(client, 8 * CLIENTS as u64, false).await?;
    server.reset_peak()?;
    let spent = load(client, amounts.load_reports, false).await?;
    let again = baseline::copy(&children(server)?.database_url, amounts.copy_rows).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = (amounts.load_reports * TESTS as u64) as f64 / spent.as_secs_f64();
    // The disk is noisy: the baseline is taken before and after, and the mean counts.
    let name = format!("ingest of 500-test reports, 8 clients ({mode}), against COPY");
    rows.push(Row::ratio(&name, rate, "rows/s", f64::midpoint(copy, again), target));
    if mode == "standard" {
        rows.push(Row::absolute(
            "server under ingest load, peak resident",
            mib(server.peak()?),
            "MiB",
            Target::AtMost(256.0),
        ));
    }
    Ok(())
}

/// Uploads that many reports of 500 tests from 8 clients at once.
async fn load(client: &Client, reports: u64, respond_async: bool) -> anyhow::Result<Duration> {
    let bodies: Arc<Vec<Bytes>> = Arc::new((0..64).map(|seed| Bytes::from(generate::report(TESTS, seed))).collect());
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, bodies, next) = (client.clone(), Arc::clone(&bodies), Arc::clone(&next));
        clients.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= reports {
                    return anyhow::Ok(());
                }
                let body = bodies[usize::try_from(number)? % bodies.len()].clone();
                client.upload(body, respond_async).await?;
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(started.elapsed())
}

/// The durable acknowledgement of a 500-test report against publishing the very same messages from a bare client.
async fn acknowledge(
    server: &Server,
    client: &Client,
    amounts: &Amounts,
    rows: &mut Vec<Row>,
    mode: &str,
    target: Target,
) -> anyhow::Result<()> {
    let body = Bytes::from(generate::report(TESTS, 7));
    let nats = children(server)?.nats_url;
    client.upload(body.clone(), false).await?;
    let mut bare = baseline::Bare::connect(&nats).await?;
    let messages = last_upload(&nats, &bare).await?;
    let mut wire = client.wire(&body)?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    // In turns: what one meets (an idle machine, cold caches, a slow disk), the other meets as well.
    for _ in 0..amounts.rounds {
        theirs.push(bare.publish(&messages).await?);
        ours.push(tokio::task::block_in_place(|| wire.upload())?);
        // The acknowledgement is what is measured, not how it fares beside the projections of the one before.
        client.wait_level(Duration::from_secs(20)).await?;
    }
    bare.close().await?;
    let name = format!("durable acknowledgement of a 500-test report, p50 ({mode})");
    rows.push(Row::ratio(&name, p50_ms(ours), "ms", p50_ms(theirs), target));
    Ok(())
}

/// The messages of the newest upload, as they stand in the log.
async fn last_upload(nats: &str, bare: &baseline::Bare) -> anyhow::Result<baseline::Messages> {
    let log = EventLog::connect(NatsOptions::new(nats)).await?;
    let last = log.last().await?;
    for n in (1..=last.n).rev() {
        let Some(recorded) = log.commit_at(n).await? else { continue };
        let commit: &Commit = &recorded.commit;
        for event in commit.decode_events()? {
            if let scaledtest_domain::Event::Report(ReportEvent::Ingested(report)) = event {
                let team = commit.team.context("a team")?;
                let chunks = log.read_chunks(team, report.report, report.upload, &report.chunks).await?;
                let document = bare.document(report.upload.0).await?;
                let commit = commit.encode()?.0.into();
                return Ok(baseline::Messages { document, chunks, commit });
            }
        }
    }
    anyhow::bail!("no report in the log")
}

/// One very large report.
async fn large(server: &Server, client: &Client, amounts: &Amounts, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let body = Bytes::from(generate::report(amounts.large_report, 3));
    let before = server.resident()?;
    server.reset_peak()?;
    let size = mib(body.len() as u64);
    let started = Instant::now();
    let id = client.upload(body, true).await?;
    let accepted = started.elapsed();
    client.wait_visible(&id, amounts.large_report as u64, Duration::from_secs(60)).await?;
    let visible = started.elapsed();
    let name = format!("{}-test report of {size:.0} MiB", amounts.large_report);
    rows.push(Row::absolute(&format!("{name}, accepted"), accepted.as_secs_f64(), "s", Target::AtMost(1.0)));
    rows.push(Row::absolute(&format!("{name}, visible"), visible.as_secs_f64(), "s", Target::AtMost(3.0)));
    let extra = mib(server.peak()?.saturating_sub(before));
    rows.push(Row::absolute(&format!("{name}, extra memory"), extra, "MiB", Target::AtMost(250.0)));
    Ok(())
}

/// Peak memory of rebuilding from a log with few results, bytes; and how many they are.
async fn replay_few(server: &Server, client: &Client, amounts: &Amounts) -> anyhow::Result<(u64, u64)> {
    let held = results(client).await?;
    load(client, amounts.small_replay.saturating_sub(held).div_ceil(TESTS as u64), false).await?;
    let (_, peak) = process::run(&["rebuild", "reports"], &server.data_dir)?;
    Ok((peak, results(client).await?))
}

/// Rebuilding from a log with many.
async fn replay(
    server: &Server,
    client: &Client,
    amounts: &Amounts,
    (small_peak, few): (u64, u64),
    rows: &mut Vec<Row>,
) -> anyhow::Result<()> {
    let held = results(client).await?;
    load(client, amounts.large_replay.saturating_sub(held).div_ceil(TESTS as u64), false).await?;
    let total = results(client).await?;
    let copy = baseline::copy(&children(server)?.database_url, amounts.copy_rows).await?;
    let (spent, large_peak) = process::run(&["rebuild", "reports"], &server.data_dir)?;
    let again = baseline::copy(&children(server)?.database_url, amounts.copy_rows).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = total as f64 / spent.as_secs_f64();
    rows.push(Row::ratio(
        &format!("replay of {total} results against COPY"),
        rate,
        "rows/s",
        f64::midpoint(copy, again),
        Target::AtLeast(0.6),
    ));
    let name = format!("peak memory of that replay against one of {few}");
    rows.push(Row::ratio(&name, mib(large_peak), "MiB", mib(small_peak), Target::AtMost(1.2)));
    Ok(())
}

/// Results that the server holds.
pub async fn results(client: &Client) -> anyhow::Result<u64> {
    let mut total = 0;
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/reports?limit=100{cursor}")).await?.context("the list")?;
        let reports = page["reports"].as_array().context("reports")?;
        total += reports.iter().filter_map(|report| report["test_count"].as_u64()).sum::<u64>();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(total),
        }
    }
}

/// Where the server's children are.
pub struct Children {
    /// The database's address.
    pub database_url: String,
    /// With the credential in it.
    pub nats_url: String,
}

/// Where the server's children are.
pub fn children(server: &Server) -> anyhow::Result<Children> {
    let running = Running::read(&server.data_dir)?.context("the server isn't running")?;
    let (database_url, nats_url) = running.database_url.zip(running.nats_url).context("its servers aren't children")?;
    Ok(Children { database_url, nats_url })
}

#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}
