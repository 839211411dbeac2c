use super::*;
use crate::verdict::Verdict;
use chrono::DateTime;
use proptest::prelude::*;
use scaledtest_domain::{
    UserId, WaiverId,
    gate::{Baseline, Check, Extent, Scope, Seen},
    report::Counts,
};

fn rule(check: Check) -> Rule {
    Rule { check, level: Level::Block, scope: None }
}

fn seen(passed: u64, failed: u64, flaky: u64) -> Seen {
    let counts = Counts { tests: passed + failed, passed, failed, flaky, ..Counts::default() };
    Seen { counts, duration_ms: 1_000 }
}

fn named(name: &str, path: &str) -> Named {
    Named { name: name.into(), path: Some(path.into()), tags: vec!["smoke".into()], owners: vec!["shop".into()] }
}

/// Ten tests of which one fails: it regressed.
fn run() -> Inputs {
    Inputs {
        groups: vec![
            Group {
                path: Some("a/x.ts".into()),
                tags: vec!["smoke".into()],
                owners: vec!["shop".into()],
                seen: seen(4, 1, 2),
            },
            Group { path: Some("b/y.ts".into()), tags: Vec::new(), owners: Vec::new(), seen: seen(5, 0, 0) },
        ],
        baseline: Some(Baseline { branch: "main".into(), run: None, commit: None }),
        failing: Some(vec![Judged {
            test: named("pays", "a/x.ts"),
            verdict: Verdict::Regression { probability: 0.97 },
        }]),
        new_errors: Some(vec![named("pays", "a/x.ts")]),
        removed: Some(vec![named("gone", "a/x.ts"), named("went", "c/z.ts")]),
        slower: Some(vec![Timed { test: named("waits", "a/x.ts"), duration_ms: 14_000, usual_ms: 8_000 }]),
        new_tests: Some(vec![
            NewTest { test: named("ships", "a/x.ts"), passed: 3, failed: 0 },
            NewTest { test: named("returns", "a/x.ts"), passed: 2, failed: 1 },
        ]),
        flaky: Some(vec![(named("flips", "a/x.ts"), 0.1), (named("flops", "a/x.ts"), 0.1)]),
        ..Inputs::default()
    }
}

fn one(check: Check, inputs: &Inputs) -> RuleResult {
    let mut evaluation = evaluate(&[rule(check)], inputs, &[]);
    assert_eq!(evaluation.results.len(), 1);
    evaluation.results.pop().unwrap()
}

#[test]
fn every_rule_says_what_it_asks_and_what_it_saw() {
    use RuleStatus::{Failed, Passed};
    let cases = [
        (Check::PassRate { threshold: 90.0 }, Passed, 90.0, "pass rate 90.0% >= threshold 90.0%"),
        (Check::PassRate { threshold: 90.04 }, Failed, 90.0, "pass rate 90.00% < threshold 90.04%"),
        (Check::ZeroFailures, Failed, 1.0, "1 failures (require 0)"),
        (Check::NoNewFailures, Failed, 1.0, "1 new failures vs previous run"),
        (Check::MaxDuration { threshold_ms: 2_000 }, Passed, 2_000.0, "duration 2000ms <= threshold 2000ms"),
        (Check::MaxDuration { threshold_ms: 1_999 }, Failed, 2_000.0, "duration 2000ms > threshold 1999ms"),
        (Check::MaxFlakyCount { threshold: 2 }, Passed, 2.0, "2 flaky tests <= threshold 2"),
        (Check::MaxFlakyCount { threshold: 1 }, Failed, 2.0, "2 flaky tests > threshold 1"),
        (Check::MinTestCount { threshold: 10 }, Passed, 10.0, "10 tests >= minimum 10"),
        (Check::MinTestCount { threshold: 11 }, Failed, 10.0, "10 tests < minimum 11"),
        (Check::NoRegressions { probability: 0.95 }, Failed, 1.0, "1 regressions (probability >= 95%)"),
        (Check::NoRegressions { probability: 0.98 }, Passed, 0.0, "0 regressions (probability >= 98%)"),
        (Check::NoNewFingerprints, Failed, 1.0, "1 tests failed in a way never seen before (require 0)"),
        (Check::NewTestsStable { runs: 1 }, Failed, 1.0, "1 of 2 new tests failed at least once"),
        (
            Check::NewTestsStable { runs: 4 },
            Failed,
            2.0,
            "2 of 2 new tests failed at least once, or passed less than 4 times",
        ),
        (Check::TestsNotRemoved { max: 2 }, Passed, 2.0, "2 tests removed <= maximum 2"),
        (Check::TestsNotRemoved { max: 1 }, Failed, 2.0, "2 tests removed > maximum 1"),
        (
            Check::DurationRegression { ratio: 1.3, min_ms: 5_000 },
            Failed,
            1.0,
            "1 tests took more than 1.3 times their usual duration, and 5000ms longer",
        ),
        (
            Check::FlakyBudget { p_green: 0.8 },
            Passed,
            0.81,
            "a good commit passes with 81.0% >= 80.0%, with 2 flaky tests",
        ),
        (
            Check::FlakyBudget { p_green: 0.9 },
            Failed,
            0.81,
            "a good commit passes with 81.0% < 90.0%, with 2 flaky tests",
        ),
    ];
    for (check, status, actual, message) in cases {
        let result = one(check.clone(), &run());
        assert_eq!((result.status, result.message.as_str()), (status, message), "{check:?}");
        assert!((result.actual - actual).abs() < 1e-9, "{result:?}");
        assert_eq!(result.kind, check.as_str());
    }
    assert_eq!(one(Check::NoNewFailures, &run()).examples, ["pays"]);
    let longer = Check::DurationRegression { ratio: 1.3, min_ms: 6_001 };
    assert_eq!(one(longer, &run()).status, Passed);
}

