//! Real programs in temporary data directories.
#![allow(clippy::unwrap_used, reason = "the functions that the tests share panic as the tests do")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use scaledtest_managed::{
    Binaries, ChildState, Children, DataDir, Durability, Embedded, ManagedError, Nats, NatsSettings, Overrides, Running,
};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    // As root, PostgreSQL's own user has to pass through.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

async fn try_start(dir: &Path) -> Result<Embedded, ManagedError> {
    let (dir, overrides) = (DataDir::new(dir), Overrides::default());
    timeout(PATIENCE, Embedded::start(&dir, &overrides, Durability::Standard, Children::BOTH)).await.unwrap()
}

async fn start(dir: &Path) -> Embedded {
    try_start(dir).await.unwrap()
}

async fn database(embedded: &Embedded) -> PgConnection {
    PgConnection::connect(&embedded.database_url().unwrap()).await.unwrap()
}

async fn log(embedded: &Embedded) -> jetstream::Context {
    let nats = embedded.nats().unwrap();
    let options =
        async_nats::ConnectOptions::with_user_and_password(nats.user().to_owned(), nats.password().to_owned());
    jetstream::new(options.connect(nats.url()).await.unwrap())
}

/// One row and one message, both acknowledged.
async fn write(embedded: &Embedded) {
    let mut database = database(embedded).await;
    sqlx::raw_sql("create table t (n int); insert into t values (1)").execute(&mut database).await.unwrap();
    let log = log(embedded).await;
    let config =
        jetstream::stream::Config { name: "S".to_owned(), subjects: vec!["s".to_owned()], ..Default::default() };
    log.create_stream(config).await.unwrap();
    log.publish("s", "1".into()).await.unwrap().await.unwrap();
}

async fn written(embedded: &Embedded) -> (i64, u64) {
    let rows = sqlx::query_scalar("select count(*) from t").fetch_one(&mut database(embedded).await).await.unwrap();
    let stream = log(embedded).await.get_stream("S").await.unwrap();
    (rows, stream.get_info().await.unwrap().state.messages)
}

fn pids(embedded: &Embedded) -> [u32; 2] {
    [embedded.postgres().unwrap().pid().unwrap(), embedded.nats().unwrap().pid().unwrap()]
}

