//! The history of one suite: the same tests in run after run, a few of them flaky or broken for a while, on five branches
//! over a hundred days.

use crate::generate::{AREAS, Random, trace};
use serde_json::{Value, json};

/// Days over which the runs are spread.
const DAYS: u64 = 100;
/// Milliseconds of one.
const DAY_MS: u64 = 86_400_000;
/// Of five branches, half of the runs are on the first.
const BRANCHES: [&str; 8] =
    ["main", "main", "main", "main", "feature/checkout", "feature/search", "release/4", "fix/login"];

/// A suite of so many tests that was run so often.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// Tests of a run.
    pub tests: u64,
    /// Runs in a hundred days.
    pub runs: u64,
    /// When the first one began, milliseconds since 1970.
    pub begin_ms: u64,
}

impl Suite {
    /// One whose runs are those of the last hundred days.
    pub fn until_today(tests: u64, runs: u64) -> Self {
        let now = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or_default();
        Self { tests, runs, begin_ms: (now / DAY_MS).saturating_sub(DAYS) * DAY_MS }
    }

    /// When a run began.
    pub fn at_ms(self, run: u64) -> u64 {
        self.begin_ms + run * DAYS * DAY_MS / self.runs
    }

    /// The last days, as the API is asked for them.
    pub fn last_days(self, days: u64) -> String {
        let at = |day: u64| {
            i64::try_from(self.begin_ms + day * DAY_MS).ok().and_then(chrono::DateTime::from_timestamp_millis)
        };
        let text = |day: u64| at(day).unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        format!("start={}&end={}", text(DAYS.saturating_sub(days)), text(DAYS))
    }

    /// The CTRF report of a run, counted from 0.
    pub fn report(self, run: u64) -> Vec<u8> {
        let mut random = Random::new(run);
        let start = self.at_ms(run);
        let (mut failed, mut skipped, mut begins) = (0, 0, start);
        let tests: Vec<Value> = (0..self.tests)
            .map(|index| {
                let duration = 20 + index * 37 % 800 + random.below(80);
                let test = self.test(run, index, begins, duration, &mut random);
                failed += u64::from(test["status"] == "failed");
                skipped += u64::from(test["status"] == "skipped");
                begins += duration;
                test
            })
            .collect();
        let report = json!({
            "reportFormat": "CTRF",
            "specVersion": "0.0.0",
            "results": {
                "tool": {"name": "bench-runner", "version": "4.2.0"},
                "summary": {
                    "tests": self.tests, "passed": self.tests - failed - skipped, "failed": failed, "skipped": skipped,
                    "pending": 0, "other": 0, "start": start, "stop": begins
                },
                "tests": tests,
                "environment": {
                    "repositoryName": "bench", "branchName": BRANCHES[usize::try_from(run % 8).unwrap_or(0)],
                    "commit": format!("{run:040x}"), "buildNumber": run, "osPlatform": "linux"
                }
            }
        });
        serde_json::to_vec(&report).unwrap_or_default()
    }

    /// One in a hundred is flaky, one in a hundred skipped, one in five hundred broken for a tenth of the time.
    fn test(self, run: u64, index: u64, start: u64, duration: u64, random: &mut Random) -> Value {
        let area = AREAS[usize::try_from(index).unwrap_or(0) % AREAS.len()];
        let mut test = json!({
            "name": format!("{area} handles case {index} with {} items", index % 50),
            "status": "passed",
            "duration": duration,
            "start": start,
            "stop": start + duration,
            "suite": [format!("{area}.spec.ts"), format!("{area} when signed in")],
            "filePath": format!("tests/{area}/{area}.spec.ts"),
            "line": index % 900 + 1,
            "tags": [area]
        });
        let tenth = self.runs.div_ceil(10);
        match index % 500 {
            3 if run / tenth == index / 500 % 10 => fail(&mut test, area, "is broken", random),
            7 | 107 | 207 | 307 | 407 if random.below(100) < 8 => match random.below(2) {
                0 => fail(&mut test, area, "timed out", random),
                _ => {
                    test["retries"] = json!(1);
                    test["flaky"] = json!(true);
                    test["retryAttempts"] = json!([{"attempt": 1, "status": "failed", "duration": 12, "message": "timed out after 5000 ms"}]);
                }
            },
            11 | 111 | 211 | 311 | 411 => test["status"] = json!("skipped"),
            _ => {}
        }
        test
    }
}

fn fail(test: &mut Value, area: &str, how: &str, random: &mut Random) {
    test["status"] = json!("failed");
    test["message"] = json!(format!("{area} {how}: expected {} to equal {}", random.below(1000), random.below(1000)));
    test["trace"] = json!(trace(area, random));
}
