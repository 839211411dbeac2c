//! What an upload says beside its body: the query string and two headers.

use crate::http::error::{ApiError, Detail};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    ErrorKind, ExecutionId, Hash16, events::report::Github, events::report::Origin, truncate_to_micros,
};

/// Longest value of a text parameter, bytes: what fits into an index with room to spare.
const MAX_TEXT: usize = 1024;
/// Most tags of one upload.
const MAX_TAGS: usize = 50;
/// Most shards of one run.
const MAX_SHARDS: u32 = 10_000;

/// The parameters of `POST /api/v1/reports`, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    /// The project's name.
    pub project: Option<String>,
    /// Lies over what the report's environment says.
    pub origin: Origin,
    /// What the uploader calls the run.
    pub run_key: Option<String>,
    /// Which shard of the run.
    pub shard_id: Option<String>,
    /// How many shards the run has.
    pub shards: Option<u32>,
    /// Free words.
    pub tags: Vec<String>,
    /// The execution that the report belongs to.
    pub execution: Option<ExecutionId>,
    /// `execution_id` as it was given, for the answer.
    pub execution_text: Option<String>,
    /// Backdating; honoured only where rate limits are off.
    pub created_at: Option<DateTime<Utc>>,
    /// Triage shall post a commit status.
    pub triage_github_status: bool,
    /// A commit status was asked for.
    pub github: Option<Github>,
}

impl Params {
    /// Reads the query's pairs.
    ///
    /// # Errors
    /// 400 naming every faulty parameter.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut params = Self::default();
        let mut faults = Vec::new();
        let mut github = [None, None, None];
        for (name, value) in pairs {
            if let Err(fault) = params.set(name, value, &mut github) {
                faults.push(fault);
            }
        }
        if let [Some(owner), Some(repo), Some(sha)] = github {
            params.github = Some(Github { owner, repo, sha });
        }
        match faults.first() {
            None => Ok(params),
            Some(first) => {
                Err(ApiError::new(ErrorKind::Invalid, "invalid_parameter", first.message.clone()).with_details(faults))
            }
        }
    }

    fn set(&mut self, name: &str, value: &str, github: &mut [Option<String>; 3]) -> Result<(), Detail> {
        let slot = match name {
            "project" => &mut self.project,
            "branch" => &mut self.origin.branch,
            "commit" => &mut self.origin.commit,
            "base_commit" => &mut self.origin.base_commit,
            "target_branch" => &mut self.origin.target_branch,
            "pr" => &mut self.origin.pr,
            "build" => &mut self.origin.build,
            "build_url" => &mut self.origin.build_url,
            "run_id" => &mut self.run_key,
            "shard_id" => &mut self.shard_id,
            "github_owner" => &mut github[0],
            "github_repo" => &mut github[1],
            "github_sha" => &mut github[2],
            _ => return self.set_other(name, value),
        };
        *slot = text(name, value)?;
        Ok(())
    }

    fn set_other(&mut self, name: &str, value: &str) -> Result<(), Detail> {
        match name {
            "shards" if !value.is_empty() => {
                let shards = value.parse().ok().filter(|shards| (1..=MAX_SHARDS).contains(shards));
                let fault =
                    || Detail::new(name, format!("invalid shards: must be a whole number from 1 to {MAX_SHARDS}"));
                self.shards = Some(shards.ok_or_else(fault)?);
            }
            "tags" => {
                for tag in value.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                    let tag = text(name, tag)?.unwrap_or_default();
                    if !self.tags.contains(&tag) {
                        self.tags.push(tag);
                    }
                }
                if self.tags.len() > MAX_TAGS {
                    return Err(Detail::new(name, format!("invalid tags: at most {MAX_TAGS} are kept")));
                }
            }
            "execution_id" if !value.is_empty() => {
                let id = value
                    .parse()
                    .map_err(|_| Detail::new(name, "invalid execution_id: must be a valid UUID".to_owned()))?;
                self.execution = Some(id);
                self.execution_text = Some(value.to_owned());
            }
            // The original ignores a time that it cannot read; so do its clients' scripts.
            "created_at" => {
                let time = DateTime::parse_from_rfc3339(value).ok();
                self.created_at = time.map(|time| truncate_to_micros(time.with_timezone(&Utc)));
            }
            "triage_github_status" => self.triage_github_status = value == "true",
            // Unknown parameters are ignored, as the original does.
            _ => {}
        }
        Ok(())
    }
}

/// Tells one upload from another beside the body: part of what an idempotency key stands for.
pub fn fingerprint(pairs: &[(String, String)], body: Hash16) -> Hash16 {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort();
    let mut text = format!("{body}\n");
    for (name, value) in sorted {
        text.push_str(&format!("{}:{name}={value}\n", value.len()));
    }
    Hash16::of(text.as_bytes())
}

/// A trimmed, non-empty, bounded text without control characters.
fn text(name: &str, value: &str) -> Result<Option<String>, Detail> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    if value.len() > MAX_TEXT {
        return Err(Detail::new(name, format!("invalid {name}: at most {MAX_TEXT} bytes")));
    }
    if value.chars().any(char::is_control) {
        return Err(Detail::new(name, format!("invalid {name}: control characters are not allowed")));
    }
    Ok(Some(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Params, ApiError> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Params::parse(&pairs)
    }

    #[test]
    fn every_faulty_parameter_is_named() {
        let error = parse(&[("shards", "none"), ("execution_id", "7"), ("branch", "a\u{0}b")]).unwrap_err();
        let fields: Vec<_> = error.details().iter().map(|detail| detail.field.clone()).collect();
        assert_eq!(fields, ["shards", "execution_id", "branch"]);
    }

    #[test]
    fn tags_come_comma_separated_or_repeated_and_once() {
        let params = parse(&[("tags", "nightly, smoke,"), ("tags", "smoke"), ("tags", "db")]).unwrap();
        assert_eq!(params.tags, ["nightly", "smoke", "db"]);
    }

    #[test]
    fn a_text_is_bounded_in_bytes_because_indexes_are() {
        let name = |character: &str, count| character.repeat(count);
        assert!(parse(&[("branch", &name("x", 1024))]).is_ok());
        assert!(parse(&[("branch", &name("漢", 342))]).is_err());
        assert!(parse(&[("tags", &name("漢", 342))]).is_err());
    }

    #[test]
    fn a_commit_status_needs_all_three() {
        assert_eq!(parse(&[("github_owner", "acme"), ("github_repo", "shop")]).unwrap().github, None);
        assert!(
            parse(&[("github_owner", "acme"), ("github_repo", "shop"), ("github_sha", "5b1f0d7")])
                .unwrap()
                .github
                .is_some()
        );
    }

    #[test]
    fn an_unreadable_created_at_is_ignored() {
        assert_eq!(parse(&[("created_at", "yesterday")]).unwrap().created_at, None);
        assert!(parse(&[("created_at", "2026-11-22T12:00:00.123Z")]).unwrap().created_at.is_some());
    }

    proptest! {
        #[test]
        fn no_parameter_panics(name in "[a-z_]{0,20}", value in "\\PC{0,40}") {
            let _ = parse(&[(&name, &value), ("shards", &value), ("created_at", &value), ("tags", &value)]);
        }
    }
}
