//! The REST API against a real Postgres: every route, every error a caller can provoke.

#![allow(clippy::unwrap_used)]

mod access;
mod app;
mod connections;
mod dashboard;
mod errors;
#[path = "../harness/mod.rs"]
mod harness;
mod http;
mod restricted;
mod routes;
mod seed;
mod service;
mod versions;
mod watch;
