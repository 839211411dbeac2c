//! The HTTP API from outside: everything but the socket is real.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod authorisation;
mod operations;
mod registration;
mod sessions;
mod teams;
mod tokens;
