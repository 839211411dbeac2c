//! The configurations in `nats/`, run as they are.
#![allow(clippy::expect_used, reason = "a test")]

mod support;

use bytes::Bytes;
use futures_util::StreamExt;
use scaledtest_domain::{ReportId, TeamId, UploadId};
use scaledtest_eventlog::{Credentials, EventLog, Follow, NatsOptions};
use scaledtest_testkit::{Binaries, Overrides, TestDir};
use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{add, create, within};

/// Of every user.
const PASSWORD: &str = "right";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nats");

fn nats_server() -> Command {
    let mut command = Command::new(Binaries::find(&Overrides::default()).expect("nats-server").nats_server);
    command.env("NATS_PASSWORD", PASSWORD).env("NATS_ADMIN_PASSWORD", PASSWORD);
    command
}

/// One with a configuration of ours, but a port and a directory of the test's.
struct Server {
    child: Child,
    url: String,
    _dir: TestDir,
}

impl Server {
    fn start(file: &str) -> Self {
        let dir = TestDir::new().expect("dir");
        let port = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
        let child = nats_server()
            .args(["-c", &format!("{FOLDER}/{file}"), "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server");
        Self { child, url: format!("nats://127.0.0.1:{port}"), _dir: dir }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_shipped_configuration_lets_the_program_do_its_work_and_no_more() {
    let server = Server::start("single.conf");
    let credentials = Credentials { user: "scaledtest".to_owned(), password: PASSWORD.to_owned() };
    let options = NatsOptions { credentials: Some(credentials), ..NatsOptions::new(&server.url) };
    let log = within(EventLog::connect(options)).await.expect("connected");
    let (team, report, upload) = (TeamId::new(), ReportId::new(), UploadId::new());
    let stream = support::team();
    within(async {
        let mut announcements = log.announcements().await.expect("subscribed");
        create(&log, stream).await;
        add(&log, stream).await;
        let mut writer = log.chunk_writer(team, report, upload);
        writer.push(b"chunk".to_vec()).await.expect("pushed");
        let chunks = writer.finish().await.expect("durable");
        log.read_chunks(team, report, upload, &chunks).await.expect("read");
        log.put_raw(team, report, upload, Bytes::from_static(b"document")).await.expect("put");
        assert!(log.get_raw(team, report, upload).await.expect("got").is_some());
        log.delete_raw(team, report, upload).await.expect("deleted");
        log.erase_chunks(team, report, upload, &chunks).await.expect("erased");
        assert_eq!(log.begin_epoch(0).await.expect("begun"), 2);
        assert_eq!(log.follow(1, Follow::Team(stream.team.expect("one"))).next(9).await.expect("followed")[0].n, 2);
        log.announce("reports", log.last().await.expect("last")).await;
        assert!(announcements.next().await.is_some());
    })
    .await;
    let connect = |user: &str| async_nats::ConnectOptions::with_user_and_password(user.to_owned(), PASSWORD.to_owned());
    let program = connect("scaledtest").connect(&server.url).await.expect("connected");
    let admin = connect("admin").connect(&server.url).await.expect("connected");
    for (subject, body) in [
        ("$JS.API.STREAM.MSG.DELETE.EV", r#"{"seq":1}"#),
        ("$JS.API.STREAM.PURGE.EV", "{}"),
        ("$JS.API.STREAM.DELETE.EV", ""),
    ] {
        let request = || async_nats::Request::new().payload(body.into()).timeout(Some(Duration::from_millis(200)));
        program.send_request(subject, request()).await.expect_err("nobody may hear it");
        assert_eq!(log.last().await.expect("last").n, 2);
        assert!(log.commit_at(1).await.expect("read").is_some());
    }
    let answer = admin.request("$JS.API.STREAM.PURGE.EV", "{}".into()).await.expect("answered");
    assert!(String::from_utf8_lossy(&answer.payload).contains(r#""purged":2"#));
}

#[test]
fn every_shipped_configuration_is_valid() {
    for file in ["single.conf", "cluster-1.conf", "cluster-2.conf", "cluster-3.conf"] {
        let checked = nats_server()
            .args(["-t", "-c", &format!("{FOLDER}/{file}")])
            .env("NATS_CLUSTER_PASSWORD", PASSWORD)
            .env("NATS_ROUTES", r#"["nats://route:right@nats-1:6222"]"#)
            .output()
            .expect("run");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}
