//! For operators and for people who write clients.

mod docs;
mod health;

use super::openapi::openapi_json;
use crate::{
    app::{App, AppState},
    metrics::resident_bytes,
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_readiness))
        .routes(routes!(get_metrics))
        .routes(routes!(get_openapi))
        .routes(routes!(get_docs))
}

/// Measurements, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"),
))]
async fn get_metrics(State(app): State<AppState>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    // Sets the projections' gauges; what is wrong shows on /readyz.
    if let Err(error) = health::projections(&app).await {
        tracing::debug!(%error, "the projections' state is unknown");
    }
    let text = app.metrics.as_ref().map(|metrics| metrics.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// This document
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value),
))]
async fn get_openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

/// This document, for people
#[utoipa::path(get, path = "/api/docs", tag = "operations", responses(
    (status = 200, description = "A page", content_type = "text/html", body = String),
))]
async fn get_docs() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], docs::page()).into_response()
}