#[test]
fn required_tests_are_found_by_name_title_or_path() {
    let globs = |globs: &[&str]| Check::RequiredTests { globs: globs.iter().map(|glob| (*glob).to_owned()).collect() };
    let rules = [rule(globs(&["pays", "cart > *", "**/y.ts", "never"]))];
    let mut required = Required::new(&rules);
    required.see(&named("pays", "a/x.ts"), &[]);
    required.see(&named("adds", "a/x.ts"), &["cart".to_owned()]);
    required.see(&named("other", "b/y.ts"), &[]);
    assert!(required.is_open());
    let inputs = Inputs { required, ..run() };
    let result = evaluate(&rules, &inputs, &[]).results.remove(0);
    assert_eq!((result.status, result.threshold, result.actual), (RuleStatus::Failed, 4.0, 3.0));
    assert_eq!(
        (result.message.as_str(), &result.examples[..]),
        ("no test ran for 1 of 4 globs", &["never".into()][..])
    );
}

#[test]
fn a_scope_leaves_out_what_is_elsewhere() {
    let scoped = |tag: Option<&str>, path: Option<&str>| Rule {
        scope: Some(Scope { tag: tag.map(str::to_owned), path: path.map(str::to_owned), owner: None }),
        ..rule(Check::ZeroFailures)
    };
    let status = |rule: Rule| evaluate(&[rule], &run(), &[]).results.remove(0).status;
    assert_eq!(status(scoped(None, Some("b/**"))), RuleStatus::Passed);
    assert_eq!(status(scoped(Some("smoke"), None)), RuleStatus::Failed);
    assert_eq!(status(scoped(Some("smoke"), Some("b/**"))), RuleStatus::Error);
    for (owner, expected) in [("shop", RuleStatus::Failed), ("payments", RuleStatus::Error)] {
        let scope = Some(Scope { owner: Some(owner.into()), ..Scope::default() });
        assert_eq!(status(Rule { scope, ..rule(Check::ZeroFailures) }), expected, "{owner}");
    }
    let removed = Rule { scope: scoped(None, Some("c/*")).scope, ..rule(Check::TestsNotRemoved { max: 1 }) };
    assert!(evaluate(&[removed], &run(), &[]).results[0].message.starts_with("1 tests removed <="));
}

fn waiver(rule: &Rule) -> Waiver {
    Waiver {
        id: WaiverId::derived(&[b"w"]),
        rule: rule.clone(),
        extent: Extent::Branch("main".into()),
        reason: "known".into(),
        by: UserId::derived(&[b"u"]),
        expires_at: DateTime::from_timestamp(1_795_262_400, 0).unwrap(),
    }
}

