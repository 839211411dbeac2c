//! Who owns a test: whom its report names, else whom the project's `CODEOWNERS` names for its file.

use crate::{ApplyError, copy::clean};
use scaledtest_domain::{events::project::OwnersChanged, identity::relative_path, report::TestResult};
use scaledtest_insight::owners::Owners;
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// What a tag begins with that names an owner.
const TAG: &str = "owner:";

/// Whom a report names as owners of a test: a label `owner`, as Allure's reporters write it, a field `owner`, or a tag `owner:...`.
pub(super) fn named(result: &TestResult) -> Vec<String> {
    let mut owners = Vec::new();
    let nested = ["labels", "extra"].iter().filter_map(|key| result.extra.get(*key)?.as_object());
    for fields in nested.chain([&result.extra]) {
        add(fields, &mut owners);
    }
    owners.extend(result.tags.iter().filter_map(|tag| tag.strip_prefix(TAG)).map(|owner| clean(owner.trim())));
    owners.retain(|owner| !owner.is_empty());
    owners.sort_unstable();
    owners.dedup();
    owners
}

fn add(fields: &Map<String, Value>, owners: &mut Vec<String>) {
    match fields.get("owner") {
        Some(Value::String(owner)) => owners.push(clean(owner.trim())),
        Some(Value::Array(list)) => {
            owners.extend(list.iter().filter_map(Value::as_str).map(|owner| clean(owner.trim())));
        }
        _ => {}
    }
}

/// The rules of those of the projects that have any.
pub(super) async fn rules(conn: &mut PgConnection, projects: &[Uuid]) -> Result<HashMap<Uuid, Owners>, sqlx::Error> {
    let texts: Vec<(Uuid, String)> =
        sqlx::query_as("select id, codeowners from project where id = any($1) and codeowners is not null")
            .bind(projects)
            .fetch_all(conn)
            .await?;
    Ok(texts.into_iter().map(|(project, text)| (project, Owners::parse(&text).0)).collect())
}

/// Whom `named` or the rules name for a file.
pub(super) fn of(rules: Option<&Owners>, named: &[String], file_path: Option<&str>) -> Vec<String> {
    match (rules, file_path) {
        _ if !named.is_empty() => named.to_vec(),
        (Some(rules), Some(path)) => rules.of(&relative_path(path)),
        _ => Vec::new(),
    }
}

/// Takes over new rules: every test of the project is looked at, every file once.
pub(super) async fn change(conn: &mut PgConnection, changed: &OwnersChanged) -> Result<(), ApplyError> {
    let text = clean(&changed.codeowners);
    sqlx::query("update project set codeowners = nullif($2, '') where id = $1")
        .bind(changed.project.0)
        .bind(&text)
        .execute(&mut *conn)
        .await?;
    let rules = Owners::parse(&text).0;
    let tests: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("select id, file_path from test where project_id = $1 and json_array_length(named_owners) = 0")
            .bind(changed.project.0)
            .fetch_all(&mut *conn)
            .await?;
    let mut by_file: HashMap<Option<String>, Value> = HashMap::new();
    let (mut ids, mut owners) = (Vec::new(), Vec::new());
    for (id, path) in tests {
        ids.push(id);
        let of_file = |path: &Option<String>| Value::from(of(Some(&rules), &[], path.as_deref()));
        owners.push(match by_file.get(&path) {
            Some(owners) => owners.clone(),
            None => by_file.entry(path.clone()).or_insert_with_key(of_file).clone(),
        });
    }
    sqlx::query(
        "update test set owners = new.owners from unnest($1::uuid[], $2::json[]) as new (id, owners)
         where test.id = new.id and test.owners::text <> new.owners::text",
    )
    .bind(ids)
    .bind(owners.into_iter().map(Json).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
