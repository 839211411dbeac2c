//! What a log promises, told to the log in memory and to a real nats-server alike.
#![allow(clippy::expect_used, reason = "a test")]

mod support;

use bytes::Bytes;
use futures_util::{StreamExt, future::join_all};
use scaledtest_domain::{
    Actor, CommandId, CommitId, Hash16, Kind, Position, ReportId, StreamId, TeamId, UploadId, UserId,
    events::report::Chunks,
};
use scaledtest_eventlog::{ChunkError, CommandMeta, EventLog, ExecuteError, Follow, LogError, Standing};
use support::{Command, ROOM, Refusal, Team, add, asked, connect, create, meta, team, within};

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { within(super::$name(EventLog::in_memory())).await; })*
        }
        mod on_nats {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let nats = scaledtest_testkit::nats().await;
                within(async { super::$name(connect(&nats).await).await }).await;
            })*
        }
    };
}

contract! {
    a_command_becomes_one_commit_that_says_all_of_it,
    racing_writers_never_both_win,
    the_same_command_again_gets_the_same_answer,
    a_command_id_with_another_request_is_refused,
    twenty_copies_of_a_creating_command_make_one_commit,
    one_command_may_write_to_two_aggregates,
    a_refusal_comes_from_the_newest_state,
    already_so_is_success_without_a_commit,
    an_aggregate_that_is_not_new_is_found_out,
    a_history_of_many_commits_loads_in_order,
    chunks_come_back_in_order_with_their_hash,
    chunks_of_other_uploads_do_not_mix_in,
    erased_chunks_are_missing_and_erasing_again_is_fine,
    chunks_that_are_not_what_the_commit_says_are_corrupt,
    a_report_without_results_has_no_chunks,
    uploads_are_listed_and_can_be_erased_whole,
    a_document_comes_back_until_it_is_deleted,
    a_follower_sees_everything_once_and_in_order,
    a_follower_starts_after_a_position,
    a_follower_of_a_team_sees_only_the_team,
    a_follower_waits_for_what_comes,
    losing_the_future_of_a_follower_loses_nothing,
    an_epoch_only_grows,
    a_remembered_position_is_current_or_rewound,
    every_commit_verifies,
    announcements_arrive,
}

fn name() -> Command {
    Command::Create("shop".to_owned())
}

async fn a_command_becomes_one_commit_that_says_all_of_it(log: EventLog) {
    let (stream, user) = (team(), UserId::new());
    let meta = CommandMeta {
        actor: Actor::User(user),
        correlation: Some(user.0),
        request: Some(Hash16::of(b"request")),
        ..meta()
    };
    let done = log.execute::<Team>(stream, name(), &meta).await.expect("created");
    assert_eq!(done.position, Position { epoch: 1, n: 1 });
    assert!(!done.replayed);
    assert_eq!(done.state.name.as_deref(), Some("shop"));
    let recorded = log.commit_at(1).await.expect("read").expect("there");
    let commit = &recorded.commit;
    assert_eq!(Some(commit.commit), done.commit);
    assert_eq!((commit.cmd, commit.req, commit.actor), (meta.command, meta.request, meta.actor));
    assert_eq!((commit.corr, commit.cause), (meta.correlation, meta.causation));
    assert_eq!((commit.stream(), commit.version, commit.prev), (stream, 0, None));
    assert_eq!(commit.at.timestamp_subsec_nanos(), 123_456_000, "microseconds");
    assert_eq!(commit.events[0].t, "team.created");
    add(&log, stream).await;
    let second = log.commit_at(2).await.expect("read").expect("there");
    assert_eq!((second.commit.version, second.commit.prev), (1, Some(recorded.hash)));
    assert!(log.commit_at(3).await.expect("read").is_none());
    assert!(log.commit_at(0).await.expect("read").is_none());
}

