//! Every operation of the document, called with no, bad and worn-out credentials.

use crate::support::{JWT_SECRET, TestApp};
use axum::http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use scaledtest_server::http::openapi::openapi_json;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What anybody may call. A new public operation must be added here, deliberately.
const PUBLIC: &[&str] = &[
    "accept_invitation",
    "csrf_token",
    "csrf_token_at_auth",
    "forgot_password",
    "forgot_password_at_auth",
    "exchange_oidc_token",
    "exchange_oidc_token_at_auth",
    "finish_oauth",
    "finish_oauth_at_auth",
    "get_badge",
    "get_docs",
    "get_health",
    "get_invitation",
    "get_metrics",
    "get_openapi",
    "get_readiness",
    "get_shared_result",
    "get_shared_run",
    "list_shared_results",
    "login",
    "login_at_auth",
    "logout",
    "logout_at_auth",
    "refresh",
    "refresh_at_auth",
    "register",
    "register_at_auth",
    "reset_password",
    "reset_password_at_auth",
    "verify_email",
    "verify_email_at_auth",
    "sign_in_methods",
    "sign_in_methods_at_auth",
    "start_oauth",
    "start_oauth_at_auth",
];

/// An operation of the document.
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// As the document has it, with `{names}`.
    pub template: String,
    /// With ids that are none: a missing credential counts before a malformed id.
    path: String,
    pub public: bool,
}

/// Every operation of the document.
pub fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(openapi_json()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap(),
                template: path.clone(),
                path: path.replace('{', "malformed-").replace('}', ""),
                public: operation["security"].as_array().is_some_and(Vec::is_empty),
            });
        }
    }
    operations
}

#[test]
fn operation_ids_are_unique() {
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| &operation.id).collect();
    assert_eq!(ids.len(), operations.len());
}

#[test]
fn what_the_document_calls_public_is_what_we_mean() {
    let public: BTreeSet<_> =
        operations().into_iter().filter(|operation| operation.public).map(|operation| operation.id).collect();
    assert_eq!(public, PUBLIC.iter().map(|id| (*id).to_owned()).collect());
}

#[tokio::test]
async fn every_other_operation_refuses_missing_bad_and_worn_out_credentials_first() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let expired = ada.token.clone();
    server.advance(901);
    let claims = super::accounts::claims(&expired);
    let with = |algorithm, claims: &Value| {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(JWT_SECRET)).unwrap()
    };
    let mut fresh = claims.clone();
    fresh["exp"] = json!(server.now().timestamp() + 900);
    let mut foreign = fresh.clone();
    foreign["iss"] = json!("somebody");
    let mut endless = fresh.clone();
    endless.as_object_mut().unwrap().remove("exp");
    let mut future = fresh.clone();
    future["iat"] = json!(server.now().timestamp() + 61);
    let mut early = fresh.clone();
    early["nbf"] = json!(server.now().timestamp() + 61);
    let good = with(Algorithm::HS256, &fresh);
    let payload = good.split('.').nth(1).unwrap();
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let forged = encode(&Header::default(), &fresh, &EncodingKey::from_secret(&[b'x'; 32])).unwrap();
    let rows = [
        ("none", None, "missing_authorization"),
        ("basic", Some("Basic YWRhOnB3".to_owned()), "missing_authorization"),
        ("empty bearer", Some("Bearer ".to_owned()), "missing_authorization"),
        ("garbage", Some("Bearer garbage".to_owned()), "invalid_token"),
        ("unknown API token", Some(format!("Bearer sct_{}", "0".repeat(64))), "invalid_token"),
        ("unknown bare API token", Some(format!("sct_{}", "0".repeat(64))), "invalid_token"),
        ("expired", Some(format!("Bearer {expired}")), "token_expired"),
        ("alg none", Some(unsigned), "invalid_token"),
        ("forged", Some(format!("Bearer {forged}")), "invalid_token"),
        ("other algorithm", Some(format!("Bearer {}", with(Algorithm::HS384, &fresh))), "invalid_token"),
        ("other issuer", Some(format!("Bearer {}", with(Algorithm::HS256, &foreign))), "invalid_token"),
        ("from the future", Some(format!("Bearer {}", with(Algorithm::HS256, &future))), "invalid_token"),
        ("not good yet", Some(format!("Bearer {}", with(Algorithm::HS256, &early))), "invalid_token"),
        ("without expiry", Some(format!("Bearer {}", with(Algorithm::HS256, &endless))), "invalid_token"),
    ];
    let mut called = 0;
    for operation in operations().into_iter().filter(|operation| !operation.public) {
        for (row, credential, code) in &rows {
            let headers: Vec<_> = credential.iter().map(|value| ("authorization", value.as_str())).collect();
            // A body that is none, too: it isn't looked at.
            let answer = server.call(operation.method.clone(), &operation.path, &headers, Some(json!("none"))).await;
            assert_eq!(answer.status, 401, "{} with {row}", operation.id);
            answer.refused(401, code);
            called += 1;
        }
    }
    assert!(called >= rows.len() * 5);
    server.get(&good, "/api/v1/auth/me").await.expect(200);
}
