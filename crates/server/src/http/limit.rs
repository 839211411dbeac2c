//! Which calls are limited, and how that is answered.

use super::{
    error::ApiError,
    extract::{Caller, client_ip},
    shares::is_shared,
};
use crate::{
    app::{App, AppState},
    rate_limit::{self, Limit, Verdict},
};
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use scaledtest_domain::{Actor, ErrorKind};
use std::net::IpAddr;

/// Whoever shows no credential, per address.
const ANYBODY: Limit = Limit { name: "anybody", per_minute: 100 };
/// Reading through a link, per address: a page asks for every test that somebody looks at, and colleagues share an address.
const SHARED: Limit = Limit { name: "shared", per_minute: 300 };
/// Signing in and what is like it, per address.
const SIGN_IN: Limit = Limit { name: "sign_in", per_minute: 10 };
/// Changing a password, per session.
const PASSWORD: Limit = Limit { name: "password", per_minute: 10 };
/// Making and resending invitations, per person: each may be a mail to anybody.
const INVITATIONS: Limit = Limit { name: "invitations", per_minute: 20 };

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The headers that say how a limit stands.
pub(super) const HEADERS: [HeaderName; 3] = [LIMIT, REMAINING, RESET];

/// What guesses at secrets. What carries a signed or long secret of its own (a refresh cookie, a workflow's token: many workflows
/// share an address) is not here, and asking how to sign in is none of it.
fn is_sign_in(path: &str) -> bool {
    let Some(auth) = path.strip_prefix("/api/v1").unwrap_or(path).strip_prefix("/auth/") else {
        return path.starts_with("/api/v1/invitations/") && path.ends_with("/accept");
    };
    !matches!(auth.trim_end_matches('/'), "refresh" | "logout" | "csrf-token" | "methods" | "oidc-exchange")
}

/// Probes and measurements come from machines of the operator, and often.
fn is_exempt(path: &str) -> bool {
    matches!(path, "/health" | "/readyz" | "/metrics")
}

/// Limits calls without a credential.
pub(super) async fn public(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if is_exempt(path) {
        return next.run(request).await;
    }
    let limit = match path {
        path if is_sign_in(path) => SIGN_IN,
        path if is_shared(path) => SHARED,
        _ => ANYBODY,
    };
    let (parts, body) = request.into_parts();
    let verdict = rate_limit::count(&app, limit, &address(&app, &parts)).await;
    guarded(verdict, next.run(Request::from_parts(parts, body))).await
}

/// Whether a path is that of inviting somebody, or of doing so again.
fn is_invitation(path: &str) -> bool {
    let parts: Vec<&str> = path.strip_prefix("/api/v1/teams/").unwrap_or_default().split('/').collect();
    matches!(parts[..], [_, "invitations"] | [_, "invitations", _, "resend"])
}

/// Limits the calls of one session or token.
pub(super) async fn of_caller(app: &App, caller: &Caller, method: &Method, path: &str) -> Option<Verdict> {
    let is_post = *method == Method::POST;
    let path = path.trim_end_matches('/');
    let who = match caller.actor {
        // Whoever signs in again is still the same person.
        Actor::User(user) if is_post && is_invitation(path) => {
            return rate_limit::count(app, INVITATIONS, &user.to_string()).await;
        }
        Actor::User(user) => caller.session.unwrap_or(user.0).to_string(),
        Actor::Token(token) => token.to_string(),
        Actor::Publisher(publisher) => publisher.to_string(),
        Actor::System => return None,
    };
    let limit = match path {
        "/api/v1/reports" if is_post => Limit { name: "uploads", per_minute: app.config.rate_limit_uploads },
        "/api/v1/auth/change-password" if is_post => PASSWORD,
        _ => Limit { name: "calls", per_minute: app.config.rate_limit_calls },
    };
    rate_limit::count(app, limit, &who).await
}

/// Counts a call whose credential was refused against its address.
pub(super) async fn of_stranger(app: &App, parts: &Parts) -> Option<Verdict> {
    rate_limit::count(app, ANYBODY, &address(app, parts)).await
}

/// An IPv6 client has a whole /64 to call from.
fn address(app: &App, parts: &Parts) -> String {
    match client_ip(&app.config.trusted_proxies, parts) {
        Some(IpAddr::V6(ip)) => format!("{:x?}", &ip.segments()[..4]),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        None => "unknown".to_owned(),
    }
}

/// Answers, or refuses; either way the answer says how the limit stands.
pub(super) async fn guarded(verdict: Option<Verdict>, answer: impl Future<Output = Response>) -> Response {
    let Some(verdict) = verdict else { return answer.await };
    let mut response = if verdict.is_allowed { answer.await } else { refusal(&verdict) };
    let values = [i64::from(verdict.limit), i64::from(verdict.remaining), verdict.reset];
    for (name, value) in HEADERS.into_iter().zip(values) {
        response.headers_mut().entry(name).or_insert(HeaderValue::from(value));
    }
    response
}

fn refusal(verdict: &Verdict) -> Response {
    let message = format!("more than {} calls in a minute; wait a little", verdict.limit);
    ApiError::new(ErrorKind::RateLimited, "rate_limited", message).with_retry_after(verdict.retry_after).into_response()
}
