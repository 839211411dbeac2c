//! The write path: load, decide, append with an expectation, again on a conflict.

use crate::{EventLog, ExecuteError, LogError, Recorded, log::Backend};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rand::Rng;
use scaledtest_domain::{
    Actor, CommandId, Commit, CommitId, Decider, Event, Hash16, Position, StreamId, truncate_to_micros,
};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// What is known of a command beside what it wants.
#[derive(Debug, Clone)]
pub struct CommandMeta {
    /// The key of idempotency: the same id never causes two commits of an aggregate.
    pub command: CommandId,
    /// Hash of the normalised request, where a repeated id with another request must be refused.
    pub request: Option<Hash16>,
    /// Who wants it.
    pub actor: Actor,
    /// When: the time that is decided with and recorded (microseconds; finer is cut off).
    pub at: DateTime<Utc>,
    /// What it belongs to (a request id).
    pub correlation: Option<Uuid>,
    /// The commit whose event made a reactor issue it.
    pub causation: Option<CommitId>,
}

impl CommandMeta {
    /// A command of this program's own, that belongs to nothing.
    pub fn of_system(command: CommandId, at: DateTime<Utc>) -> Self {
        Self { command, request: None, actor: Actor::System, at, correlation: None, causation: None }
    }
}

/// A command that was carried out, now or earlier.
pub struct Executed<D: Decider> {
    /// The commit's position; for a command that found everything already so, the aggregate's last.
    pub position: Position,
    /// What happened; empty if everything was already so.
    pub events: Vec<D::Event>,
    /// The aggregate's state now.
    pub state: D::State,
    /// An earlier commit of the same command is the answer.
    pub replayed: bool,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The commit; none if everything was already so.
    pub commit: Option<CommitId>,
}

/// What became of an append.
pub(crate) enum Appended {
    At(u64),
    /// The log had a message of that id already.
    Duplicate,
    /// The aggregate's last commit is another than expected.
    Conflict,
}

/// A message to append to `EV`.
pub(crate) struct Append {
    pub subject: String,
    pub id: String,
    pub expected: u64,
    pub types: String,
    pub payload: Bytes,
}

/// Decisions that may fall to a version conflict before the caller is told.
const CONFLICTS: u32 = 5;

/// An aggregate folded up.
struct History<D: Decider> {
    state: D::State,
    /// Sequence of its last commit.
    last: u64,
    version: u64,
    prev: Option<Hash16>,
    /// The commit of the command at hand.
    answer: Option<(Recorded, Vec<D::Event>)>,
}

impl<D: Decider> Default for History<D> {
    fn default() -> Self {
        Self { state: D::State::default(), last: 0, version: 0, prev: None, answer: None }
    }
}

impl EventLog {
    /// Carries out a command on an aggregate: exactly once, however often it is sent.
    ///
    /// # Errors
    /// See [`ExecuteError`]. After [`LogError::Unavailable`] the outcome is unknown, and the same command (same id) can
    /// be sent again.
    pub async fn execute<D: Decider>(
        &self,
        stream: StreamId,
        command: D::Command,
        meta: &CommandMeta,
    ) -> Result<Executed<D>, ExecuteError<D::Reject>> {
        let history = self.history::<D>(&stream, meta.command).await?;
        self.run(stream, command, meta, history, true).await
    }

