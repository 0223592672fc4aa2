//! How a request to a server is to be made: in which session, with a handshake or without, and until when.

use std::time::Instant;

use crate::mcp::protocol::header::SessionId;

/// Whether a handshake goes before the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Init {
    /// Only if the server wants it; such a session is ended again.
    #[default]
    Auto,
    /// Yes, and the session is the caller's.
    Always,
    /// Never.
    Never,
}

/// How a caller wants its request to be made.
#[derive(Debug)]
pub struct CallOptions {
    /// The caller's session.
    pub session: Option<SessionId>,
    /// Whether to open one.
    pub init: Init,
    /// Whether to end the session in use after the answer.
    pub close: bool,
    /// When to give up.
    pub deadline: Instant,
}

impl CallOptions {
    /// Nothing but an answer by then.
    pub fn within(deadline: Instant) -> Self {
        Self {
            session: None,
            init: Init::Auto,
            close: false,
            deadline,
        }
    }
}
