//! The audit log.

use super::{instance_owner, page};
use crate::{
    accounts::audit::{
        self,
        read::{self, Cursor, Entry, Filter},
    },
    app::AppState,
    http::{
        error::ApiError,
        export::csv,
        extract::{Caller, Pairs},
        read_models::{AuditLog, WaitMin},
    },
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Lines of an export, at most: a multiple of [`BATCH`].
const EXPORTED: usize = 100_000;
/// Lines read at once for it.
const BATCH: i64 = 1_000;

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryBody {
    id: String,
    /// The person, also behind an API token; null for the system and for who was not known.
    actor_id: Option<Uuid>,
    /// Their address, or the one that was typed; null where there is none.
    actor_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<Uuid>,
    /// As the team is called now; absent for one that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    team_name: Option<String>,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    metadata: Option<Value>,
    /// From which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            actor_id: entry.actor_id,
            actor_email: entry.actor_email,
            team_id: entry.team_id,
            team_name: entry.team_name,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            metadata: entry.metadata,
            ip: entry.ip,
            created_at: entry.at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub(super) struct ListBody {
    /// Newest first.
    audit_log: Vec<EntryBody>,
    /// Of all pages.
    total: i64,
    /// Sent back as `cursor`, it gives the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Every action that can be asked for.
    actions: Vec<&'static str>,
}

fn filter(pairs: &Pairs) -> Result<Filter, ApiError> {
    let word = |name| pairs.get(name).map(|word| word.replace('\0', ""));
    Ok(Filter {
        action: word("action"),
        resource_type: word("resource_type"),
        resource: pairs.parsed("resource_id", "a UUID")?,
        actor: pairs.parsed("actor_id", "a UUID")?,
        team: pairs.parsed("team_id", "a UUID")?,
        since: pairs.parsed("since", "a time like 2026-01-31T12:00:00Z")?,
        until: pairs.parsed("until", "a time like 2026-01-31T12:00:00Z")?,
    })
}

/// What was done by whom
///
/// What happened to teams, members, tokens, invitations, projects and reports follows from the event log, so none is missing;
/// sign-ins, failures and uses of tokens from new addresses are noted beside it.
#[utoipa::path(get, path = "/api/v1/admin/audit-log", tag = "administration",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100; 50 otherwise"),
        ("offset" = Option<i64>, Query, description = "Lines to pass over"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
        ("action" = Option<String>, Query, description = "Exactly this action"),
        ("resource_type" = Option<String>, Query, description = "Exactly this type"),
        ("resource_id" = Option<uuid::Uuid>, Query, description = "What it was done to"),
        ("actor_id" = Option<uuid::Uuid>, Query, description = "Who did it"),
        ("team_id" = Option<uuid::Uuid>, Query, description = "In which team"),
        ("since" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("until" = Option<String>, Query, description = "RFC 3339, inclusive"),
    ),
    responses(
        (status = 200, description = "Newest first", body = ListBody),
        (status = 400, description = "A parameter cannot be read"),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
    ))]
pub(super) async fn list_audit_log(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _wait: WaitMin<AuditLog>,
) -> Result<Json<ListBody>, ApiError> {
    instance_owner(&app, &caller).await?;
    let (filter, (limit, offset)) = (filter(&pairs)?, page(&pairs));
    let cursor: Option<Cursor> =
        pairs.get("cursor").map(str::parse).transpose().map_err(|()| {
            ApiError::invalid("invalid_parameter", "invalid cursor: must be a next_cursor of this list")
        })?;
    let entries = read::page(&app, &filter, cursor.as_ref(), limit, offset).await?;
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == limit);
    let next_cursor = entries.last().filter(|_| is_full).map(|last| Cursor::after(last).to_string());
    let total = read::count(&app, &filter).await?;
    let audit_log = entries.into_iter().map(EntryBody::from).collect();
    Ok(Json(ListBody { audit_log, total, next_cursor, actions: audit::actions() }))
}

/// The same as a table
///
/// The newest 100,000 lines. Where there are more, another line says so, with the action `export.truncated`: the rest is had with `until`.
#[utoipa::path(get, path = "/api/v1/admin/audit-log.csv", tag = "administration",
    params(
        ("action" = Option<String>, Query, description = "Exactly this action"),
        ("resource_type" = Option<String>, Query, description = "Exactly this type"),
        ("resource_id" = Option<uuid::Uuid>, Query, description = "What it was done to"),
        ("actor_id" = Option<uuid::Uuid>, Query, description = "Who did it"),
        ("team_id" = Option<uuid::Uuid>, Query, description = "In which team"),
        ("since" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("until" = Option<String>, Query, description = "RFC 3339, inclusive"),
    ),
    responses(
        (status = 200, description = "Newest first, with a line of headings", content_type = "text/csv", body = String),
        (status = 400, description = "A parameter cannot be read"),
        (status = 403, description = "Only owners of the instance, and not through an API token"),
    ))]
pub(super) async fn export_audit_log(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _wait: WaitMin<AuditLog>,
) -> Result<Response, ApiError> {
    instance_owner(&app, &caller).await?;
    let filter = filter(&pairs)?;
    let headings =
        "created_at,action,actor_email,actor_id,team_name,team_id,resource_type,resource_id,ip,metadata,id\r\n";
    let first = futures_util::stream::once(async move { Ok(Bytes::from_static(headings.as_bytes())) });
    let lines = futures_util::stream::try_unfold(Some((None, 0)), move |state| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let Some((cursor, written)) = state else { return Ok(None) };
            let entries = read::page(&app, &filter, cursor.as_ref(), BATCH, 0).await?;
            let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
            if written >= EXPORTED {
                return Ok(Some((Bytes::from(truncated(first)), None)));
            }
            let text: String = entries.iter().map(line).collect();
            let next = Some((Some(Cursor::after(last)), written + entries.len()));
            Ok::<_, sqlx::Error>(Some((Bytes::from(text), next)))
        }
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, lines));
    let kind = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit-log.csv\""),
    ];
    Ok((kind, body).into_response())
}

/// The last line where there would be more; `next` is the first that is missing.
fn truncated(next: &Entry) -> String {
    let until = next.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let what = format!("only the newest {EXPORTED} lines are here; for the rest ask again with until={until}");
    format!("{until},export.truncated,,,,,,,,{},\r\n", csv::text(&what))
}

fn line(entry: &Entry) -> String {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        entry.action.clone(),
        text(&entry.actor_email),
        id(entry.actor_id),
        text(&entry.team_name),
        id(entry.team_id),
        text(&entry.resource_type),
        id(entry.resource_id),
        text(&entry.ip),
        entry.metadata.as_ref().map(Value::to_string).unwrap_or_default(),
        entry.id.clone(),
    ];
    cells.map(|text| csv::text(&text)).join(",") + csv::END
}