#[test]
fn a_waived_rule_lets_pass_and_says_what_it_found() {
    let (broken, other) = (rule(Check::ZeroFailures), rule(Check::MinTestCount { threshold: 11 }));
    let waived = evaluate(std::slice::from_ref(&broken), &run(), &[waiver(&broken)]);
    assert_eq!((waived.outcome, waived.results[0].status), (Outcome::Passed, RuleStatus::Failed));
    assert_eq!(waived.results[0].waiver, Some(waiver(&broken)));
    let both = [broken.clone(), other.clone()];
    assert_eq!(evaluate(&both, &run(), &[waiver(&broken)]).outcome, Outcome::Failed);
    let stricter = Rule { level: Level::Warn, ..broken.clone() };
    assert_eq!(evaluate(&[broken], &run(), &[waiver(&stricter)]).outcome, Outcome::Failed);
    let holds = rule(Check::MinTestCount { threshold: 1 });
    assert_eq!(evaluate(std::slice::from_ref(&holds), &run(), &[waiver(&holds)]).results[0].waiver, None);
}

#[test]
fn no_waiver_makes_a_run_green_in_which_no_test_ran_or_a_shard_is_missing() {
    let asked = rule(Check::ZeroFailures);
    let sharded = Inputs { missing_shards: 1, ..run() };
    for (inputs, outcome) in [(Inputs::default(), Outcome::Error), (sharded, Outcome::Incomplete)] {
        assert_eq!(evaluate(std::slice::from_ref(&asked), &inputs, &[waiver(&asked)]).outcome, outcome);
    }
}

#[test]
fn what_is_not_known_does_not_hold() {
    let nothing =
        Inputs { failing: None, new_errors: None, new_tests: None, removed: None, slower: None, flaky: None, ..run() };
    let outage =
        Inputs { failing: Some(vec![Judged { test: named("pays", "a/x.ts"), verdict: Verdict::Infra }]), ..run() };
    let truncated = Inputs { failing: Some(Vec::new()), truncated: true, ..run() };
    for check in [
        Check::NoNewFailures,
        Check::NoRegressions { probability: 0.95 },
        Check::NoNewFingerprints,
        Check::NewTestsStable { runs: 1 },
        Check::TestsNotRemoved { max: 9 },
        Check::DurationRegression { ratio: 2.0, min_ms: 0 },
        Check::FlakyBudget { p_green: 0.0 },
    ] {
        assert_eq!(one(check.clone(), &nothing).status, RuleStatus::Error, "{check:?}");
        assert_eq!(evaluate(&[rule(check)], &nothing, &[]).outcome, Outcome::Error);
    }
    for inputs in [outage, truncated] {
        assert_eq!(one(Check::NoNewFailures, &inputs).status, RuleStatus::Error);
    }
}

#[test]
fn a_filtered_report_counts_as_it_declares_but_hides_no_failure() {
    let declared = Counts { tests: 100, passed: 100, ..Counts::default() };
    let inputs = Inputs { declared: Some(declared), ..run() };
    assert_eq!(one(Check::PassRate { threshold: 100.0 }, &inputs).status, RuleStatus::Passed);
    assert_eq!(one(Check::ZeroFailures, &inputs).status, RuleStatus::Failed);
}

#[test]
fn gates_are_for_branches() {
    let globs = ["main".to_owned(), "release/*".to_owned()];
    for (branch, expected) in [(Some("main"), true), (Some("release/1"), true), (Some("topic"), false), (None, true)] {
        assert_eq!(is_for_branch(&globs, branch), expected, "{branch:?}");
    }
    assert!(is_for_branch(&[], Some("topic")));
}

