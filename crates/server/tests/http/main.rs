//! The HTTP API from outside: everything but the socket is real.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod administration;
mod admission;
mod authorisation;
mod badges;
mod exports;
mod gates;
mod identities;
mod interrupted_invitations;
mod invitations;
mod isolation;
mod limits;
mod mail;
mod oauth;
mod oauth_attacks;
mod operations;
mod own_sessions;
mod passwords;
mod permissions;
mod publishers;
mod registration;
mod sessions;
mod shares;
mod team_life;
mod teams;
mod tokens;
