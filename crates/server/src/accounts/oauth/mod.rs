//! Signing in at GitHub, at Google, and at any OpenID Connect provider: OAuth 2.0 with PKCE and state.
//!
//! A [`Ticket`] in a cookie binds what comes back to the browser that was sent away. Verifier and nonce follow from its state
//! and the instance's key, so nothing is kept on our side.

mod github;
pub mod identities;
mod oidc;
pub mod return_to;
mod teams;

use super::{
    email::Email,
    issuers::{Fault, Metadata},
    outbound::secure,
};
use crate::{
    app::App,
    config::{Credentials, Github, Oidc},
    http::error::ApiError,
    secrets::{hex, random},
};
use chrono::TimeDelta;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType},
};
use scaledtest_domain::ErrorKind;
use serde::{Deserialize, Serialize};
use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// How long somebody may take at the provider.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// How long all calls of one sign-in may take together: less than the request that waits for them.
const TOGETHER: Duration = Duration::from_secs(20);

/// Where people can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// GitHub, or a GitHub Enterprise Server.
    Github,
    /// Google.
    Google,
    /// The OpenID Connect provider of the settings.
    Oidc,
}

impl Provider {
    /// All of them, in the order of their buttons.
    pub const ALL: [Self; 3] = [Self::Github, Self::Google, Self::Oidc];

    /// The word in addresses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Google => "google",
            Self::Oidc => "oidc",
        }
    }

    /// What its button says; `None` if it is not set up.
    pub fn name(self, app: &App) -> Option<&str> {
        match self {
            Self::Github => app.config.oauth.github.as_ref().map(|_| "GitHub"),
            Self::Google => app.config.oauth.google.as_ref().map(|_| "Google"),
            Self::Oidc => app.config.oauth.oidc.as_ref().map(|oidc| oidc.name.as_str()),
        }
    }

    fn site(self, app: &App) -> Result<Site<'_>, ApiError> {
        let oauth = &app.config.oauth;
        let site = match self {
            Self::Github => oauth.github.as_ref().map(Site::Github),
            Self::Google => oauth.google.as_ref().map(Site::Oidc),
            Self::Oidc => oauth.oidc.as_ref().map(Site::Oidc),
        };
        site.ok_or_else(|| failed(self, &"it is not set up"))
    }
}

/// No provider of this name.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownProvider;

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(word: &str) -> Result<Self, UnknownProvider> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word).ok_or(UnknownProvider)
    }
}

/// What the browser carries while its person is at the provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    /// Where they were sent.
    pub provider: Provider,
    /// Comes back with them.
    state: String,
    /// The page that they wanted.
    pub return_to: String,
    /// The session of who is signed in here already, and wants to be able to sign in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Uuid>,
}

impl Ticket {
    /// A new one.
    pub fn new(provider: Provider, return_to: String, link: Option<Uuid>) -> Self {
        Self { provider, state: hex(&random()), return_to, link }
    }

    /// What is given to the provider.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Whether this is what was given to the provider.
    pub fn is_state(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }

    fn verifier(&self, app: &App) -> PkceCodeVerifier {
        PkceCodeVerifier::new(hex(&app.secrets.derive(&[b"oauth verifier", self.state.as_bytes()])))
    }

    fn nonce(&self, app: &App) -> String {
        hex(&app.secrets.derive(&[b"oauth nonce", self.state.as_bytes()]))
    }
}

/// Who somebody is, as a provider says.
pub(crate) struct Profile {
    pub provider: Provider,
    /// Which of them: the same ids mean other people elsewhere.
    pub issuer: String,
    /// The provider's own id of the person.
    pub subject: String,
    /// Only if the provider has verified it.
    pub email: Option<Email>,
    pub name: Option<String>,
    /// `None` where the provider says nothing of groups.
    pub groups: Option<Vec<String>>,
}

#[derive(Clone, Copy)]
enum Site<'a> {
    Github(&'a Github),
    Oidc(&'a Oidc),
}

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    #[serde(default)]
    id_token: Option<String>,
}

impl oauth2::ExtraTokenFields for IdToken {}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A provider, ready to be used.
struct Ready<'a> {
    provider: Provider,
    site: Site<'a>,
    client: Client,
    metadata: Option<Arc<Metadata>>,
}

/// The address to send the browser to.
///
/// # Errors
/// `oauth_failed` when the provider is away.
pub async fn begin(app: &App, ticket: &Ticket) -> Result<String, ApiError> {
    let ready = ready(app, ticket.provider).await?;
    let state = || CsrfToken::new(ticket.state.clone());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&ticket.verifier(app));
    let mut request = ready.client.authorize_url(state).set_pkce_challenge(challenge);
    match ready.site {
        Site::Github(_) => request = request.add_scope(Scope::new("user:email".to_owned())),
        Site::Oidc(oidc) => {
            let scopes = std::iter::once("openid").chain(oidc.scopes.iter().map(String::as_str));
            request = request.add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())));
            request = request.add_extra_param("nonce", ticket.nonce(app));
        }
    }
    Ok(request.url().0.into())
}

