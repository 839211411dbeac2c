//! Rules as a client sends them, checked: every fault is told, with the field that it is in.

use super::{Check, Level, Rule, Scope};
use serde_json::{Map, Value};

/// Rules of a gate, at most.
pub const MOST_RULES: usize = 50;
/// Globs of a rule or a gate, at most.
pub const MOST_GLOBS: usize = 50;
/// Characters of a glob or a tag, at most.
pub const MOST_GLOB: usize = 200;
/// No count or duration is asked to be larger: about 31 years in milliseconds.
const MOST: u64 = 1_000_000_000_000;

/// No new test has to run more often.
const MOST_RERUNS: u64 = 1_000;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A path into the body: `rules[0].params.threshold`.
    pub field: String,
    /// A sentence that names the rule.
    pub message: String,
}

/// Reads the rules of a gate.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse_rules(value: &Value) -> Result<Vec<Rule>, Vec<Fault>> {
    let whole = |message: &str| vec![Fault { field: "rules".to_owned(), message: message.to_owned() }];
    let rules = match value {
        Value::Null => return Err(whole("rules array must not be empty")),
        Value::Array(rules) if rules.is_empty() => return Err(whole("rules array must not be empty")),
        Value::Array(rules) if rules.len() > MOST_RULES => {
            return Err(whole(&format!("rules must be at most {MOST_RULES}")));
        }
        Value::Array(rules) => rules,
        _ => return Err(whole("rules must be a JSON array of {type, params}")),
    };
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut reader = Reader { index, faults: &mut faults };
        let rule = reader.rule(rule);
        let twin = rule.as_ref().and_then(|rule| read.iter().find(|(_, other)| contradict(rule, other)));
        if let Some((other, _)) = twin {
            reader.fault("", format!("contradicts rule[{other}]: same type, scope and level"));
        }
        read.extend(rule.map(|rule| (index, rule)));
    }
    if faults.is_empty() { Ok(read.into_iter().map(|(_, rule)| rule).collect()) } else { Err(faults) }
}

/// Reads one rule by itself, as it stands in the field `rule`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_rule(value: &Value) -> Result<Rule, Vec<Fault>> {
    let rules = parse_rules(&Value::Array(vec![value.clone()]));
    let own = |Fault { field, message }: Fault| Fault {
        field: field.replacen("rules[0]", "rule", 1),
        message: message.replacen("rule[0]", "rule", 1),
    };
    let one = rules.map_err(|faults| faults.into_iter().map(own).collect::<Vec<_>>())?.pop();
    one.ok_or_else(|| vec![Fault { field: "rule".to_owned(), message: "rule is required".to_owned() }])
}

/// Two of a type about the same tests: one of them says nothing, and nobody sees which.
fn contradict(one: &Rule, other: &Rule) -> bool {
    let adds_up = matches!(one.check, Check::RequiredTests { .. });
    !adds_up && one.check.as_str() == other.check.as_str() && one.level == other.level && one.scope == other.scope
}

/// What is wrong with a list of globs in a field.
pub fn check_globs(field: &str, globs: &[String]) -> Vec<Fault> {
    let fault = |field: String, message: String| Fault { message: format!("{field} {message}"), field };
    if globs.len() > MOST_GLOBS {
        return vec![fault(field.to_owned(), format!("must be at most {MOST_GLOBS} globs"))];
    }
    let wrong = globs.iter().enumerate().filter(|(_, glob)| !fits(glob));
    wrong.map(|(i, _)| fault(format!("{field}[{i}]"), format!("must have 1 to {MOST_GLOB} characters"))).collect()
}

fn fits(glob: &str) -> bool {
    (1..=MOST_GLOB).contains(&glob.chars().count()) && !glob.contains('\0')
}

