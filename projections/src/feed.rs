//! Follows the log and decodes ahead of the database.
//!
//! A task of its own reads commits, fetches the bodies of some reports at a time and hands over batches through a
//! channel of one: while one batch is applied, the next one grows to whatever is queued, and a little further if uploads
//! are on their way. It stays here until it is asked for, so that there are never more than these two. Bodies that are read
//! stay compressed until they become rows, and together they may take only so much memory.

use crate::batch::{Batch, MOST, SOON};
use crate::checkpoint::Skips;
use crate::rollups::Rollups;
use crate::session::Failure;
use crate::{Body, Fresh, Item, Projection};
use futures_util::{Stream, StreamExt, stream};
use scaledtest_domain::{
    Event, Position, RollupId,
    events::report::{self, Ingested},
};
use scaledtest_eventlog::{ChunkError, EventLog, Follow, LogError, Recorded};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// Commits asked for at once.
const COMMITS: usize = 64;
/// Reports whose bodies are read at the same time.
const READS: usize = 4;
/// KiB of bodies in flight, over all batches of a projection.
const BUDGET_KIB: u32 = 32 * 1024;
/// What a single body may take of it: less than what a batch that is not full leaves, so that it always fits in time.
const SHARE_KIB: u32 = BUDGET_KIB / 2;
/// How long a batch waits for uploads that are on their way, at most.
const GATHER: Duration = Duration::from_millis(50);
/// Bytes that a compressed result is reckoned with before it was read; real ones take 20 to 100.
const RESULT_BYTES: usize = 100;

/// Batches of decoded commits, in order. Ends with the failure that stopped it.
pub(crate) struct Feed {
    batches: mpsc::Receiver<Result<Batch, Failure>>,
    /// Commits that were read and not handed over yet, of those that change something.
    ahead: Arc<AtomicUsize>,
    fresh: Fresh,
    /// Where the newest batch ended, and when it was handed over.
    at: Position,
    handed: Instant,
    /// Tells that somebody waits for a batch, and how long he was busy with the one before.
    waits: watch::Sender<Option<Duration>>,
    _task: AbortOnDropHandle<()>,
}

impl Feed {
    /// Follows from the commit after `after`. Up to `level` only full batches are handed over, which is faster; from
    /// there on whatever is queued.
    pub fn start(
        (log, fresh): (&EventLog, &Fresh),
        projection: &Arc<dyn Projection>,
        after: Position,
        level: u64,
        skips: Skips,
    ) -> Self {
        let decoder = Arc::new(Decoder {
            log: log.clone(),
            fresh: fresh.clone(),
            projection: projection.clone(),
            skips,
            budget: Arc::new(Semaphore::new(BUDGET_KIB as usize)),
            rollups: Rollups::default(),
        });
        Self::of(decoder.items(after.n), fresh, after, level)
    }

    fn of(
        items: impl Stream<Item = Result<Item, Failure>> + Send + 'static,
        fresh: &Fresh,
        after: Position,
        level: u64,
    ) -> Self {
        let ahead = Arc::new(AtomicUsize::new(0));
        let counted = {
            let ahead = ahead.clone();
            items.inspect(move |item| {
                ahead.fetch_add(item.as_ref().map_or(0, Item::changes), Ordering::Relaxed);
            })
        };
        let (sender, batches) = mpsc::channel(1);
        let waits = watch::Sender::new(None);
        let turn = Turn { sender, waits: waits.clone(), fresh: fresh.clone(), epoch: after.epoch };
        let task = AbortOnDropHandle::new(tokio::spawn(fill(counted, level, turn)));
        Self { batches, ahead, fresh: fresh.clone(), at: after, handed: Instant::now(), waits, _task: task }
    }

    /// Whether more that changes something was read already, or will soon be there.
    pub fn is_more_coming(&self) -> bool {
        self.ahead.load(Ordering::Relaxed) > 0 || self.fresh.is_busy() || self.fresh.is_coming_after(self.at)
    }

    /// The next batch: at least one commit. `None` after the failure.
    pub async fn next(&mut self) -> Option<Result<Batch, Failure>> {
        let took = self.handed.elapsed();
        self.waits.send_if_modified(|waits| waits.replace(waits.unwrap_or(took)).is_none());
        let batch = self.batches.recv().await;
        if let Some(Ok(batch)) = &batch {
            self.ahead.fetch_sub(batch.items.iter().map(Item::changes).sum(), Ordering::Relaxed);
            self.at.n = batch.last().unwrap_or(self.at.n);
        }
        self.handed = Instant::now();
        // One who gave up waiting may have left this batch, and then the question for it was not answered with another.
        self.waits.send_replace(None);
        batch
    }
}

/// When a batch is handed over.
struct Turn {
    sender: mpsc::Sender<Result<Batch, Failure>>,
    waits: watch::Sender<Option<Duration>>,
    fresh: Fresh,
    epoch: u64,
}

impl Turn {
    /// Whether somebody waits for a batch.
    fn is_asked(&self) -> bool {
        self.waits.borrow().is_some()
    }

