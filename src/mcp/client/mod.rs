//! The MCP client: one for each request, made of a few borrows and dropped with the response.
//!
//! Reading order: `requests` (what can be asked), `negotiation` (the era and the version, and the handshake), [`session_guard`] (who ends
//! a session), then `modern` and `legacy`, which send a request in each era; `conversation` is what may pass before the reply to a legacy
//! request, `tools` and `names` what is particular to tools, prompts and resources. Bytes on the wire are `http`'s; what a refusal means is
//! `protocol::refusal`'s.

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