/// Who came back: the code is exchanged, and what the provider says of the person is read.
///
/// # Errors
/// `oauth_failed` when the provider is away, does not know the code, or says what it should not.
pub(crate) async fn finish(app: &App, ticket: &Ticket, code: &str, issuer: Option<&str>) -> Result<Profile, ApiError> {
    let late = |_| failed(ticket.provider, &"no answer in time");
    tokio::time::timeout(TOGETHER, redeem(app, ticket, code, issuer)).await.map_err(late)?
}

async fn redeem(app: &App, ticket: &Ticket, code: &str, issuer: Option<&str>) -> Result<Profile, ApiError> {
    let ready = ready(app, ticket.provider).await?;
    let failed = |error: &dyn Display| failed(ticket.provider, error);
    if let Some(metadata) = &ready.metadata {
        // An answer that another provider has sent (RFC 9207).
        let expected = metadata.authorization_response_iss_parameter_supported;
        if issuer.map_or(expected, |issuer| issuer != metadata.issuer) {
            return Err(failed(&"the answer is not this issuer's"));
        }
    }
    let outbound = &app.issuers.outbound;
    let exchange = ready.client.exchange_code(AuthorizationCode::new(code.to_owned()));
    let answer = exchange.set_pkce_verifier(ticket.verifier(app)).request_async(outbound).await;
    let answer = answer.map_err(|error| failed(&exchange_error(&error)))?;
    match (ready.site, ready.metadata) {
        (Site::Oidc(oidc), Some(metadata)) => {
            let check = oidc::Check { app, provider: ready.provider, oidc, metadata: &metadata };
            check.profile(&answer, &ticket.nonce(app)).await.map_err(|error| failed(&error))
        }
        (Site::Github(github), _) => github::profile(outbound, github, &answer).await.map_err(|error| failed(&error)),
        (Site::Oidc(_), None) => Err(failed(&"nothing is known of the issuer")),
    }
}

/// What may be logged of a failed exchange: an answer that cannot be read may hold tokens.
fn exchange_error<E: std::error::Error>(error: &oauth2::RequestTokenError<E, BasicErrorResponse>) -> String {
    match error {
        oauth2::RequestTokenError::ServerResponse(answer) => {
            format!("the provider refuses the code: {}", answer.error())
        }
        oauth2::RequestTokenError::Request(error) => format!("the provider does not answer: {error}"),
        oauth2::RequestTokenError::Parse(..) => "the provider refuses the code, or answers nonsense".to_owned(),
        oauth2::RequestTokenError::Other(reason) => reason.clone(),
    }
}

async fn ready(app: &App, provider: Provider) -> Result<Ready<'_>, ApiError> {
    let site = provider.site(app)?;
    let failed = |error: &dyn Display| failed(provider, error);
    let (metadata, endpoints) = match site {
        Site::Github(github) => {
            let at = |path: &str| format!("{}/login/oauth/{path}", github.url);
            (None, (at("authorize"), at("access_token"), AuthType::RequestBody, &github.credentials))
        }
        Site::Oidc(oidc) => {
            let found = app.issuers.metadata(&oidc.issuer, app.clock.now()).await;
            let metadata = found.map_err(|fault: Fault| failed(&fault))?;
            let missing = || failed(&"its discovery document names no endpoints to sign in at");
            let authorize = metadata.authorization_endpoint.clone().ok_or_else(missing)?;
            let token = metadata.token_endpoint.clone().ok_or_else(missing)?;
            let auth_type = auth_type(&metadata);
            (Some(metadata), (authorize, token, auth_type, &oidc.credentials))
        }
    };
    let client = client(app, provider, endpoints).map_err(|error| failed(&error))?;
    Ok(Ready { provider, site, client, metadata })
}

/// Basic authentication is the default of the standard.
fn auth_type(metadata: &Metadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
    let knows = |method: &str| methods.is_none_or(|methods| methods.iter().any(|known| known == method));
    if knows("client_secret_basic") { AuthType::BasicAuth } else { AuthType::RequestBody }
}

fn client(
    app: &App,
    provider: Provider,
    (authorize, token, auth_type, credentials): (String, String, AuthType, &Credentials),
) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    use secrecy::ExposeSecret;
    secure(&authorize)?;
    let back = format!("{}/auth/{}/callback", app.config.base_url, provider.as_str());
    let mut client = oauth2::Client::new(ClientId::new(credentials.id.clone()))
        .set_auth_uri(AuthUrl::new(authorize)?)
        .set_token_uri(TokenUrl::new(token)?)
        .set_redirect_uri(RedirectUrl::new(back)?)
        .set_auth_type(auth_type);
    if let Some(secret) = &credentials.secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    Ok(client)
}

/// Signing in there does not work; why is for the log.
fn failed(provider: Provider, error: &dyn Display) -> ApiError {
    tracing::warn!(provider = provider.as_str(), %error, "signing in elsewhere failed");
    let message = format!("signing in at {} does not work at the moment", provider.as_str());
    ApiError::new(ErrorKind::Unavailable, "oauth_failed", message)
}
