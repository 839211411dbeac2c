//! Chunks of the log become rows, a chunk at a time: decoded on a thread of its own while the rows before it are sent.

use super::rows::{COPY_ATTEMPT, COPY_RESULT, Place, write_attempt, write_result};
use crate::ApplyError;
use crate::copy::{HEADER, Rows, TRAILER, copy_rows};
use bytes::{Bytes, BytesMut};
use scaledtest_domain::report::decode_chunk;
use sqlx::PgConnection;
use tokio::sync::mpsc;

/// Attempts are kept aside while results are copied, up to this many bytes.
const MAX_ATTEMPTS: usize = 1024 * 1024;

/// Bytes of rows handed over at once: small, so that the database is busy with the first while the next are made.
const PIECE: usize = 32 * 1024;
/// Pieces that wait to be sent: with the one being sent and the one being made, all that is ever decoded.
const PIECES: usize = 4;

/// The chunks of a report and where their rows go.
pub(super) struct Source {
    pub place: Place,
    pub chunks: Vec<Bytes>,
}

/// Rows of some results.
struct Piece {
    results: BytesMut,
    attempts: BytesMut,
}

/// Rows on their way from the chunks of some reports.
pub(super) struct Encoding {
    pieces: mpsc::Receiver<Piece>,
    thread: tokio::task::JoinHandle<Result<(), ApplyError>>,
}

/// Begins to decode chunks into rows, on a thread of its own: it works while other rows are written.
pub(super) fn encode(sources: Vec<Source>) -> Option<Encoding> {
    if sources.iter().all(|source| source.chunks.is_empty()) {
        return None;
    }
    let (sender, pieces) = mpsc::channel(PIECES);
    let thread = tokio::task::spawn_blocking(move || fill(&sources, &sender));
    Some(Encoding { pieces, thread })
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

/// A copy of results, then what attempts came with them, until there are no more.
async fn send(conn: &mut PgConnection, pieces: &mut mpsc::Receiver<Piece>) -> Result<(), sqlx::Error> {
    let mut next = pieces.recv().await;
    while next.is_some() {
        let mut attempts = BytesMut::new();
        let mut copy = conn.copy_in_raw(COPY_RESULT).await?;
        copy.send(HEADER).await?;
        while let Some(piece) = next.take() {
            copy.send(piece.results).await?;
            attempts.unsplit(piece.attempts);
            next = pieces.recv().await;
            if attempts.len() >= MAX_ATTEMPTS {
                break;
            }
        }
        copy.send(TRAILER).await?;
        copy.finish().await?;
        if !attempts.is_empty() {
            copy_rows(conn, COPY_ATTEMPT, &attempts).await?;
        }
    }
    Ok(())
}

fn fill(sources: &[Source], sender: &mpsc::Sender<Piece>) -> Result<(), ApplyError> {
    let mut results = Rows::with_capacity(PIECE);
    let mut attempts = Rows::default();
    for source in sources {
        let mut idx = 0;
        for chunk in &source.chunks {
            for result in decode_chunk(chunk).map_err(|error| bad(source, &error))? {
                write_result(&mut results, source.place, idx, &result).map_err(|error| bad(source, &error))?;
                for attempt in &result.attempts {
                    write_attempt(&mut attempts, source.place, idx, attempt).map_err(|error| bad(source, &error))?;
                }
                idx += 1;
                if results.len() + attempts.len() >= PIECE {
                    let piece = Piece { results: results.take(), attempts: attempts.take() };
                    if sender.blocking_send(piece).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
    if !results.is_empty() {
        // Nobody receives it when the database refused: it says why itself.
        let _ = sender.blocking_send(Piece { results: results.take(), attempts: attempts.take() });
    }
    Ok(())
}

fn bad(source: &Source, error: &dyn std::fmt::Display) -> ApplyError {
    ApplyError::Data(format!("results of the report at position {}: {error}", source.place.report_no))
}
