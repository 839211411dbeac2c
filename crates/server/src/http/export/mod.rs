//! Every list as CSV or NDJSON: one layer around the handlers that answer with pages, so that an export can never show more, or
//! something else, than the list itself does.

mod columns;
pub mod csv;
pub(super) mod ctrf;
mod lists;
mod pages;

use super::{error::ApiError, extract::Pairs};
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
pub(super) use lists::document;

/// What a list can be had as, beside JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// RFC 4180, with a line of headings.
    Csv,
    /// A JSON object per line.
    Ndjson,
}

impl Format {
    const ALL: [Self; 2] = [Self::Csv, Self::Ndjson];

    /// The word of the query, which is the ending of the file's name as well.
    fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// What the request asks for; the query counts before the header. `None` is JSON.
    fn asked(pairs: &Pairs, headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        match pairs.get("format") {
            None => Ok(Self::accepted(headers)),
            Some("json") => Ok(None),
            Some(word) => Self::ALL.into_iter().find(|format| format.word() == word).map(Some).ok_or_else(|| {
                ApiError::invalid("invalid_parameter", format!("invalid format {word:?}: must be csv, ndjson or json"))
            }),
        }
    }

    /// The first media type that we have, in the order of the header: nobody weighs these against each other.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let types = lines.flat_map(|line| line.split(',')).map(|one| one.split(';').next().unwrap_or_default().trim());
        let known = types.map(str::to_ascii_lowercase).find_map(|kind| match kind.as_str() {
            "application/json" | "application/*" | "*/*" => Some(None),
            kind => Self::ALL.into_iter().find(|format| format.media_type() == kind).map(Some),
        });
        known.flatten()
    }
}

/// Answers a list in the format that is asked for; lets everything else pass.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let matched = request.extensions().get::<MatchedPath>();
    let Some(list) = matched.and_then(|path| lists::find(path.as_str())).filter(|_| is_read) else {
        return next.run(request).await;
    };
    // A query that cannot be read is refused by the handler.
    let pairs = Pairs::of(request.uri()).unwrap_or_default();
    match Format::asked(&pairs, request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(format)) => pages::export(list, format, &pairs, request.into_parts().0, next).await,
        Err(error) => error.into_response(),
    }
}

/// The headers of a file that is saved rather than shown.
pub(super) fn file(media_type: &'static str, name: &str) -> Result<HeaderMap, ApiError> {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let disposition = disposition.map_err(|error| ApiError::internal(&error))?;
    Ok(HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_counts_before_the_header_and_the_first_known_type_wins() {
        for (query, accept, expected) in [
            ("", "*/*", None),
            ("", "text/csv", Some(Format::Csv)),
            ("", "text/html, application/x-ndjson;q=0.9, text/csv", Some(Format::Ndjson)),
            ("", "application/json, text/csv", None),
            ("format=json", "text/csv", None),
            ("format=ndjson", "text/csv", Some(Format::Ndjson)),
            ("format=csv", "", Some(Format::Csv)),
        ] {
            let pairs = Pairs::of(&format!("/x?{query}").parse().unwrap()).unwrap();
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Format::asked(&pairs, &headers).unwrap(), expected, "{query} {accept}");
        }
        let pairs = Pairs::of(&"/x?format=xml".parse().unwrap()).unwrap();
        assert!(Format::asked(&pairs, &HeaderMap::new()).unwrap_err().message().contains("csv, ndjson or json"));
    }
}
