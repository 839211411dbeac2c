//! What only a real nats-server can show: crashes, restarts, foreign hands in the store.
#![allow(clippy::expect_used, reason = "a test")]

mod support;

use async_nats::jetstream::{self, stream::DiscardPolicy};
use bytes::Bytes;
use scaledtest_domain::{DecodeError, Kind, ReportId, StreamId, TeamId, UploadId};
use scaledtest_eventlog::{Credentials, EventLog, Follow, LogError, NatsOptions, Standing};
use scaledtest_testkit::{Nats, TestDir, nats};
use std::{collections::HashSet, fs, path::Path, time::Duration};
use support::{Command, Team, add, connect, create, meta, team, within};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

async fn jetstream(server: &Nats) -> jetstream::Context {
    jetstream::new(support::bare(&server.url()).await)
}

async fn refused(options: NatsOptions) -> String {
    match EventLog::connect(options).await.map(|_| ()).expect_err("refused") {
        LogError::Configuration(sentence) => sentence,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_stream_that_drifted_is_refused_with_what_was_found_and_expected() {
    let server = nats().await;
    drop(within(connect(&server)).await);
    drop(within(connect(&server)).await);
    let context = jetstream(&server).await;
    let config = context.get_stream("EV").await.expect("stream").cached_info().config.clone();
    let drifted = jetstream::stream::Config {
        discard: DiscardPolicy::Old,
        max_age: Duration::from_secs(3600),
        subjects: vec!["ev.>".to_owned(), "extra.>".to_owned()],
        ..config.clone()
    };
    context.update_stream(drifted).await.expect("updated");
    let sentence = within(refused(NatsOptions::new(server.url()))).await;
    for part in [
        r#"stream EV has subjects ["ev.>", "extra.>"], but ["ev.>"] is needed"#,
        "stream EV has discard Old, but New is needed",
        "stream EV has max_age 3600s, but 0ns is needed",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
    context.update_stream(config.clone()).await.expect("updated");
    drop(within(connect(&server)).await);
    context.update_stream(jetstream::stream::Config { metadata: [].into(), ..config }).await.expect("updated");
    assert!(within(refused(NatsOptions::new(server.url()))).await.contains("metadata"));
}

#[tokio::test]
async fn the_retention_of_documents_follows_the_setting() {
    let server = nats().await;
    drop(within(connect(&server)).await);
    let context = jetstream(&server).await;
    for days in [30, 7, 60] {
        let raw_retention = Duration::from_secs(days * 24 * 3600);
        within(EventLog::connect(NatsOptions { raw_retention, ..NatsOptions::new(server.url()) }))
            .await
            .expect("connected");
        let bucket = context.get_stream("OBJ_raw").await.expect("bucket");
        assert_eq!(bucket.cached_info().config.max_age, raw_retention);
    }
}

#[tokio::test]
async fn no_server_and_no_admission_are_said_apart() {
    let mut server = nats().await;
    let url = server.url();
    within(EventLog::connect(NatsOptions::new(&url))).await.expect("admitted by the credentials in the URL");
    let at = url.rsplit_once('@').expect("credentials").1;
    let with = |password: &str| NatsOptions {
        credentials: Some(Credentials { user: "scaledtest".to_owned(), password: password.to_owned() }),
        ..NatsOptions::new(format!("nats://{at}"))
    };
    let sentence = within(refused(with("wrong"))).await;
    assert!(sentence.contains("credentials") && !sentence.contains("wrong"), "{sentence}");
    assert!(!format!("{:?}", with("wrong")).contains("wrong"));
    server.kill9().await;
    let gone = NatsOptions { connect_timeout: Duration::from_millis(100), ..NatsOptions::new(&url) };
    assert!(matches!(within(EventLog::connect(gone)).await, Err(LogError::Unavailable(_))));
}

/// Makes teams until told otherwise; a caller that retries an unknown outcome with the same command.
async fn make_teams(log: EventLog, count: usize) -> Vec<(StreamId, u64)> {
    let log = log.with_deadline(Duration::from_secs(2));
    let mut made = Vec::new();
    while made.len() < count {
        let (stream, meta) = (team(), meta());
        let n = loop {
            match log.execute_new::<Team>(stream, Command::Create("shop".to_owned()), &meta).await {
                Ok(done) => break done.position.n,
                Err(error) if matches!(error.kind(), scaledtest_domain::ErrorKind::Unavailable) => {}
                Err(error) => panic!("{error}"),
            }
        };
        made.push((stream, n));
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_loses_nothing_and_followers_go_on() {
    let mut server = nats().await;
    let log = connect(&server).await;
    let writer = tokio::spawn(make_teams(log.clone(), 600));
    let (seen, mut progress) = watch::channel(Vec::new());
    let mut follower = log.follow(0, Follow::All);
    let reader = tokio::spawn(async move {
        while seen.borrow().len() < 600 {
            let batch = follower.next(100).await.expect("followed");
            seen.send_modify(|seen| seen.extend(batch.iter().map(|recorded| (recorded.commit.stream(), recorded.n))));
        }
        seen.borrow().clone()
    });
    for kills in 1..=3 {
        within(progress.wait_for(|seen| seen.len() > kills * 120)).await.expect("the reader lives");
        server.kill9().await;
        server.restart().await;
    }
    let (written, read) = (within(writer).await.expect("written"), within(reader).await.expect("read"));
    assert_eq!(written, read, "every team once, at the position that the writer was told, in order");
    assert_eq!(log.last().await.expect("last").n, 600);
    for (stream, _) in written.iter().step_by(50) {
        assert_eq!(log.load(stream).await.expect("loaded").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_written_through_a_restart_are_all_there() {
    let mut server = nats().await;
    let log = connect(&server).await;
    let (team, report, upload) = (TeamId::new(), ReportId::new(), UploadId::new());
    let payloads: Vec<Vec<u8>> = (0..2000).map(|n| format!("chunk {n}").into_bytes()).collect();
    let mut writer = log.chunk_writer(team, report, upload);
    for (n, payload) in payloads.iter().enumerate() {
        if n == 700 || n == 1400 {
            server.kill9().await;
            server.restart().await;
        }
        within(writer.push(payload.clone())).await.expect("pushed");
    }
    let chunks = within(writer.finish()).await.expect("durable");
    assert_eq!(chunks.count, 2000);
    assert_eq!(log.read_chunks(team, report, upload, &chunks).await.expect("read"), payloads);
}

#[tokio::test]
async fn a_write_while_the_server_is_away_is_unknown_and_then_answered() {
    let mut server = nats().await;
    let log = connect(&server).await;
    let (stream, meta, name) = (team(), meta(), Command::Create("shop".to_owned()));
    server.kill9().await;
    let hasty = log.clone().with_deadline(Duration::from_millis(200));
    let unknown = within(hasty.execute_new::<Team>(stream, name.clone(), &meta)).await.map(|_| ());
    assert!(unknown.expect_err("no answer").to_string().contains("does not answer"));
    let waiting = tokio::spawn({
        let (log, meta) = (log.clone(), meta.clone());
        async move { log.execute_new::<Team>(stream, name, &meta).await.map(|done| done.position.n) }
    });
    server.restart().await;
    let n = within(waiting).await.expect("no panic").expect("answered");
    assert_eq!((n, log.last().await.expect("last").n), (1, 1));
}

#[tokio::test]
async fn writers_do_not_wait_for_ever_while_the_server_is_away() {
    let mut server = nats().await;
    let log = connect(&server).await.with_deadline(Duration::from_millis(200));
    server.kill9().await;
    let refused = within(async {
        let mut writers = Vec::new();
        // No writer waits for an acknowledgement yet; together they are more than the client queues.
        for _ in 0..100 {
            let mut writer = log.chunk_writer(TeamId::new(), ReportId::new(), UploadId::new());
            for _ in 0..63 {
                if let Err(error) = writer.push(b"chunk".to_vec()).await {
                    return error.to_string();
                }
            }
            writers.push(writer);
        }
        String::new()
    });
    assert!(refused.await.contains("does not answer"));
}

/// Writes past the log's own doors.
async fn smuggle(server: &Nats, stream: StreamId, payload: impl Into<Bytes>) {
    let context = jetstream(server).await;
    let ack = context.publish(stream.subject(), payload.into()).await.expect("sent");
    ack.await.expect("stored");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_stops_a_follower_until_somebody_steps_over_it() {
    let server = nats().await;
    let log = connect(&server).await;
    let stream = team();
    create(&log, stream).await;
    smuggle(&server, StreamId::global(Kind::Claim, team().id), "no commit").await;
    add(&log, stream).await;
    let mut follower = log.follow(0, Follow::All);
    assert_eq!(within(follower.next(10)).await.expect("the one before").len(), 1);
    for _ in 0..2 {
        let error = within(follower.next(10)).await.expect_err("stops");
        assert!(matches!(error, LogError::Decode { n: 2, source: DecodeError::Json(_) }), "{error}");
    }
    let batch = within(log.follow(2, Follow::All).next(10)).await.expect("the one behind");
    assert_eq!(batch[0].n, 3);
    let mut verifier = log.verify().await.expect("begun");
    let mut faults = Vec::new();
    loop {
        let batch = within(verifier.next(10)).await.expect("verified");
        if batch.is_empty() {
            break;
        }
        faults.extend(batch.iter().map(|verified| (verified.n, verified.fault.is_some())));
    }
    assert_eq!(faults, [(1, false), (2, true), (3, false)]);
}

#[tokio::test]
async fn a_history_that_does_not_follow_from_itself_is_broken() {
    let server = nats().await;
    let log = connect(&server).await;
    let (stream, other) = (team(), team());
    create(&log, stream).await;
    create(&log, other).await;
    let again = log.commit_at(1).await.expect("read").expect("there");
    smuggle(&server, stream, again.commit.encode().expect("encoded").0).await;
    let error = log.load(&stream).await.expect_err("broken");
    assert!(matches!(&error, LogError::Broken { n: 3, .. }), "{error}");
    smuggle(&server, other, again.commit.encode().expect("encoded").0).await;
    let error = log.load(&other).await.expect_err("broken").to_string();
    assert!(error.contains("it is a commit of"), "{error}");
    let refused = log.execute::<Team>(stream, Command::Create("x".to_owned()), &meta()).await.map(|_| ());
    assert!(refused.expect_err("broken").to_string().contains("broken"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_store_is_noticed() {
    let mut server = nats().await;
    let log = connect(&server).await;
    for _ in 0..5 {
        create(&log, team()).await;
    }
    server.kill9().await;
    let older = TestDir::new().expect("dir");
    copy(server.store_dir(), older.path());
    server.restart().await;
    for _ in 0..3 {
        create(&log, team()).await;
    }
    let mut follower = log.follow(0, Follow::All);
    while follower.after() < 8 {
        within(follower.next(10)).await.expect("followed");
    }
    let id = log.commit_at(8).await.expect("read").expect("there").commit.commit;
    server.kill9().await;
    fs::remove_dir_all(server.store_dir()).expect("removed");
    copy(older.path(), server.store_dir());
    server.restart().await;
    let error = within(follower.next(10)).await.expect_err("noticed");
    assert!(matches!(&error, LogError::Rewound(reason) if reason.contains("ends at 5")), "{error}");
    // Other commits took the places of the lost ones.
    for _ in 0..3 {
        create(&log, team()).await;
    }
    assert!(matches!(log.check(1, 8, Some(id)).await.expect("checked"), Standing::Rewound { .. }));
    assert_eq!(log.check(1, 5, None).await.expect("checked"), Standing::Current);
    assert_eq!(log.begin_epoch(1).await.expect("begun"), 2);
    let error = within(follower.next(10)).await.expect_err("of an older epoch");
    assert!(matches!(error, LogError::Rewound(_)), "{error}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn holds(dir: &Path, marker: &[u8]) -> bool {
    fs::read_dir(dir).expect("listed").any(|entry| {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            return holds(&path, marker);
        }
        fs::read(&path).expect("read").windows(marker.len()).any(|window| window == marker)
    })
}

#[tokio::test]
async fn what_is_erased_is_gone_from_the_disk() {
    let mut server = nats().await;
    let log = connect(&server).await;
    let (team, report, upload) = (TeamId::new(), ReportId::new(), UploadId::new());
    let (kept, marker) = (b"kept-kept-kept-kept-kept", b"a-secret-of-a-person-who-left");
    let mut writer = log.chunk_writer(team, report, upload);
    for _ in 0..20 {
        writer.push(marker.to_vec()).await.expect("pushed");
    }
    let chunks = writer.finish().await.expect("durable");
    log.put_raw(team, report, upload, Bytes::from_static(marker)).await.expect("put");
    log.put_raw(team, report, UploadId::new(), Bytes::from_static(kept)).await.expect("put");
    log.erase_chunks(team, report, upload, &chunks).await.expect("erased");
    log.delete_raw(team, report, upload).await.expect("deleted");
    server.stop().await;
    assert!(holds(server.store_dir(), kept), "the check finds what is there");
    assert!(!holds(server.store_dir(), marker));
}

#[tokio::test]
async fn documents_are_objects_that_other_nats_tools_read() {
    let server = nats().await;
    let log = connect(&server).await;
    let (team, report, upload) = (TeamId::new(), ReportId::new(), UploadId::new());
    let document = Bytes::from((0..600_000_u32).map(|n| (n % 253) as u8).collect::<Vec<_>>());
    log.put_raw(team, report, upload, document.clone()).await.expect("put");
    let bucket = jetstream(&server).await.get_object_store("raw").await.expect("bucket");
    let name = format!("{}/{}/{}", team.0.simple(), report.0.simple(), upload.0.simple());
    let mut object = within(bucket.get(&name)).await.expect("object");
    let mut read = Vec::new();
    within(object.read_to_end(&mut read)).await.expect("read, and its digest is right");
    assert!(read == document);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_log() {
    let server = nats().await;
    let (one, two) = (connect(&server).await, connect(&server).await);
    let mut follower = two.follow(0, Follow::All);
    let stream = team();
    create(&one, stream).await;
    assert_eq!(within(follower.next(1)).await.expect("followed")[0].commit.stream(), stream);
    add(&two, stream).await;
    add(&one, stream).await;
    assert_eq!(one.load(&stream).await.expect("loaded").len(), 3);
    assert_eq!(one.begin_epoch(0).await.expect("begun"), 2);
    assert_eq!(two.last().await.expect("last").epoch, 2);
    assert_eq!(two.epoch(), 2);
    let distinct: HashSet<_> = one.load(&stream).await.expect("loaded").iter().map(|recorded| recorded.hash).collect();
    assert_eq!(distinct.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_shows_the_epoch_that_another_process_began() {
    let mut server = nats().await;
    let (one, two) = (connect(&server).await, connect(&server).await);
    assert_eq!(one.begin_epoch(4).await.expect("begun"), 5);
    assert_eq!(two.epoch(), 1, "nothing asked the log since");
    server.kill9().await;
    server.restart().await;
    within(async {
        while two.epoch() != 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
