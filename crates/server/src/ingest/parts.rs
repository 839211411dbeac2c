//! Reading the tests of a document and packing them for the log: CPU work, which two threads share if there is time for it.
//!
//! The tests are divided into parts, and every other one is a thread's. What it packs it hands over in order, so that whoever
//! takes from both in turn has the whole in its order; none is more than a few chunks ahead.

use super::unreadable;
use crate::http::error::ApiError;
use bytes::Bytes;
use scaledtest_domain::{
    DecodeError, Hash16, ProjectId,
    report::{CHUNK_RESULTS, Chunk, TestResult},
};
use scaledtest_formats::{Document, Envelope, ReadError, Tally};
use std::{
    ops::Range,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
};

/// Tests of a part, at most: its results are a chunk, unless they are large. It is the half of a full one, so that the
/// parts of a report that fills one are two.
const PART: usize = CHUNK_RESULTS / 2;
/// Pieces that wait to be taken, of each thread: with the one at hand, all that is held.
const PIECES: usize = 4;
/// Bytes of a document that are compressed at once: then it is seen whether anybody still wants them.
const FRAME: usize = 1024 * 1024;

/// A thread ended before its time.
#[derive(Debug, thiserror::Error)]
#[error("the reading of an upload stopped before its time")]
pub(super) struct Stopped;

/// A document, compressed.
pub(super) struct PackedDocument {
    /// Of the document itself.
    pub hash: Hash16,
    pub bytes: Vec<u8>,
}

/// The second thread. It compresses the document while the first one finds out what it is, and then helps with the tests.
pub(super) struct Second {
    hash: Receiver<Hash16>,
    pub document: oneshot::Receiver<Result<PackedDocument, DecodeError>>,
    reader: SyncSender<Reader>,
}

impl Second {
    /// Begins. `turn` lasts until the thread has ended.
    pub fn start(handle: &Handle, document: Bytes, turn: Arc<OwnedSemaphorePermit>) -> Self {
        let (hashed, hash) = sync_channel(1);
        let (packed, receiver) = oneshot::channel();
        let (reader, readers) = sync_channel::<Reader>(1);
        handle.spawn_blocking(move || {
            let _turn = turn;
            let hash = Hash16::of(&document);
            // Whoever does not wait any more needs nothing of it.
            let _ = hashed.send(hash);
            let bytes = compress(&document, || packed.is_closed());
            let _ = packed.send(bytes.map(|bytes| PackedDocument { hash, bytes }));
            drop(document);
            if let Ok(reader) = readers.recv() {
                reader.run();
            }
        });
        Self { hash, document: receiver, reader }
    }

    /// The hash of the document, once it is known.
    ///
    /// # Errors
    /// When the thread ended.
    pub fn hash(&self) -> Result<Hash16, Stopped> {
        self.hash.recv().map_err(|_| Stopped)
    }
}

/// Frame by frame, until it is `unwanted`.
fn compress(document: &[u8], unwanted: impl Fn() -> bool) -> Result<Vec<u8>, DecodeError> {
    let mut packed = Vec::new();
    for bytes in document.chunks(FRAME).take_while(|_| !unwanted()) {
        packed.append(&mut scaledtest_domain::compress(bytes)?);
    }
    Ok(packed)
}

/// The tests of a document.
#[derive(Clone)]
pub(super) struct Tests {
    pub document: Arc<Document<Bytes>>,
    pub envelope: Arc<Envelope>,
    pub project: ProjectId,
    /// Whether the results are wanted beside the chunks.
    pub keeps: bool,
    /// Whether two threads share them: faster, as long as no other upload needs the cores.
    pub shared: bool,
}

impl Tests {
    fn parts(&self) -> usize {
        let tests = self.document.tests();
        if self.shared { tests.div_ceil(PART) } else { tests.min(1) }
    }

    fn part(&self, part: usize) -> Range<usize> {
        let tests = self.document.tests();
        // The parts are of one size, so that the threads have the same to do.
        let size = tests.div_ceil(self.parts().max(1));
        part * size..tests.min((part + 1) * size)
    }