    /// Like [`Self::execute`], for a command that most likely makes the aggregate: the first try doesn't read the log.
    /// Whether the guess was right changes only the speed.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn execute_new<D: Decider>(
        &self,
        stream: StreamId,
        command: D::Command,
        meta: &CommandMeta,
    ) -> Result<Executed<D>, ExecuteError<D::Reject>> {
        self.run(stream, command, meta, History::default(), false).await
    }

    async fn run<D: Decider>(
        &self,
        stream: StreamId,
        command: D::Command,
        meta: &CommandMeta,
        mut history: History<D>,
        mut loaded: bool,
    ) -> Result<Executed<D>, ExecuteError<D::Reject>> {
        let (subject, at, until) = (stream.subject(), truncate_to_micros(meta.at), self.until());
        let mut ours = Vec::new();
        for conflicts in 0..=CONFLICTS {
            if conflicts > 0 {
                // Everybody who lost the same race waits differently long.
                // Whoever only guessed that the aggregate is new lost no race.
                if loaded {
                    tokio::time::sleep(jitter(conflicts)).await;
                }
                history = self.history(&stream, meta.command).await?;
                loaded = true;
            }
            if let Some((earlier, events)) = history.answer {
                return self.answer(earlier, events, history.state, meta, &ours);
            }
            let decided = D::decide(&history.state, command.clone(), at);
            let settled = !matches!(&decided, Ok(events) if !events.is_empty());
            // Nothing will be appended, so nothing would show that the state was old: ask the leader.
            if settled && !(loaded && self.last_of(&subject).await? == history.last) {
                continue;
            }
            let events = decided.map_err(ExecuteError::Rejected)?;
            if events.is_empty() {
                let position = Position { epoch: self.epoch(), n: history.last };
                return Ok(Executed { position, events, state: history.state, replayed: false, at, commit: None });
            }
            let commit = build(&stream, &history, &events, meta, at)?;
            ours.push(commit.commit);
            if let Appended::At(n) = self.append(&subject, &commit, history.last, until).await? {
                let state = events.iter().fold(history.state, D::evolve);
                let position = Position { epoch: self.epoch(), n };
                return Ok(Executed { position, events, state, replayed: false, at, commit: Some(commit.commit) });
            }
        }
        Err(ExecuteError::Conflict)
    }

    fn answer<D: Decider>(
        &self,
        earlier: Recorded,
        events: Vec<D::Event>,
        state: D::State,
        meta: &CommandMeta,
        ours: &[CommitId],
    ) -> Result<Executed<D>, ExecuteError<D::Reject>> {
        let commit = &earlier.commit;
        if commit.req.is_some() && commit.req != meta.request {
            return Err(ExecuteError::KeyReused);
        }
        Ok(Executed {
            position: Position { epoch: self.epoch(), n: earlier.n },
            events,
            state,
            // An append of this very call whose answer got lost is no replay.
            replayed: !ours.contains(&commit.commit),
            at: commit.at,
            commit: Some(commit.commit),
        })
    }

    /// What became of an aggregate: its commits folded up. On a cluster the very newest may be missing.
    ///
    /// # Errors
    /// As [`Self::load`]; [`LogError::Decode`] or [`LogError::Broken`] also for events that are not of this kind.
    pub async fn state<D: Decider>(&self, stream: &StreamId) -> Result<D::State, LogError> {
        let mut state = D::State::default();
        for recorded in self.load(stream).await? {
            state = events_of::<D>(stream, &recorded)?.iter().fold(state, D::evolve);
        }
        Ok(state)
    }

    async fn history<D: Decider>(&self, stream: &StreamId, command: CommandId) -> Result<History<D>, LogError> {
        let mut history = History::default();
        for recorded in self.load(stream).await? {
            let events = events_of::<D>(stream, &recorded)?;
            history.state = events.iter().fold(history.state, D::evolve);
            history.last = recorded.n;
            history.version = recorded.commit.next_version();
            history.prev = Some(recorded.hash);
            if recorded.commit.cmd == command {
                history.answer = Some((recorded, events));
            }
        }
        Ok(history)
    }

    async fn append(
        &self,
        subject: &str,
        commit: &Commit,
        expected: u64,
        until: Instant,
    ) -> Result<Appended, LogError> {
        let (payload, _) = commit.encode().map_err(LogError::Encode)?;
        let types = commit.events.iter().map(|event| event.t.as_str()).collect::<Vec<_>>().join(",");
        let append = Append {
            subject: subject.to_owned(),
            // Ids are unique per stream of the log, not per subject: one command may write to two aggregates.
            id: format!("{}:{}", commit.cmd.0.simple(), commit.id.simple()),
            expected,
            types,
            payload: payload.into(),
        };
        match &self.backend {
            Backend::Nats(nats) => nats.append(&append, until).await,
            Backend::Memory(memory) => Ok(memory.append(append)),
        }
    }
}

fn jitter(conflicts: u32) -> Duration {
    Duration::from_micros(rand::rng().random_range(0..4_000 << conflicts))
}

fn events_of<D: Decider>(stream: &StreamId, recorded: &Recorded) -> Result<Vec<D::Event>, LogError> {
    let n = recorded.n;
    let events = recorded.commit.decode_events().map_err(|source| LogError::Decode { n, source })?;
    let foreign = |_| LogError::Broken { stream: *stream, n, reason: "an event of another kind".to_owned() };
    events.into_iter().map(|event| D::Event::try_from(event).map_err(|_| ()).map_err(foreign)).collect()
}

fn build<D: Decider>(
    stream: &StreamId,
    history: &History<D>,
    events: &[D::Event],
    meta: &CommandMeta,
    at: DateTime<Utc>,
) -> Result<Commit, LogError> {
    let events = events
        .iter()
        .map(|event| Into::<Event>::into(event.clone()).encode())
        .collect::<Result<Vec<_>, _>>()
        .map_err(LogError::Encode)?;
    Ok(Commit {
        v: Commit::envelope_version(),
        commit: CommitId::new(),
        cmd: meta.command,
        req: meta.request,
        team: stream.team,
        kind: stream.kind,
        id: stream.id,
        version: history.version,
        prev: history.prev,
        at,
        actor: meta.actor,
        corr: meta.correlation,
        cause: meta.causation,
        events,
    })
}
