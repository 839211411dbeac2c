//! Who may import whom (docs/architecture.md). Turns red when somebody adds a dependency that a room must not have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::{collections::BTreeSet, path::Path, process::Command};

/// Our own crates that each room may use, and whether it may do I/O.
const ROOMS: &[(&str, &[&str], bool)] = &[
    ("scaledtest-domain", &[], false),
    ("scaledtest-formats", &["scaledtest-domain"], false),
    ("scaledtest-insight", &["scaledtest-domain"], false),
    ("scaledtest-commands", &["scaledtest-domain"], false),
    ("scaledtest-eventlog", &["scaledtest-domain"], true),
    ("scaledtest-projections", &["scaledtest-domain", "scaledtest-eventlog", "scaledtest-insight"], true),
    (
        "scaledtest-effects",
        &[
            "scaledtest-domain",
            "scaledtest-commands",
            "scaledtest-eventlog",
            "scaledtest-projections",
            "scaledtest-formats",
            "scaledtest-insight",
        ],
        true,
    ),
    ("scaledtest-managed", &[], true),
    (
        "scaledtest-server",
        &[
            "scaledtest-domain",
            "scaledtest-formats",
            "scaledtest-insight",
            "scaledtest-commands",
            "scaledtest-eventlog",
            "scaledtest-projections",
            "scaledtest-effects",
            "scaledtest-managed",
        ],
        true,
    ),
];

/// What does I/O; no pure room may have it.
const IMPURE: &[&str] = &["tokio", "sqlx", "async-nats", "axum", "reqwest", "tempfile", "libc"];

/// Crates that exactly one room may use (testkit and the benchmarks apart).
const SOLE_USERS: &[(&str, &str)] =
    &[("async-nats", "scaledtest-eventlog"), ("axum", "scaledtest-server"), ("lettre", "scaledtest-effects")];

#[test]
fn every_room_imports_only_what_it_may() {
    let mut faults = Vec::new();
    for (package, dependencies) in dependencies() {
        let Some((_, allowed, may_do_io)) = ROOMS.iter().find(|(name, ..)| *name == package) else {
            if !["scaledtest-testkit", "scaledtest-bench"].contains(&package.as_str()) {
                faults.push(format!(
                    "{package} is a new room: say in this test and in docs/architecture.md what it may import"
                ));
            }
            continue;
        };
        for dependency in &dependencies {
            if dependency.starts_with("scaledtest-") && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{package} must not import {dependency}: events are the language between rooms"));
            }
            if !may_do_io && IMPURE.contains(&dependency.as_str()) {
                faults.push(format!(
                    "{package} is pure and must not depend on {dependency}: pass what it would fetch in as a value"
                ));
            }
            if let Some((_, user)) = SOLE_USERS.iter().find(|(name, user)| name == dependency && *user != package) {
                faults.push(format!("{package} must not use {dependency}: only {user} does"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The normal (not dev) dependencies of each workspace member.
fn dependencies() -> Vec<(String, BTreeSet<String>)> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
            let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
            (package["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}
