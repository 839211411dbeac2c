//! `GET /ws/live`: what happens in the caller's team, from any position on.

use crate::{
    accounts::sessions,
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, X_TEAM_ID},
        limit,
    },
    live::{Message, News},
};
use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message as Frame, WebSocket, close_code, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{ErrorKind, Position, Scope, TeamId, TeamRole, UserId};
use scaledtest_eventlog::LogError;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{sync::broadcast, time::MissedTickBehavior};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// A frame that the client doesn't take for so long ends the connection.
const SEND: Duration = Duration::from_secs(10);
/// How long a connection waits for the process's tail of the log.
const START: Duration = Duration::from_secs(5);
/// How long a client may take to answer that the connection ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// Told to a client that was too slow, or whose log is another now: resume from the last position.
const RESUME: u16 = 4008;
/// Told to a client that may no longer watch.
const UNAUTHENTICATED: u16 = 4001;
/// A client that was seen to be allowed is told what happens for this long.
const TRUSTED: TimeDelta = TimeDelta::seconds(1);
/// The largest frame that a client may send; it has nothing to say.
const MAX_FRAME: usize = 4096;

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Watch what happens
///
/// A WebSocket of JSON messages `{position, type, ...}` of the team, in the order of the log. The first is `hello` with the
/// present position. With `since`, what came after that position is sent first: a client that comes back with its last
/// position misses nothing and sees nothing twice. One that is too slow, or whose
/// server found the log rewound, gets `resume` and is closed with 4008; 4001 says that the credential is no longer good.
#[utoipa::path(get, path = "/ws/live", operation_id = "watch_live", tag = "live",
    params(
        ("token" = Option<String>, Query, description = "An access token or API token; browsers cannot set the header."),
        ("since" = Option<String>, Query, description = "The last position that was seen."),
        ("team" = Option<uuid::Uuid>, Query, description = "As X-Team-ID."),
    ),
    responses((status = 101, description = "The messages follow"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn live(State(app): State<AppState>, pairs: Pairs, parts: Parts, upgrade: Upgrade) -> Response {
    let credential = Credential::of(&pairs, &parts.headers);
    match credential.check(&app).await {
        Ok(caller) => {
            let verdict = limit::of_caller(&app, &caller, &parts.method, parts.uri.path()).await;
            let answer = async { watch(app, caller, credential, &pairs, upgrade).into_response() };
            limit::guarded(verdict, answer).await
        }
        Err(error) => {
            let verdict = limit::of_stranger(&app, &parts).await;
            limit::guarded(verdict, async { error.into_response() }).await
        }
    }
}

/// The client's wish to go on as a WebSocket.
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

fn watch(
    app: AppState,
    caller: Caller,
    credential: Credential,
    pairs: &Pairs,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let since = pairs.parsed::<Position>("since", "a position that an earlier message gave")?;
    let upgrade = upgrade.map_err(|_| ApiError::invalid("upgrade_required", "this address speaks WebSocket only"))?;
    let upgrade = upgrade.max_message_size(MAX_FRAME).max_frame_size(MAX_FRAME);
    let session = caller.session.filter(|_| !caller.via_token);
    let watcher = Watcher { user: caller.user, team, session, credential, seen: app.clock.now() };
    let last = Position { epoch: 0, n: 0 };
    Ok(upgrade.on_upgrade(move |socket| Box::pin(Connection { app, socket, watcher, last }.run(since))))
}

/// What the client showed.
struct Credential {
    token: Option<String>,
    team: Option<HeaderValue>,
    headers: HeaderMap,
}

impl Credential {
    fn of(pairs: &Pairs, headers: &HeaderMap) -> Self {
        let team = pairs.get("team").and_then(|team| HeaderValue::from_str(team).ok());
        Self {
            token: pairs.get("token").map(str::to_owned),
            team: team.or_else(|| headers.get(X_TEAM_ID).cloned()),
            headers: headers.clone(),
        }
    }

    async fn check(&self, app: &App) -> Result<Caller, ApiError> {
        match &self.token {
            Some(token) => Caller::authenticate(app, token, self.team.as_ref()).await,
            None => Caller::of(app, &self.headers).await,
        }
    }
}

/// Who watches what, as it was when the connection began.
struct Watcher {
    user: UserId,
    team: TeamId,
    /// Of a person; none for an API token.
    session: Option<Uuid>,
    credential: Credential,
    /// When they were last seen to be allowed.
    seen: DateTime<Utc>,
}

impl Watcher {
    /// Whether they still may. An access token need not outlive the connection, the session and the membership that it stood
    /// for must; an API token must be as good as at the beginning.
    async fn may_watch(&mut self, app: &App) -> bool {
        let asked = app.clock.now();
        let looked_up = match self.session {
            None => {
                let caller = self.credential.check(app).await;
                let team = caller.and_then(|caller| caller.scope(Scope::Read).and_then(|()| caller.team()));
                team.map(|team| team == self.team)
            }
            Some(session) => {
                let memberships = sessions::memberships(app, session, self.user, app.clock.now()).await;
                let is_member = |teams: Vec<(TeamId, TeamRole)>| teams.iter().any(|(team, _)| *team == self.team);
                memberships.map(|teams| teams.is_some_and(is_member)).map_err(ApiError::from)
            }
        };
        self.seen = asked;
        // Nobody is sent away because the database is.
        looked_up.unwrap_or_else(|error| error.kind() == ErrorKind::Unavailable)
    }
}

/// Why a connection ends.
enum End {
    /// The client is gone.
    Gone,
    /// It is told why.
    Close(u16, &'static str),
}

/// The positions of this connection say nothing about the log any more.
const OTHER_HISTORY: End = End::Close(RESUME, "the log is another now: resume from the last position");
const UNAVAILABLE: End = End::Close(close_code::AGAIN, "the log does not answer");

impl From<LogError> for End {
    fn from(error: LogError) -> Self {
        if matches!(error, LogError::Rewound(_)) { OTHER_HISTORY } else { UNAVAILABLE }
    }
}

struct Connection {
    app: AppState,
    socket: WebSocket,
    watcher: Watcher,
    /// The last position that was sent or passed.
    last: Position,
}

impl Connection {
    async fn run(mut self, since: Option<Position>) {
        let end = match self.serve(since).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if let End::Close(code, reason) = end {
            if code == RESUME {
                let resume = json!({"type": "resume", "position": self.last}).to_string();
                let _ = self.send(Frame::text(resume)).await;
            }
            let _ = self.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
            // A connection that is dropped while the client still sends is reset, and the code may never arrive.
            let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = tokio::time::timeout(FAREWELL, answered).await;
        }
    }

    async fn serve(&mut self, since: Option<Position>) -> Result<std::convert::Infallible, End> {
        // Subscribed before the log is read: what comes between is in both, and positions tell.
        let tail = tokio::time::timeout(START, self.app.live.subscribe()).await;
        let mut tail = tail.map_err(|_| UNAVAILABLE)?;
        self.catch_up(since).await?;
        let mut check = tokio::time::interval(self.app.live.check());
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = self.app.closing.clone();
        loop {
            tokio::select! {
                message = tail.recv() => match message {
                    Ok(News::Message(message)) => self.pass_on(&message).await?,
                    Ok(News::Restarted) => return Err(OTHER_HISTORY),
                    Err(broadcast::error::RecvError::Lagged(_)) => return Err(End::Close(RESUME, "too slow: resume from the last position")),
                    Err(broadcast::error::RecvError::Closed) => return Err(End::Close(close_code::RESTART, "the server stops")),
                },
                frame = self.socket.recv() => match frame {
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(_)) => {}
                },
                _ = check.tick() => {
                    self.check().await?;
                    self.send(Frame::Ping(Vec::new().into())).await?;
                }
                () = closing.cancelled() => return Err(End::Close(close_code::RESTART, "the server stops")),
            }
        }
    }

    /// Says hello, then what was missed.
    async fn catch_up(&mut self, since: Option<Position>) -> Result<(), End> {
        let head = self.app.log.last().await?;
        // A position of another epoch, or one that isn't there, says nothing about this history: the client is to load
        // everything anew.
        let same_history = since.is_none_or(|since| since.epoch == head.epoch && since.n <= head.n);
        self.last = since.filter(|_| same_history).unwrap_or(head);
        let mut hello = json!({"type": "hello", "position": head});
        if !same_history {
            hello["reset"] = json!(true);
        }
        self.send(Frame::text(hello.to_string())).await?;
        if self.last < head {
            let mut missed = self.app.live.missed(self.watcher.team, self.last);
            while let Some(batch) = missed.next().await? {
                for message in batch {
                    self.pass_on(&message).await?;
                }
            }
        }
        self.last = self.last.max(head);
        Ok(())
    }

    async fn pass_on(&mut self, message: &Message) -> Result<(), End> {
        if message.position.epoch != self.last.epoch {
            return Err(OTHER_HISTORY);
        }
        if message.team != self.watcher.team || message.position <= self.last {
            return Ok(());
        }
        // Nothing is told to somebody who was let go more than a second ago.
        if self.app.clock.now() - self.watcher.seen >= TRUSTED {
            self.check().await?;
        }
        self.last = message.position;
        self.send(Frame::text(message.json.clone())).await
    }

    async fn check(&mut self) -> Result<(), End> {
        if self.watcher.may_watch(&self.app).await {
            return Ok(());
        }
        Err(End::Close(UNAUTHENTICATED, "the credential is no longer good"))
    }

    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        match tokio::time::timeout(SEND, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}
