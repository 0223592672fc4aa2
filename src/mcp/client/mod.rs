//! The MCP client: one for each request, made of a few borrows and dropped with the response.
//!
//! Reading order: `requests` (what can be asked), `negotiation` (the era and the version, and the handshake), [`session_guard`] (who ends
//! a session), then `modern` and `legacy`, which send a request in each era; `conversation` is what may pass before the reply to a legacy
//! request. Then `retry` (what is sent again), `unknown_names` (unknown or failing?) and `lists`. Bytes on the wire are `http`'s; what a
//! refusal means is `protocol::refusal`'s.

mod clock;
mod conversation;
mod describe;
mod http_sse;
mod legacy;
mod lists;
mod modern;
mod negotiation;
pub mod operation;
pub mod options;
pub mod pool;
mod requests;
mod retry;
pub mod session_guard;
mod standalone;
mod unknown_names;
