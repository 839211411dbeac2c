//! The OpenAPI document: collected from the handlers, completed with what holds for all of them.

use super::{documented_private, documented_public, documented_sockets, error::ErrorBody, export};
use std::sync::OnceLock;
use utoipa::{
    OpenApi,
    openapi::{
        self, ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ScaledTest API",
        description = "Send test reports, look at runs and results. Times are RFC 3339 in UTC, durations milliseconds. \
            Every refusal is an Error. Every write answers with the header ST-Position; a read that sends it back as \
            ST-Min-Position sees that write. X-Team-ID chooses the team where the path names none. Idempotency-Key \
            makes a creating request safe to repeat.",
        license(name = "MIT", identifier = "MIT")
    ),
    components(schemas(ErrorBody)),
    tags(
        (name = "accounts", description = "Registration and sessions"),
        (name = "teams", description = "Teams, their members and API tokens"),
        (name = "quarantine", description = "Flaky tests that hold up nobody, for a while"),
        (name = "issues", description = "Errors that a ticket is open for"),
        (name = "administration", description = "For owners of the instance, in person"),
        (name = "operations", description = "Health, metrics and this document")
    )
)]
struct Document;

/// The document that describes every operation.
pub fn openapi() -> openapi::OpenApi {
    let mut document = Document::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token from signing in, or an API token (sct_...)."))
        .build();
    document
        .components
        .get_or_insert_default()
        .security_schemes
        .insert("token".to_owned(), SecurityScheme::Http(bearer).into());
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    let mut public = documented_public().into_openapi();
    for operation in operations(&mut public) {
        operation.security = Some(Vec::new());
    }
    let mut sockets = documented_sockets().into_openapi();
    for operation in operations(&mut sockets) {
        operation.security = None;
    }
    document.merge(public);
    document.merge(sockets);
    document.merge(documented_private().into_openapi());
    complete(&mut document);
    export::document(&mut document);
    document
}

/// The document as it is served and kept in `openapi.json`: indented JSON.
pub fn openapi_json() -> &'static str {
    static JSON: OnceLock<String> = OnceLock::new();
    JSON.get_or_init(|| openapi().to_pretty_json().unwrap_or_default() + "\n")
}

fn operations(document: &mut openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(methods)
}

fn methods(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// What the handlers need not repeat: how refusals look; and names of their own for the operations at /auth.
fn complete(document: &mut openapi::OpenApi) {
    for operation in operations(document) {
        let responses = &mut operation.responses.responses;
        for (status, response) in responses.iter_mut() {
            if let RefOr::T(response) = response
                && response.content.is_empty()
                && status.starts_with(['4', '5'])
            {
                response.content = error("").content;
            }
        }
        responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(error("Refused or failed")));
    }
    for (path, item) in document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/auth/")) {
        for operation in methods(item) {
            operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_at_auth"));
            let twin = format!("The same as /api/v1{path}, at the path that the refresh cookie is sent to.");
            operation.description = Some(twin);
        }
    }
}

fn error(description: &str) -> openapi::Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Error"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}
