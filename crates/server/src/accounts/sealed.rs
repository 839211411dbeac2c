//! Short-lived notes that we give out and only we can write: JWT under a key of their own for each purpose, so that none is
//! ever taken for another, nor for an access token.

use crate::{http::error::ApiError, secrets::Secrets};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// Writes and reads the notes of one purpose.
pub(crate) struct Seal {
    purpose: &'static str,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", self.purpose)
    }
}

#[derive(Serialize, Deserialize)]
struct Note<T> {
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    content: T,
}

impl Seal {
    pub fn new(secrets: &Secrets, purpose: &'static str) -> Self {
        let key = secrets.derive(&[b"seal", purpose.as_bytes()]);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[purpose]);
        validation.set_required_spec_claims(&["aud", "exp"]);
        // Compared with our own clock below.
        validation.validate_exp = false;
        Self { purpose, encoding: EncodingKey::from_secret(&key), decoding: DecodingKey::from_secret(&key), validation }
    }

    /// Writes a note, and says when it expires.
    pub fn seal<T: Serialize>(
        &self,
        content: T,
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> Result<(String, DateTime<Utc>), ApiError> {
        let exp = (now + life).timestamp();
        let header = Header { typ: Some(self.purpose.to_owned()), ..Header::new(Algorithm::HS256) };
        let note = Note { aud: self.purpose.to_owned(), iat: now.timestamp(), exp, content };
        let sealed = encode(&header, &note, &self.encoding).map_err(|error| ApiError::internal(&error))?;
        Ok((sealed, DateTime::from_timestamp(exp, 0).unwrap_or(now)))
    }

    /// What it says and whether that still holds; `None` if it is not ours.
    pub fn open<T: DeserializeOwned + Clone>(&self, sealed: &str, now: DateTime<Utc>) -> Option<(T, bool)> {
        let note = decode::<Note<T>>(sealed, &self.decoding, &self.validation).ok()?.claims;
        Some((note.content, now.timestamp() < note.exp))
    }

    /// Whether it says of itself that it is for this purpose. Proves nothing.
    pub fn claims(&self, sealed: &str) -> bool {
        decode_header(sealed).is_ok_and(|header| header.typ.as_deref() == Some(self.purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_good_for_its_purpose_and_its_time_only() {
        let secrets = Secrets::new(vec![1; 32], vec![2; 32]).unwrap();
        let (ours, other) = (Seal::new(&secrets, "state"), Seal::new(&secrets, "upload"));
        let noon = DateTime::from_timestamp(1_795_262_400, 0).unwrap();
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Word {
            word: String,
        }
        let word = Word { word: "x".into() };
        let (sealed, expires) = ours.seal(word.clone(), noon, TimeDelta::minutes(1)).unwrap();
        assert_eq!(expires, noon + TimeDelta::minutes(1));
        assert_eq!(ours.open(&sealed, noon + TimeDelta::seconds(59)), Some((word.clone(), true)));
        assert_eq!(ours.open(&sealed, expires), Some((word, false)));
        assert!(ours.claims(&sealed) && !other.claims(&sealed));
        assert_eq!(other.open::<Word>(&sealed, noon), None);
        assert_eq!(ours.open::<Word>(&sealed.replace('.', ".x"), noon), None);
    }
}
