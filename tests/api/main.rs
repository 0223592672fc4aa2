//! The service from outside: the real binary on a real socket, scripted MCP servers behind it.
//!
//! `app` starts the service and has a verb for everything a caller does; `upstream` is the other side. Every response
//! is checked against the service's own OpenAPI document on the way (`openapi`), every error as a whole (`problem`).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "a test fails by panicking, and nothing here is used from outside"
)]

mod app;
mod bad_input;
mod eras;
mod errors;
mod http;
mod legacy;
mod modern;
mod openapi;
mod ping_health;
mod problem;
mod results;
mod servers;
mod sessions;
mod sse;
mod start;
mod tools;
mod unknown_tool;
#[path = "../upstream/mod.rs"]
mod upstream;