struct Reader<'a> {
    index: usize,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, path: &str, message: impl AsRef<str>) {
        let index = self.index;
        let message = format!("rule[{index}]: {}", message.as_ref());
        self.faults.push(Fault { field: format!("rules[{index}]{path}"), message });
    }

    fn rule(&mut self, value: &Value) -> Option<Rule> {
        let Value::Object(rule) = value else {
            self.fault("", "must be an object {type, params}");
            return None;
        };
        for key in rule.keys().filter(|key| !["type", "params", "level", "scope"].contains(&key.as_str())) {
            self.fault(&format!(".{key}"), format!("{key} is not a field of a rule (type, params, level, scope)"));
        }
        let level = self.level(rule.get("level"));
        let scope = self.scope(rule.get("scope"));
        let check = self.check(rule);
        Some(Rule { check: check?, level: level?, scope: scope? })
    }

    fn level(&mut self, value: Option<&Value>) -> Option<Level> {
        match value {
            None | Some(Value::Null) => Some(Level::Block),
            Some(Value::String(word)) if word == "block" => Some(Level::Block),
            Some(Value::String(word)) if word == "warn" => Some(Level::Warn),
            Some(_) => {
                self.fault(".level", "level must be block or warn");
                None
            }
        }
    }

    fn scope(&mut self, value: Option<&Value>) -> Option<Option<Scope>> {
        let scope = match value {
            None | Some(Value::Null) => return Some(None),
            Some(Value::Object(scope)) => scope,
            Some(_) => {
                self.fault(".scope", "scope must be an object {tag, path, owner}");
                return None;
            }
        };
        for key in scope.keys().filter(|key| !["tag", "path", "owner"].contains(&key.as_str())) {
            self.fault(&format!(".scope.{key}"), format!("scope has no field {key} (tag, path, owner)"));
        }
        let tag = self.scope_part(scope, "tag")?;
        let path = self.scope_part(scope, "path")?;
        let owner = self.scope_part(scope, "owner")?;
        Some(Some(Scope { tag, path, owner }).filter(|scope| *scope != Scope::default()))
    }

    fn scope_part(&mut self, scope: &Map<String, Value>, name: &str) -> Option<Option<String>> {
        match scope.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) if fits(text) => Some(Some(text.clone())),
            Some(_) => {
                let message = format!("scope.{name} must be a text of 1 to {MOST_GLOB} characters");
                self.fault(&format!(".scope.{name}"), message);
                None
            }
        }
    }

    fn check(&mut self, rule: &Map<String, Value>) -> Option<Check> {
        let kind = match rule.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            _ => "",
        };
        if !Check::TYPES.contains(&kind) {
            let shown: String = kind.chars().take(MOST_GLOB).collect();
            let message = format!("unsupported type {shown:?} (supported: {})", Check::TYPES.join(", "));
            self.fault(".type", message);
            return None;
        }
        let none = Map::new();
        let takes_none = matches!(kind, "zero_failures" | "no_new_failures" | "no_new_fingerprints");
        let has_defaults = matches!(kind, "no_regressions" | "duration_regression" | "new_tests_stable");
        let params = match rule.get("params") {
            None | Some(Value::Null) if takes_none || has_defaults => &none,
            None | Some(Value::Null) => {
                self.fault(".params", format!("type {kind:?} requires params"));
                return None;
            }
            // The original takes whatever stands there.
            Some(_) if takes_none => &none,
            Some(Value::Object(params)) => params,
            Some(_) => {
                self.fault(".params", format!("params of type {kind:?} must be an object"));
                return None;
            }
        };
        self.params(kind, params)
    }

    fn params(&mut self, kind: &str, params: &Map<String, Value>) -> Option<Check> {
        let known: &[&str] = match kind {
            "pass_rate" | "max_flaky_count" | "min_test_count" => &["threshold"],
            "max_duration" => &["threshold_ms"],
            "no_regressions" => &["probability"],
            "new_tests_stable" => &["runs"],
            "required_tests" => &["globs"],
            "tests_not_removed" => &["max"],
            "duration_regression" => &["ratio", "min_ms"],
            "flaky_budget" => &["p_green"],
            _ => &[],
        };
        for key in params.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("type {kind:?} has no parameter {key} (it has: {})", known.join(", "));
            self.fault(&format!(".params.{key}"), message);
        }
        Some(match kind {
            "zero_failures" => Check::ZeroFailures,
            "no_new_failures" => Check::NoNewFailures,
            "no_new_fingerprints" => Check::NoNewFingerprints,
            "pass_rate" => Check::PassRate { threshold: self.number(params, "threshold", None, (0.0, 100.0))? },
            "max_duration" => Check::MaxDuration { threshold_ms: self.whole(params, "threshold_ms", None)? },
            "max_flaky_count" => Check::MaxFlakyCount { threshold: self.whole(params, "threshold", None)? },
            "min_test_count" => Check::MinTestCount { threshold: self.whole(params, "threshold", None)? },
            "no_regressions" => {
                Check::NoRegressions { probability: self.number(params, "probability", Some(0.95), (0.0, 1.0))? }
            }
            "new_tests_stable" => Check::NewTestsStable { runs: self.runs(params)? },
            "required_tests" => Check::RequiredTests { globs: self.globs(params)? },
            "tests_not_removed" => Check::TestsNotRemoved { max: self.whole(params, "max", None)? },
            "duration_regression" => {
                let ratio = self.number(params, "ratio", Some(1.3), (1.01, 1_000.0));
                let min_ms = self.whole(params, "min_ms", Some(5_000));
                Check::DurationRegression { ratio: ratio?, min_ms: min_ms? }
            }
            _ => Check::FlakyBudget { p_green: self.number(params, "p_green", None, (0.0, 1.0))? },
        })
    }

    fn number(
        &mut self,
        params: &Map<String, Value>,
        name: &str,
        default: Option<f64>,
        (least, most): (f64, f64),
    ) -> Option<f64> {
        let found = match params.get(name) {
            None | Some(Value::Null) => default,
            Some(value) => value.as_f64(),
        };
        let fits = found.filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            let message = format!("params.{name} must be a number from {least} to {most}");
            self.fault(&format!(".params.{name}"), message);
        }
        fits
    }

    fn whole(&mut self, params: &Map<String, Value>, name: &str, default: Option<u64>) -> Option<u64> {
        let found = match params.get(name) {
            None | Some(Value::Null) => default,
            Some(value) => value.as_u64(),
        };
        let fits = found.filter(|number| *number <= MOST);
        if fits.is_none() {
            let message = format!("params.{name} must be a whole number from 0 to {MOST}");
            self.fault(&format!(".params.{name}"), message);
        }
        fits
    }

    fn runs(&mut self, params: &Map<String, Value>) -> Option<u64> {
        let fits = self.whole(params, "runs", Some(1))?;
        if !(1..=MOST_RERUNS).contains(&fits) {
            self.fault(".params.runs", format!("params.runs must be a whole number from 1 to {MOST_RERUNS}"));
            return None;
        }
        Some(fits)
    }

    fn globs(&mut self, params: &Map<String, Value>) -> Option<Vec<String>> {
        let texts = params.get("globs").and_then(Value::as_array).filter(|globs| !globs.is_empty());
        let texts = texts.and_then(|globs| globs.iter().map(|glob| glob.as_str().map(str::to_owned)).collect());
        let Some(globs): Option<Vec<String>> = texts else {
            self.fault(".params.globs", "params.globs must be an array of globs, at least one");
            return None;
        };
        let wrong = check_globs(".params.globs", &globs);
        for fault in &wrong {
            self.fault(&fault.field, fault.message.trim_start_matches('.'));
        }
        wrong.is_empty().then_some(globs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(rules: Value) -> Vec<(String, String)> {
        let faults = parse_rules(&rules).unwrap_err();
        faults.into_iter().map(|fault| (fault.field, fault.message)).collect()
    }

    fn one(rules: Value) -> String {
        let mut faults = faults(rules);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.pop().unwrap().1
    }

    #[test]
    fn rules_are_refused_in_the_contracts_words() {
        assert_eq!(one(json!({})), "rules must be a JSON array of {type, params}");
        assert_eq!(one(json!([])), "rules array must not be empty");
        assert_eq!(one(json!(null)), "rules array must not be empty");
        assert_eq!(one(json!([{"type": "max_duration"}])), "rule[0]: type \"max_duration\" requires params");
        let unknown = one(json!([{"type": "x", "params": {}}]));
        let six = "pass_rate, zero_failures, no_new_failures, max_duration, max_flaky_count, min_test_count";
        assert!(unknown.starts_with(&format!("rule[0]: unsupported type \"x\" (supported: {six}, ")), "{unknown}");
    }

    #[test]
    fn every_faulty_field_is_named() {
        let found = faults(json!([
            {"type": "pass_rate", "params": {"threshold": 101}},
            {"type": "min_test_count", "params": "abc"},
            {"type": "max_flaky_count", "params": {"threshold": 1.5}, "level": "loud"},
            {"type": "required_tests", "params": {"globs": ["a", "b".repeat(201)]}, "scope": {"path": ""}},
            {"type": "duration_regression", "params": {"ratio": 1.0, "times": 2}},
            {"type": "zero_failures"}, {"type": "zero_failures", "level": "warn"}, {"type": "zero_failures"},
            {"type": "new_tests_stable", "params": {"runs": 0}},
        ]));
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        let expected = [
            "rules[0].params.threshold",
            "rules[1].params",
            "rules[2].level",
            "rules[2].params.threshold",
            "rules[3].scope.path",
            "rules[3].params.globs[1]",
            "rules[4].params.times",
            "rules[4].params.ratio",
            "rules[7]",
            "rules[8].params.runs",
        ];
        assert_eq!(fields, expected, "{found:#?}");
        assert!(found.iter().all(|(_, message)| message.starts_with("rule[")), "{found:#?}");
        assert_eq!(one(json!(vec![json!({"type": "zero_failures"}); 51])), "rules must be at most 50");
        let single = parse_rule(&json!({"type": "pass_rate", "params": {"threshold": 101}})).unwrap_err();
        assert_eq!(single[0].field, "rule.params.threshold");
        assert!(parse_rule(&json!(null)).is_err());
    }

    #[test]
    fn rules_are_written_as_they_are_sent_and_defaults_are_filled_in() {
        let sent = json!([
            {"type": "pass_rate", "params": {"threshold": 99.5}, "level": "warn", "scope": {"tag": "smoke", "path": "a/**"}},
            {"type": "zero_failures"},
            {"type": "required_tests", "params": {"globs": ["**/login.ts"]}},
            {"type": "no_regressions"},
            {"type": "duration_regression", "params": {}},
            {"type": "new_tests_stable", "scope": {"owner": "payments"}},
        ]);
        let rules = parse_rules(&sent).unwrap();
        let mut expected = sent;
        expected[3]["params"] = json!({"probability": 0.95});
        expected[4]["params"] = json!({"ratio": 1.3, "min_ms": 5000});
        expected[5]["params"] = json!({"runs": 1});
        assert_eq!(serde_json::to_value(&rules).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Vec<Rule>>(expected).unwrap(), rules);
    }
}
