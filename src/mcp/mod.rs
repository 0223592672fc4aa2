//! The MCP side: a client for Model Context Protocol servers over Streamable HTTP, in both of its eras.
//!
//! **Modern** (2026-07-28): every request is stateless. It carries its version, method and target in headers and in
//! `params._meta`, and the response is JSON or an event stream with notifications before the reply.
//! **Legacy** (2025-03-26, 2025-06-18, 2025-11-25): `initialize`, `notifications/initialized`, then requests, in a
//! session where the server opens one (`Mcp-Session-Id`), ended by HTTP DELETE; the server may send requests in between.
//! **HTTP+SSE** (2024-11-05): the same handshake, with all replies on one event stream that is the session.
//! Specification: <https://modelcontextprotocol.io/specification/>.
//!
//! Reading order: [`client`] (what can be asked, negotiation, the session guard), [`server_state`] (what is cached of one server, and its
//! limits), [`protocol`] (messages, and what replies mean; pure), [`http`] (one request and its response), [`stream`] (event streams
//! and their collapse), [`sessions`] (the task that opens and ends them), [`limits`], then the rest.
//!
//! This half knows nothing of the REST side: no status, wording or type of ours appears here.

pub mod client;
pub mod concurrency_limit;
pub mod http;
pub mod limits;
pub mod protocol;
pub mod server_state;
pub mod sessions;
pub(crate) mod similar;
pub mod stream;
pub mod tools;
mod tools_cache;
pub mod words;
