//! The service from outside: the real binary on a real socket, scripted MCP servers behind it.
//!
//! `app` starts the service and has a verb for everything a caller does; `upstream` is the other side. Every response
//! is checked against the service's own OpenAPI document on the way (`openapi`), every error as a whole (`problem`).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    unreachable_pub,
    clippy::doc_markdown,
    clippy::needless_pass_by_value,
    reason = "helpers are written for reading: nothing is used from outside, and json!(..) is handed on as it stands"
)]

mod app;
mod arrival;
mod bad_input;
mod by_query;
mod checks;
mod configurations;
mod conversation;
mod cors;
mod cost;
mod cross_site;
mod descriptors;
mod docs;
mod documents;
mod encodings;
mod eras;
mod error_table;
mod errors;
mod faults;
mod formats;
mod forms;
mod http;
mod leaving;
mod legacy;
mod lists_limits;
mod live;
mod logs;
mod many;
mod memory;
mod mistakes;
mod models;
mod modern;
mod nginx;
mod once;
mod openapi;
mod openapi_consumers;
mod other_sites;
mod outside;
mod pages;
mod ping_health;
mod private_ca;
mod problem;
mod process;
mod prompts;
mod proxies;
mod readme;
mod real;
mod replicas;
mod resources;
mod results;
mod retries;
mod rpc;
mod schema_limits;
mod servers;
mod sessions;
mod shifted;
mod sse;
mod start;
mod template_limits;
mod terminal;
mod tools;
mod unknown_tool;
#[path = "../upstream/mod.rs"]
mod upstream;
mod waiting;
