//! Reports: taken in once, deleted once, and then free to be sent again.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Hash16, Kind, ReportId, RollupId, UploadId,
    events::report::{Chunks, Deleted, Event, Ingested, Sealed},
    retention::Part,
};

/// Decides about one report.
#[derive(Debug)]
pub struct Report;

/// The upload that a report consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Which try.
    pub upload: UploadId,
    /// Its chunks in the log.
    pub chunks: Chunks,
    /// Hash of the inflated document.
    pub body: Hash16,
    /// With which others its results are dropped.
    pub part: Part,
    /// The roll-up that holds what histories need of it.
    pub rollup: Option<RollupId>,
}

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Present while the report is there.
    pub live: Option<Live>,
    /// Whether it was deleted before.
    pub deleted: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take it in. Its chunks are in the log already.
    Ingest(Box<Ingested>),
    /// What histories need of it stands in a roll-up.
    Seal {
        /// Which.
        report: ReportId,
        /// The upload that was rolled up.
        upload: UploadId,
        /// Where it stands.
        rollup: RollupId,
    },
    /// Forget it.
    Delete {
        /// Which.
        report: ReportId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It is there, from another upload.
    #[error("this report exists already")]
    Exists,
    /// There is none, or not any more.
    #[error("report not found")]
    NotFound,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "report_exists",
            Self::NotFound => "report_not_found",
        }
    }
}

impl Decider for Report {
    const KIND: Kind = Kind::Report;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match (command, &state.live) {
            (Command::Ingest(ingested), None) => Ok(vec![Event::Ingested(ingested)]),
            (Command::Ingest(ingested), Some(live)) if ingested.upload == live.upload => Ok(Vec::new()),
            (Command::Ingest(_), Some(_)) => Err(Reject::Exists),
            (Command::Delete { .. } | Command::Seal { .. }, None) => Err(Reject::NotFound),
            // Another upload was rolled up than the one that is there now.
            (Command::Seal { upload, .. }, Some(live)) if upload != live.upload => Err(Reject::NotFound),
            (Command::Seal { .. }, Some(live)) if live.rollup.is_some() => Ok(Vec::new()),
            (Command::Seal { report, upload, rollup }, Some(_)) => {
                Ok(vec![Event::Sealed(Sealed { report, upload, rollup })])
            }
            (Command::Delete { report }, Some(live)) => {
                Ok(vec![Event::Deleted(Deleted { report, upload: live.upload, chunks: live.chunks })])
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Ingested(ingested) => {
                state.live = Some(Live {
                    upload: ingested.upload,
                    chunks: ingested.chunks,
                    body: ingested.body.hash,
                    part: ingested.part(),
                    rollup: None,
                });
            }
            Event::Sealed(sealed) => {
                if let Some(live) = state.live.as_mut().filter(|live| live.upload == sealed.upload) {
                    live.rollup = Some(sealed.rollup);
                }
            }
            Event::Deleted(_) => {
                state.live = None;
                state.deleted = true;
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history, noon};
    use proptest::prelude::*;
    use scaledtest_domain::{ProjectId, RunId, events::report::Body};

    fn id() -> ReportId {
        ReportId::derived(&[b"report"])
    }

    fn ingest(upload: u8) -> Command {
        let hash = Hash16::of(&[upload]);
        Command::Ingest(Box::new(Ingested {
            report: id(),
            project: ProjectId::derived(&[b"p"]),
            run: RunId::derived(&[b"r"]),
            run_key: None,
            shard_id: None,
            shards: None,
            upload: UploadId::derived(&[&[upload]]),
            chunks: Chunks { count: 1, first: u64::from(upload), last: u64::from(upload), hash },
            body: Body { hash, bytes: 1, media_type: "application/json".into() },
            meta: Default::default(),
            counts: Default::default(),
            origin: Default::default(),
            tags: Vec::new(),
            run_at: noon(),
            created_at: noon(),
            diagnostics: Vec::new(),
            execution: None,
            triage_github_status: false,
            github: None,
            claim: None,
            part: None,
        }))
    }

    fn delete() -> Command {
        Command::Delete { report: id() }
    }

    #[test]
    fn another_upload_of_a_report_that_is_there_is_refused_and_the_same_one_changes_nothing() {
        let events = history::<Report>(vec![ingest(1)]);
        assert_eq!(decide::<Report>(&events, ingest(1)), Ok(vec![]));
        assert_eq!(decide::<Report>(&events, ingest(2)), Err(Reject::Exists));
    }

    #[test]
    fn deleting_names_what_is_to_be_erased_and_works_once() {
        let events = history::<Report>(vec![ingest(1), delete()]);
        let Some(Event::Deleted(deleted)) = events.last() else { panic!("{events:?}") };
        assert_eq!((deleted.upload, deleted.chunks.first), (UploadId::derived(&[&[1]]), 1));
        assert_eq!(decide::<Report>(&events, delete()), Err(Reject::NotFound));
        assert_eq!(decide::<Report>(&[], delete()), Err(Reject::NotFound));
    }

    fn seal(upload: u8, rollup: u8) -> Command {
        let (upload, rollup) = (UploadId::derived(&[&[upload]]), RollupId::derived(&[&[rollup]]));
        Command::Seal { report: id(), upload, rollup }
    }

    #[test]
    fn a_report_is_sealed_once_and_only_the_upload_that_is_there() {
        assert_eq!(decide::<Report>(&[], seal(1, 1)), Err(Reject::NotFound));
        let events = history::<Report>(vec![ingest(1), seal(1, 1)]);
        assert_eq!(events.len(), 2);
        assert_eq!(decide::<Report>(&events, seal(1, 2)), Ok(vec![]));
        let events = history::<Report>(vec![ingest(1), seal(1, 1), delete(), ingest(2)]);
        assert_eq!(decide::<Report>(&events, seal(1, 1)), Err(Reject::NotFound));
        assert!(matches!(decide::<Report>(&events, seal(2, 2)).as_deref(), Ok([Event::Sealed(_)])));
    }

    #[test]
    fn a_deleted_report_can_be_sent_again() {
        let events = history::<Report>(vec![ingest(1), delete(), ingest(2)]);
        assert!(matches!(events.last(), Some(Event::Ingested(again)) if again.upload == UploadId::derived(&[&[2]])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn ingests_and_deletes_alternate_and_each_delete_names_the_upload_before_it(
            steps in prop::collection::vec(prop::option::of(0..4_u8), 0..20),
        ) {
            let commands = steps.into_iter().map(|step| step.map_or_else(delete, ingest)).collect();
            let mut live = None;
            for event in history::<Report>(commands) {
                match event {
                    Event::Ingested(ingested) => prop_assert_eq!(live.replace(ingested.upload), None),
                    Event::Deleted(deleted) => prop_assert_eq!(live.take(), Some(deleted.upload)),
                    Event::Sealed(_) => prop_assert!(false, "nobody asked for that"),
                }
            }
        }
    }
}
