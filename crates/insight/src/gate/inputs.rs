//! What is known of a run when a gate is evaluated.

use crate::{glob::Glob, verdict::Verdict};
use scaledtest_domain::{
    gate::{Baseline, Check, Rule, Scope, Seen},
    report::Counts,
};

/// Everything that rules look at. What is `None` could not be found out.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Sums of the results; by path and tags if a rule has a scope.
    pub groups: Vec<Group>,
    /// What filtered reports declare, with the rest of the run's counts; only if one is filtered.
    pub declared: Option<Counts>,
    /// Shards that did not come.
    pub missing_shards: u32,
    /// What the run is compared with.
    pub baseline: Option<Baseline>,
    /// The tests that failed, or passed only after a failure, and what that means.
    pub failing: Option<Vec<Judged>>,
    /// Whether more tests failed than were judged.
    pub truncated: bool,
    /// Tests that failed in a way that the project had never seen.
    pub new_errors: Option<Vec<Named>>,
    /// Tests that the base branch did not have before the run, as far as they ran.
    pub new_tests: Option<Vec<NewTest>>,
    /// Which required tests ran.
    pub required: Required,
    /// Tests of the baseline that are not in the run.
    pub removed: Option<Vec<Named>>,
    /// Tests that took longer than usual.
    pub slower: Option<Vec<Timed>>,
    /// Flaky tests of the run, and the probability that an attempt of each fails on good code.
    pub flaky: Option<Vec<(Named, f64)>>,
    /// How often a failed test is run again.
    pub retries: u16,
}

/// Sums over results that no scope tells apart.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Their file.
    pub path: Option<String>,
    /// Their tags.
    pub tags: Vec<String>,
    /// Their owners.
    pub owners: Vec<String>,
    /// The sums.
    pub seen: Seen,
}

/// A test, as far as scopes and messages need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its owners.
    pub owners: Vec<String>,
}

/// A test that is new, and how it fared in all reports and repetitions of the run.
#[derive(Debug, Clone)]
pub struct NewTest {
    /// Which.
    pub test: Named,
    /// Times that it passed.
    pub passed: u64,
    /// Times that it failed, attempts before a pass included.
    pub failed: u64,
}

/// A test that failed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which.
    pub test: Named,
    /// What that means.
    pub verdict: Verdict,
}

/// A test that passed, slowly.
#[derive(Debug, Clone)]
pub struct Timed {
    /// Which.
    pub test: Named,
    /// What it took, milliseconds.
    pub duration_ms: i64,
    /// Its median before, milliseconds.
    pub usual_ms: i64,
}

impl Inputs {
    /// The numbers of the whole run.
    pub fn everything(&self) -> Seen {
        self.seen(&Within::default())
    }

    /// The numbers of the tests in a scope. What a filtered report declares counts for the whole run only, and never hides a
    /// failure that was found.
    pub(super) fn seen(&self, within: &Within) -> Seen {
        let groups = self.groups.iter().filter(|group| within.holds(group.path.as_deref(), &group.tags, &group.owners));
        let mut seen = groups.fold(Seen::default(), |sum, group| add(sum, &group.seen));
        if let Some(declared) = self.declared.filter(|_| within.is_everything()) {
            let found = seen.counts;
            seen.counts = Counts {
                failed: declared.failed.max(found.failed),
                flaky: declared.flaky.max(found.flaky),
                ..declared
            };
        }
        seen
    }
}

fn add(sum: Seen, more: &Seen) -> Seen {
    let (one, other) = (sum.counts, more.counts);
    Seen {
        counts: Counts {
            tests: one.tests.saturating_add(other.tests),
            passed: one.passed.saturating_add(other.passed),
            failed: one.failed.saturating_add(other.failed),
            skipped: one.skipped.saturating_add(other.skipped),
            pending: one.pending.saturating_add(other.pending),
            other: one.other.saturating_add(other.other),
            flaky: one.flaky.saturating_add(other.flaky),
        },
        duration_ms: sum.duration_ms.saturating_add(more.duration_ms),
    }
}

/// Tests that passed or failed.
pub(super) fn ran(seen: &Seen) -> u64 {
    seen.counts.passed.saturating_add(seen.counts.failed)
}

/// A scope, ready to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Within {
    tag: Option<String>,
    path: Option<Glob>,
    owner: Option<String>,
}

impl Within {
    pub fn of(scope: Option<&Scope>) -> Self {
        let path = scope.and_then(|scope| scope.path.as_deref());
        let (tag, owner) = scope.map_or((None, None), |scope| (scope.tag.clone(), scope.owner.clone()));
        Self { tag, path: path.map(Glob::new), owner }
    }

    pub fn is_everything(&self) -> bool {
        self.tag.is_none() && self.path.is_none() && self.owner.is_none()
    }

    pub fn holds(&self, path: Option<&str>, tags: &[String], owners: &[String]) -> bool {
        self.tag.as_ref().is_none_or(|tag| tags.contains(tag))
            && self.owner.as_ref().is_none_or(|owner| owners.contains(owner))
            && self.path.as_ref().is_none_or(|glob| path.is_some_and(|path| glob.matches(path)))
    }

    pub fn has(&self, test: &Named) -> bool {
        self.holds(test.path.as_deref(), &test.tags, &test.owners)
    }
}

/// Finds out which of the tests that rules require have run, result by result, so that no list of them is kept.
#[derive(Debug, Clone, Default)]
pub struct Required {
    wanted: Vec<Wanted>,
}

#[derive(Debug, Clone)]
struct Wanted {
    rule: usize,
    text: String,
    glob: Glob,
    within: Within,
    found: bool,
}

impl Required {
    /// What the rules require.
    pub fn new(rules: &[Rule]) -> Self {
        let mut wanted = Vec::new();
        for (rule, Rule { check, scope, .. }) in rules.iter().enumerate() {
            let Check::RequiredTests { globs } = check else { continue };
            let within = Within::of(scope.as_ref());
            wanted.extend(globs.iter().map(|text| Wanted {
                rule,
                text: text.clone(),
                glob: Glob::new(text),
                within: within.clone(),
                found: false,
            }));
        }
        Self { wanted }
    }

    /// Whether more results could change anything.
    pub fn is_open(&self) -> bool {
        self.wanted.iter().any(|wanted| !wanted.found)
    }

    /// Looks at a test that passed or failed.
    pub fn see(&mut self, test: &Named, suite: &[String]) {
        for wanted in self.wanted.iter_mut().filter(|wanted| !wanted.found && wanted.within.has(test)) {
            let title = || suite.iter().chain([&test.name]).map(String::as_str).collect::<Vec<_>>().join(" > ");
            wanted.found = wanted.glob.matches(&test.name)
                || test.path.as_deref().is_some_and(|path| wanted.glob.matches(path))
                || wanted.glob.matches(&title());
        }
    }

    /// The globs of a rule that no test matched.
    pub(super) fn missing(&self, rule: usize) -> Vec<String> {
        let missing = self.wanted.iter().filter(|wanted| wanted.rule == rule && !wanted.found);
        missing.map(|wanted| wanted.text.clone()).collect()
    }
}
