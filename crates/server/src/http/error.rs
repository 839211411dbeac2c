//! Refusals as HTTP answers. The only file that knows which status code belongs to what.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use scaledtest_domain::{ErrorKind, Reject};
use scaledtest_eventlog::{ChunkError, ExecuteError, LogError};
use serde::Serialize;
use std::{borrow::Cow, fmt, sync::Arc};
use utoipa::ToSchema;

/// A request that was refused or failed: what the client is told.
#[derive(Debug, Clone)]
pub struct ApiError {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    details: Vec<Detail>,
    retry_after: Option<u32>,
    status: Option<StatusCode>,
}

/// One faulty field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Detail {
    /// Where: a field's name, or a path into the body.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Detail {
    /// A fault of a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// What every refused or failed request is answered with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// One clear sentence.
    error: String,
    /// A stable snake_case name.
    #[schema(example = "report_not_found")]
    code: String,
    /// Every faulty field, where fields are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
    /// Names this request in the server's log; also in the header X-Request-Id.
    request_id: String,
}

impl ApiError {
    /// A refusal. `message` is public: one clear sentence.
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let retry_after = matches!(kind, ErrorKind::Unavailable).then_some(1);
        Self { kind, code: code.into(), message: message.into(), details: Vec::new(), retry_after, status: None }
    }

    /// The request is wrong: 400.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    /// No acceptable credentials: 401.
    pub fn unauthenticated(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, code, message)
    }

    /// Not with these credentials: 403.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, code, message)
    }

    /// Not there, or not for this caller: 404.
    pub fn not_found(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, code, message)
    }

    /// What was there had its time, see `docs/operations.md`: 410. `whose` follows "the results".
    pub fn results_dropped(whose: &str) -> Self {
        let message =
            format!("the results {whose} were dropped when their time was over; a run that is pinned is kept");
        Self::new(ErrorKind::Gone, "results_dropped", message)
    }

    /// Not at the moment: 503.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, code, message)
    }

    /// Not set up on this instance: 501.
    pub fn not_configured(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: Some(StatusCode::NOT_IMPLEMENTED), ..Self::new(ErrorKind::Invalid, code, message) }
    }

    /// A defect on our side, or something that must not happen: logged here, told to nobody.
    pub fn internal(error: &(impl fmt::Display + ?Sized)) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(ErrorKind::Internal, "internal", "internal error")
    }

    /// A command that was not carried out.
    pub fn from_execute<R: Reject>(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Rejected(reject) => Self::new(reject.kind(), reject.code(), reject.to_string()),
            ExecuteError::KeyReused => Self::new(ErrorKind::KeyReused, "idempotency_key_reused", error.to_string()),
            ExecuteError::Conflict => Self::new(ErrorKind::Conflict, "conflict", error.to_string()),
            ExecuteError::Log(error) => error.into(),
        }
    }

    /// Names the faulty fields.
    #[must_use]
    pub fn with_details(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    /// When to come back, seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable name.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The faulty fields.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// The status code of the answer.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(match self.kind {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }

    /// For an answer that the framework made up on its own.
    fn of_status(status: StatusCode) -> Self {
        let (kind, code, message) = match status {
            StatusCode::NOT_FOUND => (ErrorKind::NotFound, "not_found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => (
                ErrorKind::Invalid,
                "method_not_allowed",
                "this address does not know this method; see the header Allow",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorKind::TooLarge, "too_large", "the body is too large"),
            status if status.is_server_error() => (ErrorKind::Internal, "internal", "internal error"),
            _ => (ErrorKind::Invalid, "invalid_request", "the request cannot be understood"),
        };
        Self { status: Some(status), ..Self::new(kind, code, message) }
    }

    /// Writes the body, now that the request's id is known; an error that the framework made up becomes one of ours.
    pub fn render(mut response: Response, request_id: &str) -> Response {
        let error = match response.extensions_mut().remove::<Arc<Self>>() {
            Some(error) => error,
            None if is_foreign_error(&response) => Arc::new(Self::of_status(response.status())),
            None => return response,
        };
        let body = ErrorBody {
            error: error.message.clone(),
            code: error.code.clone().into_owned(),
            details: error.details.clone(),
            request_id: request_id.to_owned(),
        };
        let mut rendered = (error.status(), Json(body)).into_response();
        for (name, value) in response.headers() {
            if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
                rendered.headers_mut().append(name, value.clone());
            }
        }
        rendered
    }
}

/// The framework's own errors are plain text or empty.
fn is_foreign_error(response: &Response) -> bool {
    let json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    (response.status().is_client_error() || response.status().is_server_error()) && !json
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    /// Without a body yet: the outermost middleware writes it, see [`ApiError::render`].
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error.kind() {
            ErrorKind::Unavailable => {
                tracing::warn!(%error, "the log is not available");
                let message = "the log does not answer: whether this was carried out is unknown; send the same again";
                Self::unavailable("log_unavailable", message)
            }
            ErrorKind::TooLarge => Self::new(ErrorKind::TooLarge, "too_large", error.to_string()),
            _ => Self::internal(&error),
        }
    }
}

impl From<ChunkError> for ApiError {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::Log(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, WorkerCrashed};
        let shutting_down = error.as_database_error().and_then(|error| error.code()).is_some_and(|code| {
            // 57P: the server is going down or starting up; 53: out of connections or memory; 08: connection lost.
            ["57P", "53", "08"].iter().any(|class| code.starts_with(class))
        });
        // A read model's tables are made when its projector starts for the first time; after an upgrade that changes them, the
        // old ones are there until they are made anew. 42P01: no such table; 42703: no such column.
        let code = error.as_database_error().and_then(|error| error.code());
        if code.is_some_and(|code| code == "42P01" || code == "42703") {
            tracing::warn!(%error, "a read model is not there yet");
            return Self::unavailable("projection_missing", "the read models are being made; retry");
        }
        if shutting_down || matches!(error, Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed) {
            tracing::warn!(%error, "the database is not available");
            return Self::unavailable("database_unavailable", "the database is not available at the moment; retry");
        }
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test]
    async fn a_refusal_is_written_with_the_requests_id_and_keeps_its_headers() {
        let error = ApiError::unavailable("projection_lagging", "later").with_details(vec![Detail::new("a", "b")]);
        let response = ApiError::render(error.into_response(), "r-1");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "error": "later", "code": "projection_lagging", "details": [{"field": "a", "message": "b"}], "request_id": "r-1",
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn an_error_of_the_framework_becomes_json_and_a_success_is_left_alone() {
        let response = ApiError::render(StatusCode::METHOD_NOT_ALLOWED.into_response(), "r-2");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        assert!(body.starts_with(b"{\"error\":"), "{body:?}");
        let response = ApiError::render("fine".into_response(), "r-3");
        assert_eq!(to_bytes(response.into_body(), 1000).await.unwrap(), "fine");
    }
}
