//! A small decider to write with, and a real server to write to.
#![allow(dead_code, reason = "each test file uses a part")]

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Actor, CommandId, CommitId, Decider, ErrorKind, Hash16, Kind, Reject, StreamId, TeamId, TeamRole, UserId,
    events::team::{Created, Event, MemberAdded},
};
use scaledtest_eventlog::{CommandMeta, EventLog, NatsOptions};
use scaledtest_testkit::Nats;
use std::time::Duration;

/// Teams with room for a few.
pub struct Team;

pub const ROOM: usize = 12;

#[derive(Debug, Default, Clone, PartialEq)]
pub struct State {
    pub name: Option<String>,
    pub members: Vec<UserId>,
}

#[derive(Debug, Clone)]
pub enum Command {
    Create(String),
    Add(UserId),
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the team exists")]
    Exists,
    #[error("there is no such team")]
    Missing,
    #[error("the team is full")]
    Full,
}

impl Reject for Refusal {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "refused"
    }
}

impl Decider for Team {
    const KIND: Kind = Kind::Team;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Refusal;

    fn decide(state: &State, command: Command, _: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Create(_) if state.name.is_some() => Err(Refusal::Exists),
            Command::Create(name) => Ok(vec![Event::Created(Created { team: TeamId::derived(&[]), name })]),
            Command::Add(_) if state.name.is_none() => Err(Refusal::Missing),
            Command::Add(user) if state.members.contains(&user) => Ok(Vec::new()),
            Command::Add(_) if state.members.len() >= ROOM => Err(Refusal::Full),
            Command::Add(user) => Ok(vec![Event::MemberAdded(MemberAdded { user, role: TeamRole::Readonly })]),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(created) => state.name = Some(created.name.clone()),
            Event::MemberAdded(added) => state.members.push(added.user),
            _ => {}
        }
        state
    }
}

pub fn team() -> StreamId {
    let team = TeamId::new();
    StreamId::of(team, Kind::Team, team)
}

pub fn meta() -> CommandMeta {
    CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: Actor::System,
        at: DateTime::from_timestamp(1_750_000_000, 123_456_789).expect("time"),
        correlation: None,
        causation: Some(CommitId::derived(&[b"cause"])),
    }
}

pub fn asked(command: CommandId, request: &str) -> CommandMeta {
    CommandMeta { command, request: Some(Hash16::of(request.as_bytes())), ..meta() }
}

/// Makes a team; returns its commit's sequence.
pub async fn create(log: &EventLog, stream: StreamId) -> u64 {
    log.execute_new::<Team>(stream, Command::Create("shop".to_owned()), &meta()).await.expect("created").position.n
}

pub async fn add(log: &EventLog, stream: StreamId) -> u64 {
    log.execute::<Team>(stream, Command::Add(UserId::new()), &meta()).await.expect("added").position.n
}

/// No test waits for longer.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("in time")
}

pub async fn connect(nats: &Nats) -> EventLog {
    EventLog::connect(NatsOptions::new(nats.url())).await.expect("connected")
}

/// A client without our log in between.
pub async fn bare(url: &str) -> async_nats::Client {
    let server: async_nats::ServerAddr = url.parse().expect("a URL");
    let (user, password) = (server.username().expect("a user"), server.password().expect("a password"));
    let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    options.connect(server).await.expect("connected")
}
