//! What gates say of a report that has just arrived.

use super::dto::QualityGateAnswer;
use crate::{app::App, ingest::Accepted};
use scaledtest_domain::{Actor, Position, TeamId};
use scaledtest_effects::{Cause, evaluate_gates};

/// The answer, if the team has an enabled gate (`has_gate`), and where the newest evaluation stands. The report is taken in
/// whatever becomes of this: what cannot be said now is `pending`, and is said later.
pub(in crate::http) async fn of_upload(
    app: &App,
    team: TeamId,
    accepted: &Accepted,
    actor: Actor,
    (has_gate, is_visible): (Option<bool>, bool),
) -> (Option<QualityGateAnswer>, Option<Position>) {
    match has_gate {
        Some(false) => return (None, None),
        Some(true) if is_visible => {}
        Some(true) | None => return (Some(QualityGateAnswer::pending()), None),
    }
    let cause = Cause {
        team,
        report: accepted.report.report,
        run: accepted.report.run,
        report_no: Some(accepted.position.n),
        actor,
        at: app.clock.now(),
    };
    match evaluate_gates(&app.log, (&app.db, &app.recent), &cause).await {
        Ok(Some(all)) => {
            let last = all.iter().map(|(_, position)| *position).max();
            (Some(QualityGateAnswer::of(all.into_iter().map(|(one, _)| *one).collect())), last)
        }
        Ok(None) => (Some(QualityGateAnswer::pending()), None),
        Err(error) => {
            tracing::warn!(%error, "the gates of an upload are evaluated later");
            (Some(QualityGateAnswer::pending()), None)
        }
    }
}
