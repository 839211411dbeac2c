//! Which operations are lists. A new one needs a line here: a test compares this with the document.

use super::Format;
use utoipa::openapi::{
    self, ContentBuilder, RefOr, Required,
    path::{Operation, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Schema, Type},
};

/// A list that can be exported.
#[derive(Debug)]
pub(super) struct List {
    /// As the router and the document have it.
    pub path: &'static str,
    /// The field of the answer that holds the entries.
    pub field: &'static str,
    /// How all of it is got.
    pub paging: Paging,
}

/// How all of a list is got.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paging {
    /// Page after page of at most so many entries, by `next_cursor`.
    Cursor(i64),
    /// The same, by `offset`.
    Offset(i64),
    /// One answer, with at most so many entries: a list of the most frequent, slowest or newest ends there.
    Top(i64),
    /// One answer.
    Whole,
}

impl Paging {
    /// The largest `limit` that the list takes.
    pub fn most(self) -> Option<i64> {
        match self {
            Self::Cursor(most) | Self::Offset(most) | Self::Top(most) => Some(most),
            Self::Whole => None,
        }
    }
}

const fn list(path: &'static str, field: &'static str, paging: Paging) -> List {
    List { path, field, paging }
}

/// All of them.
pub(super) const LISTS: &[List] = &[
    list("/api/v1/admin/audit-log", "audit_log", Paging::Cursor(100)),
    list("/api/v1/admin/settings", "settings", Paging::Whole),
    list("/api/v1/admin/teams", "teams", Paging::Offset(100)),
    list("/api/v1/admin/users", "users", Paging::Offset(100)),
    list("/api/v1/analytics/duration-distribution", "distribution", Paging::Whole),
    list("/api/v1/analytics/error-analysis", "errors", Paging::Top(500)),
    list("/api/v1/analytics/flaky-tests", "flaky_tests", Paging::Top(500)),
    list("/api/v1/analytics/slowest-tests", "slowest_tests", Paging::Top(500)),
    list("/api/v1/analytics/trends", "trends", Paging::Whole),
    list("/api/v1/auth/identities", "identities", Paging::Whole),
    list("/api/v1/auth/sessions", "sessions", Paging::Whole),
    list("/api/v1/issues", "issues", Paging::Cursor(200)),
    list("/api/v1/projects", "projects", Paging::Whole),
    list("/api/v1/quarantine", "entries", Paging::Cursor(200)),
    list("/api/v1/reports", "reports", Paging::Cursor(100)),
    list("/api/v1/reports/{id}/results", "results", Paging::Cursor(1_000)),
    list("/api/v1/runs", "runs", Paging::Cursor(100)),
    list("/api/v1/runs/{id}/quality-gates", "evaluations", Paging::Whole),
    list("/api/v1/runs/{id}/results", "results", Paging::Cursor(1_000)),
    list("/api/v1/runs/{id}/shares", "shares", Paging::Whole),
    list("/api/v1/teams", "teams", Paging::Whole),
    list("/api/v1/teams/{team_id}/invitations", "invitations", Paging::Whole),
    list("/api/v1/teams/{team_id}/members", "members", Paging::Whole),
    list("/api/v1/teams/{team_id}/quality-gates", "quality_gates", Paging::Whole),
    list("/api/v1/teams/{team_id}/quality-gates/{gate_id}/evaluations", "evaluations", Paging::Top(100)),
    list("/api/v1/teams/{team_id}/quality-gates/{gate_id}/waivers", "waivers", Paging::Whole),
    list("/api/v1/teams/{team_id}/tokens", "tokens", Paging::Whole),
    list("/api/v1/teams/{team_id}/trusted-publishers", "publishers", Paging::Whole),
    list("/api/v1/tests", "tests", Paging::Cursor(200)),
    list("/api/v1/tests/{id}/history", "runs", Paging::Top(400)),
];

/// The list at a path of the router.
pub(super) fn find(path: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.path == path)
}

/// Says of every list that it can be exported.
pub(in crate::http) fn document(document: &mut openapi::OpenApi) {
    for list in LISTS {
        let item = document.paths.paths.get_mut(list.path);
        if let Some(operation) = item.and_then(|item| item.get.as_mut()) {
            describe(operation);
        }
    }
}

fn describe(operation: &mut Operation) {
    let words = Format::ALL.map(Format::word);
    let format = ParameterBuilder::new()
        .name("format")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "`csv` or `ndjson`: a file with every entry that matches, or the first `limit`, instead of a page. The same as \
             `Accept: text/csv` or `application/x-ndjson`.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(format));
    if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
        for format in Format::ALL {
            let text = RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()));
            let content = RefOr::T(ContentBuilder::new().schema(Some(text)).build());
            answer.content.insert(format.media_type().to_owned(), content);
        }
    }
}
