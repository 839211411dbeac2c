//! Questions about histories: how fast they are answered over a million results and over ten, and what that many cost.

use crate::{
    Size, baseline,
    client::{Client, p95_ms},
    measure::{children, results},
    process::{self, Server},
    suite::Suite,
    table::{Row, Target},
};
use anyhow::Context;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use scaledtest_domain::{Actor, CommandId, Commit, CommitId, Event, Kind, StreamId, events::part, retention::Part};
use scaledtest_projections::Item;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Clients that upload the histories.
const CLIENTS: usize = 8;

/// Reports that are made before they are uploaded: some 500 MiB of the largest.
const AT_ONCE: usize = 400;

/// Turns in which the questions are asked.
const TURNS: usize = 10;

/// How long the read models may take to be level with the log after that.
const LEVEL: Duration = Duration::from_secs(120);

/// How much.
struct Amounts {
    suite: Suite,
    /// Of so many runs spread over all days, those that are there when the questions are asked for the first time.
    few: u64,
    /// Runs that come last, while it is measured how fast they are taken in.
    last: usize,
    rounds: usize,
    copy_rows: usize,
}

impl Amounts {
    fn of(size: Size) -> Self {
        match size {
            Size::Full => {
                Self { suite: Suite::until_today(5_000, 2_000), few: 200, last: 400, rounds: 300, copy_rows: 300_000 }
            }
            Size::Quick => {
                Self { suite: Suite::until_today(1_000, 200), few: 20, last: 40, rounds: 40, copy_rows: 50_000 }
            }
        }
    }
}

/// Uploads the histories and asks.
pub async fn measure(dir: &Path, size: Size, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let Amounts { suite, few, last, rounds, copy_rows } = Amounts::of(size);
    let server = Server::start(dir, "standard").await?;
    let client = Client::sign_up(&server.url).await?;
    // Spread over the days, so that both times the same windows are asked for; those of the newest ones come last, as they do.
    let first = |run: u64| run.is_multiple_of(suite.runs / few) && run < suite.runs / 10 * 9;
    upload(&client, suite, &(0..suite.runs).filter(|run| first(*run)).collect::<Vec<_>>()).await?;
    settled(&server).await?;
    let before = questions(&client, suite, rounds).await?;
    let held = results(&client).await?;
    let others: Vec<u64> = (0..suite.runs).filter(|run| !first(*run)).collect();
    let (others, last) = others.split_at(others.len() - last);
    upload(&client, suite, others).await?;
    ingest(&server, &client, (suite, last), copy_rows, rows).await?;
    let total = results(&client).await?;

    settled(&server).await?;
    let after = questions(&client, suite, rounds).await?;
    for (name, p95) in after {
        let small = before.get(name).copied().context("asked before")?;
        let bound = if name == "compare runs" { 60.0 } else { 25.0 };
        rows.push(Row::absolute(&format!("{name}, p95 over {total} results"), p95, "ms", Target::AtMost(bound)));
        let name = format!("{name}, p95 against the one over {held}");
        rows.push(Row::ratio(&name, p95, "ms", small, Target::AtMost(1.5)));
    }
    disk(&server, total, rows).await?;
    let (spent, _) = process::run(&["rebuild", "--all"], &server.data_dir)?;
    let rate = total as f64 / spent.as_secs_f64();
    rows.push(Row::absolute("rebuild --all", rate, "results/s", Target::AtLeast(60_000.0)));
    settled(&server).await?;
    drop_month(&server, rows).await?;
    server.stop()
}

/// How fast the last runs are taken in, until every read model has them.
async fn ingest(
    server: &Server,
    client: &Client,
    (suite, runs): (Suite, &[u64]),
    copy_rows: usize,
    rows: &mut Vec<Row>,
) -> anyhow::Result<()> {
    // Made beforehand: what is measured is how they are taken in.
    let reports = reports(suite, runs)?;
    let copy = baseline::copy(&children(server)?.database_url, copy_rows).await?;
    let started = Instant::now();
    send(client, reports).await?;
    let spent = started.elapsed();
    let again = baseline::copy(&children(server)?.database_url, copy_rows).await?;
    let name = format!("ingest of {}-test reports with all projections, against COPY", suite.tests);
    let rate = (suite.tests * runs.len() as u64) as f64 / spent.as_secs_f64();
    rows.push(Row::ratio(&name, rate, "rows/s", f64::midpoint(copy, again), Target::AtLeast(0.25)));
    Ok(())
}

