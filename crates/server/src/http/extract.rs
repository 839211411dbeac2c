//! What handlers take out of a request: the caller, the body, the path, the query.

use super::{
    error::{ApiError, Detail},
    limit,
};
use crate::{
    accounts::identify,
    app::{App, AppState},
};
use axum::{
    Json, RequestPartsExt,
    body::to_bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use scaledtest_domain::{Actor, CommandId, ErrorKind, Position, Scope, TeamId, TeamRole, UserId};
use scaledtest_eventlog::CommandMeta;
use serde::de::DeserializeOwned;
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// Largest body of an ordinary request, bytes. Uploads have limits of their own.
const MAX_BODY: usize = 1024 * 1024;
/// Longest name of a person, a team or a token, characters.
const MAX_NAME: usize = 255;
/// How long a read or a write waits for the read models.
pub(super) const CATCH_UP: Duration = Duration::from_secs(2);

/// The position of a write.
pub const ST_POSITION: HeaderName = HeaderName::from_static("st-position");
/// The position that a read must have seen.
pub const ST_MIN_POSITION: HeaderName = HeaderName::from_static("st-min-position");
/// Says `lagging` when the read models have not seen a write yet.
pub const ST_PROJECTION: HeaderName = HeaderName::from_static("st-projection");
/// Says which `Prefer` was honoured.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Chooses the team where the path names none.
pub const X_TEAM_ID: HeaderName = HeaderName::from_static("x-team-id");
/// Makes a repeated request harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who calls, and what they may do here and now.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person; for an API token its creator.
    pub user: UserId,
    /// The team that the call is about, if it can be told.
    pub team: Option<TeamId>,
    /// The person's role in that team, read just now.
    pub role: Option<TeamRole>,
    /// Who is to be recorded.
    pub actor: Actor,
    /// What the token is good for; everything for a person.
    pub scopes: Vec<Scope>,
    /// Whether an API token was shown.
    pub via_token: bool,
    /// The session that the access token belongs to; none for an API token.
    pub session: Option<Uuid>,
    /// Every team of the person, oldest membership first; for an API token only its own.
    pub memberships: Vec<(TeamId, TeamRole)>,
    pub(crate) team_error: Option<ApiError>,
}

impl Caller {
    /// Checks a credential (an access token or `sct_...`) that came from anywhere but the header.
    ///
    /// # Errors
    /// 401 when it is not acceptable.
    pub async fn authenticate(app: &App, credential: &str, team: Option<&HeaderValue>) -> Result<Self, ApiError> {
        identify::identify(app, credential, team).await
    }

    /// Checks what a request carries, as `Authorization: Bearer <token>` or a bare `sct_...`.
    ///
    /// # Errors
    /// 401 when there is nothing acceptable.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Self, ApiError> {
        let credential = identify::credential(headers)
            .ok_or_else(|| ApiError::unauthenticated("missing_authorization", "missing authorization"))?;
        Self::authenticate(app, credential, headers.get(X_TEAM_ID)).await
    }

    /// The team that the call is about.
    ///
    /// # Errors
    /// 404 when `X-Team-ID` names one that isn't the caller's, or they have none; 403 for another than the token's.
    pub fn team(&self) -> Result<TeamId, ApiError> {
        match (&self.team_error, self.team) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(team)) => Ok(team),
            (None, None) => Err(ApiError::not_found("team_not_found", "team not found: you are in no team yet")),
        }
    }

    /// The team of the call, if the caller has at least this role in it.
    ///
    /// # Errors
    /// As [`Caller::team`]; 403 with a lesser role.
    pub fn require(&self, least: TeamRole) -> Result<TeamId, ApiError> {
        let team = self.team()?;
        match self.role {
            Some(role) if role >= least => Ok(team),
            _ => Err(insufficient(least)),
        }
    }

    /// The caller's role in a team that the path names.
    ///
    /// # Errors
    /// 404 when it is not theirs: nobody learns whether it exists.
    pub fn role_in(&self, team: TeamId) -> Result<TeamRole, ApiError> {
        let found = self.memberships.iter().find(|(candidate, _)| *candidate == team);
        found.map(|(_, role)| *role).ok_or_else(|| ApiError::not_found("team_not_found", "team not found"))
    }

    /// Whether the token is good for this; a person's session always is.
    ///
    /// # Errors
    /// 403 when the token lacks the scope.
    pub fn scope(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let message = format!("this API token lacks the scope {}", scope.as_str());
        Err(ApiError::forbidden("insufficient_scope", message))
    }

    /// What is recorded of a command of this caller: a new one, now, in this request.
    pub fn meta(&self, app: &App, request: &RequestId) -> CommandMeta {
        CommandMeta {
            command: CommandId::new(),
            request: None,
            actor: self.actor,
            at: app.clock.now(),
            correlation: Some(request.correlation()),
            causation: None,
        }
    }

    /// Refuses API tokens: accounts and tokens are managed by people.
    ///
    /// # Errors
    /// 403 for an API token.
    pub fn person(&self) -> Result<UserId, ApiError> {
        if self.via_token {
            return Err(ApiError::forbidden("token_not_allowed", "API tokens cannot be used here; sign in instead"));
        }
        Ok(self.user)
    }
}

