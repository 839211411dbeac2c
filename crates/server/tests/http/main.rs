//! The HTTP API from outside: everything but the socket is real.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod admission;
mod authorisation;
mod oauth;
mod oauth_attacks;
mod operations;
mod publishers;
mod registration;
mod sessions;
mod teams;
mod tokens;
