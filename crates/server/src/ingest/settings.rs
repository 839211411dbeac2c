//! What a team has chosen, as far as its uploads go by it.

use crate::{app::App, http::error::ApiError};
use scaledtest_domain::{TeamId, retention::Retention};
use scaledtest_projections::{access::queries as access, gates::has_enabled_gate};

/// What an upload goes by.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long results are kept.
    pub retention: Retention,
    /// Whether there is a gate to pass; none where that cannot be told at the moment.
    pub has_gate: Option<bool>,
}

impl Settings {
    /// Those of a team. Whoever changes one through this server calls [`Settings::changed`].
    ///
    /// # Errors
    /// 503 when the database is away.
    pub async fn of(app: &App, team: TeamId) -> Result<Self, ApiError> {
        let asked = app.clock.now();
        if let Some(known) = app.upload_settings.get(&team, asked) {
            return Ok(known);
        }
        let (retention, gate) = tokio::join!(access::retention(&app.db, team), has_enabled_gate(&app.db, team));
        let has_gate = gate.inspect_err(|error| tracing::warn!(%error, "the gates of a team cannot be read")).ok();
        let settings = Self { retention: retention?.unwrap_or(app.config.retention_days), has_gate };
        if has_gate.is_some() {
            app.upload_settings.put(team, asked, settings);
        }
        Ok(settings)
    }

    /// The next upload asks again.
    pub fn changed(app: &App, team: TeamId) {
        app.upload_settings.forget(team, app.clock.now());
    }
}
