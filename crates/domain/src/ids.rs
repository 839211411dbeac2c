//! Identifiers: UUIDs with a type. All are opaque; version 7 where we make them, version 5 where they are derived.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random (version 7) id.
            pub fn new() -> Self { Self(Uuid::now_v7()) }

            /// The id that always follows from `parts` (version 5): the same parts give the same id on every machine.
            pub fn derived(parts: &[&[u8]]) -> Self { Self(derive(stringify!($name), parts)) }
        }

        impl Default for $name { fn default() -> Self { Self::new() } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) } }
        impl fmt::Debug for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) } }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Uuid::parse_str(text).map(Self) }
        }
        impl From<Uuid> for $name { fn from(id: Uuid) -> Self { Self(id) } }
        impl From<$name> for Uuid { fn from(id: $name) -> Self { id.0 } }
    )*};
}

id! {
    /// A person with an account.
    UserId;
    /// A team: the boundary that nothing crosses.
    TeamId;
    /// An API token (not its secret).
    TokenId;
    /// An invitation into a team (not its secret).
    InvitationId;
    /// A CI workflow that a team trusts to upload without a secret.
    PublisherId;
    /// A link to a run (not its secret).
    ShareId;
    /// A quality gate.
    GateId;
    /// A waiver of one of a gate's rules.
    WaiverId;
    /// One evaluation of a quality gate.
    EvaluationId;
    /// A suite of tests inside a team.
    ProjectId;
    /// One uploaded document.
    ReportId;
    /// What a person calls a build's test run: one or more reports.
    RunId;
    /// One try at storing a report's results; names its chunks in the log.
    UploadId;
    /// The identity of a test across runs; see [`crate::identity`].
    TestId;
    /// One stay of a test in quarantine.
    QuarantineId;
    /// What a renamed test is called now; follows from the project and the old test.
    AliasId;
    /// A kind of failure in a project; follows from the project and the fingerprint.
    ErrorId;
    /// One link of an error to a ticket.
    IssueId;
    /// A uniqueness claim: the hash of the value that must be unique.
    ClaimId;
    /// What histories need of some reports whose results are dropped.
    RollupId;
    /// A part of all results, see [`crate::retention`].
    PartId;
    /// One commit in the log.
    CommitId;
    /// One command; the key of idempotency.
    CommandId;
    /// One execution of a suite.
    ExecutionId;
}

/// Length-prefixes each part, so that `["ab", "c"]` and `["a", "bc"]` differ.
fn derive(kind: &str, parts: &[&[u8]]) -> Uuid {
    let mut name = Vec::with_capacity(64);
    for part in std::iter::once(&kind.as_bytes()).chain(parts) {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

/// Our own namespace for derived ids; never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x5ca1_ed7e_5700_4000_8000_5ca1_ed7e_5700);