async fn racing_writers_never_both_win(log: EventLog) {
    let stream = team();
    create(&log, stream).await;
    let accepted = join_all((0..8).map(|_| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut accepted = 0;
            loop {
                match log.execute::<Team>(stream, Command::Add(UserId::new()), &meta()).await {
                    Ok(done) => accepted += usize::from(done.commit.is_some()),
                    Err(ExecuteError::Conflict) => {}
                    Err(ExecuteError::Rejected(Refusal::Full)) => return accepted,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }))
    .await;
    let accepted: usize = accepted.into_iter().map(|accepted| accepted.expect("no panic")).sum();
    assert_eq!(accepted, ROOM);
    assert_eq!(log.load(&stream).await.expect("an unbroken chain").len(), ROOM + 1);
}

async fn the_same_command_again_gets_the_same_answer(log: EventLog) {
    let (stream, meta) = (team(), meta());
    let first = log.execute_new::<Team>(stream, name(), &meta).await.expect("created");
    add(&log, stream).await;
    for fresh in [true, false] {
        let again = match fresh {
            true => log.execute_new::<Team>(stream, name(), &meta).await,
            false => log.execute::<Team>(stream, name(), &meta).await,
        }
        .expect("replayed");
        assert!(again.replayed);
        assert_eq!((again.position, again.at, again.commit), (first.position, first.at, first.commit));
        assert_eq!(again.events, first.events);
        assert_eq!(again.state.members.len(), 1, "the state is the present one");
    }
    assert_eq!(log.last().await.expect("last").n, 2);
}

async fn a_command_id_with_another_request_is_refused(log: EventLog) {
    let (stream, id) = (team(), CommandId::new());
    log.execute_new::<Team>(stream, name(), &asked(id, "one")).await.expect("created");
    for fresh in [true, false] {
        let other = asked(id, "other");
        let refused = match fresh {
            true => log.execute_new::<Team>(stream, name(), &other).await,
            false => log.execute::<Team>(stream, name(), &other).await,
        };
        assert!(matches!(refused, Err(ExecuteError::KeyReused)));
    }
    assert!(log.execute::<Team>(stream, name(), &asked(id, "one")).await.expect("replayed").replayed);
}

async fn twenty_copies_of_a_creating_command_make_one_commit(log: EventLog) {
    let (stream, meta) = (team(), meta());
    let copies = join_all((0..20).map(|_| {
        let (log, meta) = (log.clone(), meta.clone());
        tokio::spawn(async move { log.execute_new::<Team>(stream, name(), &meta).await.expect("answered") })
    }))
    .await;
    let copies: Vec<_> = copies.into_iter().map(|copy| copy.expect("no panic")).collect();
    assert_eq!(copies.iter().filter(|copy| !copy.replayed).count(), 1);
    assert!(copies.iter().all(|copy| copy.position.n == 1 && copy.commit == copies[0].commit));
    assert_eq!(log.last().await.expect("last").n, 1);
}

async fn one_command_may_write_to_two_aggregates(log: EventLog) {
    let meta = meta();
    let first = log.execute_new::<Team>(team(), name(), &meta).await.expect("first");
    let second = log.execute_new::<Team>(team(), name(), &meta).await.expect("second");
    assert_eq!((first.position.n, second.position.n), (1, 2));
    assert!(!second.replayed);
}

async fn a_refusal_comes_from_the_newest_state(log: EventLog) {
    let stream = team();
    let refused = log.execute::<Team>(stream, Command::Add(UserId::new()), &meta()).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected(Refusal::Missing))));
    create(&log, stream).await;
    // The first try decides on an empty state, which would say that there is no such team.
    let added = log.execute_new::<Team>(stream, Command::Add(UserId::new()), &meta()).await.expect("added");
    assert_eq!(added.position.n, 2);
    let refused = log.execute_new::<Team>(stream, name(), &meta()).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected(Refusal::Exists))));
    assert_eq!(log.last().await.expect("last").n, 2);
}

async fn already_so_is_success_without_a_commit(log: EventLog) {
    let (stream, user) = (team(), UserId::new());
    create(&log, stream).await;
    let added = log.execute::<Team>(stream, Command::Add(user), &meta()).await.expect("added");
    create(&log, team()).await;
    let again = log.execute::<Team>(stream, Command::Add(user), &meta()).await.expect("already so");
    assert_eq!((again.position, again.commit), (added.position, None));
    assert!(again.events.is_empty() && !again.replayed);
}

