//! The HTTP API: one folder per resource, one file per group of operations.

pub mod accounts;
mod admin;
mod badges;
pub mod error;
mod export;
pub mod extract;
mod gates;
mod insight;
mod invitations;
mod issues;
mod limit;
pub mod live;
mod middleware;
pub mod openapi;
mod operations;
mod projects;
mod publishers;
mod quarantine;
pub mod read_models;
pub mod renames;
mod reports;
pub mod runs;
mod shares;
mod teams;
mod tokens;
mod ui;
pub mod words;

use crate::app::{App, AppState};
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Everything that the server answers.
pub fn router(app: AppState) -> Router {
    let public = documented_public().split_for_parts().0;
    let public = public.route_layer(from_fn_with_state(Arc::clone(&app), limit::public));
    let private = documented_private().split_for_parts().0;
    // Exports ask a list for one page after another, by the same caller: they are inside of what looks at callers.
    let private = private.route_layer(from_fn(export::layer));
    let private = private.route_layer(from_fn_with_state(Arc::clone(&app), extract::require_caller));
    let sockets = documented_sockets().split_for_parts().0;
    let router = public.merge(private).merge(sockets).fallback(ui::fallback);
    middleware::wrap(router, &app).with_state(app)
}

/// What anybody may call: each is listed by name in the authorisation test.
fn documented_public() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .nest("/api/v1/auth", accounts::public_routes())
        .nest("/auth", accounts::public_routes())
        .merge(invitations::public_routes())
        .merge(badges::public_routes())
        .merge(shares::public_routes())
        .merge(operations::routes())
}

/// What needs a token, too, but may carry it in the query: browsers cannot set headers of a WebSocket. So it is checked, and the
/// call counted, where the query is read.
fn documented_sockets() -> OpenApiRouter<Arc<App>> {
    live::routes()
}

/// What needs a token; it is checked before the path or the body is looked at.
fn documented_private() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(accounts::private_routes())
        .merge(admin::routes())
        .merge(teams::routes())
        .merge(tokens::routes())
        .merge(invitations::routes())
        .merge(publishers::routes())
        .merge(reports::routes())
        .merge(runs::routes())
        .merge(shares::routes())
        .merge(projects::routes())
        .merge(insight::routes())
        .merge(gates::routes())
        .merge(quarantine::routes())
        .merge(issues::routes())
        .merge(renames::routes())
        .merge(export::ctrf::routes())
}
