//! Runs that somebody wants to keep.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, ProjectId, RunId,
    events::run::{Event, Pinned, Unpinned},
};

/// Decides about one run.
#[derive(Debug)]
pub struct Run;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether its results are kept beyond their time.
    pub is_pinned: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Keep its results, or don't any more.
    Pin {
        /// Which.
        run: RunId,
        /// Its project.
        project: ProjectId,
        /// Whether to keep them.
        keep: bool,
        /// Whether some of its results are dropped already, as far as the caller saw.
        is_dropped: bool,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is nothing left to keep.
    #[error("the results of this run were dropped: there is nothing left to keep")]
    Dropped,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "results_dropped"
    }
}

impl Decider for Run {
    const KIND: Kind = Kind::Run;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Pin { keep, .. } if keep == state.is_pinned => Ok(Vec::new()),
            Command::Pin { keep: true, is_dropped: true, .. } => Err(Reject::Dropped),
            Command::Pin { run, project, keep: true, .. } => Ok(vec![Event::Pinned(Pinned { run, project })]),
            Command::Pin { run, project, .. } => Ok(vec![Event::Unpinned(Unpinned { run, project })]),
        }
    }

    fn evolve(_state: State, event: &Event) -> State {
        State { is_pinned: matches!(event, Event::Pinned(_)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history};

    fn pin(keep: bool, is_dropped: bool) -> Command {
        Command::Pin { run: RunId::derived(&[b"r"]), project: ProjectId::derived(&[b"p"]), keep, is_dropped }
    }

    #[test]
    fn pinning_and_unpinning_are_said_once_each() {
        let events = history::<Run>(vec![pin(false, false), pin(true, false), pin(true, false), pin(false, false)]);
        assert!(matches!(events.as_slice(), [Event::Pinned(_), Event::Unpinned(_)]), "{events:?}");
    }

    #[test]
    fn what_was_dropped_cannot_be_kept_but_can_be_let_go() {
        assert_eq!(decide::<Run>(&[], pin(true, true)), Err(Reject::Dropped));
        let events = history::<Run>(vec![pin(true, false)]);
        assert!(matches!(decide::<Run>(&events, pin(false, true)).as_deref(), Ok([Event::Unpinned(_)])));
    }
}
