//! How somebody can sign in here, and signing in at other providers.

use super::cookie::{REFRESH_TOKEN, cookie, cookies, refresh_cookie, set_cookie};
use crate::{
    accounts::{
        Client, admission,
        audit::{self, Action, Circumstances},
        oauth::{self, PATIENCE, Provider, Ticket, identities, return_to},
        sessions,
    },
    app::{App, AppState},
    config::Registration,
    http::{
        error::ApiError,
        extract::{Pairs, PathId, RequestId, after_write},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

/// Binds somebody who is at the provider to this browser; the beginning of the state follows, so that each tab has its own.
const OAUTH_STATE: &str = "oauth_state_";
/// Characters of the state in the name of its cookie.
const STATE_NAME: usize = 16;
/// Sign-ins that a browser may have begun at once; the oldest makes way.
const MOST_BEGUN: usize = 4;
/// What the page that somebody ends at is told; anything else is `oauth_failed` there.
const TOLD: [&str; 9] = [
    "oauth_denied",
    "oauth_state",
    "oauth_email_unverified",
    "oauth_account_exists",
    "registration_closed",
    "email_domain_not_allowed",
    "email_not_verified",
    "account_disabled",
    "session_over",
];

/// How people sign in on this instance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInMethods)]
pub(super) struct MethodsBody {
    /// Who may make an account: `open`, `invite` (who was invited), `closed` (nobody). `open` until there is an account.
    registration: &'static str,
    /// Whether e-mail and password will do.
    password: bool,
    /// Whether the instance can send mail: forgotten passwords need it.
    mail: bool,
    providers: Vec<ProviderBody>,
}

/// Somewhere else to sign in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInProvider)]
struct ProviderBody {
    /// `github`, `google` or `oidc`.
    id: &'static str,
    /// What its button says.
    name: String,
    /// Where the browser goes; takes `return_to`.
    start_url: String,
}

/// How people sign in on this instance
#[utoipa::path(get, path = "/methods", operation_id = "sign_in_methods", tag = "accounts", responses(
    (status = 200, description = "The methods", body = MethodsBody),
))]
pub(super) async fn methods(State(app): State<AppState>) -> Result<Json<MethodsBody>, ApiError> {
    let registration = match app.config.registration {
        limited if limited != Registration::Open && admission::is_first(&app).await? => Registration::Open,
        registration => registration,
    };
    let provider = |provider: Provider| {
        let name = provider.name(&app)?.to_owned();
        Some(ProviderBody { id: provider.as_str(), name, start_url: format!("/auth/{}", provider.as_str()) })
    };
    Ok(Json(MethodsBody {
        registration: registration.as_str(),
        password: true,
        mail: app.config.mail.is_some(),
        providers: Provider::ALL.into_iter().filter_map(provider).collect(),
    }))
}

/// Go to a provider to sign in
///
/// For browsers. With `link=1` whoever is signed in here can sign in there from then on; what goes wrong is told at the page
/// to end at.
#[utoipa::path(get, path = "/{provider}", operation_id = "start_oauth", tag = "accounts",
    params(
        ("provider" = String, Path, description = "`github`, `google` or `oidc`"),
        ("return_to" = Option<String>, Query, description = "The page to end at: a path of this instance"),
        ("link" = Option<String>, Query, description = "`1`: link the provider's account to the one that is signed in"),
    ),
    responses(
        (status = 303, description = "To /login: the provider is away, or nobody is signed in to link to"),
        (status = 307, description = "To the provider; a cookie oauth_state_* binds what comes back to this browser"),
        (status = 404, description = "No such provider"),
        (status = 501, description = "oauth_not_configured"),
    ))]
pub(super) async fn start(
    State(app): State<AppState>,
    PathId(provider): PathId<Provider>,
    query: Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if provider.name(&app).is_none() {
        return Err(not_configured(provider, true));
    }
    let return_to = return_to::local(query.get("return_to"));
    let link = match query.get("link") {
        Some("1") => match signed_in(&app, &headers).await? {
            Some(session) => Some(session),
            None => return Ok(see_other(&login(None, &return_to))),
        },
        _ => None,
    };
    let ticket = Ticket::new(provider, return_to, link);
    let place = match oauth::begin(&app, &ticket).await {
        Ok(place) => place,
        Err(error) => return Ok(see_other(&told(&error, &ticket.return_to, link.is_some()))),
    };
    let name = cookie_name(ticket.state()).ok_or_else(|| ApiError::internal("a state that names no cookie"))?;
    let (sealed, _) = app.tickets.seal(ticket, app.clock.now(), PATIENCE)?;
    let location = HeaderValue::try_from(place).map_err(|error| ApiError::internal(&error))?;
    let state = state_cookie(&app, &headers, &name, &sealed);
    let mut response = (StatusCode::TEMPORARY_REDIRECT, state, [(header::LOCATION, location)]).into_response();
    let begun = begun(&headers);
    // Browsers send the oldest first.
    for name in begun.iter().take((begun.len() + 1).saturating_sub(MOST_BEGUN)) {
        add(&mut response, &state_cookie(&app, &headers, name, ""));
    }
    Ok(response)
}

