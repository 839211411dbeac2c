//! Each rule by itself.

use super::inputs::{Inputs, Judged, Named, Within, ran};
use crate::{signals::green_probability, verdict::Verdict};
use scaledtest_domain::gate::{Check, Rule, RuleResult, RuleStatus, Seen};

/// Names that a result tells, at most.
const EXAMPLES: usize = 10;

/// What a rule found.
struct Finding {
    threshold: f64,
    actual: f64,
    status: RuleStatus,
    message: String,
    examples: Vec<String>,
}

impl Finding {
    fn new(threshold: f64, actual: f64, holds: bool, message: String) -> Self {
        let status = if holds { RuleStatus::Passed } else { RuleStatus::Failed };
        Self { threshold, actual, status, message, examples: Vec::new() }
    }

    fn error(threshold: f64, message: &str) -> Self {
        let message = format!("cannot be evaluated: {message}");
        Self { threshold, actual: 0.0, status: RuleStatus::Error, message, examples: Vec::new() }
    }

    /// At most so many of these tests; `message` is given their number and the right word for the comparison.
    fn at_most(most: u64, tests: &[&Named], message: impl Fn(usize, &str) -> String) -> Self {
        let holds = tests.len() as u64 <= most;
        let text = message(tests.len(), if holds { "<=" } else { ">" });
        let examples = tests.iter().take(EXAMPLES).map(|test| test.name.clone()).collect();
        Self { examples, ..Self::new(most as f64, tests.len() as f64, holds, text) }
    }
}

pub(super) fn evaluate(index: usize, rule: &Rule, inputs: &Inputs) -> RuleResult {
    let within = Within::of(rule.scope.as_ref());
    let seen = inputs.seen(&within);
    let Finding { threshold, actual, status, message, examples } = find(index, &rule.check, &within, &seen, inputs);
    let kind = rule.check.as_str().to_owned();
    RuleResult { kind, level: rule.level, status, threshold, actual, message, seen, examples, waiver: None }
}

fn find(index: usize, check: &Check, within: &Within, seen: &Seen, inputs: &Inputs) -> Finding {
    // These say something where nothing ran.
    let of_none =
        matches!(check, Check::MinTestCount { .. } | Check::TestsNotRemoved { .. } | Check::RequiredTests { .. });
    if ran(seen) == 0 && !of_none {
        let place = if within.is_everything() { "no test ran" } else { "no test ran in its scope" };
        return Finding::error(threshold(check), place);
    }
    match check {
        Check::PassRate { threshold } => pass_rate(*threshold, seen),
        Check::ZeroFailures => {
            let failed = seen.counts.failed;
            Finding::new(0.0, failed as f64, failed == 0, format!("{failed} failures (require 0)"))
        }
        Check::MaxDuration { threshold_ms } => {
            let (took, most) = (seen.duration_ms, *threshold_ms);
            let holds = u64::try_from(took).is_ok_and(|took| took <= most) || took < 0;
            let word = if holds { "<=" } else { ">" };
            Finding::new(most as f64, took as f64, holds, format!("duration {took}ms {word} threshold {most}ms"))
        }
        Check::MaxFlakyCount { threshold } => {
            let (flaky, most) = (seen.counts.flaky, *threshold);
            let holds = flaky <= most;
            let word = if holds { "<=" } else { ">" };
            Finding::new(most as f64, flaky as f64, holds, format!("{flaky} flaky tests {word} threshold {most}"))
        }
        Check::MinTestCount { threshold } => {
            let (tests, least) = (seen.counts.tests, *threshold);
            let holds = tests >= least && tests > 0;
            let word = if tests >= least { ">=" } else { "<" };
            Finding::new(least as f64, tests as f64, holds, format!("{tests} tests {word} minimum {least}"))
        }
        Check::NoNewFailures => {
            judged(inputs, within, Verdict::is_new_failure, |count, _| format!("{count} new failures vs previous run"))
        }
        Check::NoRegressions { probability } => {
            let counts = |verdict: &Verdict| match verdict {
                Verdict::Regression { probability: found } => found >= probability,
                _ => false,
            };
            let percent = probability * 100.0;
            judged(inputs, within, counts, |count, _| format!("{count} regressions (probability >= {percent}%)"))
        }
        Check::NoNewFingerprints => match &inputs.new_errors {
            None => Finding::error(0.0, "the kinds of failure are not known"),
            Some(tests) => Finding::at_most(0, &in_scope(tests, within), |count, _| {
                format!("{count} tests failed in a way never seen before (require 0)")
            }),
        },
        Check::NewTestsStable { runs } => new_tests(*runs, within, inputs),
        Check::RequiredTests { globs } => required(index, globs, inputs),
        Check::TestsNotRemoved { max } => match &inputs.removed {
            None => Finding::error(*max as f64, "the tests of the run that it is compared with are not known"),
            Some(tests) => Finding::at_most(*max, &in_scope(tests, within), |count, word| {
                format!("{count} tests removed {word} maximum {max}{}", compared(inputs))
            }),
        },
        Check::DurationRegression { ratio, min_ms } => slower(*ratio, *min_ms, within, inputs),
        Check::FlakyBudget { p_green } => flaky_budget(*p_green, within, inputs),
    }
}

/// What a rule asks for, as one number.
fn threshold(check: &Check) -> f64 {
    match check {
        Check::PassRate { threshold } => *threshold,
        Check::MaxDuration { threshold_ms } => *threshold_ms as f64,
        Check::MaxFlakyCount { threshold } | Check::MinTestCount { threshold } => *threshold as f64,
        Check::TestsNotRemoved { max } => *max as f64,
        Check::FlakyBudget { p_green } => *p_green,
        Check::RequiredTests { globs } => globs.len() as f64,
        Check::ZeroFailures
        | Check::NoNewFailures
        | Check::NoNewFingerprints
        | Check::NewTestsStable { .. }
        | Check::NoRegressions { .. }
        | Check::DurationRegression { .. } => 0.0,
    }
}

