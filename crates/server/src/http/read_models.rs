//! Which read models an operation reads. A read names them as the parameter of [`WaitMin`], and waits for these only: what has
//! stopped elsewhere does not stop it.

use super::{
    error::ApiError,
    extract::{CATCH_UP, ST_MIN_POSITION},
};
use crate::app::AppState;
use axum::{extract::FromRequestParts, http::request::Parts};
use scaledtest_domain::Position;
use std::marker::PhantomData;

/// A set of projections.
pub trait ReadModels {
    /// Their names.
    const NAMES: &'static [&'static str];
}

/// Accounts, teams, members, tokens, invitations, trusted workflows, links to runs. Every operation reads these: who may do what is in them.
#[derive(Debug, Clone, Copy)]
pub struct Access;

/// Projects, runs, reports and results, beside [`Access`].
#[derive(Debug, Clone, Copy)]
pub struct Reports;

/// Histories of tests and sums over time, beside [`Reports`].
#[derive(Debug, Clone, Copy)]
pub struct History;

/// Tests in quarantine, beside [`History`].
#[derive(Debug, Clone, Copy)]
pub struct Quarantine;

/// Known issues, beside [`History`].
#[derive(Debug, Clone, Copy)]
pub struct Issues;

/// Known issues, beside [`Quarantine`]: what verdicts are made from.
#[derive(Debug, Clone, Copy)]
pub struct Verdicts;

/// Quality gates, their waivers and evaluations, beside [`Access`].
#[derive(Debug, Clone, Copy)]
pub struct Gates;

/// What gates look at, beside [`Gates`].
#[derive(Debug, Clone, Copy)]
pub struct Judging;

/// The audit log, beside [`Access`].
#[derive(Debug, Clone, Copy)]
pub struct AuditLog;

impl ReadModels for Access {
    const NAMES: &'static [&'static str] = &["access"];
}

impl ReadModels for Reports {
    const NAMES: &'static [&'static str] = &["access", "reports"];
}

impl ReadModels for History {
    const NAMES: &'static [&'static str] = &["access", "reports", "history"];
}

impl ReadModels for Quarantine {
    const NAMES: &'static [&'static str] = &["access", "reports", "history", "quarantine"];
}

impl ReadModels for Issues {
    const NAMES: &'static [&'static str] = &["access", "reports", "history", "issues"];
}

impl ReadModels for Verdicts {
    const NAMES: &'static [&'static str] = &["access", "reports", "history", "quarantine", "issues"];
}

impl ReadModels for Gates {
    const NAMES: &'static [&'static str] = &["access", "gates"];
}

impl ReadModels for Judging {
    const NAMES: &'static [&'static str] = &["access", "reports", "history", "quarantine", "issues", "gates"];
}

impl ReadModels for AuditLog {
    const NAMES: &'static [&'static str] = &["access", "audit"];
}

/// Makes a read wait until the read models that it reads have seen `ST-Min-Position`, at most 2 s.
#[derive(Debug, Clone, Copy)]
pub struct WaitMin<R = Access>(PhantomData<R>);

impl<R: ReadModels> FromRequestParts<AppState> for WaitMin<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(ST_MIN_POSITION) else { return Ok(Self(PhantomData)) };
        let position = value.to_str().ok().and_then(|text| text.trim().parse::<Position>().ok());
        let Some(position) = position else {
            let message = "invalid ST-Min-Position: must be a value that an ST-Position header gave";
            return Err(ApiError::invalid("invalid_position", message));
        };
        if app.positions.wait(R::NAMES, position, CATCH_UP).await {
            return Ok(Self(PhantomData));
        }
        let message = "the read models have not reached this position yet; retry";
        Err(ApiError::unavailable("projection_lagging", message).with_retry_after(1))
    }
}