/// Reports, and when they were made.
type Reports = Vec<(DateTime<Utc>, Bytes)>;

fn reports(suite: Suite, runs: &[u64]) -> anyhow::Result<Reports> {
    let at = |run| DateTime::from_timestamp_millis(i64::try_from(suite.at_ms(run))?).context("a time");
    runs.iter().map(|run| Ok((at(*run)?, suite.report(*run).into()))).collect()
}

async fn upload(client: &Client, suite: Suite, runs: &[u64]) -> anyhow::Result<()> {
    for some in runs.chunks(AT_ONCE) {
        send(client, reports(suite, some)?).await?;
    }
    Ok(())
}

/// Uploads the reports from all clients, until every read model has them.
async fn send(client: &Client, reports: Reports) -> anyhow::Result<()> {
    let reports = Arc::new(Mutex::new(reports.into_iter()));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, reports) = (client.clone(), Arc::clone(&reports));
        let next = move || reports.lock().ok()?.next();
        clients.spawn(async move {
            while let Some((at, report)) = next() {
                client.upload_at(report, at).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    client.wait_level(LEVEL).await
}

/// Waits until nothing is left to be found that follows from the reports, and what came in was vacuumed: what is asked for is how
/// fast questions are answered, not how they fare beside that.
async fn settled(server: &Server) -> anyhow::Result<()> {
    use sqlx::Connection;
    let mut conn = sqlx::PgConnection::connect(&children(server)?.database_url).await?;
    let until = Instant::now() + LEVEL;
    let left = "select (select count(*) from history.branch where settled < reports)
                     + (select count(*) from pg_stat_activity where backend_type = 'autovacuum worker')";
    while sqlx::query_scalar::<_, i64>(left).fetch_one(&mut conn).await? > 0 {
        anyhow::ensure!(Instant::now() < until, "the histories aren't settled after {LEVEL:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The first page of every question, by name: the 95th percentile, milliseconds.
async fn questions(client: &Client, suite: Suite, rounds: usize) -> anyhow::Result<HashMap<&'static str, f64>> {
    let page = client.get("/tests?limit=1").await?.context("the tests")?;
    let test = page["tests"][0]["id"].as_str().context("a test")?.to_owned();
    let page = client.get("/runs?status=failed&limit=2&branch=main").await?.context("the runs")?;
    let run = |at: usize| page["runs"][at]["id"].as_str().map(str::to_owned).context("a run");
    let (head, base) = (run(0)?, run(1)?);
    let days = suite.last_days(30);
    let always = "start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z";
    let page = client.get(&format!("/analytics/error-analysis?{always}")).await?.context("the errors")?;
    let error = page["errors"][0]["fingerprint"].as_str().context("an error")?.to_owned();
    let paths = [
        ("runs", "/runs".to_owned()),
        ("results of a run", format!("/runs/{head}/results")),
        ("tests", "/tests".to_owned()),
        ("tests by name", "/tests?sort=name&text=cart".to_owned()),
        ("flaky tests of the explorer", "/tests?state=flaky".to_owned()),
        ("test", format!("/tests/{test}")),
        ("test history", format!("/tests/{test}/history")),
        ("trends of 30 days", format!("/analytics/trends?{days}")),
        ("trends of a century", format!("/analytics/trends?{always}")),
        ("flaky tests", "/analytics/flaky-tests?window_days=30".to_owned()),
        ("errors of 30 days", format!("/analytics/error-analysis?{days}")),
        ("errors of a century", format!("/analytics/error-analysis?{always}")),
        ("durations of 30 days", format!("/analytics/duration-distribution?{days}")),
        ("durations of a century", format!("/analytics/duration-distribution?{always}")),
        ("slowest tests", "/analytics/slowest-tests".to_owned()),
        ("verdict", format!("/runs/{head}/verdict")),
        ("error", format!("/projects/bench/errors/{error}")),
        ("owners", "/projects/bench/owners".to_owned()),
        ("renamed tests", "/projects/bench/renames".to_owned()),
        ("compare branches", "/compare/branches?project=bench&base=main&head=release/4".to_owned()),
        ("compare runs", format!("/reports/compare?base={base}&head={head}")),
    ];
    let mut spent: HashMap<&'static str, Vec<Duration>> = HashMap::new();
    // In turns: a slow moment of the machine is one of all.
    for _ in 0..TURNS {
        for (name, path) in &paths {
            for _ in 0..rounds / TURNS {
                let started = Instant::now();
                client.get(path).await?.with_context(|| format!("{path} has no answer"))?;
                spent.entry(name).or_default().push(started.elapsed());
            }
        }
    }
    Ok(spent.into_iter().map(|(name, spent)| (name, p95_ms(spent))).collect())
}

/// Disk that the read models take, tables and indexes, by result. Nearly all of them passed.
async fn disk(server: &Server, results: u64, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    use sqlx::Connection;
    let mut conn = sqlx::PgConnection::connect(&children(server)?.database_url).await?;
    let sizes: Vec<(String, i64)> = sqlx::query_as(
        "select name, coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint from ops.projection
         left join pg_class on relnamespace = to_regnamespace(name) and relkind = 'r' group by name order by name",
    )
    .fetch_all(&mut conn)
    .await?;
    let each = |bytes: i64| bytes as f64 / results as f64;
    for (name, bytes) in &sizes {
        rows.push(Row::absolute(&format!("disk by result, {name}"), each(*bytes), "bytes", Target::None));
    }
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    rows.push(Row::absolute("disk by result, all read models", each(all), "bytes", Target::AtMost(160.0)));
    Ok(())
}

/// Drops the results of the oldest month, as the projection does once their time is over: five weeks, whose reports stand in
/// roll-ups.
async fn drop_month(server: &Server, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    use sqlx::Connection;
    const WEEKS: i64 = 5;
    let reports = scaledtest_projections::all().into_iter().find(|one| one.name() == "reports").context("reports")?;
    let mut conn = sqlx::PgConnection::connect(&children(server)?.database_url).await?;
    sqlx::query("set search_path = reports").execute(&mut conn).await?;
    let parts: Vec<i32> =
        sqlx::query_scalar("select part from part order by part limit $1").bind(WEEKS).fetch_all(&mut conn).await?;
    let results: i64 = sqlx::query_scalar(
        "with sealed as (update report set sealed = true where part = any($1) returning tests)
         select coalesce(sum(tests), 0)::bigint from sealed",
    )
    .bind(&parts)
    .fetch_one(&mut conn)
    .await?;
    let started = Instant::now();
    let mut tx = conn.begin().await?;
    reports.applier().apply(&mut tx, &parts.into_iter().map(dropped).collect::<Vec<_>>()).await?;
    tx.commit().await?;
    let name = format!("dropping {} days ({results} results)", WEEKS * 7);
    rows.push(Row::absolute(&name, started.elapsed().as_secs_f64(), "s", Target::AtMost(0.5)));
    Ok(())
}

fn dropped(part: i32) -> Item {
    let part = Part(part);
    let stream = StreamId::global(Kind::Part, part.id());
    let event = Event::Part(part::Event::Dropped(part::Dropped { part }));
    let commit = Commit {
        v: Commit::envelope_version(),
        commit: CommitId::new(),
        cmd: CommandId::new(),
        req: None,
        team: None,
        kind: stream.kind,
        id: stream.id,
        version: 0,
        prev: None,
        at: DateTime::UNIX_EPOCH,
        actor: Actor::System,
        corr: None,
        cause: None,
        events: Vec::new(),
    };
    Item::new(0, Arc::new(commit), vec![event])
}
