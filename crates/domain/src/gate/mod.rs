//! What a quality gate asks, and what an evaluation says.

mod parse;
mod waiver;

pub use parse::{Fault, MOST_GLOB, MOST_GLOBS, MOST_RULES, check_globs, parse_rule, parse_rules};
pub use waiver::{Extent, LONGEST_WAIVER, Waiver};

use crate::{RunId, report::Counts};
use serde::{Deserialize, Serialize};

/// All that a team says of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it asks; all of it has to hold.
    pub rules: Vec<Rule>,
    /// Globs of the branches that it is for; every branch if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// Whether uploads are judged by it.
    pub enabled: bool,
}

/// One thing that a gate asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What.
    #[serde(flatten)]
    pub check: Check,
    /// What follows when it does not hold.
    #[serde(default, skip_serializing_if = "Level::is_block")]
    pub level: Level,
    /// Of which tests; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// What a rule asks. The first six are the original's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "params", rename_all = "snake_case")]
pub enum Check {
    /// At least so many of a hundred tests passed.
    PassRate {
        /// 0 to 100.
        threshold: f64,
    },
    /// Nothing failed.
    ZeroFailures,
    /// Nothing failed that is not excused by the run's verdict.
    NoNewFailures,
    /// The durations of all tests together.
    MaxDuration {
        /// Milliseconds, at most.
        threshold_ms: u64,
    },
    /// Tests that passed only after a failed attempt.
    MaxFlakyCount {
        /// At most.
        threshold: u64,
    },
    /// Tests in the run.
    MinTestCount {
        /// At least.
        threshold: u64,
    },
    /// No test regressed.
    NoRegressions {
        /// Regressions less probable than this do not count; 0 to 1.
        probability: f64,
    },
    /// No failure of a kind that the project has never seen.
    NoNewFingerprints,
    /// No test that the base branch does not have failed even once.
    NewTestsStable {
        /// How often each has to have run, all reports and repetitions of the run together.
        runs: u64,
    },
    /// For each glob a test ran.
    RequiredTests {
        /// Of names, titles (`suite > name`) or file paths.
        globs: Vec<String>,
    },
    /// Tests of the baseline that are not in this run.
    TestsNotRemoved {
        /// At most.
        max: u64,
    },
    /// No test took much longer than it usually does.
    DurationRegression {
        /// So many times its median, more than 1.
        ratio: f64,
        /// And so many milliseconds longer.
        min_ms: u64,
    },
    /// The probability that a clean commit goes green, by the flaky tests of the run.
    FlakyBudget {
        /// At least; 0 to 1.
        p_green: f64,
    },
}

impl Check {
    /// Every type, the original's first.
    pub const TYPES: [&'static str; 13] = [
        "pass_rate",
        "zero_failures",
        "no_new_failures",
        "max_duration",
        "max_flaky_count",
        "min_test_count",
        "no_regressions",
        "no_new_fingerprints",
        "new_tests_stable",
        "required_tests",
        "tests_not_removed",
        "duration_regression",
        "flaky_budget",
    ];

    /// The word for its type.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::PassRate { .. } => "pass_rate",
            Self::ZeroFailures => "zero_failures",
            Self::NoNewFailures => "no_new_failures",
            Self::MaxDuration { .. } => "max_duration",
            Self::MaxFlakyCount { .. } => "max_flaky_count",
            Self::MinTestCount { .. } => "min_test_count",
            Self::NoRegressions { .. } => "no_regressions",
            Self::NoNewFingerprints => "no_new_fingerprints",
            Self::NewTestsStable { .. } => "new_tests_stable",
            Self::RequiredTests { .. } => "required_tests",
            Self::TestsNotRemoved { .. } => "tests_not_removed",
            Self::DurationRegression { .. } => "duration_regression",
            Self::FlakyBudget { .. } => "flaky_budget",
        }
    }
}

/// What follows when a rule does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The gate does not pass.
    #[default]
    Block,
    /// It is said, and that is all.
    Warn,
}

impl Level {
    /// Whether it is the usual one, which is not written.
    pub fn is_block(&self) -> bool {
        *self == Self::Block
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Warn => "warn",
        }
    }
}

/// Which tests a rule is about: what is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// They have this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Their file path matches this glob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// This is among their owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What an evaluation comes to. Only one of them lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every blocking rule holds.
    Passed,
    /// A blocking rule does not hold.
    Failed,
    /// A blocking rule could not be evaluated, or no test ran.
    Error,
    /// Shards of the run are missing.
    Incomplete,
}

impl Outcome {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether it lets pass.
    pub fn passed(self) -> bool {
        self == Self::Passed
    }
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It could not be evaluated.
    Error,
}

impl RuleStatus {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
        }
    }
}

/// What became of one rule, with what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// The rule's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What follows.
    #[serde(default)]
    pub level: Level,
    /// What became of it.
    pub status: RuleStatus,
    /// What was asked for.
    pub threshold: f64,
    /// What there was.
    pub actual: f64,
    /// One sentence for people.
    pub message: String,
    /// The numbers within its scope.
    pub seen: Seen,
    /// Names of tests, or globs, that speak against it; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// What took the edge off it; only of a rule that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
}

impl RuleResult {
    /// Whether it stands in nobody's way: it holds, or it was waived.
    pub fn passed(&self) -> bool {
        self.status == RuleStatus::Passed || self.waiver.is_some()
    }
}

/// Numbers of a run, or of the tests in a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Counted from the results; for the rest of a filtered report as it declares.
    #[serde(flatten)]
    pub counts: Counts,
    /// Of all results together, milliseconds.
    pub duration_ms: i64,
}

/// What a run was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Its branch.
    pub branch: String,
    /// The newest run there before the one at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// That run's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}
