//! Results become rows, a chunk at a time: on a thread of their own while the rows before them are sent.

use super::cases::Cases;
use super::partitions;
use super::rows::{Place, case_id, copy_attempts, copy_results, write_attempt, write_result};
use crate::copy::{HEADER, Rows, TRAILER, copy_rows, saturate};
use crate::{ApplyError, Body};
use bytes::BytesMut;
use scaledtest_domain::{
    DecodeError,
    report::{TestResult, decode_chunk},
    retention::Part,
};
use sqlx::PgConnection;
use std::collections::HashSet;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Attempts and test cases are kept aside while results are copied, up to this many bytes.
const MAX_ASIDE: usize = 1024 * 1024;
/// Test cases that are remembered as already handed over, at most.
const MAX_KNOWN: usize = 100_000;

/// Bytes of rows handed over at once: small, so that the database is busy with the first while the next are made.
const PIECE: usize = 32 * 1024;
/// Pieces that wait to be sent: with the one being sent and the one being made, all that is ever decoded.
const PIECES: usize = 4;

/// The results of a report and where their rows go.
pub(super) struct Source {
    pub place: Place,
    pub body: Body,
}

/// Rows of some results.
struct Piece {
    /// Where they go.
    part: Part,
    results: BytesMut,
    attempts: BytesMut,
    cases: Cases,
}

/// Rows on their way from the chunks of some reports.
pub(super) struct Encoding {
    pieces: mpsc::Receiver<Piece>,
    thread: tokio::task::JoinHandle<Result<(), ApplyError>>,
}

/// Begins to decode chunks into rows, on a thread of its own: it works while other rows are written.
pub(super) fn encode(sources: Vec<Source>) -> Option<Encoding> {
    if sources.iter().all(|source| source.is_empty()) {
        return None;
    }
    let (sender, pieces) = mpsc::channel(PIECES);
    let thread = tokio::task::spawn_blocking(move || fill(&sources, &sender));
    Some(Encoding { pieces, thread })
}

impl Source {
    fn is_empty(&self) -> bool {
        match &self.body {
            Body::None | Body::Gone | Body::Digested(_) => true,
            Body::Chunks(chunks) => chunks.is_empty(),
            Body::Fresh(_) => false,
        }
    }
}

impl Encoding {
    /// Copies the results and attempts in.
    pub async fn copy(mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let copied = send(conn, &mut self.pieces).await;
        // Stops the thread, should the database have refused.
        drop(self.pieces);
        let encoded = self.thread.await.map_err(|error| ApplyError::Data(format!("decoding results: {error}")))?;
        // What cannot be read matters more than what the database says about an incomplete copy.
        encoded?;
        copied.map_err(ApplyError::from)
    }
}

/// A copy of results, then what attempts and new test cases came with them, until there are no more. Straight into the partitions: finding
/// them anew for each row would cost a tenth of the copy.
async fn send(conn: &mut PgConnection, pieces: &mut mpsc::Receiver<Piece>) -> Result<(), sqlx::Error> {
    let mut next = pieces.recv().await;
    while let Some(Piece { part, .. }) = next {
        let (mut attempts, mut cases) = (BytesMut::new(), Cases::default());
        let mut copy = conn.copy_in_raw(&copy_results(&partitions::name("result", part))).await?;
        copy.send(HEADER).await?;
        while let Some(piece) = next.take_if(|piece| piece.part == part && attempts.len() + cases.len() < MAX_ASIDE) {
            copy.send(piece.results).await?;
            attempts.unsplit(piece.attempts);
            cases.append(&piece.cases);
            next = pieces.recv().await;
        }
        copy.send(TRAILER).await?;
        copy.finish().await?;
        if !attempts.is_empty() {
            copy_rows(conn, &copy_attempts(&partitions::name("attempt", part)), &attempts).await?;
        }
        cases.insert_missing(conn, part).await?;
    }
    Ok(())
}

fn fill(sources: &[Source], sender: &mpsc::Sender<Piece>) -> Result<(), ApplyError> {
    let mut writer = Writer {
        sender,
        part: Part::default(),
        results: Rows::with_capacity(PIECE),
        attempts: Rows::default(),
        cases: Cases::default(),
        known: HashSet::new(),
    };
    for source in sources {
        match writer.report(source) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                let at = source.place.report_no;
                return Err(ApplyError::Data(format!("results of the report at position {at}: {error}")));
            }
        }
    }
    writer.hand_over();
    Ok(())
}

/// Gathers rows and hands them over in pieces.
struct Writer<'a> {
    sender: &'a mpsc::Sender<Piece>,
    /// Of the rows at hand.
    part: Part,
    results: Rows,
    attempts: Rows,
    cases: Cases,
    /// Cases that were handed over for this part, or are at hand.
    known: HashSet<Uuid>,
}

impl Writer<'_> {
    /// False when nobody wants more: the database refused, and says why itself.
    fn report(&mut self, Source { place, body }: &Source) -> Result<bool, DecodeError> {
        if place.part != self.part {
            if !self.hand_over() {
                return Ok(false);
            }
            self.known.clear();
        }
        self.part = place.part;
        match body {
            Body::None | Body::Gone | Body::Digested(_) => Ok(true),
            Body::Fresh(fresh) => self.all(*place, fresh.parts.iter().map(Ok)),
            Body::Chunks(chunks) => self.all(*place, chunks.iter().map(|chunk| decode_chunk(chunk))),
        }
    }

    /// Those of a report, some at a time.
    fn all<R: AsRef<[TestResult]>>(
        &mut self,
        place: Place,
        parts: impl Iterator<Item = Result<R, DecodeError>>,
    ) -> Result<bool, DecodeError> {
        let mut first = 0;
        for part in parts {
            let part = part?;
            let results = part.as_ref();
            if !self.results(place, first, results)? {
                return Ok(false);
            }
            first += results.len();
        }
        Ok(true)
    }

    fn results(&mut self, place: Place, first: usize, results: &[TestResult]) -> Result<bool, DecodeError> {
        for (idx, result) in (first..).map(|idx| saturate(idx as u64)).zip(results) {
            let case = case_id(result);
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            if self.known.insert(case) {
                self.cases.add(case, result);
            }
            write_result(&mut self.results, place, idx, case, result)?;
            for attempt in &result.attempts {
                write_attempt(&mut self.attempts, place, idx, attempt)?;
            }
            if self.results.len() + self.attempts.len() + self.cases.len() >= PIECE && !self.hand_over() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn hand_over(&mut self) -> bool {
        let (results, attempts, cases) = (self.results.take(), self.attempts.take(), std::mem::take(&mut self.cases));
        let piece = Piece { part: self.part, results, attempts, cases };
        piece.results.is_empty() || self.sender.blocking_send(piece).is_ok()
    }
}
