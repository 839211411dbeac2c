//! `GET /ws/live`: what happens in the caller's team, from any position on.

use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, X_TEAM_ID},
    },
    live::Message,
};
use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message as Frame, WebSocket, close_code},
    },
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use scaledtest_domain::{Position, Scope, TeamId};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{sync::broadcast, time::MissedTickBehavior};
use utoipa_axum::{router::OpenApiRouter, routes};

/// A frame that the client doesn't take for so long ends the connection.
const SEND: Duration = Duration::from_secs(10);
/// How often a quiet connection is checked: is the client there, is the credential still good?
const CHECK: Duration = Duration::from_secs(20);
/// Told to a client that was too slow: resume from the last position.
const SLOW: u16 = 4008;
/// Told to a client whose credential is no longer good.
const UNAUTHENTICATED: u16 = 4001;
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
/// position misses nothing and sees nothing twice. One that is too slow gets `resume` and is closed with 4008.
#[utoipa::path(get, path = "/ws/live", operation_id = "watch_live", tag = "live",
    params(
        ("token" = Option<String>, Query, description = "An access token or API token; browsers cannot set the header."),
        ("since" = Option<String>, Query, description = "The last position that was seen."),
        ("team" = Option<uuid::Uuid>, Query, description = "As X-Team-ID."),
    ),
    responses((status = 101, description = "The messages follow"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn live(
    State(app): State<AppState>,
    pairs: Pairs,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let credential = Credential::of(&pairs, &headers);
    let caller = credential.check(&app).await?;
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let since = pairs.parsed::<Position>("since", "a position that an earlier message gave")?;
    let upgrade = upgrade.map_err(|_| ApiError::invalid("upgrade_required", "this address speaks WebSocket only"))?;
    let upgrade = upgrade.max_message_size(MAX_FRAME).max_frame_size(MAX_FRAME);
    Ok(upgrade.on_upgrade(move |socket| Box::pin(Connection { app, socket, team, credential, last: 0 }.run(since))))
}

/// What the client showed; checked again from time to time.
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

/// Why a connection ends.
enum End {
    /// The client is gone.
    Gone,
    /// It is told why.
    Close(u16, &'static str),
}

struct Connection {
    app: AppState,
    socket: WebSocket,
    team: TeamId,
    credential: Credential,
    /// The last position that was sent or passed.
    last: u64,
}

impl Connection {
    async fn run(mut self, since: Option<Position>) {
        let end = match self.serve(since).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if let End::Close(code, reason) = end {
            if code == SLOW {
                let resume = json!({"type": "resume", "position": self.position()}).to_string();
                let _ = self.send(Frame::text(resume)).await;
            }
            let _ = self.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        }
    }

    fn position(&self) -> Position {
        Position { epoch: self.app.log.epoch(), n: self.last }
    }

    async fn serve(&mut self, since: Option<Position>) -> Result<std::convert::Infallible, End> {
        // Subscribed before the log is read: what comes between is in both, and positions tell.
        let mut tail = self.app.live.subscribe();
        self.catch_up(since).await?;
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = self.app.closing.clone();
        loop {
            tokio::select! {
                message = tail.recv() => match message {
                    Ok(message) => self.pass_on(&message).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => return Err(End::Close(SLOW, "too slow: resume from the last position")),
                    Err(broadcast::error::RecvError::Closed) => return Err(End::Close(close_code::RESTART, "the server stops")),
                },
                frame = self.socket.recv() => match frame {
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(_)) => {}
                },
                _ = check.tick() => self.check().await?,
                () = closing.cancelled() => return Err(End::Close(close_code::RESTART, "the server stops")),
            }
        }
    }

    /// Says hello, then what was missed.
    async fn catch_up(&mut self, since: Option<Position>) -> Result<(), End> {
        let unavailable = |_| End::Close(close_code::AGAIN, "the log does not answer");
        let head = self.app.log.last().await.map_err(unavailable)?;
        // A position of another epoch says nothing about this history: the client is to load everything anew.
        let same_history = since.is_none_or(|since| since.epoch == head.epoch);
        self.last = since.filter(|_| same_history).map_or(head.n, |since| since.n.min(head.n));
        let mut hello = json!({"type": "hello", "position": head});
        if !same_history {
            hello["reset"] = json!(true);
        }
        self.send(Frame::text(hello.to_string())).await?;
        if self.last < head.n {
            let mut missed = self.app.live.missed(self.team, self.last);
            while let Some(batch) = missed.next().await.map_err(unavailable)? {
                for message in batch {
                    self.pass_on(&message).await?;
                }
            }
        }
        self.last = self.last.max(head.n);
        Ok(())
    }

    async fn pass_on(&mut self, message: &Message) -> Result<(), End> {
        if message.team != self.team || message.position.n <= self.last {
            return Ok(());
        }
        self.last = message.position.n;
        self.send(Frame::text(message.json.clone())).await
    }

    async fn check(&mut self) -> Result<(), End> {
        let good = match self.credential.check(&self.app).await {
            Ok(caller) => caller.team().is_ok_and(|team| team == self.team),
            // An access token expires while the connection lives; only a revoked one or a lost membership ends it.
            Err(error) => error.code() == "token_expired" || error.kind() == scaledtest_domain::ErrorKind::Unavailable,
        };
        if !good {
            return Err(End::Close(UNAUTHENTICATED, "the credential is no longer good"));
        }
        self.send(Frame::Ping(Vec::new().into())).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        match tokio::time::timeout(SEND, self.socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}
