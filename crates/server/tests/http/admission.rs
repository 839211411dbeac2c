use super::mail::Mailing;
use crate::support::{PASSWORD, TestApp, config};
use scaledtest_server::config::Registration;
use serde_json::json;

fn body(email: &str) -> serde_json::Value {
    json!({"email": email, "password": PASSWORD, "display_name": "Ada"})
}

#[tokio::test]
async fn where_registration_is_not_open_only_the_first_account_can_be_made() {
    for mode in [Registration::Invite, Registration::Closed] {
        let mut config = config();
        config.registration = mode;
        let server = TestApp::start_with(config).await;
        assert_eq!(server.get("", "/auth/methods").await.expect(200)["registration"], "open");
        server.register("ada@example.com").await;
        let methods = server.get("", "/api/v1/auth/methods").await.expect(200);
        assert_eq!(methods["registration"], mode.as_str());
        server.post("", "/auth/register", body("bob@example.com")).await.refused(403, "registration_closed");
        // Whether there is an account is nobody's business here.
        server.post("", "/auth/register", body("ada@example.com")).await.refused(403, "registration_closed");
        server.post("", "/auth/login", body("ada@example.com")).await.expect(200);
    }
}

#[tokio::test]
async fn only_addresses_of_allowed_domains_get_accounts() {
    let mut config = config();
    config.allowed_email_domains = vec!["example.com".to_owned()];
    let server = TestApp::start_with(config).await;
    server.register("ada@elsewhere.net").await;
    for stranger in ["bob@elsewhere.net", "bob@sub.example.com", "bob@example.com.evil.net"] {
        server.post("", "/auth/register", body(stranger)).await.refused(403, "email_domain_not_allowed");
    }
    server.post("", "/auth/register", body("bob@Example.com")).await.expect(201);
}

#[tokio::test]
async fn where_mail_can_prove_an_address_of_an_allowed_domain_nobody_gets_in_without() {
    let mut config = config();
    config.allowed_email_domains = vec!["example.com".to_owned()];
    let server = Mailing::start_with(config).await;
    // Whoever owns the instance gets in: the mail may be what they have to mend.
    server.register("ada@example.com").await;
    server.sign_in("ada@example.com").await;
    let bob = body("bob@example.com");
    let refused = server.post("", "/auth/register", bob.clone()).await;
    refused.refused(403, "email_not_verified");
    assert_eq!(refused.refresh_cookie(), None);
    server.post("", "/auth/register", bob.clone()).await.refused(409, "email_taken");
    assert_eq!(server.mails_to("bob@example.com").await.len(), 1);
    let refused = server.post("", "/auth/login", bob.clone()).await;
    refused.refused(403, "email_not_verified");
    assert_eq!(refused.refresh_cookie(), None);
    let wrong = json!({"email": "bob@example.com", "password": "wrong password"});
    server.post("", "/auth/login", wrong).await.refused(401, "invalid_credentials");
    assert_eq!(server.mails_to("bob@example.com").await.len(), 2, "whoever knows the password gets another link");
    let token = server.token("bob@example.com", "verify-email").await;
    server.post("", "/auth/verify-email", json!({"token": token})).await.expect(200);
    server.post("", "/auth/login", bob).await.expect(200);
    let audited = server.audited().await;
    let expected = ["registered", "sign_in_failed", "sign_in_failed", "email_verified", "signed_in"];
    assert_eq!(audited[2..], expected, "{audited:?}");
}

#[tokio::test]
async fn the_methods_name_nothing_that_is_not_set_up() {
    let server = TestApp::start().await;
    let methods = server.get("", "/auth/methods").await.expect(200);
    assert_eq!(methods, json!({"registration": "open", "password": true, "mail": false, "providers": []}));
}

#[tokio::test]
async fn a_provider_that_is_not_set_up_says_how_to() {
    let server = TestApp::start().await;
    for (path, sentence) in [
        (
            "/auth/github",
            "GitHub OAuth is not configured. Set ST_OAUTH_GITHUB_CLIENT_ID and ST_OAUTH_GITHUB_CLIENT_SECRET environment \
             variables.",
        ),
        (
            "/auth/google",
            "Google OAuth is not configured. Set ST_OAUTH_GOOGLE_CLIENT_ID and ST_OAUTH_GOOGLE_CLIENT_SECRET environment \
             variables.",
        ),
        (
            "/api/v1/auth/oidc",
            "OpenID Connect is not configured. Set ST_OIDC_ISSUER and ST_OIDC_CLIENT_ID environment variables.",
        ),
        ("/auth/github/callback", "GitHub OAuth is not configured"),
        ("/auth/google/callback?code=x&state=y", "Google OAuth is not configured"),
    ] {
        let refusal = server.get("", path).await.refused(501, "oauth_not_configured");
        assert_eq!(refusal["error"], sentence);
    }
    server.get("", "/auth/gitlab").await.refused(404, "not_found");
    server.get("", "/auth/gitlab/callback").await.refused(404, "not_found");
}
