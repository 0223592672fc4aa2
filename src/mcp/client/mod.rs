//! The MCP client: one per request, made of a few borrows and dropped with the answer.
//!
//! Reading order: [`requests`] (what can be asked), [`negotiation`] (which era and version the server speaks, and the
//! handshake), [`session_guard`] (who ends a session), then `modern` and `legacy`, which send a request in each era;
//! `conversation` is what a legacy request may need to come to its answer, `tools` and `names` what is particular to tools, prompts
//! and resources. Bytes on the wire are `http`'s; what a reply says of eras and sessions is `protocol::era`'s.

mod clock;
mod conversation;
mod http_sse;
mod legacy;
mod modern;
mod names;
mod negotiation;
pub mod operation;
pub mod options;
pub mod pool;
mod requests;
pub mod session_guard;
mod standalone;
pub mod tools;
