//! Evaluations of quality gates: each happens once.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind,
    events::evaluation::{Evaluated, Event},
};

/// Decides about one evaluation.
#[derive(Debug)]
pub struct Evaluation;

/// What deciding needs to know: what came of it, once it was made.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// As it was recorded first.
    pub evaluated: Option<Box<Evaluated>>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Record what came of an evaluation, unless it was recorded before.
    Record(Box<Evaluated>),
}

/// Nothing is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reject {}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
    fn code(&self) -> &'static str {
        "internal"
    }
}

impl Decider for Evaluation {
    const KIND: Kind = Kind::Evaluation;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, Command::Record(evaluated): Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        Ok(if state.evaluated.is_some() { Vec::new() } else { vec![Event::Evaluated(evaluated)] })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        let Event::Evaluated(evaluated) = event;
        state.evaluated.get_or_insert_with(|| evaluated.clone());
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history};
    use scaledtest_domain::{
        EvaluationId, GateId, ReportId, RunId,
        gate::{Outcome, Seen},
    };

    fn evaluated(outcome: Outcome) -> Box<Evaluated> {
        Box::new(Evaluated {
            evaluation: EvaluationId::derived(&[b"e"]),
            gate: GateId::derived(&[b"g"]),
            name: "Main".into(),
            version: 1,
            report: ReportId::derived(&[b"r"]),
            run: RunId::derived(&[b"r"]),
            report_no: Some(3),
            rules: Vec::new(),
            baseline: None,
            seen: Seen::default(),
            outcome,
            results: Vec::new(),
        })
    }

    #[test]
    fn what_was_recorded_first_stands() {
        let events = history::<Evaluation>(vec![Command::Record(evaluated(Outcome::Failed))]);
        assert_eq!(events, [Event::Evaluated(evaluated(Outcome::Failed))]);
        assert_eq!(decide::<Evaluation>(&events, Command::Record(evaluated(Outcome::Passed))), Ok(vec![]));
        assert_eq!(after::<Evaluation>(&events).evaluated, Some(evaluated(Outcome::Failed)));
    }
}
