//! Keyless CI: a workflow's own token for one that can upload.

use crate::{
    accounts::{Client, workflows},
    app::AppState,
    http::{
        error::ApiError,
        extract::{Faults, JsonBody},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use scaledtest_domain::{PublisherId, TeamId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest token of a workflow, bytes.
const MAX_TOKEN: usize = 16 * 1024;

#[derive(Deserialize, ToSchema)]
#[schema(as = ExchangeToken)]
pub(super) struct ExchangeBody {
    /// The OpenID Connect token that the CI system gave the workflow, with this instance's address as its audience.
    #[serde(default, deserialize_with = "super::session::secret")]
    #[schema(required, value_type = String)]
    token: SecretString,
    /// Which team, where several trust the workflow.
    #[serde(default)]
    team_id: Option<String>,
}

/// A token that can upload to one team, for 15 minutes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadToken)]
pub(super) struct ExchangedBody {
    /// Sent as `Authorization: Bearer <access_token>`.
    access_token: String,
    expires_at: DateTime<Utc>,
    /// `Bearer`.
    token_type: &'static str,
    #[schema(value_type = uuid::Uuid)]
    team_id: TeamId,
    /// The rule that let the workflow in.
    #[schema(value_type = uuid::Uuid)]
    publisher_id: PublisherId,
}

/// Exchange a CI workflow's token for one that can upload
///
/// Without any secret in the CI system: a team trusts a repository (trusted publishers), and the CI system vouches for its
/// workflows. Each of its tokens is good for one exchange.
#[utoipa::path(post, path = "/oidc-exchange", operation_id = "exchange_oidc_token", tag = "accounts",
    request_body = ExchangeBody,
    responses(
        (status = 200, description = "Good for uploads to that team only, for 15 minutes", body = ExchangedBody),
        (status = 400, description = "Faulty fields, each named in details; or team_required: several teams trust the workflow"),
        (status = 401, description = "untrusted_token: says which claim did not fit"),
        (status = 503, description = "issuer_unavailable: the CI system's keys cannot be had"),
    ))]
pub(super) async fn exchange(
    State(app): State<AppState>,
    client: Client,
    JsonBody(body): JsonBody<ExchangeBody>,
) -> Result<Json<ExchangedBody>, ApiError> {
    let mut faults = Faults::default();
    let token = body.token.expose_secret();
    faults.check(!token.is_empty(), "token", "must be the token that the CI system gave the workflow");
    faults.check(token.len() <= MAX_TOKEN, "token", format!("must have at most {MAX_TOKEN} bytes"));
    let team = body.team_id.filter(|text| !text.is_empty()).map(|text| text.parse::<TeamId>());
    faults.check(!matches!(team, Some(Err(_))), "team_id", "must be the id of a team");
    faults.finish()?;
    let exchanged = Box::pin(workflows::exchange(&app, token, team.and_then(Result::ok), &client)).await?;
    Ok(Json(ExchangedBody {
        access_token: exchanged.token,
        expires_at: exchanged.expires_at,
        token_type: "Bearer",
        team_id: exchanged.publisher.team_id,
        publisher_id: exchanged.publisher.id,
    }))
}
