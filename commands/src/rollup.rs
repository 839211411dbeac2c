//! Roll-ups of reports whose results are dropped. Rewritten without a report that is deleted later.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, RollupId, UploadId,
    events::rollup::{Erased, Event, Sealed},
};

/// Decides about one roll-up.
#[derive(Debug)]
pub struct Rollup;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What it holds and where, while it does.
    pub sealed: Option<Sealed>,
    /// Whether there ever was one.
    pub existed: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Write it down for the first time. Its chunks are in the log already.
    Seal(Sealed),
    /// Write it down without some of its reports.
    Rewrite {
        /// What it was made from.
        from: UploadId,
        /// What is left.
        sealed: Sealed,
    },
    /// None of its reports is left.
    Erase {
        /// Which.
        rollup: RollupId,
        /// What it was.
        from: UploadId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Somebody else wrote it down, or wrote it anew.
    #[error("this roll-up was changed in the meantime")]
    Changed,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "rollup_changed"
    }
}

impl Decider for Rollup {
    const KIND: Kind = Kind::Rollup;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let upload = state.sealed.as_ref().map(|sealed| sealed.upload);
        match command {
            Command::Seal(sealed) if !state.existed => Ok(vec![Event::Sealed(sealed)]),
            Command::Seal(sealed) if upload == Some(sealed.upload) => Ok(Vec::new()),
            Command::Rewrite { from, sealed } if upload == Some(from) => Ok(vec![Event::Sealed(sealed)]),
            Command::Erase { rollup, from } if upload == Some(from) => Ok(vec![Event::Erased(Erased { rollup })]),
            Command::Seal(_) | Command::Rewrite { .. } | Command::Erase { .. } => Err(Reject::Changed),
        }
    }

    fn evolve(_state: State, event: &Event) -> State {
        match event {
            Event::Sealed(sealed) => State { sealed: Some(sealed.clone()), existed: true },
            Event::Erased(_) => State { sealed: None, existed: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history, noon};
    use scaledtest_domain::{
        Hash16, ProjectId,
        events::report::Chunks,
        retention::{Part, Retention},
    };

    fn sealed(upload: u8) -> Sealed {
        Sealed {
            rollup: RollupId::derived(&[b"r"]),
            project: ProjectId::derived(&[b"p"]),
            part: Part::of(Retention::Days30, noon(), noon()),
            reports: Vec::new(),
            upload: UploadId::derived(&[&[upload]]),
            chunks: Chunks { count: 1, first: 1, last: 1, hash: Hash16::of(&[upload]) },
        }
    }

    #[test]
    fn a_roll_up_is_written_once_and_changed_only_by_who_knows_the_newest() {
        let events = history::<Rollup>(vec![Command::Seal(sealed(1))]);
        assert_eq!(decide::<Rollup>(&events, Command::Seal(sealed(1))), Ok(vec![]));
        assert_eq!(decide::<Rollup>(&events, Command::Seal(sealed(2))), Err(Reject::Changed));
        let rewrite = |from: u8, to| Command::Rewrite { from: sealed(from).upload, sealed: sealed(to) };
        assert_eq!(decide::<Rollup>(&events, rewrite(2, 3)), Err(Reject::Changed));
        let events = history::<Rollup>(vec![Command::Seal(sealed(1)), rewrite(1, 2)]);
        assert_eq!(decide::<Rollup>(&events, rewrite(1, 3)), Err(Reject::Changed));
        let erase = |from: u8| Command::Erase { rollup: sealed(1).rollup, from: sealed(from).upload };
        assert_eq!(decide::<Rollup>(&events, erase(1)), Err(Reject::Changed));
        let events = history::<Rollup>(vec![Command::Seal(sealed(1)), rewrite(1, 2), erase(2)]);
        assert_eq!(events.len(), 3);
        assert_eq!(decide::<Rollup>(&events, Command::Seal(sealed(1))), Err(Reject::Changed));
    }
}
