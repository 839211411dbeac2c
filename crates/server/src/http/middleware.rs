//! What happens around every request, outermost first: id, span, metrics and error body; panics; security headers; CORS;
//! compression; time-out.

use super::{
    error::ApiError,
    extract::{IDEMPOTENCY_KEY, PREFERENCE_APPLIED, RequestId, ST_MIN_POSITION, ST_POSITION, ST_PROJECTION, X_TEAM_ID},
    limit,
    shares::is_shared,
};
use crate::app::{App, AppState};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
};
use tracing::Instrument;
use uuid::Uuid;

/// How long an ordinary request may take. Uploads bound their own waiting, sockets live long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest request id taken from a client, bytes.
const MAX_REQUEST_ID: usize = 128;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Scripts, fonts and data only from here. Styles may be inline: dialogs lock scrolling with a style element of their own.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Lays everything around the routes. axum's layers are written inside out.
pub(super) fn wrap(router: Router<AppState>, app: &AppState) -> Router<AppState> {
    router
        .layer(from_fn(bounded))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(cors(app))
        .layer(from_fn_with_state(Arc::clone(app), secured))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observed))
}

/// Gives the request its id, watches it, and writes the body of a refusal.
async fn observed(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("http.request", %method, %route, request_id = %id);
    let began = Instant::now();
    let mut response = ApiError::render(next.run(request).instrument(span.clone()).await, &id);
    let (took, status) = (began.elapsed(), response.status());
    span.in_scope(|| {
        let latency_ms = took.as_secs_f64() * 1000.0;
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), latency_ms, "failed");
        } else {
            tracing::debug!(status = status.as_u16(), latency_ms, "answered");
        }
    });
    let labels =
        [("method", known_method(&method).to_owned()), ("route", route), ("status", status.as_str().to_owned())];
    metrics::histogram!("http_request_duration_seconds", &labels).record(took);
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// The client's id if it is short, plain text; else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
    };
    given.filter(plain).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Methods are the client's to invent; labels of a metric must not be.
fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ApiError::internal(&format!("a handler panicked: {text}")).into_response()
}

async fn secured(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_shared = is_shared(request.uri().path());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Whoever has a link may read; that does not make it public.
    if is_shared {
        headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    if app.config.base_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn bounded(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let upload = request.method() == Method::POST && path.trim_end_matches('/') == "/api/v1/reports";
    if upload || path.starts_with("/ws/") {
        return next.run(request).await;
    }
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "this took too long; if it was a write, send the same again to learn what became of it";
            ApiError::unavailable("timeout", message).into_response()
        }
    }
}

/// The server's own address, and those that the settings name.
pub(super) fn allowed_origins(app: &App) -> impl Iterator<Item = &str> {
    let config = &app.config;
    std::iter::once(&config.base_url).chain(&config.allowed_origins).map(String::as_str)
}

fn cors(app: &App) -> CorsLayer {
    let origins = allowed_origins(app).filter_map(|origin| HeaderValue::try_from(origin).ok());
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let request_headers = [
        header::ACCEPT,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        X_TEAM_ID,
        X_REQUEST_ID,
        IDEMPOTENCY_KEY,
        ST_MIN_POSITION,
        HeaderName::from_static("prefer"),
        HeaderName::from_static("x-csrf-token"),
    ];
    let exposed = [X_REQUEST_ID, ST_POSITION, ST_PROJECTION, PREFERENCE_APPLIED, header::RETRY_AFTER];
    let exposed: Vec<HeaderName> = exposed.into_iter().chain(limit::HEADERS).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(methods)
        .allow_headers(request_headers)
        .expose_headers(exposed)
        .allow_credentials(true)
        .max_age(Duration::from_secs(300))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use tower::ServiceExt;

    async fn broken() {
        panic!("secret detail")
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing() {
        let router = Router::new().route("/", get(broken));
        let router = router.layer(CatchPanicLayer::custom(panicked)).layer(from_fn(observed));
        let request = Request::builder().uri("/").header(X_REQUEST_ID, "r-1").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, r#"{"error":"internal error","code":"internal","request_id":"r-1"}"#);
    }
}
