use crate::{ErrorKind, Kind};
use chrono::{DateTime, Utc};

/// The write side of one kind of aggregate: synchronous and pure.
///
/// Time, new ids and looked-up facts come in through the command.
pub trait Decider {
    /// The kind of aggregate.
    const KIND: Kind;
    /// What deciding needs to know of the past.
    type State: Default + Send + Sync;
    /// What somebody wants. Cloned when a version conflict makes us decide again.
    type Command: Clone + Send + Sync;
    /// What happened.
    type Event: Into<crate::Event> + TryFrom<crate::Event> + Clone + Send + Sync;
    /// Why not.
    type Reject: Reject;

    /// Decides what happens. An empty list means "already so": success, nothing is written.
    ///
    /// # Errors
    /// The refusal, when the command does not fit the state.
    fn decide(state: &Self::State, command: Self::Command, at: DateTime<Utc>)
    -> Result<Vec<Self::Event>, Self::Reject>;

    /// Folds an event into the state. Total: facts cannot be refused.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// A refusal that knows what the caller should do about it.
pub trait Reject: std::error::Error + Send + Sync + 'static {
    /// What the caller should do.
    fn kind(&self) -> ErrorKind;
    /// A stable, snake_case name. The `Display` text is the public message.
    fn code(&self) -> &'static str;
}
