//! A log to write facts into, a database to follow it, and ways to look at every row.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod made;
pub mod replay;

use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{
    Actor, CommandId, Commit, CommitId, Decider, Event, Hash16, InstanceRole, Kind, Position, ProjectId, Reject,
    ReportId, RunId, Scope, StreamId, TeamId, TeamRole, TestId, TokenId, UploadId, UserId,
    events::{
        project,
        report::{self, Body, Ingested, Origin},
        team, token, user,
    },
    report::{
        Attachment, Attempt, Counts, Diagnostic, ReportMeta, Status, Step, TestResult, Tool, Variant, encode_chunk,
    },
    retention::{Part, Retention},
};
use scaledtest_eventlog::{CommandMeta, EventLog};
use scaledtest_projections::{Fresh, Item, Positions, Projection, Runner, Settle, Setup, State, status};
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
#[error("never refused")]
pub struct Never;

impl Reject for Never {
    fn kind(&self) -> scaledtest_domain::ErrorKind {
        scaledtest_domain::ErrorKind::Internal
    }
    fn code(&self) -> &'static str {
        "never"
    }
}

/// Writes whatever events it is told to.
macro_rules! fact {
    ($name:ident, $kind:ident, $module:ident) => {
        pub struct $name;
        impl Decider for $name {
            const KIND: Kind = Kind::$kind;
            type State = ();
            type Command = Vec<$module::Event>;
            type Event = $module::Event;
            type Reject = Never;
            fn decide(_: &(), events: Self::Command, _: DateTime<Utc>) -> Result<Vec<Self::Event>, Never> {
                Ok(events)
            }
            fn evolve(_: (), _: &Self::Event) {}
        }
    };
}
fact!(UserFact, User, user);
fact!(TeamFact, Team, team);
fact!(TokenFact, Token, token);
fact!(ProjectFact, Project, project);
fact!(ReportFact, Report, report);

pub fn team_id() -> TeamId {
    TeamId::derived(&[b"team"])
}

pub fn project_id(name: &str) -> ProjectId {
    ProjectId::derived(&[name.as_bytes()])
}

