//! The refresh cookie, and who may make a browser send it.

use crate::{
    app::App,
    http::{error::ApiError, middleware::allowed_origins},
};
use axum::http::{HeaderMap, HeaderValue, header};

/// Its name.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// The header that sets it; an empty token clears it.
pub fn refresh_cookie(app: &App, headers: &HeaderMap, token: &str) -> HeaderMap {
    let life = if token.is_empty() { 0 } else { app.config.jwt_refresh_duration.as_secs() };
    let value = format!("{REFRESH_TOKEN}={token}; Path=/auth; Max-Age={life}; HttpOnly; SameSite=Strict");
    set_cookie(app, headers, value)
}

/// The header that sets any cookie, marked Secure where the browser speaks https.
pub fn set_cookie(app: &App, headers: &HeaderMap, mut value: String) -> HeaderMap {
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    if forwarded || app.config.base_url.starts_with("https://") {
        value.push_str("; Secure");
    }
    let mut set = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(value) {
        set.insert(header::SET_COOKIE, value);
    }
    set
}

/// Refuses requests that another site's page makes the browser send. Programs send no `Origin` and pass.
///
/// # Errors
/// 403 for a foreign origin.
pub fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same_host = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    if same_host || allowed_origins(app).any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(ApiError::forbidden("foreign_origin", "requests from another site are refused here"))
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let found = cookies(headers).find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// Names and values of all cookies, as the browser orders them.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}
