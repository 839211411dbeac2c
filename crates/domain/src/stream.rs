use crate::TeamId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an aggregate is. The third token of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An account.
    User,
    /// A team and its members.
    Team,
    /// An API token.
    Token,
    /// An invitation into a team.
    Invitation,
    /// A CI workflow that a team trusts.
    Publisher,
    /// A link through which anybody may read a run.
    Share,
    /// A project.
    Project,
    /// A report.
    Report,
    /// A quality gate.
    Gate,
    /// One evaluation of a quality gate: made once, never changed.
    Evaluation,
    /// The stays of a test in quarantine: its id is the test's.
    Quarantine,
    /// A project's quarantine policy: its id is the project's.
    Policy,
    /// What histories need of some reports whose results are dropped.
    Rollup,
    /// A run that somebody wants to keep: its id is the run's.
    Run,
    /// A part of all results, see [`crate::retention`]; outside every team.
    Part,
    /// What a renamed test is called now: its id follows from the project and the old test.
    Alias,
    /// The tickets of an error: its id follows from project and fingerprint.
    Issue,
    /// A uniqueness claim: its id is a hash of the value that must be unique.
    Claim,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 18] = [
        Self::User,
        Self::Team,
        Self::Token,
        Self::Invitation,
        Self::Publisher,
        Self::Share,
        Self::Project,
        Self::Report,
        Self::Gate,
        Self::Evaluation,
        Self::Quarantine,
        Self::Policy,
        Self::Rollup,
        Self::Run,
        Self::Part,
        Self::Alias,
        Self::Issue,
        Self::Claim,
    ];

    /// The token in the subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Team => "team",
            Self::Token => "token",
            Self::Invitation => "invitation",
            Self::Publisher => "publisher",
            Self::Share => "share",
            Self::Project => "project",
            Self::Report => "report",
            Self::Gate => "gate",
            Self::Evaluation => "evaluation",
            Self::Quarantine => "quarantine",
            Self::Policy => "policy",
            Self::Rollup => "rollup",
            Self::Run => "run",
            Self::Part => "part",
            Self::Alias => "alias",
            Self::Issue => "issue",
            Self::Claim => "claim",
        }
    }
}

/// The address of one aggregate in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The team it belongs to; none for accounts and instance-wide claims.
    pub team: Option<TeamId>,
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
}

impl StreamId {
    /// An aggregate of a team.
    pub fn of(team: TeamId, kind: Kind, id: impl Into<Uuid>) -> Self {
        Self { team: Some(team), kind, id: id.into() }
    }

    /// An aggregate outside every team.
    pub fn global(kind: Kind, id: impl Into<Uuid>) -> Self {
        Self { team: None, kind, id: id.into() }
    }

    /// The literal subject: `ev.<slot>.<team>.<kind>.<id>`, ids as 32 hex digits, `_` for no team.
    pub fn subject(&self) -> String {
        match self.team {
            Some(team) => {
                format!("ev.{:x}.{}.{}.{}", slot(team), team.0.simple(), self.kind.as_str(), self.id.simple())
            }
            None => format!("ev.0._.{}.{}", self.kind.as_str(), self.id.simple()),
        }
    }

    /// Reads a subject back; `None` if it is none of ours.
    pub fn from_subject(subject: &str) -> Option<Self> {
        let mut tokens = subject.split('.');
        if tokens.next()? != "ev" {
            return None;
        }
        tokens.next()?;
        let team = match tokens.next()? {
            "_" => None,
            team => Some(TeamId(Uuid::try_parse(team).ok()?)),
        };
        let kind = tokens.next()?;
        let kind = Kind::ALL.into_iter().find(|candidate| candidate.as_str() == kind)?;
        let id = Uuid::try_parse(tokens.next()?).ok()?;
        tokens.next().is_none().then_some(Self { team, kind, id })
    }
}

/// The team's partition, 0 to 15 (FNV-1a of its id): one hex digit in subjects, fixed for ever.
pub fn slot(team: TeamId) -> u8 {
    let hash = team
        .0
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash & 15) as u8
}
