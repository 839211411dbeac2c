//! Projects: made by their first report; and who owns their tests.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, ProjectId,
    events::project::{Created, Event, OwnersChanged},
};

/// Decides about one project.
#[derive(Debug)]
pub struct Project;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether the project exists.
    pub exists: bool,
    /// The text of its `CODEOWNERS` file.
    pub codeowners: String,
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
    /// Say who owns its tests.
    ChangeOwners {
        /// Which.
        project: ProjectId,
        /// The text of a `CODEOWNERS` file; empty for none.
        codeowners: String,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Its first report makes it.
    #[error("project not found: it is made by its first report")]
    NotFound,
    /// The file is too long.
    #[error("codeowners must have at most {MAX_CODEOWNERS} bytes")]
    TooLong,
}

/// Bytes of a `CODEOWNERS` file, at most.
pub const MAX_CODEOWNERS: usize = 256 * 1024;

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::TooLong => ErrorKind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "project_not_found",
            Self::TooLong => "invalid_codeowners",
        }
    }
}

impl Decider for Project {
    const KIND: Kind = Kind::Project;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Create { .. } if state.exists => Ok(Vec::new()),
            Command::Create { project, name, default_branch } => {
                Ok(vec![Event::Created(Created { project, name, default_branch })])
            }
            Command::ChangeOwners { .. } if !state.exists => Err(Reject::NotFound),
            Command::ChangeOwners { codeowners, .. } if codeowners.len() > MAX_CODEOWNERS => Err(Reject::TooLong),
            Command::ChangeOwners { codeowners, .. } if codeowners == state.codeowners => Ok(Vec::new()),
            Command::ChangeOwners { project, codeowners } => {
                Ok(vec![Event::OwnersChanged(OwnersChanged { project, codeowners })])
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match event {
            Event::Created(_) => State { exists: true, ..state },
            Event::OwnersChanged(changed) => State { codeowners: changed.codeowners.clone(), ..state },
        }
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

    #[test]
    fn owners_are_of_a_project_that_exists_and_change_only_when_they_differ() {
        let project = ProjectId::derived(&[b"shop"]);
        let change = |text: &str| Command::ChangeOwners { project, codeowners: text.into() };
        assert_eq!(decide::<Project>(&[], change("* @all")), Err(Reject::NotFound));
        let mut events = decide::<Project>(&[], create("shop")).unwrap();
        assert_eq!(decide::<Project>(&events, change("")), Ok(vec![]), "there were none");
        events.extend(decide::<Project>(&events, change("* @all")).unwrap());
        let changed = Event::OwnersChanged(OwnersChanged { project, codeowners: "* @all".into() });
        assert_eq!(events.last(), Some(&changed));
        assert_eq!(decide::<Project>(&events, change("* @all")), Ok(vec![]));
        assert_eq!(decide::<Project>(&events, change("")).unwrap().len(), 1);
        assert_eq!(decide::<Project>(&events, change(&"#".repeat(MAX_CODEOWNERS + 1))), Err(Reject::TooLong));
        assert_eq!(decide::<Project>(&events, create("other")), Ok(vec![]));
    }
}