    /// Gives every thread its parts. The first thread's have to be run by the caller.
    pub fn divide(self, second: Second) -> (Reader, Parts, oneshot::Receiver<Result<PackedDocument, DecodeError>>) {
        let (to, first) = mpsc::channel(PIECES);
        let mut pieces = vec![first];
        let every = if self.shared { 2 } else { 1 };
        if self.shared {
            let (to, others) = mpsc::channel(PIECES);
            pieces.push(others);
            // Should the thread have ended, its parts will be missed.
            let _ = second.reader.send(Reader { tests: self.clone(), first: 1, every, to });
        }
        let parts = Parts { count: self.parts(), pieces };
        (Reader { tests: self, first: 0, every, to }, parts, second.document)
    }
}

/// What a thread hands over.
pub(super) enum Piece {
    /// The next chunk.
    Chunk(Vec<u8>),
    /// A part is done.
    End(Part),
}

/// What became of a part beside its chunks.
pub(super) struct Part {
    pub tally: Tally,
    /// If they are wanted.
    pub results: Vec<TestResult>,
}

/// What all threads hand over.
pub(super) struct Parts {
    count: usize,
    /// Of each thread.
    pieces: Vec<mpsc::Receiver<Result<Piece, ApiError>>>,
}

impl Parts {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The next piece of a part, to be asked for until its end.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn next(&mut self, part: usize) -> Result<Piece, ApiError> {
        let thread = part % self.pieces.len();
        self.pieces[thread].recv().await.unwrap_or_else(|| Err(ApiError::internal(&Stopped)))
    }
}

/// Why a thread reads no further.
enum End {
    /// Nobody takes what it hands over.
    Unwanted,
    Packing(DecodeError),
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        Self::Packing(error)
    }
}

/// The work of one thread.
pub(super) struct Reader {
    tests: Tests,
    /// Its first part, and how far it is to the next.
    first: usize,
    every: usize,
    to: mpsc::Sender<Result<Piece, ApiError>>,
}

