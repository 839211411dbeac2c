//! Takes an upload off the wire: bounded, inflated, and readable twice without holding it in memory.

use crate::http::error::ApiError;
use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::Bytes;
use domain::ErrorKind;
use futures_util::StreamExt;
use memmap2::Mmap;
use scaledtest_domain as domain;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

/// Bodies up to this many bytes stay in memory; larger ones go to a temporary file.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// A client that sends nothing for this long is cut off.
const IDLE: Duration = Duration::from_secs(30);
/// No upload may take longer: one that trickles in would hold its place for ever.
const TOTAL: Duration = Duration::from_secs(15 * 60);

/// How much an upload may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes on the wire.
    pub wire: u64,
    /// Bytes after inflating.
    pub inflated: u64,
}

/// Bytes that grow in memory first and in an unnamed temporary file when they are many.
enum Spool<'a> {
    Memory { bytes: Vec<u8>, dir: &'a Path },
    File { file: File, len: u64 },
}

impl<'a> Spool<'a> {
    fn new(dir: &'a Path) -> Self {
        Self::Memory { bytes: Vec::new(), dir }
    }

    /// Makes room for as much as is announced, within what stays in memory.
    fn expect(&mut self, bytes: u64) {
        if let (Self::Memory { bytes: room, .. }, Ok(expected)) = (self, usize::try_from(bytes)) {
            room.reserve_exact(expected.min(IN_MEMORY));
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Memory { bytes, .. } => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The whole; a large one is mapped from its file, so that its pages come and go with the system's page cache.
    fn finish(self) -> io::Result<Bytes> {
        match self {
            Self::Memory { bytes, .. } => Ok(Bytes::from(bytes)),
            Self::File { len: 0, .. } => Ok(Bytes::new()),
            Self::File { mut file, .. } => {
                file.seek(SeekFrom::Start(0))?;
                map(&file).map(Bytes::from_owner)
            }
        }
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if let Self::Memory { bytes, dir } = self {
            if bytes.len() + piece.len() <= IN_MEMORY {
                bytes.extend_from_slice(piece);
                return Ok(piece.len());
            }
            let mut file = tempfile::tempfile_in(dir)?;
            file.write_all(bytes)?;
            *self = Self::File { file, len: bytes.len() as u64 };
        }
        if let Self::File { file, len } = self {
            file.write_all(piece)?;
            *len += piece.len() as u64;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[allow(unsafe_code, reason = "mapping a file is unsafe by nature; see SAFETY")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file is unnamed (unlinked at creation) and ours alone: nobody can change or truncate it while it is mapped.
    unsafe { Mmap::map(file) }
}

/// Receives the body as it comes, refusing more than `limits.wire` bytes.
///
/// # Errors
/// 413 over the limit, 400 when the connection breaks off or stays silent, 500 when the disk refuses.
pub async fn receive(body: Body, dir: &Path, limits: Limits) -> Result<Bytes, ApiError> {
    let slow = |_| broken(&format!("it took more than {} minutes", TOTAL.as_secs() / 60));
    tokio::time::timeout(TOTAL, receive_pieces(body, dir, limits)).await.map_err(slow)?
}

async fn receive_pieces(body: Body, dir: &Path, limits: Limits) -> Result<Bytes, ApiError> {
    let mut spool = Spool::new(dir);
    spool.expect(body.size_hint().lower());
    let mut stream: BodyDataStream = body.into_data_stream();
    loop {
        let piece = match tokio::time::timeout(IDLE, stream.next()).await {
            Err(_) => return Err(broken(&format!("nothing arrived for {} seconds", IDLE.as_secs()))),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(broken(&error.to_string())),
            Ok(Some(Ok(piece))) => piece,
        };
        if spool.len() + piece.len() as u64 > limits.wire {
            return Err(too_large("on the wire", limits.wire, "ST_MAX_REPORT_WIRE_BYTES"));
        }
        spool.write_all(&piece).map_err(disk)?;
    }
    spool.finish().map_err(disk)
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Unpacks gzip and zstd (told by the content itself, whatever the header says), refusing more than `limits.inflated` bytes.
///
/// # Errors
/// 400 when the packed data is broken or the header names a packing that isn't supported, 413 over the limit.
pub fn inflate(packed: Bytes, encoding: Option<&str>, dir: &Path, limits: Limits) -> Result<Bytes, ApiError> {
    let packing = packing(&packed, encoding)?;
    let mut reader: Box<dyn Read + '_> = match packing {
        Packing::Plain if packed.len() as u64 > limits.inflated => {
            return Err(too_large("inflated", limits.inflated, "ST_MAX_REPORT_BYTES"));
        }
        Packing::Plain => return Ok(packed),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(&*packed)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(&*packed).map_err(|error| unpackable(&error, 0))?),
    };
    let mut spool = Spool::new(dir);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) if spool.len() + read as u64 > limits.inflated => {
                return Err(too_large("inflated", limits.inflated, "ST_MAX_REPORT_BYTES"));
            }
            Ok(read) => spool.write_all(&piece[..read]).map_err(disk)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unpackable(&error, spool.len())),
        }
    }
    drop(reader);
    spool.finish().map_err(disk)
}

fn packing(bytes: &[u8], encoding: Option<&str>) -> Result<Packing, ApiError> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Packing::Gzip);
    }
    if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Packing::Zstd);
    }
    match encoding.map(str::trim).map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "identity") => Ok(Packing::Plain),
        // The header says packed, the content isn't: a proxy may have unpacked it. The parser will tell.
        Some("gzip" | "x-gzip" | "zstd") => Ok(Packing::Plain),
        Some(other) => Err(ApiError::new(
            ErrorKind::Invalid,
            "unreadable_report",
            format!("Content-Encoding {other:?} is not supported: send gzip, zstd or none"),
        )),
    }
}

fn too_large(what: &str, limit: u64, setting: &str) -> ApiError {
    ApiError::new(
        ErrorKind::TooLarge,
        "report_too_large",
        format!("the report is larger than {limit} bytes {what}; the limit is the setting {setting}"),
    )
}

fn broken(why: &str) -> ApiError {
    ApiError::new(ErrorKind::Invalid, "unreadable_report", format!("the upload broke off: {why}"))
}

fn unpackable(error: &io::Error, offset: u64) -> ApiError {
    ApiError::new(
        ErrorKind::Invalid,
        "unreadable_report",
        format!("the packed report cannot be unpacked after {offset} bytes: {error}"),
    )
}

fn disk(error: io::Error) -> ApiError {
    tracing::error!(%error, "cannot spool an upload");
    ApiError::new(
        ErrorKind::Unavailable,
        "spool_failed",
        "the server cannot store the upload at the moment; retry later",
    )
}
