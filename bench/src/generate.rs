//! Reports of a given size, shaped like what a real suite writes: mostly passes, some failures with traces, a few retries.

use serde_json::{Value, json};

/// A CTRF report of `tests` tests; `seed` makes it different from others.
pub fn report(tests: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let entries: Vec<Value> = (0..tests).map(|index| test(index, &mut random)).collect();
    let failed = entries.iter().filter(|entry| entry["status"] == "failed").count();
    let skipped = entries.iter().filter(|entry| entry["status"] == "skipped").count();
    let report = json!({
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {
            "tool": {"name": "bench-runner", "version": "4.2.0"},
            "summary": {
                "tests": tests, "passed": tests - failed - skipped, "failed": failed, "skipped": skipped, "pending": 0, "other": 0,
                "start": 1_790_000_000_000_u64 + seed * 60_000, "stop": 1_790_000_030_000_u64 + seed * 60_000
            },
            "tests": entries,
            "environment": {
                "repositoryName": "bench", "branchName": if seed.is_multiple_of(3) { "main" } else { "feature/checkout" },
                "commit": format!("{:040x}", u128::from(seed) * 0x9e37_79b9_7f4a_7c15), "buildNumber": seed, "osPlatform": "linux"
            }
        }
    });
    serde_json::to_vec(&report).unwrap_or_default()
}

fn test(index: usize, random: &mut Random) -> Value {
    let area = AREAS[index % AREAS.len()];
    let mut entry = json!({
        "name": format!("{area} handles case {index} with {} items", index % 50),
        "status": "passed",
        "duration": random.below(900),
        "suite": [format!("{area}.spec.ts"), format!("{area} when signed in")],
        "filePath": format!("tests/{area}/{area}.spec.ts"),
        "line": index % 900 + 1,
        "tags": [area]
    });
    match random.below(100) {
        0..4 => {
            entry["status"] = json!("failed");
            entry["message"] = json!(format!("expected {} to equal {}", random.below(1000), random.below(1000)));
            entry["trace"] = json!(trace(area, random));
        }
        4..7 => entry["status"] = json!("skipped"),
        7..9 => {
            entry["retries"] = json!(1);
            entry["flaky"] = json!(true);
            entry["retryAttempts"] =
                json!([{"attempt": 1, "status": "failed", "duration": 12, "message": "timed out after 5000 ms"}]);
        }
        _ => {}
    }
    entry
}

/// Twelve frames.
pub fn trace(area: &str, random: &mut Random) -> String {
    (0..12)
        .map(|_| {
            format!(
                "    at {area}.step (/home/ci/project/tests/{area}.ts:{}:{})\n",
                random.below(900),
                random.below(80)
            )
        })
        .collect()
}

/// What the tests are about.
pub const AREAS: [&str; 12] = [
    "cart",
    "checkout",
    "search",
    "account",
    "billing",
    "catalogue",
    "shipping",
    "login",
    "reviews",
    "returns",
    "wishlist",
    "admin",
];

/// xorshift: small, and the same on every machine.
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