/// The session of this browser. The cookie is `SameSite=Strict`; what another site's page began is refused once more. An
/// address that somebody typed was begun by no site.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<Uuid>, ApiError> {
    let own = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    match cookie(headers, REFRESH_TOKEN).filter(|_| own) {
        Some(token) => sessions::shown(app, token).await,
        None => Ok(None),
    }
}

/// Where a provider sends people back to
///
/// For browsers. Ends at the page that was wanted, with a session; or at /login with `error`: `oauth_denied`, `oauth_state`,
/// `oauth_failed`, `oauth_email_unverified`, `oauth_account_exists`, `registration_closed`, `email_domain_not_allowed`,
/// `email_not_verified`, `account_disabled`. Who was linking ends at the page that was wanted in any case, perhaps with
/// `error`: also `session_over`.
#[utoipa::path(get, path = "/{provider}/callback", operation_id = "finish_oauth", tag = "accounts",
    params(
        ("provider" = String, Path, description = "`github`, `google` or `oidc`"),
        ("state" = Option<String>, Query, description = "As it was given to the provider"),
        ("code" = Option<String>, Query, description = "The provider's code"),
        ("error" = Option<String>, Query, description = "Why there is none"),
        ("iss" = Option<String>, Query, description = "The provider's issuer"),
    ),
    responses(
        (status = 303, description = "To the page that was wanted, or to /login with an error"),
        (status = 404, description = "No such provider"),
        (status = 501, description = "oauth_not_configured"),
    ))]
pub(super) async fn callback(
    State(app): State<AppState>,
    PathId(provider): PathId<Provider>,
    client: Client,
    request: RequestId,
    query: Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if provider.name(&app).is_none() {
        return Err(not_configured(provider, false));
    }
    let state = query.get("state").unwrap_or_default();
    let name = cookie_name(state);
    let sealed = name.as_ref().and_then(|name| cookie(&headers, name));
    let ticket = sealed.and_then(|sealed| app.tickets.open::<Ticket>(sealed, app.clock.now()));
    let return_to = ticket.as_ref().map_or("/", |(ticket, _)| ticket.return_to.as_str()).to_owned();
    let is_link = ticket.as_ref().is_some_and(|(ticket, _)| ticket.link.is_some());
    let fits = |ticket: &Ticket| ticket.provider == provider && ticket.is_state(state);
    let ticket = ticket.filter(|(ticket, holds)| *holds && fits(ticket)).map(|(ticket, _)| ticket);
    let arrival = Arrival { app: &app, provider, client: &client, request: &request, query: &query };
    let mut response = match Box::pin(arrival.enter(ticket, &headers)).await {
        Ok(cookies) => (cookies, see_other(&return_to)).into_response(),
        Err(error) => {
            let detail = json!({"provider": provider.as_str(), "reason": error.code()});
            let circumstances = Circumstances { detail: Some(detail), ..Circumstances::default() };
            audit::note_with(&app, Action::SignInFailed, circumstances, &client).await;
            see_other(&told(&error, &return_to, is_link))
        }
    };
    if let Some(name) = name {
        // It was good for one return.
        add(&mut response, &state_cookie(&app, &headers, &name, ""));
    }
    Ok(response)
}

/// Somebody coming back from a provider.
struct Arrival<'a> {
    app: &'a App,
    provider: Provider,
    client: &'a Client,
    request: &'a RequestId,
    query: &'a Pairs,
}