fn in_scope<'a>(tests: &'a [Named], within: &Within) -> Vec<&'a Named> {
    tests.iter().filter(|test| within.has(test)).collect()
}

fn compared(inputs: &Inputs) -> &'static str {
    if inputs.baseline.is_none() { " (nothing ran before)" } else { "" }
}

fn pass_rate(threshold: f64, seen: &Seen) -> Finding {
    let tests = seen.counts.tests;
    let rate = if tests == 0 { 0.0 } else { seen.counts.passed as f64 / tests as f64 * 100.0 };
    let holds = rate >= threshold;
    let (shown, asked) = apart(rate, threshold);
    let word = if holds { ">=" } else { "<" };
    Finding::new(threshold, rate, holds, format!("pass rate {shown}% {word} threshold {asked}%"))
}

/// Two numbers with as many decimals as tell them apart, so that no message says 100.0 < 100.0.
fn apart(one: f64, other: f64) -> (String, String) {
    let with = |decimals| (format!("{one:.decimals$}"), format!("{other:.decimals$}"));
    let tell_apart = [1, 2, 4, 8].into_iter().map(with).find(|(one, other)| one != other);
    tell_apart.unwrap_or_else(|| with(1))
}

/// None of the failures may be of a kind.
fn judged(
    inputs: &Inputs,
    within: &Within,
    counts: impl Fn(&Verdict) -> bool,
    message: impl Fn(usize, &str) -> String,
) -> Finding {
    let Some(failing) = &inputs.failing else {
        return Finding::error(0.0, "what the failures mean is not known");
    };
    let failing: Vec<&Judged> = failing.iter().filter(|judged| within.has(&judged.test)).collect();
    let against: Vec<&Named> =
        failing.iter().filter(|judged| counts(&judged.verdict)).map(|judged| &judged.test).collect();
    if against.is_empty() && failing.iter().any(|judged| judged.verdict == Verdict::Infra) {
        return Finding::error(0.0, "the run failed as a whole, so that what its failures mean is not known");
    }
    if against.is_empty() && inputs.truncated {
        return Finding::error(0.0, "more tests failed than are judged");
    }
    Finding::at_most(0, &against, message)
}

fn required(index: usize, globs: &[String], inputs: &Inputs) -> Finding {
    let missing = inputs.required.missing(index);
    let found = globs.len().saturating_sub(missing.len());
    let message = match missing.len() {
        0 => format!("a test ran for each of {} globs", globs.len()),
        count => format!("no test ran for {count} of {} globs", globs.len()),
    };
    let examples = missing.iter().take(EXAMPLES).cloned().collect();
    Finding { examples, ..Finding::new(globs.len() as f64, found as f64, missing.is_empty(), message) }
}

fn new_tests(runs: u64, within: &Within, inputs: &Inputs) -> Finding {
    let Some(tests) = &inputs.new_tests else {
        return Finding::error(0.0, "which tests are new is not known");
    };
    let tests: Vec<_> = tests.iter().filter(|one| within.has(&one.test)).collect();
    let unstable = tests.iter().filter(|one| one.failed > 0 || one.passed < runs).map(|one| &one.test);
    let unstable: Vec<&Named> = unstable.collect();
    let (all, rest) = (tests.len(), compared(inputs));
    Finding::at_most(0, &unstable, |count, _| {
        let short = if runs > 1 { format!(", or passed less than {runs} times") } else { String::new() };
        format!("{count} of {all} new tests failed at least once{short}{rest}")
    })
}

fn slower(ratio: f64, min_ms: u64, within: &Within, inputs: &Inputs) -> Finding {
    let Some(slower) = &inputs.slower else {
        return Finding::error(0.0, "how long the tests usually take is not known");
    };
    let counts = |duration_ms: i64, usual_ms: i64| {
        let more = duration_ms.saturating_sub(usual_ms);
        duration_ms as f64 > usual_ms as f64 * ratio && u64::try_from(more).is_ok_and(|more| more >= min_ms)
    };
    let slower = slower.iter().filter(|one| within.has(&one.test) && counts(one.duration_ms, one.usual_ms));
    let tests: Vec<&Named> = slower.map(|one| &one.test).collect();
    let rest = compared(inputs);
    Finding::at_most(0, &tests, |count, _| {
        format!("{count} tests took more than {ratio} times their usual duration, and {min_ms}ms longer{rest}")
    })
}

fn flaky_budget(p_green: f64, within: &Within, inputs: &Inputs) -> Finding {
    let Some(flaky) = &inputs.flaky else {
        return Finding::error(p_green, "which tests are flaky is not known");
    };
    let flaky: Vec<_> = flaky.iter().filter(|(test, _)| within.has(test)).collect();
    let green = green_probability(flaky.iter().map(|(_, rate)| *rate), inputs.retries);
    let holds = green >= p_green;
    let (shown, asked) = apart(green * 100.0, p_green * 100.0);
    let word = if holds { ">=" } else { "<" };
    let message = format!("a good commit passes with {shown}% {word} {asked}%, with {} flaky tests", flaky.len());
    let examples = flaky.iter().take(EXAMPLES).map(|(test, _)| test.name.clone()).collect();
    Finding { examples, ..Finding::new(p_green, green, holds, message) }
}
