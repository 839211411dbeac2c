//! Every event that can stand in the log, in its newest shape.
//!
//! Wire names are past tense and chosen by hand, and so are versions. An additive change is a new field with
//! `#[serde(default)]`; a change of shape bumps the version and adds an arm to the kind's `upcast`; a change of meaning is
//! a new event. Every name and version ever written has a golden file in `crates/domain/tests/golden`.

pub mod alias;
pub mod claim;
pub mod evaluation;
pub mod gate;
pub mod invitation;
pub mod issue;
pub mod part;
pub mod policy;
pub mod project;
pub mod publisher;
pub mod quarantine;
pub mod report;
pub mod rollup;
pub mod run;
pub mod share;
pub mod team;
pub mod token;
pub mod user;

use crate::{DecodeError, Kind, RawEvent};

/// Declares the events of one kind: the enum, and how each variant stands on the wire.
macro_rules! events {
    ($kind:ident: $($(#[$doc:meta])* $name:literal @ $version:literal => $variant:ident($data:ty),)*) => {
        /// What can happen to this kind of aggregate.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $variant($data),)*
        }

        impl Event {
            /// Wire name and newest version of every event of this kind.
            pub const WIRE: &'static [(&'static str, u32)] = &[$(($name, $version)),*];

            pub(crate) fn encode(&self) -> Result<$crate::RawEvent, serde_json::Error> {
                match self {
                    $(Self::$variant(data) => Ok($crate::RawEvent { t: $name.to_owned(), v: $version, d: serde_json::to_value(data)? }),)*
                }
            }

            pub(crate) fn decode(raw: &$crate::RawEvent) -> Result<Self, $crate::DecodeError> {
                let unknown = || $crate::DecodeError::UnknownEvent { name: raw.t.clone(), version: raw.v };
                match raw.t.as_str() {
                    $($name => {
                        if raw.v > $version { return Err(unknown()); }
                        let data = (raw.v..$version).fold(raw.d.clone(), |data, version| upcast($name, version, data));
                        serde_json::from_value(data).map(Self::$variant).map_err(|source| $crate::DecodeError::Event { name: raw.t.clone(), version: raw.v, source })
                    })*
                    _ => Err(unknown()),
                }
            }
        }

        impl From<Event> for $crate::Event {
            fn from(event: Event) -> Self { $crate::Event::$kind(event) }
        }

        impl TryFrom<$crate::Event> for Event {
            type Error = $crate::Event;
            fn try_from(event: $crate::Event) -> Result<Self, $crate::Event> {
                match event { $crate::Event::$kind(event) => Ok(event), other => Err(other) }
            }
        }
    };
}
pub(crate) use events;

/// An event of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Of an account.
    User(user::Event),
    /// Of a team.
    Team(team::Event),
    /// Of an API token.
    Token(token::Event),
    /// Of an invitation.
    Invitation(invitation::Event),
    /// Of a trusted CI workflow.
    Publisher(publisher::Event),
    /// Of a link to a run.
    Share(share::Event),
    /// Of a project.
    Project(project::Event),
    /// Of a report.
    Report(report::Event),
    /// Of a quality gate.
    Gate(gate::Event),
    /// Of an evaluation of a quality gate.
    Evaluation(evaluation::Event),
    /// Of a test in quarantine.
    Quarantine(quarantine::Event),
    /// Of a project's quarantine policy.
    Policy(policy::Event),
    /// Of a roll-up of reports.
    Rollup(rollup::Event),
    /// Of a run that is kept.
    Run(run::Event),
    /// Of a part of all results.
    Part(part::Event),
    /// Of a renamed test.
    Alias(alias::Event),
    /// Of an error that a ticket is open for.
    Issue(issue::Event),
    /// Of a uniqueness claim.
    Claim(claim::Event),
}

