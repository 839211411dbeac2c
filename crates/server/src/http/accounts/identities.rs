//! The accounts elsewhere that sign the caller in.

use super::MessageBody;
use crate::{
    accounts::{Client, oauth::identities},
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, PathId},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An account elsewhere that signs the caller in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
struct IdentityBody {
    id: Uuid,
    /// `github`, `google` or `oidc`.
    provider: String,
    /// What they are called there.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    linked_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityList)]
pub(super) struct IdentitiesBody {
    /// The oldest first.
    identities: Vec<IdentityBody>,
}

/// The accounts elsewhere that sign the caller in
#[utoipa::path(get, path = "/api/v1/auth/identities", operation_id = "list_identities", tag = "accounts", responses(
    (status = 200, description = "The oldest first", body = IdentitiesBody),
    (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
))]
pub(super) async fn list_identities(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Json<IdentitiesBody>, ApiError> {
    let identities = identities::of(&app, caller.person()?).await?.into_iter();
    let body = |identity: identities::Identity| IdentityBody {
        id: identity.id,
        provider: identity.provider,
        name: identity.name,
        linked_at: identity.linked_at,
    };
    Ok(Json(IdentitiesBody { identities: identities.map(body).collect() }))
}

/// Let an account elsewhere sign the caller in no longer
///
/// Ends no session: see sessions.
#[utoipa::path(delete, path = "/api/v1/auth/identities/{identity_id}", tag = "accounts",
    params(("identity_id" = Uuid, Path, description = "As the list has it")),
    responses(
        (status = 200, description = "Unlinked", body = MessageBody),
        (status = 403, description = "token_not_allowed: API tokens are not for accounts"),
        (status = 404, description = "identity_not_found"),
        (status = 409, description = "last_way_in: the caller has no password, and no other such account"),
    ))]
pub(super) async fn unlink_identity(
    State(app): State<AppState>,
    caller: Caller,
    client: Client,
    identity: Result<PathId<Uuid>, ApiError>,
) -> Result<Json<MessageBody>, ApiError> {
    let user = caller.person()?;
    let missing = |_| ApiError::not_found("identity_not_found", "linked account not found");
    let PathId(identity) = identity.map_err(missing)?;
    identities::unlink(&app, user, identity, &client).await?;
    Ok(Json(MessageBody { message: "account unlinked" }))
}
