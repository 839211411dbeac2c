//! Page after page of a list, written as they come.

use super::{
    Format, columns, file,
    lists::{List, Paging},
};
use crate::http::{error::ApiError, extract::Pairs};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{StatusCode, Uri, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::value::RawValue;
use std::{collections::HashMap, fmt::Write, io, time::Duration};

/// Largest page that is read, bytes.
const MAX_PAGE: usize = 128 * 1024 * 1024;
/// How long a page may take: the first is bounded by the request, those after it by this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names of the query that are ours to choose.
const OURS: [&str; 4] = ["format", "limit", "offset", "cursor"];

/// Answers with all of a list. The first page is there before the answer begins, so that a refusal is one; where a later one fails,
/// the answer breaks off: nobody takes a part for the whole.
pub(super) async fn export(list: &'static List, format: Format, pairs: &Pairs, parts: Parts, next: Next) -> Response {
    let headers = match file(format.media_type(), &file_name(parts.uri.path(), format)) {
        Ok(headers) => headers,
        Err(error) => return error.into_response(),
    };
    let mut export = Export {
        list,
        format,
        place: Place {
            cursor: pairs.get("cursor").map(str::to_owned),
            offset: pairs.number("offset", 0, 0, i64::MAX),
            left: pairs.number("limit", i64::MAX, 1, i64::MAX),
        },
        parts,
        next,
        is_done: false,
    };
    let first = match export.page().await {
        Ok(page) => page,
        Err(Failure::Refused(response)) => return *response,
        Err(Failure::Broken(error)) => return ApiError::internal(&error).into_response(),
    };
    let first = match format {
        Format::Csv => columns::headings(columns::of(list)) + &first,
        Format::Ndjson => first,
    };
    let rest = stream::try_unfold(export, |mut export| async move {
        if export.is_done {
            return Ok(None);
        }
        match tokio::time::timeout(PATIENCE, export.page()).await {
            Ok(Ok(page)) => Ok(Some((Bytes::from(page), export))),
            Ok(Err(failure)) => Err(export.broken(&failure.to_string())),
            Err(_) => Err(export.broken("a page took too long")),
        }
    });
    let body = stream::once(async move { Ok::<_, io::Error>(Bytes::from(first)) }).chain(rest);
    (headers, Body::from_stream(body)).into_response()
}

/// Where the next page begins.
#[derive(Debug)]
struct Place {
    cursor: Option<String>,
    offset: i64,
    /// Entries that are still wanted.
    left: i64,
}

struct Export {
    list: &'static List,
    format: Format,
    place: Place,
    /// Of the request: every page is asked for with the same headers, by the same caller.
    parts: Parts,
    next: Next,
    is_done: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The handler's answer.
    #[error("the list answered {}", .0.status())]
    Refused(Box<Response>),
    #[error("{0}")]
    Broken(String),
}

impl Export {
    /// The next page as text.
    async fn page(&mut self) -> Result<String, Failure> {
        let response = self.next.clone().run(self.request()?).await;
        if response.status() != StatusCode::OK {
            return Err(Failure::Refused(Box::new(response)));
        }
        let broken = |error: &dyn std::fmt::Display| Failure::Broken(error.to_string());
        let body = to_bytes(response.into_body(), MAX_PAGE).await.map_err(|error| broken(&error))?;
        let answer: HashMap<String, Box<RawValue>> = serde_json::from_slice(&body).map_err(|error| broken(&error))?;
        let entries = answer.get(self.list.field).map_or("[]", |entries| entries.get());
        let mut entries: Vec<&RawValue> = serde_json::from_str(entries).map_err(|error| broken(&error))?;
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        entries.truncate(usize::try_from(self.place.left).unwrap_or(usize::MAX));
        let text = self.written(&entries).map_err(|error| broken(&error))?;
        self.advance(&answer, count)?;
        Ok(text)
    }

    fn request(&self) -> Result<Request, Failure> {
        let mut parts = self.parts.clone();
        parts.uri = self.uri().ok_or_else(|| Failure::Broken("the page's address cannot be written".to_owned()))?;
        Ok(Request::from_parts(parts, Body::empty()))
    }

    fn uri(&self) -> Option<Uri> {
        let given = self.parts.uri.query().unwrap_or_default().split('&');
        let is_theirs = |pair: &&str| !pair.is_empty() && !OURS.contains(&pair.split('=').next().unwrap_or_default());
        let mut query: Vec<String> = given.filter(is_theirs).map(str::to_owned).collect();
        if let Some(most) = self.list.paging.most() {
            query.push(format!("limit={}", most.min(self.place.left)));
        }
        match &self.place.cursor {
            Some(cursor) => query.push(format!("cursor={}", encoded(cursor))),
            None => query.push(format!("offset={}", self.place.offset)),
        }
        format!("{}?{}", self.parts.uri.path(), query.join("&")).parse().ok()
    }

    fn written(&self, entries: &[&RawValue]) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        let columns = columns::of(self.list);
        for entry in entries {
            match self.format {
                Format::Ndjson => {
                    text.push_str(entry.get());
                    text.push('\n');
                }
                Format::Csv => text.push_str(&columns::line(columns, &serde_json::from_str(entry.get())?)),
            }
        }
        Ok(text)
    }

    /// Sees where the next page begins, after one with `count` entries.
    fn advance(&mut self, answer: &HashMap<String, Box<RawValue>>, count: i64) -> Result<(), Failure> {
        self.place.left -= count;
        self.is_done = self.place.left <= 0 || count == 0;
        match self.list.paging {
            Paging::Cursor(_) => {
                let next = answer.get("next_cursor").and_then(|text| serde_json::from_str::<String>(text.get()).ok());
                self.is_done |= next.is_none();
                if !self.is_done && next == self.place.cursor {
                    return Err(Failure::Broken("the list does not get on".to_owned()));
                }
                self.place.cursor = next;
            }
            Paging::Offset(_) => {
                let total = answer.get("total").and_then(|text| text.get().parse().ok()).unwrap_or(0);
                self.place.offset += count;
                self.is_done |= self.place.offset >= total;
            }
            Paging::Top(_) | Paging::Whole => self.is_done = true,
        }
        Ok(())
    }

    fn broken(&self, why: &str) -> io::Error {
        tracing::warn!(list = self.list.path, why, "an export broke off");
        io::Error::other("the export broke off")
    }
}

/// Percent-encodes whatever might mean something in a query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Named after the address: `runs.csv`, `runs-019a...-results.ndjson`.
fn file_name(path: &str, format: Format) -> String {
    let name = path.trim_start_matches("/api/v1/").trim_matches('/');
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    format!("{}.{}", name.chars().map(plain).take(120).collect::<String>(), format.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_what_is_in_them() {
        assert_eq!(file_name("/api/v1/runs", Format::Csv), "runs.csv");
        assert_eq!(file_name("/api/v1/runs/0a-1/results", Format::Ndjson), "runs-0a-1-results.ndjson");
        assert_eq!(file_name("/api/v1/runs/\"x;/", Format::Csv), "runs--x-.csv");
    }

    #[test]
    fn a_cursor_is_encoded() {
        assert_eq!(encoded("a1_-&=ü"), "a1_%2D%26%3D%C3%BC");
    }
}