impl Event {
    /// Wire name and newest version of every event.
    pub fn wire() -> impl Iterator<Item = (Kind, &'static str, u32)> {
        [
            (Kind::User, user::Event::WIRE),
            (Kind::Team, team::Event::WIRE),
            (Kind::Token, token::Event::WIRE),
            (Kind::Invitation, invitation::Event::WIRE),
            (Kind::Publisher, publisher::Event::WIRE),
            (Kind::Share, share::Event::WIRE),
            (Kind::Project, project::Event::WIRE),
            (Kind::Report, report::Event::WIRE),
            (Kind::Gate, gate::Event::WIRE),
            (Kind::Evaluation, evaluation::Event::WIRE),
            (Kind::Quarantine, quarantine::Event::WIRE),
            (Kind::Policy, policy::Event::WIRE),
            (Kind::Rollup, rollup::Event::WIRE),
            (Kind::Run, run::Event::WIRE),
            (Kind::Part, part::Event::WIRE),
            (Kind::Alias, alias::Event::WIRE),
            (Kind::Issue, issue::Event::WIRE),
            (Kind::Claim, claim::Event::WIRE),
        ]
        .into_iter()
        .flat_map(|(kind, wire)| wire.iter().map(move |(name, version)| (kind, *name, *version)))
    }

    /// As it stands in the log.
    ///
    /// # Errors
    /// When serialising fails, which well-formed data cannot make happen.
    pub fn encode(&self) -> Result<RawEvent, DecodeError> {
        Ok(match self {
            Self::User(event) => event.encode(),
            Self::Team(event) => event.encode(),
            Self::Token(event) => event.encode(),
            Self::Invitation(event) => event.encode(),
            Self::Publisher(event) => event.encode(),
            Self::Share(event) => event.encode(),
            Self::Project(event) => event.encode(),
            Self::Report(event) => event.encode(),
            Self::Gate(event) => event.encode(),
            Self::Evaluation(event) => event.encode(),
            Self::Quarantine(event) => event.encode(),
            Self::Policy(event) => event.encode(),
            Self::Rollup(event) => event.encode(),
            Self::Run(event) => event.encode(),
            Self::Part(event) => event.encode(),
            Self::Alias(event) => event.encode(),
            Self::Issue(event) => event.encode(),
            Self::Claim(event) => event.encode(),
        }?)
    }

    /// Reads an event of a kind, lifting old versions to the newest shape.
    ///
    /// # Errors
    /// When the event is unknown to this program, or malformed.
    pub fn decode(kind: Kind, raw: &RawEvent) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::User => Self::User(user::Event::decode(raw)?),
            Kind::Team => Self::Team(team::Event::decode(raw)?),
            Kind::Token => Self::Token(token::Event::decode(raw)?),
            Kind::Invitation => Self::Invitation(invitation::Event::decode(raw)?),
            Kind::Publisher => Self::Publisher(publisher::Event::decode(raw)?),
            Kind::Share => Self::Share(share::Event::decode(raw)?),
            Kind::Project => Self::Project(project::Event::decode(raw)?),
            Kind::Report => Self::Report(report::Event::decode(raw)?),
            Kind::Gate => Self::Gate(gate::Event::decode(raw)?),
            Kind::Evaluation => Self::Evaluation(evaluation::Event::decode(raw)?),
            Kind::Quarantine => Self::Quarantine(quarantine::Event::decode(raw)?),
            Kind::Policy => Self::Policy(policy::Event::decode(raw)?),
            Kind::Rollup => Self::Rollup(rollup::Event::decode(raw)?),
            Kind::Run => Self::Run(run::Event::decode(raw)?),
            Kind::Part => Self::Part(part::Event::decode(raw)?),
            Kind::Alias => Self::Alias(alias::Event::decode(raw)?),
            Kind::Issue => Self::Issue(issue::Event::decode(raw)?),
            Kind::Claim => Self::Claim(claim::Event::decode(raw)?),
        })
    }
}