    /// Once somebody waits for it and, of one that ends at `last`, no upload is on its way: one transaction of several costs
    /// little more than one of the first. Since the first of its commits came it waits no longer than the batch before took,
    /// so that it is seen soon. None if nobody takes batches any more.
    async fn come(&self, last: Option<u64>, began: Instant) -> Option<mpsc::Permit<'_, Result<Batch, Failure>>> {
        let took = self.waits.subscribe().wait_for(Option::is_some).await.ok()?.unwrap_or_default();
        if let Some(last) = last {
            let until = began + took.min(GATHER);
            // Whether all have come or not.
            let _ = timeout_at(until, self.fresh.none_is_coming_after(Position { epoch: self.epoch, n: last })).await;
        }
        let permit = self.sender.reserve().await.ok()?;
        // It was asked for one.
        self.waits.send_replace(None);
        Some(permit)
    }
}

/// Gathers items while the applier is busy, hands over what there is when it is not: what is queued in the meantime is
/// applied at once, because what is written anew with every batch is then written less often.
async fn fill(items: impl Stream<Item = Result<Item, Failure>>, level: u64, turn: Turn) {
    let mut items = std::pin::pin!(items);
    let mut batch = Batch::default();
    let mut began = Instant::now();
    loop {
        let level_at = batch.last().filter(|last| *last >= level);
        let is_full = batch.is_full(MOST);
        let is_enough = is_full || level_at.is_some() && batch.is_full(SOON);
        let permit = tokio::select! {
            biased;
            item = items.next(), if !(is_full || is_enough && turn.is_asked()) => match item {
                Some(Ok(item)) => {
                    if batch.is_empty() {
                        began = Instant::now();
                    }
                    batch.push(item);
                    continue;
                }
                Some(Err(failure)) => {
                    if !batch.is_empty() && turn.sender.send(Ok(batch)).await.is_err() {
                        return;
                    }
                    // Nobody listens any more: then nobody needs to know.
                    let _ = turn.sender.send(Err(failure)).await;
                    return;
                }
                None => return,
            },
            permit = turn.come(level_at.filter(|_| !is_enough), began), if is_enough || level_at.is_some() => permit,
        };
        match permit {
            Some(permit) => permit.send(Ok(std::mem::take(&mut batch))),
            None => return,
        }
    }
}

/// What comes next in the log.
enum Next {
    Commit(Recorded),
    /// A message at this position that cannot be read, and need not be.
    Skipped(u64),
}

/// What became of a report's body later.
enum End {
    None,
    Deleted,
    Sealed(RollupId),
}

struct Decoder {
    log: EventLog,
    fresh: Fresh,
    projection: Arc<dyn Projection>,
    skips: Skips,
    budget: Arc<Semaphore>,
    rollups: Rollups,
}

impl Decoder {
    fn items(self: Arc<Self>, after: u64) -> impl Stream<Item = Result<Item, Failure>> + use<> {
        let follower = self.log.follow(after, Follow::All);
        let source = self.clone();
        let commits = stream::unfold(Some(follower), move |follower| {
            let source = source.clone();
            async move {
                let mut follower = follower?;
                let (commits, follower) = match follower.next(COMMITS).await {
                    Ok(commits) => {
                        (commits.into_iter().map(|commit| Ok(Next::Commit(commit))).collect(), Some(follower))
                    }
                    Err(LogError::Decode { n, .. }) if source.skips.message(n) => {
                        (vec![Ok(Next::Skipped(n))], Some(source.log.follow(n, Follow::All)))
                    }
                    Err(error) => (vec![Err(Failure::from(error))], None),
                };
                Some((stream::iter(commits), follower))
            }
        });
        commits
            .flatten()
            .map(move |next| {
                let decoder = self.clone();
                async move {
                    match next? {
                        Next::Commit(commit) => decoder.decode(commit).await,
                        Next::Skipped(n) => Ok(Item::unreadable(n)),
                    }
                }
            })
            .buffered(READS)
    }

    async fn decode(&self, recorded: Recorded) -> Result<Item, Failure> {
        let mut item = Item::new(recorded.n, recorded.commit, Vec::new());
        if self.skips.commit(item.n, item.commit.commit) || !self.projection.kinds().contains(&item.commit.kind) {
            return Ok(item);
        }
        match item.commit.decode_events() {
            Ok(events) if !events.iter().any(|event| self.projection.wants(event)) => return Ok(item),
            Ok(events) => item.events = events,
            Err(error) => item.poison = Some(error.to_string()),
        }
        let ingested = item.events.iter().find_map(|event| match event {
            Event::Report(report::Event::Ingested(ingested)) => Some(ingested.clone()),
            _ => None,
        });
        if let Some(ingested) = ingested
            && self.projection.needs_bodies()
        {
            if let Some(results) = self.fresh.take(ingested.upload, &ingested.chunks) {
                item.share = self.share(results.bytes).await;
                item.body = Body::Fresh(results);
                return Ok(item);
            }
            let results = usize::try_from(ingested.counts.tests).unwrap_or(usize::MAX);
            item.share = self.share(results.saturating_mul(RESULT_BYTES)).await;
            self.read(&mut item, &ingested).await?;
        }
        Ok(item)
    }