fn is_alive(pid: u32) -> bool {
    // A process that has ended but was not reaped still has a directory, but no command line.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn kill9(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// Waits until another process than `before` is ready.
async fn restarted(mut state: watch::Receiver<ChildState>, before: u32) -> u32 {
    let other = |state: &ChildState| matches!(state, ChildState::Running { pid } if *pid != before);
    let state = timeout(PATIENCE, state.wait_for(other)).await.unwrap().unwrap().clone();
    let ChildState::Running { pid } = state else { unreachable!() };
    pid
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_nothing_runs_in_between() {
    let dir = place();
    let began = Instant::now();
    let embedded = start(dir.path()).await;
    eprintln!("cold start {:?}", began.elapsed());
    write(&embedded).await;
    let before = pids(&embedded);
    embedded.shutdown().await;
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    assert!(Running::read(dir.path()).unwrap().is_none());

    let began = Instant::now();
    let embedded = start(dir.path()).await;
    eprintln!("warm start {:?}", began.elapsed());
    assert_eq!(written(&embedded).await, (1, 1));
    embedded.shutdown().await;
}

#[tokio::test]
async fn a_killed_child_comes_back_at_the_same_address_with_its_data() {
    let dir = place();
    let embedded = start(dir.path()).await;
    write(&embedded).await;
    let addresses = (embedded.database_url(), embedded.nats_url());
    let [postgres, nats] = pids(&embedded);
    kill9(postgres);
    let again = restarted(embedded.postgres().unwrap().state(), postgres).await;
    kill9(nats);
    restarted(embedded.nats().unwrap().state(), nats).await;
    assert_eq!((embedded.database_url(), embedded.nats_url()), addresses);
    assert_eq!(written(&embedded).await, (1, 1));

    kill9(again);
    restarted(embedded.postgres().unwrap().state(), again).await;
    assert_eq!(written(&embedded).await, (1, 1));
    embedded.shutdown().await;
}

/// Kills the child until we have its port before it is back.
async fn take_port(nats: &Nats) -> TcpListener {
    let state = nats.state();
    loop {
        let pid = nats.pid().unwrap();
        kill9(pid);
        let is_back = || matches!(*state.borrow(), ChildState::Running { pid: now } if now != pid);
        while !is_back() {
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", nats.port())) {
                return listener;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_port_that_another_process_took_is_named_and_waited_for() {
    let dir = place();
    let embedded = start(dir.path()).await;
    write(&embedded).await;
    let nats = embedded.nats().unwrap();
    let listener = timeout(PATIENCE, take_port(nats)).await.unwrap();
    let mut state = nats.state();
    let named = format!("cannot have its port {} on 127.0.0.1", nats.port());
    let waits = |state: &ChildState| matches!(state, ChildState::Restarting { reason } if reason.contains(&named));
    timeout(PATIENCE, state.wait_for(waits)).await.unwrap().unwrap();
    drop(listener);
    restarted(nats.state(), 0).await;
    assert_eq!(written(&embedded).await, (1, 1));
    embedded.shutdown().await;
}

#[tokio::test]
async fn two_servers_never_share_a_data_directory() {
    let dir = place();
    let embedded = start(dir.path()).await;
    let message = try_start(dir.path()).await.err().unwrap().to_string();
    assert!(message.contains(&format!("in use by another server (process {})", std::process::id())), "{message}");
    assert!(pids(&embedded).iter().all(|pid| is_alive(*pid)));
    embedded.shutdown().await;
}

#[tokio::test]
async fn only_the_owner_can_read_credentials_and_others_find_the_children_through_a_file() {
    let dir = place();
    let embedded = start(dir.path()).await;
    for file in ["postgres.password", "nats/password", "nats/nats.conf", "running.json"] {
        let mode = fs::metadata(dir.path().join(file)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let running = Running::read(dir.path()).unwrap().unwrap();
    assert_eq!((running.database_url, running.nats_url), (embedded.database_url(), embedded.nats_url()));
    assert_eq!(running.pid, std::process::id());
    embedded.shutdown().await;
}

#[tokio::test]
async fn children_left_over_from_an_earlier_server_are_ended_first() {
    let dir = place();
    let embedded = start(dir.path()).await;
    write(&embedded).await;
    let cluster = embedded.postgres().unwrap().cluster().to_owned();
    let url = embedded.database_url().unwrap();
    embedded.shutdown().await;

    let binaries = Binaries::find(&Overrides::default()).unwrap();
    let owner = fs::metadata(&cluster).unwrap();
    let sockets = cluster.with_file_name("run");
    let mut postgres = Command::new(binaries.postgres.bin.join("postgres"));
    postgres.arg("-D").arg(&cluster).args(["-c", "listen_addresses=", "-c"]);
    postgres.arg(format!("unix_socket_directories={}", sockets.display())).current_dir("/").stderr(Stdio::null());
    if owner.uid() != fs::metadata("/proc/self").unwrap().uid() {
        postgres.uid(owner.uid()).gid(owner.gid());
    }
    let mut postgres = postgres.spawn().unwrap();
    let mut nats = Command::new(&binaries.nats_server);
    nats.arg("--config").arg(dir.path().canonicalize().unwrap().join("nats/nats.conf")).stderr(Stdio::piped());
    let mut nats = nats.spawn().unwrap();
    let said = BufReader::new(nats.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.into_iter().any(|line| line.contains("Server is ready")));
    let connected = async {
        while PgConnection::connect(&url).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, connected).await.unwrap();

    let embedded = start(dir.path()).await;
    postgres.wait().unwrap();
    nats.wait().unwrap();
    assert_eq!(written(&embedded).await, (1, 1));
    embedded.shutdown().await;
}

#[tokio::test]
async fn a_program_that_does_not_start_is_quoted() {
    let dir = place();
    let program = Binaries::find_nats_server(&Overrides::default()).unwrap();
    let settings = NatsSettings { dir: dir.path().join("nats"), durability: Durability::Relaxed, port: None };
    fs::create_dir_all(settings.dir.join("store")).unwrap();
    // A file where JetStream wants a directory.
    fs::write(settings.dir.join("store/jetstream"), "").unwrap();
    let message = timeout(PATIENCE, Nats::start(&program, settings)).await.unwrap().err().unwrap().to_string();
    assert!(message.starts_with("nats-server ended (exit status: 1); the end of "), "{message}");
    assert!(message.contains("not a directory"), "{message}");
}

/// Not a test by itself: the server that the next test kills, as a process of its own.
#[test]
fn the_server_that_is_killed() {
    let Some(dir) = std::env::var_os("SERVER_TO_KILL_IN") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let embedded = runtime.block_on(async {
        let embedded = start(Path::new(&dir)).await;
        write(&embedded).await;
        embedded
    });
    let [postgres, nats] = pids(&embedded);
    println!("children {postgres} {nats}");
    // Until it is killed; the other end is closed if the test fails before.
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test]
async fn a_killed_server_takes_its_children_along_and_loses_nothing() {
    let dir = place();
    let mut server = Command::new(std::env::current_exe().unwrap());
    server.args(["--exact", "the_server_that_is_killed", "--nocapture"]).env("SERVER_TO_KILL_IN", dir.path());
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find_map(|line| Some(line.split_once("children ")?.1.to_owned())).unwrap();
    let children: Vec<u32> = line.split(' ').map(|pid| pid.parse().unwrap()).collect();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(Running::read(dir.path()).unwrap().is_none());

    let embedded = start(dir.path()).await;
    assert!(children.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(written(&embedded).await, (1, 1));
    embedded.shutdown().await;
}
