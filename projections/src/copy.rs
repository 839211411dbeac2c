//! Rows in the binary format of Postgres' `COPY`, written into one buffer.
//!
//! Layout of a stream: [`HEADER`], then per row a field count (i16) and per field its length (i32, -1 for null) and
//! bytes, then [`TRAILER`].

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What every stream begins with: signature, no flags, no extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What every stream ends with.
pub const TRAILER: &[u8] = &[0xff, 0xff];
/// Bytes sent at once: large enough for few system calls, small enough to be nothing in memory.
pub const PIECE: usize = 256 * 1024;
/// The type oid of `text`, named in the header of each `text[]`.
const TEXT_OID: i32 = 25;
/// That of `bigint`.
const INT8_OID: i32 = 20;
/// Microseconds from 1970 to 2000, where Postgres begins to count.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from year 1 to 2000-01-01.
const POSTGRES_EPOCH_DAYS: i32 = 730_120;

/// Rows without header and trailer. Fields are written in the order of the columns.
#[derive(Debug, Default)]
pub struct Rows {
    buffer: BytesMut,
}

impl Rows {
    /// Room for about a piece.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(bytes) }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.buffer
    }

    /// Adds the rows of another.
    pub fn extend(&mut self, other: &Self) {
        self.buffer.extend_from_slice(&other.buffer);
    }

    /// Takes the rows out, leaving none.
    pub fn take(&mut self) -> BytesMut {
        self.buffer.split()
    }

    /// Begins a row of so many fields.
    pub fn row(&mut self, fields: i16) -> &mut Self {
        self.buffer.put_i16(fields);
        self
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.buffer.put_i32(-1);
        self
    }

    /// `smallint`.
    pub fn int2(&mut self, value: i16) -> &mut Self {
        self.buffer.put_i32(2);
        self.buffer.put_i16(value);
        self
    }

    /// `integer`.
    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.buffer.put_i32(4);
        self.buffer.put_i32(value);
        self
    }

    /// `bigint`.
    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.buffer.put_i32(8);
        self.buffer.put_i64(value);
        self
    }

    /// `boolean`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.buffer.put_i32(1);
        self.buffer.put_u8(u8::from(value));
        self
    }

    /// `uuid`.
    pub fn uuid(&mut self, value: impl Into<Uuid>) -> &mut Self {
        self.bytes(value.into().as_bytes())
    }

    /// `bytea`.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.buffer.put_i32(saturate(value.len() as u64));
        self.buffer.put_slice(value);
        self
    }

    /// `text` or `json`. NUL, which Postgres cannot keep, becomes the replacement character.
    pub fn text(&mut self, value: &str) -> &mut Self {
        if memchr::memchr(0, value.as_bytes()).is_some() {
            return self.bytes(clean(value).as_bytes());
        }
        self.bytes(value.as_bytes())
    }

    /// `date`.
    pub fn date(&mut self, value: NaiveDate) -> &mut Self {
        use chrono::Datelike;
        self.int4(value.num_days_from_ce() - POSTGRES_EPOCH_DAYS)
    }

    /// `timestamptz`; anything below a microsecond is cut.
    pub fn timestamp(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.int8(value.timestamp_micros() - POSTGRES_EPOCH_MICROS)
    }

    /// `text[]`.
    pub fn texts(&mut self, values: &[String]) -> &mut Self {
        let start = self.buffer.len();
        self.buffer.put_i32(0);
        self.buffer.put_i32(i32::from(!values.is_empty()));
        self.buffer.put_i32(0);
        self.buffer.put_i32(TEXT_OID);
        if !values.is_empty() {
            self.buffer.put_i32(saturate(values.len() as u64));
            self.buffer.put_i32(1);
            for value in values {
                self.text(value);
            }
        }
        let length = saturate((self.buffer.len() - start - 4) as u64);
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self
    }

    /// `bigint[]`, of at least one.
    pub fn int8s(&mut self, values: &[i64]) -> &mut Self {
        self.buffer.put_i32(saturate(20 + 12 * values.len() as u64));
        for head in [1, 0, INT8_OID, saturate(values.len() as u64), 1] {
            self.buffer.put_i32(head);
        }
        values.iter().fold(self, |rows, value| rows.int8(*value))
    }

    /// `json`, serialised here, or `null`.
    ///
    /// # Errors
    /// When serialising fails.
    pub fn json<T: serde::Serialize>(&mut self, value: Option<&T>) -> Result<&mut Self, serde_json::Error> {
        let Some(value) = value else { return Ok(self.null()) };
        let start = self.buffer.len();
        self.buffer.put_i32(0);
        serde_json::to_writer((&mut self.buffer).writer(), value)?;
        let length = saturate((self.buffer.len() - start - 4) as u64);
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(self)
    }

    /// A field, or `null`.
    pub fn opt<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T) -> &mut Self) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// `text` or `null`.
    pub fn opt_text(&mut self, value: Option<&str>) -> &mut Self {
        self.opt(value, Self::text)
    }
}

/// A text that Postgres can keep: NUL becomes the replacement character.
pub fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The nearest number that an `integer` holds.
pub fn saturate(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// The nearest number that a `bigint` holds.
pub fn saturate8(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Sends all rows through one `COPY ... from stdin (format binary)` statement and answers how many arrived.
///
/// # Errors
/// What the database says.
pub async fn copy_rows(conn: &mut PgConnection, statement: &str, rows: &[u8]) -> Result<u64, sqlx::Error> {
    let mut copy = conn.copy_in_raw(statement).await?;
    copy.send(HEADER).await?;
    for piece in rows.chunks(PIECE) {
        copy.send(piece).await?;
    }
    copy.send(TRAILER).await?;
    copy.finish().await
}