async fn an_aggregate_that_is_not_new_is_found_out(log: EventLog) {
    let stream = team();
    create(&log, stream).await;
    let refused = log.execute_new::<Team>(stream, name(), &meta()).await;
    assert!(matches!(refused, Err(ExecuteError::Rejected(Refusal::Exists))));
}

async fn a_history_of_many_commits_loads_in_order(log: EventLog) {
    let (stream, other) = (team(), team());
    create(&log, stream).await;
    create(&log, other).await;
    for _ in 0..ROOM {
        add(&log, stream).await;
        add(&log, other).await;
    }
    let commits = log.load(&stream).await.expect("loaded");
    assert_eq!(commits.len(), ROOM + 1);
    assert!(commits.windows(2).all(|pair| pair[0].n < pair[1].n));
    assert!(log.load(&team()).await.expect("loaded").is_empty());
}

struct Upload {
    team: TeamId,
    report: ReportId,
    upload: UploadId,
}

impl Upload {
    fn new() -> Self {
        Self { team: TeamId::new(), report: ReportId::new(), upload: UploadId::new() }
    }

    async fn write(&self, log: &EventLog, payloads: &[Vec<u8>]) -> Chunks {
        let mut writer = log.chunk_writer(self.team, self.report, self.upload);
        for payload in payloads {
            writer.push(payload.clone()).await.expect("pushed");
        }
        writer.finish().await.expect("durable")
    }

    async fn read(&self, log: &EventLog, chunks: &Chunks) -> Result<Vec<Bytes>, ChunkError> {
        log.read_chunks(self.team, self.report, self.upload, chunks).await
    }
}

fn payloads(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("chunk {n} ").repeat(1 + n % 7).into_bytes()).collect()
}

async fn chunks_come_back_in_order_with_their_hash(log: EventLog) {
    let (upload, payloads) = (Upload::new(), payloads(700));
    let chunks = upload.write(&log, &payloads).await;
    assert_eq!((chunks.count, chunks.first, chunks.last), (700, 1, 700));
    assert_eq!(chunks.hash, Hash16::of(&payloads.concat()));
    assert_eq!(upload.read(&log, &chunks).await.expect("read"), payloads);
}

async fn chunks_of_other_uploads_do_not_mix_in(log: EventLog) {
    let uploads: Vec<_> = (0..4).map(|_| Upload::new()).collect();
    let written = join_all(uploads.iter().enumerate().map(|(n, upload)| {
        let log = &log;
        async move { upload.write(log, &payloads(20 + n)).await }
    }))
    .await;
    for (n, (upload, chunks)) in uploads.iter().zip(&written).enumerate() {
        assert_eq!(upload.read(&log, chunks).await.expect("read"), payloads(20 + n));
    }
}

async fn erased_chunks_are_missing_and_erasing_again_is_fine(log: EventLog) {
    let (upload, other) = (Upload::new(), Upload::new());
    let chunks = upload.write(&log, &payloads(30)).await;
    let kept = other.write(&log, &payloads(3)).await;
    for _ in 0..2 {
        log.erase_chunks(upload.team, upload.report, upload.upload, &chunks).await.expect("erased");
        let missing = upload.read(&log, &chunks).await;
        assert!(matches!(missing, Err(ChunkError::Missing { found: 0, expected: 30 })), "{missing:?}");
    }
    assert_eq!(other.read(&log, &kept).await.expect("read"), payloads(3));
}

async fn chunks_that_are_not_what_the_commit_says_are_corrupt(log: EventLog) {
    let upload = Upload::new();
    let chunks = upload.write(&log, &payloads(3)).await;
    let claimed = Chunks { hash: Hash16::of(b"other"), ..chunks };
    assert!(matches!(upload.read(&log, &claimed).await, Err(ChunkError::Corrupt)));
    let claimed = Chunks { count: 4, ..chunks };
    assert!(matches!(upload.read(&log, &claimed).await, Err(ChunkError::Missing { found: 3, expected: 4 })));
}

