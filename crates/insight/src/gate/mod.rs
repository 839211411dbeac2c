//! Quality gates: rules × what is known of a run → what came of it.
//!
//! Fails closed: a rule that cannot be evaluated is an error and does not hold, and nothing is green where no test ran.

mod inputs;
mod rules;
#[cfg(test)]
mod tests;

pub use inputs::{Group, Inputs, Judged, Named, NewTest, Required, Timed};

use inputs::Within;
use scaledtest_domain::gate::{Level, Outcome, Rule, RuleResult, RuleStatus, Waiver};

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// All in all.
    pub outcome: Outcome,
    /// One for each rule, in their order; also for those that hold.
    pub results: Vec<RuleResult>,
}

/// Evaluates every rule; none is left out because another has failed already. A waiver lets a rule pass that does not hold; it
/// makes nothing green where no test ran or shards are missing.
pub fn evaluate(rules: &[Rule], inputs: &Inputs, waivers: &[Waiver]) -> Evaluation {
    let waived = |(index, rule): (usize, &Rule)| {
        let result = rules::evaluate(index, rule, inputs);
        let waiver = waivers.iter().find(|waiver| result.status != RuleStatus::Passed && waiver.rule == *rule);
        RuleResult { waiver: waiver.cloned(), ..result }
    };
    let results: Vec<RuleResult> = rules.iter().enumerate().map(waived).collect();
    let blocks = |status| {
        results.iter().any(|result| result.level == Level::Block && !result.passed() && result.status == status)
    };
    let seen = inputs.seen(&Within::default());
    let outcome = if inputs.missing_shards > 0 {
        Outcome::Incomplete
    } else if blocks(RuleStatus::Failed) {
        Outcome::Failed
    } else if rules.is_empty() || inputs::ran(&seen) == 0 || blocks(RuleStatus::Error) {
        Outcome::Error
    } else {
        Outcome::Passed
    };
    Evaluation { outcome, results }
}

/// Whether a gate with these globs is for a branch. A run that names no branch is judged by every gate.
pub fn is_for_branch(globs: &[String], branch: Option<&str>) -> bool {
    match branch {
        Some(branch) if !globs.is_empty() => globs.iter().any(|glob| crate::glob::Glob::new(glob).matches(branch)),
        _ => true,
    }
}
