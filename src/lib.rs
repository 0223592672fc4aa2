//! mcp-rest: any MCP server as plain REST.
//!
//! One request, read top to bottom:
//!
//! 1. [`app`] runs the HTTP server and hands every request to [`api`],
//! 2. which finds the route, refuses what another site sends, checks the key, and turns bytes into checked values;
//! 3. a client of [`mcp`] asks the MCP server, in the era and the session it wants;
//! 4. and [`api`] answers with the result's own bytes, or with a problem.
//!
//! [`json`] reads raw JSON without a tree; it imports nothing of ours.
//! [`caller_connection`] is what a request comes over, and [`descriptors`] how many of those there can be; [`drain`] says how far the
//! process is on its way out; [`settings`] and [`servers`] say how this process runs and which servers there are; [`logging`] writes JSON lines and
//! holds the one redaction; `offload` keeps long work off the workers; [`demo`] is the MCP server behind `--demo`.

pub mod api;
pub mod app;
pub mod caller_connection;
pub mod config;
pub mod demo;
pub mod descriptors;
pub mod json;
pub mod logging;
pub mod mcp;
mod offload;
mod schema;
pub mod shutdown;
mod uri_template;