fn any_check() -> impl Strategy<Value = Check> {
    prop_oneof![
        (0.0..=100.0).prop_map(|threshold| Check::PassRate { threshold }),
        Just(Check::ZeroFailures),
        Just(Check::NoNewFailures),
        (0..5_000_u64).prop_map(|threshold_ms| Check::MaxDuration { threshold_ms }),
        (0..4_u64).prop_map(|threshold| Check::MaxFlakyCount { threshold }),
        (0..20_u64).prop_map(|threshold| Check::MinTestCount { threshold }),
        (0.0..=1.0).prop_map(|probability| Check::NoRegressions { probability }),
        Just(Check::NoNewFingerprints),
        (1..4_u64).prop_map(|runs| Check::NewTestsStable { runs }),
        Just(Check::RequiredTests { globs: vec!["a".into()] }),
        (0..3_u64).prop_map(|max| Check::TestsNotRemoved { max }),
        (1.0..3.0).prop_map(|ratio| Check::DurationRegression { ratio, min_ms: 10 }),
        (0.0..=1.0).prop_map(|p_green| Check::FlakyBudget { p_green }),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let scope = proptest::option::of(Just(Scope { tag: Some("smoke".into()), path: None, owner: None }));
    (any_check(), any::<bool>(), scope).prop_map(|(check, warn, scope)| Rule {
        check,
        level: if warn { Level::Warn } else { Level::Block },
        scope,
    })
}

fn any_inputs() -> impl Strategy<Value = Inputs> {
    let group = (0..6_u64, 0..3_u64, 0..3_u64)
        .prop_map(|(passed, failed, flaky)| Group { seen: seen(passed, failed, flaky), ..Group::default() });
    let groups = proptest::collection::vec(group, 0..3);
    (groups, any::<[bool; 6]>(), 0..2_u32).prop_map(|(groups, known, missing_shards)| Inputs {
        groups,
        missing_shards,
        failing: run().failing.filter(|_| known[0]),
        new_errors: run().new_errors.filter(|_| known[1]),
        removed: run().removed.filter(|_| known[2]),
        slower: run().slower.filter(|_| known[3]),
        flaky: run().flaky.filter(|_| known[4]),
        new_tests: run().new_tests.filter(|_| known[5]),
        ..Inputs::default()
    })
}

proptest! {
    #[test]
    fn green_only_if_every_blocking_rule_holds_and_something_ran(
        rules in proptest::collection::vec(any_rule(), 0..6), inputs in any_inputs()
    ) {
        let found = evaluate(&rules, &inputs, &[]);
        prop_assert_eq!(found.results.len(), rules.len());
        let blocking = rules.iter().zip(&found.results).filter(|(rule, _)| rule.level == Level::Block);
        let all_hold = blocking.into_iter().all(|(_, result)| result.status == RuleStatus::Passed);
        let ran: u64 = inputs.groups.iter().map(|group| group.seen.counts.passed + group.seen.counts.failed).sum();
        let green = all_hold && ran > 0 && inputs.missing_shards == 0 && !rules.is_empty();
        prop_assert_eq!(found.outcome.passed(), green);
        for result in &found.results {
            prop_assert!(result.actual.is_finite() && !result.message.is_empty());
            let says_too_much = result.message.contains(" > ") || result.message.contains(" < ");
            prop_assert!(!(says_too_much && result.status == RuleStatus::Passed), "{:?}", result);
        }
    }

    #[test]
    fn a_warning_never_decides(rules in proptest::collection::vec(any_rule(), 1..6), inputs in any_inputs()) {
        let outcome = evaluate(&rules, &inputs, &[]).outcome;
        let blocking: Vec<Rule> = rules.into_iter().filter(|rule| rule.level == Level::Block).collect();
        if !blocking.is_empty() {
            prop_assert_eq!(evaluate(&blocking, &inputs, &[]).outcome, outcome);
        }
    }

    #[test]
    fn one_more_failure_never_helps(check in any_check(), mut inputs in any_inputs()) {
        let before = evaluate(&[rule(check.clone())], &inputs, &[]).outcome;
        // Where nothing ran, a test that runs at all may help a rule that is not about failures.
        prop_assume!(!inputs.groups.is_empty() && before != Outcome::Error);
        let is_count = matches!(check, Check::MinTestCount { .. });
        inputs.groups[0].seen.counts.tests += 1;
        inputs.groups[0].seen.counts.failed += 1;
        prop_assert!(is_count || before.passed() || !evaluate(&[rule(check)], &inputs, &[]).outcome.passed());
    }
}
