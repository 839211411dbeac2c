//! Original documents: objects of the bucket `raw`, in the layout of the NATS object store, so that its tools read them.
//!
//! Written by hand because the client's `put` asks for an older object first and then waits for each piece: three round
//! trips and more, where one is enough.

use crate::{EventLog, LogError, log::Backend, nats::Outgoing};
use bytes::Bytes;
use scaledtest_domain::{ReportId, TeamId, UploadId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes of one piece.
const PIECE: usize = 256 * 1024;

/// What the bucket knows of an object.
#[derive(Serialize, Deserialize)]
struct Info {
    name: String,
    bucket: String,
    /// Names the pieces' subject.
    nuid: String,
    size: usize,
    chunks: usize,
    digest: String,
    #[serde(default)]
    deleted: bool,
    options: Options,
}

#[derive(Serialize, Deserialize)]
struct Options {
    max_chunk_size: usize,
}

/// `<team>/<report>/<upload>`, ids as 32 hex digits.
fn name(team: TeamId, report: ReportId, upload: UploadId) -> String {
    format!("{}/{}/{}", team.0.simple(), report.0.simple(), upload.0.simple())
}

fn info_subject(name: &str) -> String {
    format!("$O.raw.M.{}", base64url(name.as_bytes()))
}

fn piece_subject(nuid: &str) -> String {
    format!("$O.raw.C.{nuid}")
}

fn digest(document: &[u8]) -> String {
    format!("SHA-256={}", base64url(&Sha256::digest(document)))
}

/// Base64 with `-` and `_`, padded: how the object store writes names and digests.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

impl EventLog {
    /// Keeps an original document for as long as the retention of documents says. One round trip.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn put_raw(
        &self,
        team: TeamId,
        report: ReportId,
        upload: UploadId,
        document: Bytes,
    ) -> Result<(), LogError> {
        let (name, nuid) = (name(team, report, upload), upload.0.simple().to_string());
        let nats = match &self.backend {
            Backend::Nats(nats) => nats,
            Backend::Memory(memory) => {
                memory.put_raw(name, document);
                return Ok(());
            }
        };
        let info = Info {
            bucket: "raw".to_owned(),
            size: document.len(),
            chunks: document.len().div_ceil(PIECE),
            digest: digest(&document),
            deleted: false,
            options: Options { max_chunk_size: PIECE },
            name,
            nuid,
        };
        let mut pending = Vec::with_capacity(info.chunks + 1);
        for n in 0..info.chunks {
            let piece = document.slice(n * PIECE..document.len().min((n + 1) * PIECE));
            let id = format!("{}:{n}", info.nuid);
            let piece = Outgoing::raw(piece_subject(&info.nuid), id, piece);
            pending.push(nats.begin(piece, self.until()).await?);
        }
        let json = serde_json::to_vec(&info).map_err(|error| LogError::Refused(error.to_string()))?;
        let id = format!("{}:info", info.nuid);
        let info = Outgoing::raw(info_subject(&info.name), id, json.into());
        pending.push(nats.begin(info, self.until()).await?);
        for pending in pending {
            nats.finish(pending, self.until()).await?;
        }
        Ok(())
    }

    /// An original document; `None` when it is no longer kept.
    ///
    /// # Errors
    /// [`LogError::Unavailable`], [`LogError::Corrupt`].
    pub async fn get_raw(&self, team: TeamId, report: ReportId, upload: UploadId) -> Result<Option<Bytes>, LogError> {
        let name = name(team, report, upload);
        let nats = match &self.backend {
            Backend::Nats(nats) => nats,
            Backend::Memory(memory) => return Ok(memory.get_raw(&name)),
        };
        let Some(found) = nats.last_raw(&info_subject(&name), self.until()).await? else { return Ok(None) };
        let corrupt = || LogError::Corrupt(format!("document {name}"));
        let info: Info = serde_json::from_slice(&found.payload).map_err(|_| corrupt())?;
        if info.deleted {
            return Ok(None);
        }
        // By number: a piece that was sent twice may stand twice, or behind later ones.
        let pieces: BTreeMap<usize, Bytes> = nats
            .raw_pieces(&piece_subject(&info.nuid), || self.until())
            .await?
            .into_iter()
            .filter_map(|piece| Some((piece.id.rsplit_once(':')?.1.parse().ok()?, piece.payload)))
            .collect();
        if pieces.len() < info.chunks {
            return Ok(None);
        }
        let document: Vec<u8> = pieces.into_values().flatten().collect();
        if digest(&document) == info.digest { Ok(Some(document.into())) } else { Err(corrupt()) }
    }

    /// Erases an original document, bytes included. One that is gone already is fine.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn delete_raw(&self, team: TeamId, report: ReportId, upload: UploadId) -> Result<(), LogError> {
        let name = name(team, report, upload);
        match &self.backend {
            Backend::Memory(memory) => {
                memory.delete_raw(&name);
                Ok(())
            }
            Backend::Nats(nats) => {
                nats.erase_raw(&piece_subject(&upload.0.simple().to_string()), || self.until()).await?;
                nats.erase_raw(&info_subject(&name), || self.until()).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_pads_and_uses_the_safe_digits() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xfe], "-__-"),
        ] {
            assert_eq!(base64url(bytes), text);
        }
    }
}