fn insufficient(least: TeamRole) -> ApiError {
    let message = match least {
        TeamRole::Owner => "owner role required",
        TeamRole::Maintainer => "maintainer or owner role required",
        TeamRole::Readonly => "you are not a member of this team",
    };
    ApiError::forbidden("forbidden", message)
}

/// Lets only callers with a token pass, before anything of the path or the body is looked at.
pub(crate) async fn require_caller(State(app): State<AppState>, request: Request, next: Next) -> Response {
    match Caller::of(&app, request.headers()).await {
        Ok(caller) => {
            let verdict = limit::of_caller(&app, &caller, request.method(), request.uri().path()).await;
            let (mut parts, body) = request.into_parts();
            if let (Actor::Token(token), Some(ip)) = (caller.actor, client_ip(&app.config.trusted_proxies, &parts)) {
                app.usage.note_address(token, ip.to_string(), app.clock.now());
            }
            parts.extensions.insert(Arc::new(caller));
            limit::guarded(verdict, next.run(Request::from_parts(parts, body))).await
        }
        Err(error) => {
            let (parts, _) = request.into_parts();
            let verdict = limit::of_stranger(&app, &parts).await;
            limit::guarded(verdict, async { error.into_response() }).await
        }
    }
}

/// The client's address: the peer's, or what a trusted proxy says of it.
pub(crate) fn client_ip(trusted: &[IpNet], parts: &Parts) -> Option<IpAddr> {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical())?;
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let lines = parts.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let named: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    // Each proxy appends whom it spoke with: from the right, the first that is none of ours is the client.
    for name in named.iter().rev() {
        match name.parse::<IpAddr>() {
            Ok(ip) if is_trusted(&ip.to_canonical()) => {}
            Ok(ip) => return Some(ip.to_canonical()),
            // What came before cannot be told from a lie.
            Err(_) => break,
        }
    }
    Some(peer)
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        match parts.extensions.get::<Arc<Self>>() {
            Some(caller) => Ok(Self::clone(caller)),
            None => Self::of(app, &parts.headers).await,
        }
    }
}

/// This request's id, as it is logged and answered.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// As the correlation of a command: the id itself if it is a UUID, else one derived from it.
    pub fn correlation(&self) -> Uuid {
        Uuid::try_parse(&self.0).unwrap_or_else(|_| CommandId::derived(&[b"request", self.0.as_bytes()]).0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let id = parts.extensions.get::<Self>().cloned();
        Ok(id.unwrap_or_else(|| Self(Uuid::now_v7().to_string())))
    }
}

/// A JSON body; the `Content-Type` doesn't matter.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = to_bytes(request.into_body(), MAX_BODY).await.map_err(|error| {
            if std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("length limit")) {
                return ApiError::new(ErrorKind::TooLarge, "too_large", format!("the body is over {MAX_BODY} bytes"));
            }
            ApiError::invalid("invalid_request", "invalid request: the body broke off")
        })?;
        if bytes.is_empty() {
            return Err(ApiError::invalid("invalid_request", "invalid request: the body is empty"));
        }
        Json::<T>::from_bytes(&bytes).map(|Json(body)| Self(body)).map_err(|rejection| undecodable(&rejection))
    }
}

fn undecodable(rejection: &JsonRejection) -> ApiError {
    let text = rejection.body_text();
    let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail);
    let error = ApiError::invalid("invalid_request", format!("invalid request: {detail}"));
    match (rejection, detail.split_once(": ")) {
        (JsonRejection::JsonDataError(_), Some((path, message))) => {
            error.with_details(vec![Detail::new(path, message)])
        }
        _ => error,
    }
}

/// Collects what is wrong with a body, so that every fault is told at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Detail>);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Detail::new(field, message));
    }

    /// Notes a fault unless `fine`.
    pub fn check(&mut self, fine: bool, field: &str, message: impl Into<String>) {
        if !fine {
            self.add(field, message);
        }
    }

    /// Notes a name that isn't there, is too long (over 255 characters), or is nothing that the database can keep.
    pub fn check_name(&mut self, field: &str, name: &str) {
        let fits = (1..=MAX_NAME).contains(&name.chars().count()) && !name.trim().is_empty();
        self.check(fits && !name.contains('\0'), field, format!("must have 1 to {MAX_NAME} characters"));
    }

    /// The refusal of a single faulty field.
    pub fn one(field: &str, message: impl Into<String>) -> ApiError {
        let mut faults = Self::default();
        faults.add(field, message);
        faults.refusal()
    }

    /// Passes if there was none.
    ///
    /// # Errors
    /// 400 naming all of them.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    fn refusal(self) -> ApiError {
        let sentences: Vec<_> = self.0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
        let message = format!("invalid request: {}", sentences.join("; "));
        ApiError::invalid("invalid_request", message).with_details(self.0)
    }
}

