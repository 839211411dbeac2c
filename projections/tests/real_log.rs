//! The same with a real nats-server under it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use scaledtest_eventlog::{EventLog, NatsOptions};
use scaledtest_projections::{rebuild, skip};
use scaledtest_testkit::Nats;
use std::path::Path;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn connect(nats: &Nats) -> EventLog {
    scaledtest_testkit::install_crypto();
    EventLog::connect(NatsOptions::new(nats.url())).await.unwrap()
}

#[tokio::test]
async fn a_killed_log_server_loses_nothing_and_a_rebuild_gives_the_same_rows() {
    let (database, mut nats) = (database().await, scaledtest_testkit::nats().await);
    let world = World::new(connect(&nats).await);
    let reading = Reading::start(&database.pool, &world.log);
    world.people().await;
    for i in 0..10 {
        let spec = Spec::new(&format!("report {i}"), passed(250));
        let last = world.upload(&spec).await;
        if i == 5 {
            nats.kill9().await;
            nats.restart().await;
        }
        reading.wait(last).await;
    }
    let last = world.delete(&Spec::new("report 3", Vec::new())).await;
    reading.wait(last).await;
    for name in ["reports", "access", "history"] {
        let live = dump(&database.pool, name).await;
        rebuild(&database.pool, &world.log, &projection(name), |_| ()).await.unwrap();
        assert_eq!(live, dump(&database.pool, name).await);
    }
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 9 * 250);
    reading.stop().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn an_older_copy_of_the_log_put_back_under_a_running_server_is_noticed() {
    let (database, mut nats) = (database().await, scaledtest_testkit::nats().await);
    let world = World::new(connect(&nats).await);
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(world.upload(&Spec::new("kept", passed(2))).await).await;

    nats.stop().await;
    let (store, backup) = (nats.store_dir().to_owned(), nats.store_dir().with_extension("backup"));
    copy(&store, &backup);
    nats.restart().await;
    let lost = world.upload(&Spec::new("lost", passed(3))).await;
    reading.wait(lost).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 5);

    nats.stop().await;
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&backup, &store).unwrap();
    nats.restart().await;
    let rebuilt = scaledtest_domain::Position { epoch: lost.epoch + 1, n: 1 };
    reading.wait(rebuilt).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 2);
    assert_eq!(count(&database.pool, "select count(*) from ops.epoch").await, 1);
    reading.wait(world.upload(&Spec::new("new", passed(4))).await).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 6);
    reading.stop().await;
}

/// Puts a message into the log that is no commit.
async fn smuggle(nats: &Nats) {
    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", nats.port())).await.unwrap();
    let (user, password) = nats.credential();
    let said = format!(
        "CONNECT {{\"user\":\"{user}\",\"pass\":\"{password}\",\"verbose\":false}}\r\nPUB ev.0._.user.x 4\r\njunk\r\nPING\r\n"
    );
    server.write_all(said.as_bytes()).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("PONG") {
        let mut buffer = [0; 4096];
        let read = server.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_passed_over_even_if_it_is_the_last_one() {
    let (database, nats) = (database().await, scaledtest_testkit::nats().await);
    let world = World::new(connect(&nats).await);
    let mut junk = world.upload(&Spec::new("one", passed(2))).await;
    smuggle(&nats).await;
    junk.n += 1;
    assert!(eventually(|| async { world.log.last().await.unwrap() == junk }).await);
    let reading = Reading::start(&database.pool, &world.log);
    for name in ["reports", "access", "history"] {
        assert!(halted(&database.pool, &world.log, name).await);
        skip(&database.pool, name, junk.n, "ops", "junk").await.unwrap();
    }
    reading.wait(junk).await;
    reading.stop().await;

    // The next start compares the log with a checkpoint that names no commit.
    let reading = Reading::start(&database.pool, &world.log);
    let reports = projection("reports");
    let rebuilt = tokio::time::timeout(LIMIT, rebuild(&database.pool, &world.log, &reports, |_| ()));
    assert_eq!(rebuilt.await.unwrap().unwrap().position, junk);
    reading.wait(world.upload(&Spec::new("two", passed(1))).await).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 3);
    assert_eq!(count(&database.pool, "select count(*) from ops.epoch").await, 0);
    reading.stop().await;
}
