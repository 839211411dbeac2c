//! The server: configuration, accounts, the HTTP API, the WebSocket, the embedded UI. The only user of axum.

pub mod accounts;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod ingest;
pub mod live;
pub mod mail;
pub mod metrics;
pub mod rate_limit;
mod remembered;
pub mod secrets;