/// The id in the path; a malformed one is as unknown as any other.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

/// The two ids in the path.
#[derive(Debug, Clone, Copy)]
pub struct PathIds<A, B>(pub A, pub B);

impl<T: FromStr + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let values = path_values(parts).await?;
        path_value(&values, 0).map(Self)
    }
}

impl<A: FromStr + Send, B: FromStr + Send, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let values = path_values(parts).await?;
        Ok(Self(path_value(&values, 0)?, path_value(&values, 1)?))
    }
}

/// The three ids in the path.
#[derive(Debug, Clone, Copy)]
pub struct ThreePathIds<A, B, C>(pub A, pub B, pub C);

impl<A, B, C, S> FromRequestParts<S> for ThreePathIds<A, B, C>
where
    A: FromStr + Send,
    B: FromStr + Send,
    C: FromStr + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let values = path_values(parts).await?;
        Ok(Self(path_value(&values, 0)?, path_value(&values, 1)?, path_value(&values, 2)?))
    }
}

async fn path_values(parts: &mut Parts) -> Result<Vec<(String, String)>, ApiError> {
    let values = parts.extract::<Path<Vec<(String, String)>>>().await;
    values.map(|Path(values)| values).map_err(|_| ApiError::not_found("not_found", "not found"))
}

fn path_value<T: FromStr>(values: &[(String, String)], index: usize) -> Result<T, ApiError> {
    values.get(index).and_then(|(_, text)| text.parse().ok()).ok_or_else(unknown::<T>)
}

/// `team not found` for a `TeamId`; plain `not found` for what isn't an id of ours.
fn unknown<T>() -> ApiError {
    let name = std::any::type_name::<T>();
    match name.rsplit("::").next().and_then(|name| name.strip_suffix("Id")) {
        Some(name) => {
            let name = name.to_ascii_lowercase();
            ApiError::not_found(format!("{name}_not_found"), format!("{name} not found"))
        }
        None => ApiError::not_found("not_found", "not found"),
    }
}

/// The query's pairs, as they came.
#[derive(Debug, Clone, Default)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// Those of an address.
    ///
    /// # Errors
    /// 400 when the query cannot be read.
    pub fn of(uri: &Uri) -> Result<Self, ApiError> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let wrong = |_| ApiError::invalid("invalid_parameter", "the query string cannot be read");
        pairs.map(|query| Self(query.0)).map_err(wrong)
    }

    /// The last value of a name; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(candidate, _)| candidate == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number between `least` and `most`; anything else is `default`, silently, as clients expect.
    pub fn number(&self, name: &str, default: i64, least: i64, most: i64) -> i64 {
        let number = self.get(name).and_then(|value| value.parse().ok());
        number.filter(|number| (least..=most).contains(number)).unwrap_or(default)
    }

    /// A value that must be readable if it is there.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        let read = |value: &str| {
            let message = format!("invalid {name}: must be {expected}");
            let fault = || Detail::new(name, message.clone());
            value
                .parse()
                .map_err(|_| ApiError::invalid("invalid_parameter", message.clone()).with_details(vec![fault()]))
        };
        self.get(name).map(read).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

/// A query string as a struct; what doesn't fit is 400.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|error| ApiError::invalid("invalid_parameter", error.body_text()))
    }
}

/// Whether the client asks not to wait for the read models.
pub fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

/// Ends a write: waits, at most 2 s, until `projections` show it, and returns the headers that say where it stands.
pub async fn after_write(app: &App, position: Position, projections: &[&str], prefer_async: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(position.to_string()) {
        headers.insert(ST_POSITION, value);
    }
    if prefer_async {
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    } else if !app.positions.wait(projections, position, CATCH_UP).await {
        headers.insert(ST_PROJECTION, HeaderValue::from_static("lagging"));
    }
    headers
}

/// The status of a creating write: 202 when the client didn't want to wait.
pub fn created(prefer_async: bool) -> StatusCode {
    if prefer_async { StatusCode::ACCEPTED } else { StatusCode::CREATED }
}

/// The client's `Idempotency-Key`, if there is one.
///
/// # Errors
/// 400 when it is longer than 255 characters or not plain text.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok("") => Ok(None),
        Ok(key) if key.len() <= 255 => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(
            "invalid_idempotency_key",
            "Idempotency-Key must be plain text, at most 255 characters",
        )),
    }
}