async fn a_report_without_results_has_no_chunks(log: EventLog) {
    let upload = Upload::new();
    let chunks = upload.write(&log, &[]).await;
    assert_eq!(chunks, Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") });
    assert!(upload.read(&log, &chunks).await.expect("read").is_empty());
    log.erase_chunks(upload.team, upload.report, upload.upload, &chunks).await.expect("nothing to erase");
}

async fn uploads_are_listed_and_can_be_erased_whole(log: EventLog) {
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    let timed = Upload::new();
    let derived = Upload { upload: UploadId::derived(&[b"no time in it"]), ..Upload::new() };
    for upload in [&timed, &derived] {
        upload.write(&log, &payloads(3)).await;
    }
    let (mut listed, next) = log.chunk_uploads(0).await.expect("listed");
    assert_eq!(next, None);
    listed.sort_by_key(|upload| upload.upload != timed.upload);
    assert_eq!(listed.len(), 2);
    for (found, wanted) in listed.iter().zip([&timed, &derived]) {
        assert_eq!((found.team, found.report, found.upload), (wanted.team, wanted.report, wanted.upload));
        assert!(found.at > before && found.at < before + chrono::TimeDelta::minutes(1), "{}", found.at);
    }
    log.erase_upload(timed.team, timed.report, timed.upload).await.expect("erased");
    let (listed, _) = log.chunk_uploads(0).await.expect("listed");
    assert_eq!(listed.iter().map(|upload| upload.upload).collect::<Vec<_>>(), [derived.upload]);
}

async fn a_document_comes_back_until_it_is_deleted(log: EventLog) {
    let Upload { team, report, upload } = Upload::new();
    let other = UploadId::new();
    assert_eq!(log.get_raw(team, report, upload).await.expect("asked"), None);
    for document in [Bytes::from((0..700_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>()), Bytes::new()] {
        let upload = if document.is_empty() { other } else { upload };
        log.put_raw(team, report, upload, document.clone()).await.expect("put");
        log.put_raw(team, report, upload, document.clone()).await.expect("put again");
        assert!(log.get_raw(team, report, upload).await.expect("got") == Some(document));
    }
    for _ in 0..2 {
        log.delete_raw(team, report, upload).await.expect("deleted");
        assert_eq!(log.get_raw(team, report, upload).await.expect("asked"), None);
    }
    assert!(log.get_raw(team, report, other).await.expect("got").is_some(), "another one stays");
}

async fn take(follower: &mut scaledtest_eventlog::Follower, count: usize, max: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let batch = follower.next(max).await.expect("followed");
        assert!(!batch.is_empty() && batch.len() <= max);
        seen.extend(batch.iter().map(|recorded| recorded.n));
    }
    seen
}

async fn a_follower_sees_everything_once_and_in_order(log: EventLog) {
    for _ in 0..700 {
        create(&log, team()).await;
    }
    for max in [1000, 7] {
        let mut follower = log.follow(0, Follow::All);
        assert_eq!(take(&mut follower, 700, max).await, (1..=700).collect::<Vec<_>>());
        assert_eq!(follower.after(), 700);
    }
}

async fn a_follower_starts_after_a_position(log: EventLog) {
    for _ in 0..5 {
        create(&log, team()).await;
    }
    assert_eq!(take(&mut log.follow(3, Follow::All), 2, 10).await, [4, 5]);
}

async fn a_follower_of_a_team_sees_only_the_team(log: EventLog) {
    let (mine, other) = (team(), team());
    create(&log, other).await;
    create(&log, mine).await;
    add(&log, other).await;
    create(&log, StreamId::global(Kind::Team, uuid::Uuid::nil())).await;
    add(&log, mine).await;
    let mut follower = log.follow(0, Follow::Team(mine.team.expect("a team")));
    assert_eq!(take(&mut follower, 2, 10).await, [2, 5]);
    add(&log, other).await;
    add(&log, mine).await;
    assert_eq!(take(&mut follower, 1, 10).await, [7]);
}

async fn a_follower_waits_for_what_comes(log: EventLog) {
    create(&log, team()).await;
    let mut follower = log.follow(log.last().await.expect("last").n, Follow::All);
    let seen = tokio::spawn(async move { take(&mut follower, 3, 10).await });
    for _ in 0..3 {
        create(&log, team()).await;
    }
    assert_eq!(seen.await.expect("seen"), [2, 3, 4]);
}

async fn losing_the_future_of_a_follower_loses_nothing(log: EventLog) {
    let mut follower = log.follow(0, Follow::All);
    let (mut seen, mut written) = (Vec::new(), 0);
    while seen.len() < 200 {
        tokio::select! {
            n = create(&log, team()), if written < 200 => written = n,
            batch = follower.next(5) => seen.extend(batch.expect("followed").iter().map(|recorded| recorded.n)),
        }
    }
    // A write whose future was dropped may have been made all the same.
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
}

async fn an_epoch_only_grows(log: EventLog) {
    assert_eq!(log.epoch(), 1);
    assert_eq!(log.begin_epoch(0).await.expect("begun"), 2);
    assert_eq!(log.begin_epoch(7).await.expect("begun"), 8);
    assert_eq!(log.begin_epoch(3).await.expect("begun"), 9);
    assert_eq!(log.epoch(), 9);
    assert_eq!(log.last().await.expect("last"), Position { epoch: 9, n: 0 });
    create(&log, team()).await;
    assert_eq!(log.last().await.expect("last"), Position { epoch: 9, n: 1 });
}

async fn a_remembered_position_is_current_or_rewound(log: EventLog) {
    let stream = team();
    create(&log, stream).await;
    let id = log.commit_at(1).await.expect("read").expect("there").commit.commit;
    for (n, commit) in [(0, None), (1, None), (1, Some(id))] {
        assert_eq!(log.check(1, n, commit).await.expect("checked"), Standing::Current);
    }
    let other = CommitId::new();
    for (epoch, n, commit, reason) in [
        (1, 2, None, "position 2 was remembered, but the log ends at 1".to_owned()),
        (2, 0, None, "epoch 2 was remembered, but the log is in epoch 1".to_owned()),
        (1, 1, Some(other), format!("commit {other} was remembered at position 1, but {id} is there")),
    ] {
        assert_eq!(log.check(epoch, n, commit).await.expect("checked"), Standing::Rewound { reason });
    }
    log.begin_epoch(0).await.expect("begun");
    assert_ne!(log.check(1, 1, Some(id)).await.expect("checked"), Standing::Current);
}

async fn every_commit_verifies(log: EventLog) {
    let stream = team();
    create(&log, stream).await;
    for _ in 0..5 {
        add(&log, stream).await;
        create(&log, team()).await;
    }
    let mut verifier = log.verify().await.expect("begun");
    create(&log, team()).await;
    let mut seen = Vec::new();
    loop {
        let batch = verifier.next(4).await.expect("verified");
        if batch.is_empty() {
            break;
        }
        seen.extend(batch.into_iter().map(|verified| (verified.n, verified.fault)));
    }
    assert_eq!(seen, (1..=11).map(|n| (n, None)).collect::<Vec<_>>());
    assert!(matches!(log.load(&stream).await, Ok(commits) if commits.len() == 6));
}

async fn announcements_arrive(log: EventLog) {
    let mut announcements = log.announcements().await.expect("subscribed");
    let position = Position { epoch: 1, n: 7 };
    // The subscription stands once something that was asked for after it is answered.
    log.last().await.expect("answered");
    log.announce("reports", position).await;
    assert_eq!(announcements.next().await, Some(("reports".to_owned(), position)));
    assert!(log.connected().await);
}

#[test]
fn only_the_unknown_is_worth_waiting_for() {
    assert!(LogError::Unavailable(String::new()).is_transient());
    assert!(!LogError::Rewound(String::new()).is_transient());
}
