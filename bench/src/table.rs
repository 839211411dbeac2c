//! What was measured, as a table for people and a file for machines.

use serde::Serialize;
use std::path::Path;

/// One measurement.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is compared with, measured in the same run; none for absolute bounds.
    pub baseline: Option<f64>,
    /// value / baseline.
    pub ratio: Option<f64>,
    /// The bound on the ratio (or on the value where there is no baseline), with its direction.
    pub target: Option<String>,
    /// Whether the bound holds; none where there is no bound.
    pub met: Option<bool>,
}

/// A bound.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// No bound: printed beside the others.
    None,
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Row {
    /// A measurement with its baseline; the bound is on their ratio.
    pub fn ratio(name: &str, value: f64, unit: &'static str, baseline: f64, target: Target) -> Self {
        let ratio = value / baseline;
        Self::new(name, value, unit, Some(baseline), Some(ratio), target, ratio)
    }

    /// A measurement with a bound of its own.
    pub fn absolute(name: &str, value: f64, unit: &'static str, target: Target) -> Self {
        Self::new(name, value, unit, None, None, target, value)
    }

    fn new(
        name: &str,
        value: f64,
        unit: &'static str,
        baseline: Option<f64>,
        ratio: Option<f64>,
        target: Target,
        judged: f64,
    ) -> Self {
        let (target, met) = match target {
            Target::None => (None, None),
            Target::AtLeast(bound) => (Some(format!(">= {bound}")), Some(judged >= bound)),
            Target::AtMost(bound) => (Some(format!("<= {bound}")), Some(judged <= bound)),
        };
        Self { name: name.to_owned(), value, unit, baseline, ratio, target, met }
    }
}

/// Prints the table and writes it as JSON.
///
/// # Errors
/// When the file cannot be written.
#[allow(clippy::print_stdout, reason = "the table is this program's output")]
pub fn publish(rows: &[Row], file: &Path) -> anyhow::Result<()> {
    println!(
        "{:<58} {:>12} {:<7} {:>12} {:>7} {:>8}  met",
        "measurement", "value", "unit", "baseline", "ratio", "target"
    );
    for row in rows {
        let number = |value: Option<f64>, digits| value.map_or(String::new(), |value| format!("{value:.digits$}"));
        println!(
            "{:<58} {:>12.2} {:<7} {:>12} {:>7} {:>8}  {}",
            row.name,
            row.value,
            row.unit,
            number(row.baseline, 2),
            number(row.ratio, 2),
            row.target.as_deref().unwrap_or(""),
            match row.met {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "",
            }
        );
    }
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(file, serde_json::to_vec_pretty(rows)?)?;
    Ok(())
}