pub fn start() -> DateTime<Utc> {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// What a test says of a report; the rest follows from its name.
#[derive(Debug, Clone)]
pub struct Spec {
    pub name: String,
    pub project: &'static str,
    pub run_key: Option<&'static str>,
    pub branch: Option<&'static str>,
    pub shard: Option<(u32, u32)>,
    /// When it is taken in, if nothing else is said.
    pub run_at: Option<DateTime<Utc>>,
    pub results: Vec<TestResult>,
}

impl Spec {
    pub fn new(name: &str, results: Vec<TestResult>) -> Self {
        let name = name.to_owned();
        Self { name, project: "shop", run_key: None, branch: Some("main"), shard: None, run_at: None, results }
    }

    pub fn id(&self) -> ReportId {
        ReportId::derived(&[self.name.as_bytes()])
    }

    pub fn upload(&self) -> UploadId {
        UploadId::derived(&[self.name.as_bytes()])
    }

    pub fn run(&self) -> RunId {
        RunId::derived(&[self.project.as_bytes(), self.run_key.unwrap_or(&self.name).as_bytes()])
    }

    pub fn ingested(&self, at: DateTime<Utc>, chunks: report::Chunks) -> Ingested {
        let mut counts = Counts::default();
        self.results.iter().for_each(|result| counts.add(result));
        Ingested {
            report: self.id(),
            project: project_id(self.project),
            run: self.run(),
            run_key: self.run_key.map(str::to_owned),
            shard_id: self.shard.map(|(shard, _)| shard.to_string()),
            shards: self.shard.map(|(_, shards)| shards),
            upload: self.upload(),
            chunks,
            body: Body { hash: Hash16::of(b"body"), bytes: 1234, media_type: "application/json".into() },
            meta: ReportMeta {
                format: "ctrf".into(),
                tool: Tool { name: "vitest".into(), version: Some("3.1".into()) },
                environment: Some(serde_json::json!({"z": 1, "a": {"nested": [1, 2.50, null]}})),
                start_ms: 1_700_000_000_000,
                stop_ms: 1_700_000_001_500,
                duration_ms: 1_500,
                ..ReportMeta::default()
            },
            counts,
            origin: Origin {
                branch: self.branch.map(str::to_owned),
                commit: Some("abc123".into()),
                ..Origin::default()
            },
            tags: vec!["nightly".into(), self.name.clone()],
            run_at: self.run_at.unwrap_or(at),
            created_at: at,
            diagnostics: vec![Diagnostic {
                path: "results.tests[0]".into(),
                code: "odd_status".into(),
                message: "Read as other.".into(),
                count: 2,
            }],
            execution: None,
            triage_github_status: false,
            github: None,
            claim: None,
            part: Some(Part::of(Retention::Days30, at, at)),
        }
    }

    pub fn deleted(&self, chunks: report::Chunks) -> report::Deleted {
        report::Deleted { report: self.id(), upload: self.upload(), chunks }
    }
}

/// A result with something in every field.
pub fn result(name: &str, status: Status) -> TestResult {
    let failed = status == Status::Failed;
    TestResult {
        test_id: TestId::derived(&[name.as_bytes()]),
        name: name.into(),
        suite: vec!["cart".into(), "with \"quotes\", {braces} and \\".into()],
        file_path: Some("src/cart.test.ts".into()),
        line: Some(u32::MAX),
        status,
        raw_status: failed.then(|| "broken".into()),
        duration_ms: 7 + name.len() as i64,
        start_ms: Some(1_700_000_000_000),
        stop_ms: None,
        retries: 1,
        flaky: status == Status::Passed,
        reported_flaky: Some(false),
        variant: Variant { browser: Some("firefox".into()), device: None, os: Some("linux".into()) },
        tags: vec!["slow".into(), String::new()],
        message: failed.then(|| "expected 1, got \u{1f600} and a NUL \0".into()),
        trace: failed.then(|| "at cart.ts:1".into()),
        snippet: None,
        stdout: Some("hello\nworld".into()),
        stderr: None,
        attempts: vec![Attempt {
            attempt: 1,
            status: Status::Failed,
            duration_ms: Some(3),
            start_ms: None,
            message: Some("first try".into()),
            trace: None,
            line: Some(3),
            snippet: None,
            stdout: None,
            stderr: None,
            attachments: Vec::new(),
        }],
        steps: vec![Step { name: "open".into(), status: Status::Passed, extra: serde_json::Map::new() }],
        attachments: vec![Attachment {
            name: "shot".into(),
            content_type: "image/png".into(),
            path: "/tmp/shot.png".into(),
            extra: serde_json::Map::new(),
        }],
        extra: serde_json::from_value(serde_json::json!({"type": "unit", "a": 1})).unwrap(),
    }
}

pub fn passed(count: usize) -> Vec<TestResult> {
    (0..count).map(|i| result(&format!("test {i}"), Status::Passed)).collect()
}

/// A log and what was written to it.
#[derive(Clone)]
pub struct World {
    pub log: EventLog,
    ticks: Arc<AtomicU64>,
}

impl World {
    pub fn new(log: EventLog) -> Self {
        Self { log, ticks: Arc::default() }
    }

    /// Each commit is a minute later than the one before.
    fn meta(&self) -> CommandMeta {
        let tick = self.ticks.fetch_add(1, Ordering::Relaxed);
        CommandMeta {
            command: CommandId::derived(&[&tick.to_be_bytes()]),
            request: None,
            actor: Actor::System,
            at: start() + TimeDelta::minutes(tick as i64),
            correlation: None,
            causation: None,
        }
    }

    async fn write<D: Decider>(&self, stream: StreamId, command: D::Command) -> Position {
        match self.log.execute::<D>(stream, command, &self.meta()).await {
            Ok(executed) => executed.position,
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn project(&self, name: &str) -> Position {
        let project = project_id(name);
        let created = project::Created { project, name: name.into(), default_branch: "main".into() };
        let stream = StreamId::of(team_id(), Kind::Project, project);
        self.write::<ProjectFact>(stream, vec![project::Event::Created(created)]).await
    }

    pub async fn owners(&self, name: &str, codeowners: &str) -> Position {
        let project = project_id(name);
        let changed = project::OwnersChanged { project, codeowners: codeowners.into() };
        let stream = StreamId::of(team_id(), Kind::Project, project);
        self.write::<ProjectFact>(stream, vec![project::Event::OwnersChanged(changed)]).await
    }

    pub async fn chunks(&self, spec: &Spec) -> report::Chunks {
        let mut writer = self.log.chunk_writer(team_id(), spec.id(), spec.upload());
        // Small chunks, so that there is more than one.
        for results in spec.results.chunks(100) {
            writer.push(encode_chunk(results).unwrap()).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    pub async fn upload(&self, spec: &Spec) -> Position {
        let chunks = self.chunks(spec).await;
        self.ingest(spec, chunks).await
    }

    pub async fn ingest(&self, spec: &Spec, chunks: report::Chunks) -> Position {
        let at = start() + TimeDelta::minutes(self.ticks.load(Ordering::Relaxed) as i64);
        let stream = StreamId::of(team_id(), Kind::Report, spec.id());
        self.write::<ReportFact>(stream, vec![report::Event::Ingested(Box::new(spec.ingested(at, chunks)))]).await
    }

    /// A report whose body cannot be decoded, though its hash is right.
    pub async fn upload_poison(&self, spec: &Spec) -> Position {
        let mut writer = self.log.chunk_writer(team_id(), spec.id(), spec.upload());
        writer.push(b"no chunk".to_vec()).await.unwrap();
        let chunks = writer.finish().await.unwrap();
        self.ingest(spec, chunks).await
    }

    pub async fn delete(&self, spec: &Spec) -> Position {
        let stream = StreamId::of(team_id(), Kind::Report, spec.id());
        let chunks = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
        self.write::<ReportFact>(stream, vec![report::Event::Deleted(spec.deleted(chunks))]).await
    }

    pub async fn people(&self) -> Position {
        let (owner, other) = (UserId::derived(&[b"owner"]), UserId::derived(&[b"other"]));
        for (user, instance_role) in [(owner, InstanceRole::Owner), (other, InstanceRole::Member)] {
            let registered = user::Event::Registered(user::Registered { user, instance_role });
            self.write::<UserFact>(StreamId::global(Kind::User, user), vec![registered]).await;
        }
        let created = team::Event::Created(team::Created { team: team_id(), name: "Checkout".into() });
        let joined = |user, role| team::Event::MemberAdded(team::MemberAdded { user, role });
        let stream = StreamId::of(team_id(), Kind::Team, team_id());
        self.write::<TeamFact>(stream, vec![created, joined(owner, TeamRole::Owner)]).await;
        self.write::<TeamFact>(stream, vec![joined(other, TeamRole::Readonly)]).await;
        self.token("kept").await;
        let gone = self.token("revoked").await;
        let revoked = token::Event::Revoked(token::Revoked { token: gone });
        self.write::<TokenFact>(StreamId::of(team_id(), Kind::Token, gone), vec![revoked]).await
    }

    async fn token(&self, name: &str) -> TokenId {
        let token = TokenId::derived(&[name.as_bytes()]);
        let created = token::Created {
            token,
            user: UserId::derived(&[b"owner"]),
            name: name.into(),
            prefix: "0a1b2c3d".into(),
            scopes: vec![Scope::Upload, Scope::Read],
            expires_at: None,
        };
        self.write::<TokenFact>(StreamId::of(team_id(), Kind::Token, token), vec![token::Event::Created(created)])
            .await;
        token
    }
}

/// A running read side.
pub struct Reading {
    pub positions: Positions,
    pub runner: Runner,
}

impl Reading {
    pub fn start(pool: &PgPool, log: &EventLog) -> Self {
        Self::with(pool, log, scaledtest_projections::all())
    }

    pub fn with(pool: &PgPool, log: &EventLog, projections: Vec<Arc<dyn Projection>>) -> Self {
        let positions = Positions::new(pool.clone());
        let setup = Setup {
            pool: pool.clone(),
            log: log.clone(),
            positions: positions.clone(),
            fresh: Fresh::default(),
            projections,
        };
        Self { positions, runner: Runner::start(setup) }
    }

    pub async fn wait(&self, position: Position) {
        assert!(self.positions.wait(&["reports", "access"], position, LIMIT).await, "not visible: {position}");
    }

    pub async fn stop(self) {
        self.runner.stop().await;
    }
}

pub async fn database() -> scaledtest_testkit::Database {
    let database = scaledtest_testkit::database().await;
    scaledtest_projections::migrate(&database.pool).await.unwrap();
    database
}

pub fn projection(name: &str) -> Arc<dyn Projection> {
    scaledtest_projections::all().into_iter().find(|projection| projection.name() == name).unwrap()
}

/// The `n`th commit of a log, by nobody.
pub fn item(stream: StreamId, n: u64, event: Event) -> Item {
    let commit = commit(stream, n, start() + TimeDelta::seconds(n.try_into().unwrap()), &event);
    Item::new(n, Arc::new(commit), vec![event])
}

/// A commit of one event, by the system.
pub fn commit(stream: StreamId, n: u64, at: DateTime<Utc>, event: &Event) -> Commit {
    Commit {
        v: Commit::envelope_version(),
        commit: CommitId::derived(&[&n.to_be_bytes()]),
        cmd: CommandId::derived(&[&n.to_be_bytes()]),
        req: None,
        team: stream.team,
        kind: stream.kind,
        id: stream.id,
        version: 0,
        prev: None,
        at,
        actor: Actor::System,
        corr: None,
        cause: None,
        events: vec![event.encode().unwrap()],
    }
}

/// Tables as text, for snapshots.
pub fn render(tables: &BTreeMap<String, Vec<String>>) -> String {
    let mut text = String::new();
    for (table, rows) in tables {
        let _ = writeln!(text, "{table}");
        for row in rows {
            let _ = writeln!(text, "  {row}");
        }
    }
    text
}

/// Applies batches to fresh tables of a projection, and says what is in them once all is settled. What can be left for later
/// after a batch is left in turns, and what is not written then is remembered.
pub async fn applied(pool: &PgPool, name: &str, schema: &str, batches: &[&[Item]]) -> BTreeMap<String, Vec<String>> {
    let projection = projection(name);
    let mut tx = empty(pool, &*projection, schema).await;
    let mut applier = projection.applier();
    for (batch, how) in batches.iter().zip([Settle::Facts, Settle::Overflow, Settle::All].into_iter().cycle()) {
        applier.apply(&mut tx, batch).await.unwrap();
        applier.settle(&mut tx, how).await.unwrap();
        if how == Settle::Facts {
            // As if the process had ended and another one went on.
            applier = projection.applier();
        }
    }
    applier.settle(&mut tx, Settle::All).await.unwrap();
    tx.commit().await.unwrap();
    dump(pool, schema).await
}

/// A transaction in which a projection has empty tables, in a schema that is made for them.
pub async fn empty(pool: &PgPool, projection: &dyn Projection, schema: &str) -> sqlx::PgTransaction<'static> {
    let mut tx = pool.begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("create schema {schema}; set local search_path = {schema}")))
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::raw_sql(projection.ddl()).execute(&mut *tx).await.unwrap();
    sqlx::raw_sql(projection.indexes()).execute(&mut *tx).await.unwrap();
    tx
}

/// Every row of every table and the indexes and partitions of a schema, as text.
pub async fn dump(pool: &PgPool, schema: &str) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = to_regnamespace($1) and relkind in ('r', 'p') and not relispartition",
    )
    .bind(schema)
    .fetch_all(pool)
    .await
    .unwrap();
    let mut dump = BTreeMap::new();
    for table in tables {
        let sql = format!("select entry::text from {schema}.{table} entry order by 1");
        dump.insert(table, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap());
    }
    let indexes: Vec<String> = sqlx::query_scalar(
        "select replace(indexdef, $1 || '.', '') from pg_indexes where schemaname = $1 order by tablename, indexdef",
    )
    .bind(schema)
    .fetch_all(pool)
    .await
    .unwrap();
    dump.insert("indexes".into(), indexes);
    dump
}

pub async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Asks until it is so.
pub async fn eventually<F: Future<Output = bool>>(mut so: impl FnMut() -> F) -> bool {
    let until = Instant::now() + LIMIT;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while Instant::now() < until {
        if so().await {
            return true;
        }
        tick.tick().await;
    }
    false
}

pub async fn state(pool: &PgPool, log: &EventLog, name: &str) -> (State, Option<String>, Option<u64>) {
    let all = status(pool, log, &Positions::new(pool.clone())).await.unwrap();
    let one = all.into_iter().find(|projection| projection.name == name).unwrap();
    (one.state, one.error, one.halted_at)
}

pub async fn halted(pool: &PgPool, log: &EventLog, name: &str) -> bool {
    eventually(|| async {
        status(pool, log, &Positions::new(pool.clone()))
            .await
            .unwrap()
            .iter()
            .any(|one| one.name == name && one.state == State::Halted)
    })
    .await
}
