//! Projects: made by their first report.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, ProjectId,
    events::project::{Created, Event},
};
use std::convert::Infallible;

/// Decides about one project.
#[derive(Debug)]
pub struct Project;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether the project exists.
    pub exists: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make sure that it exists.
    Create {
        /// Which.
        project: ProjectId,
        /// Its name, as the report or the upload gave it.
        name: String,
        /// The branch that others are compared with.
        default_branch: String,
    },
}

/// Why not: nothing about projects can be refused so far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Reject(#[from] Infallible);

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self.0 {}
    }
    fn code(&self) -> &'static str {
        match self.0 {}
    }
}

impl Decider for Project {
    const KIND: Kind = Kind::Project;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let Command::Create { project, name, default_branch } = command;
        if state.exists {
            return Ok(Vec::new());
        }
        Ok(vec![Event::Created(Created { project, name, default_branch })])
    }

    fn evolve(_state: State, event: &Event) -> State {
        let Event::Created(_) = event;
        State { exists: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::decide;

    fn create(name: &str) -> Command {
        let project = ProjectId::derived(&[b"shop"]);
        Command::Create { project, name: name.into(), default_branch: "main".into() }
    }

    #[test]
    fn the_first_report_makes_the_project_and_the_second_changes_nothing() {
        let events = decide::<Project>(&[], create("shop")).unwrap();
        let project = ProjectId::derived(&[b"shop"]);
        assert_eq!(events, [Event::Created(Created { project, name: "shop".into(), default_branch: "main".into() })]);
        assert_eq!(decide::<Project>(&events, create("other")), Ok(vec![]));
    }
}
