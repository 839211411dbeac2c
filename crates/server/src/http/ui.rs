//! The user interface, compiled into the binary, and everything that no route answers.

use super::{error::ApiError, extract::Caller};
use crate::app::AppState;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

/// The built interface. Missing in a build that was made without it.
#[derive(Embed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Dist;

/// What is shown when the interface was not built.
const WITHOUT_UI: &str = include_str!("without_ui.html");

/// Files under this path carry a hash in their name and never change.
const HASHED: &str = "assets/";

/// Answers what no route does: files and pages of the interface; for the API 401 or 404.
pub(super) async fn fallback(State(app): State<AppState>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return match Caller::of(&app, request.headers()).await {
            Err(error) => error.into_response(),
            Ok(_) => nothing().into_response(),
        };
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || path.starts_with("/ws/") {
        return nothing().into_response();
    }
    serve::<Dist>(path, request.headers()).unwrap_or_else(IntoResponse::into_response)
}

fn nothing() -> ApiError {
    ApiError::not_found("not_found", "there is nothing at this address")
}

fn serve<E: Embed>(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let name = path.trim_start_matches('/');
    // Only what a build writes: no way out of the folder, and the packed twins only through negotiation.
    let plain = !name.split('/').any(|part| part.is_empty() || part.starts_with('.'));
    let packed = name.ends_with(".br") || name.ends_with(".gz");
    if plain
        && !packed
        && name != "index.html"
        && let Some(file) = E::get(name)
    {
        return Ok(asset::<E>(name, file, headers));
    }
    let last = name.rsplit('/').next().unwrap_or_default();
    if name.starts_with(HASHED) || (last.contains('.') && name != "index.html") || !wants_page(headers) {
        return Err(nothing());
    }
    Ok(page::<E>(headers))
}

/// Browsers ask for pages with `text/html`; programs that take anything get one too.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_none_or(|accepted| accepted.contains("text/html") || accepted.contains("*/*"))
}

fn page<E: Embed>(headers: &HeaderMap) -> Response {
    let mut response = match E::get("index.html") {
        Some(file) => negotiated::<E>("index.html", file, headers),
        None => WITHOUT_UI.into_response(),
    };
    set(&mut response, "text/html; charset=utf-8", "no-store");
    response
}

fn asset<E: Embed>(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = crate::secrets::hex(&file.metadata.sha256_hash()[..16]);
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { negotiated::<E>(name, file, headers) };
    let life = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    set(&mut response, media_type(name), life);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn set(response: &mut Response, media_type: &'static str, cache: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
}

/// The file, or the packed twin that the build wrote beside it.
fn negotiated<E: Embed>(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (coding, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts(accepted, coding)
            && let Some(packed) = E::get(&format!("{name}.{ending}"))
        {
            let mut response = Body::from(packed.data.into_owned()).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
            return response;
        }
    }
    Body::from(file.data.into_owned()).into_response()
}

fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let named = pieces.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        named && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use rust_embed::Metadata;
    use std::borrow::Cow;

    struct Fake;

    impl Embed for Fake {
        fn get(path: &str) -> Option<EmbeddedFile> {
            let data = Self::iter().any(|known| known == path).then(|| path.as_bytes().to_vec())?;
            let metadata = Metadata::__rust_embed_new([7; 32], None, None);
            Some(EmbeddedFile { data: Cow::Owned(data), metadata })
        }
        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            ["index.html", "favicon.svg", "assets/app-1.js", "assets/app-1.js.br"].into_iter().map(Cow::from)
        }
    }

    struct Empty;

    impl Embed for Empty {
        fn get(_path: &str) -> Option<EmbeddedFile> {
            None
        }
        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            std::iter::empty()
        }
    }

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    async fn body(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn hashed_files_are_kept_for_ever_and_packed_where_accepted() {
        let response = serve::<Fake>("/assets/app-1.js", &headers(&[(header::ACCEPT_ENCODING, "gzip, br")])).unwrap();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(body(response).await, "assets/app-1.js.br");
        let response = serve::<Fake>("/assets/app-1.js", &headers(&[(header::ACCEPT_ENCODING, "br;q=0")])).unwrap();
        assert_eq!(body(response).await, "assets/app-1.js");
    }

    #[tokio::test]
    async fn the_index_answers_every_page_and_is_never_kept() {
        for path in ["/", "/runs/1", "/index.html", "/auth/callback"] {
            let response = serve::<Fake>(path, &headers(&[(header::ACCEPT, "text/html")])).unwrap();
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
            assert_eq!(body(response).await, "index.html", "{path}");
        }
    }

    #[test]
    fn missing_files_are_missing_and_packed_twins_are_no_files() {
        for path in ["/assets/gone.js", "/gone.png", "/assets/app-1.js.br", "/assets/", "/../index.html/x.js"] {
            assert_eq!(serve::<Fake>(path, &HeaderMap::new()).unwrap_err().code(), "not_found", "{path}");
        }
        assert!(serve::<Fake>("/runs", &headers(&[(header::ACCEPT, "application/json")])).is_err());
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let tag = serve::<Fake>("/favicon.svg", &HeaderMap::new()).unwrap().headers()[header::ETAG].clone();
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]);
        assert_eq!(serve::<Fake>("/favicon.svg", &known).unwrap().status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn without_the_interface_a_page_says_how_to_build_it() {
        let response = serve::<Empty>("/", &HeaderMap::new()).unwrap();
        assert!(body(response).await.contains("make build"));
    }
}
