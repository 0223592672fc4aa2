//! mcp-rest: any MCP server as plain REST.
//!
//! One request, read top to bottom:
//!
//! 1. [`app`] accepts the connection and hands every request on it to [`api`],
//! 2. which finds the route, refuses cross-site requests, checks the key, and turns bytes into checked values;
//! 3. a client of [`mcp`] asks the MCP server, in the era and the session that it needs;
//! 4. and [`api`] answers with the result's own bytes, or with a problem.
//!
//! The rooms:
//!
//! - [`app`] builds and runs the service, [`shutdown`] stops it without a lost request; [`connect`] only asks the servers;
//! - [`caller_connection`] holds the timeouts of client connections, [`descriptors`] the limit on their number;
//! - [`config`] reads settings and servers, [`logging`] writes JSON lines;
//! - [`api`] is REST, as a pyramid from routes down to errors; it alone knows both HTTP sides;
//! - [`mcp`] is the MCP client: protocol, transport, streams, sessions, and the state of each server;
//! - `schema` is JSON Schema, `uri_template` is RFC 6570, [`json`] reads raw JSON without a tree, `yaml` writes it as YAML;
//! - `offload` keeps long work off the workers;
//! - [`demo`] is the MCP server behind `--demo`.

pub mod api;
pub mod app;
pub mod caller_connection;
pub mod config;
pub mod connect;
pub mod demo;
pub mod descriptors;
pub mod json;
pub mod logging;
pub mod mcp;
mod offload;
mod schema;
pub mod shutdown;
mod uri_template;
mod yaml;