    /// Waits until there is room for a body of so many bytes.
    async fn share(&self, bytes: usize) -> Option<Arc<OwnedSemaphorePermit>> {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, SHARE_KIB);
        // Only a closed semaphore refuses, and nobody closes it.
        self.budget.clone().acquire_many_owned(kib).await.ok().map(Arc::new)
    }

    async fn read(&self, item: &mut Item, ingested: &Ingested) -> Result<(), Failure> {
        let Some(team) = item.commit.team else {
            item.poison = Some("a report without a team".to_owned());
            return Ok(());
        };
        let broken = match self.log.read_chunks(team, ingested.report, ingested.upload, &ingested.chunks).await {
            Ok(chunks) => {
                item.body = Body::Chunks(chunks);
                return Ok(());
            }
            Err(ChunkError::Log(error)) => return Err(error.into()),
            Err(broken) => broken,
        };
        let missing = format!("report {}: {broken}", ingested.report);
        match self.end(item, ingested).await {
            Ok(End::Deleted) => item.body = Body::Gone,
            Ok(End::Sealed(rollup)) => match self.rollups.report(&self.log, team, rollup, ingested.upload).await? {
                Ok(report) => item.body = Body::Digested(Arc::new(report)),
                // It may have been deleted since.
                Err(error) => match self.end(item, ingested).await? {
                    End::Deleted => item.body = Body::Gone,
                    _ => item.poison = Some(format!("{missing}; its roll-up {rollup}: {error}")),
                },
            },
            Ok(End::None) => item.poison = Some(missing),
            Err(error @ (LogError::Unavailable(_) | LogError::Rewound(_))) => return Err(error.into()),
            Err(error) => item.poison = Some(format!("{missing}; {error}")),
        }
        Ok(())
    }

    /// What a later commit of the same report does with this body: only then may it be missing.
    async fn end(&self, item: &Item, ingested: &Ingested) -> Result<End, LogError> {
        let mut end = End::None;
        for recorded in self.log.load(&item.commit.stream()).await?.iter().filter(|recorded| recorded.n > item.n) {
            for event in recorded.commit.decode_events().unwrap_or_default() {
                match event {
                    Event::Report(report::Event::Deleted(deleted)) if deleted.upload == ingested.upload => {
                        return Ok(End::Deleted);
                    }
                    Event::Report(report::Event::Sealed(sealed)) if sealed.upload == ingested.upload => {
                        end = End::Sealed(sealed.rollup);
                    }
                    _ => {}
                }
            }
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Position = Position { epoch: 1, n: 0 };

    async fn items_of_next(feed: &mut Feed) -> Option<usize> {
        feed.next().await.and_then(Result::ok).map(|batch| batch.items.len())
    }

    #[tokio::test]
    async fn what_is_queued_behind_a_busy_projection_is_applied_at_once() {
        let rows = SOON as u64 * 3;
        let queued = stream::iter((1..=rows).map(|n| Ok(Item::unreadable(n)))).chain(stream::pending());
        let mut feed = Feed::of(queued, &Fresh::default(), BEGIN, 0);
        assert_eq!(items_of_next(&mut feed).await, Some(SOON));
        // While nobody asks for the next one, all that follows comes together.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(items_of_next(&mut feed).await, Some(SOON * 2));
    }

    #[tokio::test]
    async fn no_more_is_read_than_one_batch_until_it_is_asked_for() {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = read.clone();
        let endless = stream::iter(1..).map(move |n| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Item::unreadable(n))
        });
        let mut feed = Feed::of(endless, &Fresh::default(), BEGIN, u64::MAX);
        for batches in 1..4 {
            assert_eq!(items_of_next(&mut feed).await, Some(MOST));
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            assert_eq!(read.load(Ordering::Relaxed), MOST * (batches + 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_uploads_that_are_on_their_way_as_long_as_the_one_before_took() {
        let (sender, items) = mpsc::unbounded_channel();
        let items = stream::unfold(items, async |mut items| Some((items.recv().await?, items)));
        let (fresh, send) = (Fresh::default(), |n| sender.send(Ok(Item::unreadable(n))).expect("listens"));
        let mut feed = Feed::of(items, &fresh, BEGIN, 0);
        send(1);
        assert_eq!(items_of_next(&mut feed).await, Some(1));

        tokio::time::advance(Duration::from_millis(20)).await;
        let (mut coming, mut waiting) = (fresh.announce(), Box::pin(items_of_next(&mut feed)));
        send(2);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        coming.arrive(Position { epoch: 1, n: 3 });
        assert!(futures_util::poll!(&mut waiting).is_pending());
        send(3);
        assert_eq!(waiting.await, Some(2));

        tokio::time::advance(Duration::from_millis(20)).await;
        let (_coming, began) = (fresh.announce(), Instant::now());
        send(4);
        assert_eq!(items_of_next(&mut feed).await, Some(1));
        assert_eq!(began.elapsed(), Duration::from_millis(20));
    }
}