impl Arrival<'_> {
    /// The cookies of whoever may come in.
    async fn enter(&self, ticket: Option<Ticket>, headers: &HeaderMap) -> Result<HeaderMap, ApiError> {
        let foreign =
            || ApiError::invalid("oauth_state", "this sign-in was not begun in this browser, or too long ago");
        let ticket = ticket.ok_or_else(foreign)?;
        if let Some(error) = self.query.get("error") {
            // The provider's word, shortened: anybody can write it into the address.
            let error: String = error.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            tracing::info!(provider = self.provider.as_str(), %error, "the provider did not let somebody sign in");
            let denied = error == "access_denied";
            let code = if denied { "oauth_denied" } else { "oauth_failed" };
            return Err(ApiError::forbidden(code, "the provider did not let you sign in"));
        }
        let missing = || ApiError::invalid("oauth_failed", "missing authorization code");
        let code = self.query.get("code").ok_or_else(missing)?;
        let profile = oauth::finish(self.app, &ticket, code, self.query.get("iss")).await?;
        let correlation = self.request.correlation();
        if let Some(session) = ticket.link {
            let position = identities::link(self.app, session, &profile, correlation, self.client).await?;
            self.caught_up(position).await;
            return Ok(HeaderMap::new());
        }
        let found = identities::sign_in(self.app, &profile, correlation, self.client).await?;
        self.caught_up(found.position).await;
        let opened = sessions::open(self.app, &found.user, self.client).await?;
        // The account is gone since, or somebody set another password: whoever it is may begin anew.
        let opened = opened.ok_or_else(|| ApiError::forbidden("oauth_failed", "the account has just changed"))?;
        Ok(refresh_cookie(self.app, headers, &opened.refresh_token))
    }

    /// The next page shall show what signing in has changed.
    async fn caught_up(&self, position: Option<scaledtest_domain::Position>) {
        if let Some(position) = position {
            after_write(self.app, position, &["access"], false).await;
        }
    }
}

fn not_configured(provider: Provider, in_full: bool) -> ApiError {
    let (name, settings) = match provider {
        Provider::Github => ("GitHub OAuth", "ST_OAUTH_GITHUB_CLIENT_ID and ST_OAUTH_GITHUB_CLIENT_SECRET"),
        Provider::Google => ("Google OAuth", "ST_OAUTH_GOOGLE_CLIENT_ID and ST_OAUTH_GOOGLE_CLIENT_SECRET"),
        Provider::Oidc => ("OpenID Connect", "ST_OIDC_ISSUER and ST_OIDC_CLIENT_ID"),
    };
    let how = if in_full { format!(". Set {settings} environment variables.") } else { String::new() };
    ApiError::not_configured("oauth_not_configured", format!("{name} is not configured{how}"))
}

/// The name of the cookie that goes with a state.
fn cookie_name(state: &str) -> Option<String> {
    let start = state.get(..STATE_NAME).filter(|start| start.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(format!("{OAUTH_STATE}{start}"))
}

fn state_cookie(app: &App, headers: &HeaderMap, name: &str, sealed: &str) -> HeaderMap {
    let life = if sealed.is_empty() { 0 } else { PATIENCE.num_seconds() };
    // Lax: the provider's page sends the browser back here.
    set_cookie(app, headers, format!("{name}={sealed}; Path=/auth; Max-Age={life}; HttpOnly; SameSite=Lax"))
}

/// Beside the cookies that are set already.
fn add(response: &mut Response, cookies: &HeaderMap) {
    for (name, value) in cookies {
        response.headers_mut().append(name, value.clone());
    }
}

/// The names of the cookies of sign-ins that this browser has begun.
fn begun(headers: &HeaderMap) -> Vec<String> {
    let begun = cookies(headers).filter_map(|(name, _)| cookie_name(name.strip_prefix(OAUTH_STATE)?));
    begun.collect()
}

/// The page on which somebody learns what went wrong: who was linking is signed in, and goes on there.
fn told(error: &ApiError, return_to: &str, is_link: bool) -> String {
    if !is_link {
        return login(Some(error), return_to);
    }
    let (page, fragment) = return_to.split_at(return_to.find('#').unwrap_or(return_to.len()));
    let mark = if page.contains('?') { '&' } else { '?' };
    format!("{page}{mark}error={}{fragment}", told_code(error))
}

/// The sign-in page, with what went wrong, and where to go on afterwards.
fn login(error: Option<&ApiError>, return_to: &str) -> String {
    let error = error.map(|error| format!("error={}&", told_code(error))).unwrap_or_default();
    let encoded: String = return_to.bytes().map(encoded).collect();
    format!("/login?{error}return_to={encoded}")
}

fn told_code(error: &ApiError) -> &'static str {
    TOLD.into_iter().find(|code| *code == error.code()).unwrap_or("oauth_failed")
}

fn encoded(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

fn see_other(page: &str) -> Response {
    let location = HeaderValue::try_from(page).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}