impl Reader {
    /// Reads its parts from start to end.
    pub fn run(self) {
        let mut chunk = Chunk::default();
        for part in (self.first..self.tests.parts()).step_by(self.every) {
            let piece = match self.read(self.tests.part(part), &mut chunk) {
                Ok(part) => Ok(Piece::End(part)),
                Err(ReadError::Sink(End::Unwanted)) => return,
                Err(ReadError::Sink(End::Packing(error))) => Err(ApiError::internal(&error)),
                Err(ReadError::Format(error)) => Err(unreadable(error)),
            };
            let is_last = piece.is_err();
            if self.to.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    }

    fn read(&self, part: Range<usize>, chunk: &mut Chunk) -> Result<Part, ReadError<End>> {
        let Tests { document, envelope, project, keeps, .. } = &self.tests;
        let mut results = Vec::with_capacity(if *keeps { part.len() } else { 0 });
        let tally = document.read_part(envelope, *project, part, |result| {
            if !chunk.push(&result)? {
                self.send(chunk)?;
                // The first result of a chunk always fits.
                chunk.push(&result)?;
            }
            if *keeps {
                results.push(result);
            }
            Ok(())
        })?;
        if chunk.results() > 0 {
            self.send(chunk).map_err(ReadError::Sink)?;
        }
        Ok(Part { tally, results })
    }

    fn send(&self, chunk: &mut Chunk) -> Result<(), End> {
        self.to.blocking_send(Ok(Piece::Chunk(chunk.finish()?))).map_err(|_| End::Unwanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaledtest_domain::report::decode_chunk;
    use scaledtest_formats::{Limits, open};
    use serde_json::json;
    use std::{convert::Infallible, time::Duration};
    use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

    fn document(tests: usize, text: usize) -> Bytes {
        let test = |n: usize| {
            let status = if n.is_multiple_of(7) { "failed" } else { "passed" };
            json!({"name": format!("test {n}"), "status": status, "message": "x".repeat(text), "odd": n, "duration": n})
        };
        let tests: Vec<_> = (0..tests).map(test).collect();
        json!({"results": {"tool": {"name": "jest"}, "summary": {"tests": tests.len().max(1)}, "tests": tests}})
            .to_string()
            .into()
    }

    fn begin(bytes: &Bytes, shared: bool, keeps: bool, turn: OwnedSemaphorePermit) -> (Tests, Parts, JoinHandle<()>) {
        let second = Second::start(&Handle::current(), bytes.clone(), Arc::new(turn));
        let (document, envelope) = open(bytes.clone(), Limits::default()).unwrap();
        let project = ProjectId::derived(&[b"tests"]);
        let tests = Tests { document: Arc::new(document), envelope: Arc::new(envelope), project, keeps, shared };
        let (reader, parts, _) = tests.clone().divide(second);
        (tests, parts, tokio::task::spawn_blocking(|| reader.run()))
    }

    async fn turn() -> (Arc<Semaphore>, OwnedSemaphorePermit) {
        let turns = Arc::new(Semaphore::new(1));
        let turn = turns.clone().acquire_owned().await.unwrap();
        (turns, turn)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_threads_hand_over_what_one_would() {
        for (number, text) in [(0, 0), (1, 0), (250, 0), (251, 0), (500, 3), (501, 0), (1203, 0), (600, 20_000)] {
            let bytes = document(number, text);
            for (shared, keeps) in [(true, true), (false, true), (true, false)] {
                let (tests, mut parts, _) = begin(&bytes, shared, keeps, turn().await.1);
                let (mut chunked, mut kept, mut tally) = (Vec::new(), Vec::new(), Tally::default());
                for number in 0..parts.count() {
                    loop {
                        match parts.next(number).await.unwrap() {
                            Piece::Chunk(chunk) => chunked.extend(decode_chunk(&chunk).unwrap()),
                            Piece::End(part) => {
                                kept.extend(part.results);
                                tally.append(part.tally);
                                break;
                            }
                        }
                    }
                }
                let mut whole = Vec::new();
                let sink = |result| {
                    whole.push(result);
                    Ok::<_, Infallible>(())
                };
                let outcome = tests.document.read_tests(&tests.envelope, tests.project, sink).unwrap();
                assert_eq!(whole.len(), number);
                assert_eq!(chunked, whole);
                assert_eq!(kept, if keeps { whole } else { Vec::new() });
                let told = tests.envelope.complete(tally);
                assert_eq!((told.counts, told.diagnostics), (outcome.counts, outcome.diagnostics));
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_whose_parts_nobody_takes_end() {
        let bytes = document(2000, 5000);
        for shared in [true, false] {
            let (turns, turn) = turn().await;
            let (_, mut parts, first) = begin(&bytes, shared, false, turn);
            parts.next(0).await.unwrap();
            drop(parts);
            timeout(Duration::from_secs(60), first).await.unwrap().unwrap();
            drop(timeout(Duration::from_secs(60), turns.acquire()).await.unwrap().unwrap());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_document_that_is_no_report_lets_the_second_thread_go() {
        let (turns, turn) = turn().await;
        let second = Second::start(&Handle::current(), Bytes::from_static(b"{}"), Arc::new(turn));
        assert_eq!(second.hash().unwrap(), Hash16::of(b"{}"));
        drop(second);
        drop(timeout(Duration::from_secs(60), turns.acquire()).await.unwrap().unwrap());
    }

    #[test]
    fn what_nobody_wants_is_compressed_no_further() {
        let document = vec![b'x'; 3 * FRAME + 1];
        let whole = compress(&document, || false).unwrap();
        assert_eq!(scaledtest_domain::decompress(&whole, document.len()).unwrap(), document);
        let asked = std::cell::Cell::new(0);
        let begun = compress(&document, || asked.replace(asked.get() + 1) == 2).unwrap();
        assert_eq!(scaledtest_domain::decompress(&begun, document.len()).unwrap().len(), 2 * FRAME);
    }
}
