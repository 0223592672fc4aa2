//! Call options: the session, the handshake and the deadline of one request to a server.

use std::time::Instant;

use crate::mcp::protocol::error::Allowed;
use crate::mcp::protocol::header::SessionId;

/// Whether a handshake is made before the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Init {
    /// Only if the server wants it; the session is ended after the operation.
    #[default]
    Auto,
    /// Yes, and the session is released to the caller.
    Always,
    /// Never.
    Never,
}

/// The options of one call.
#[derive(Debug)]
pub struct CallOptions {
    /// The caller's session.
    pub session: Option<SessionId>,
    /// Whether to open a session.
    pub init: Init,
    /// Whether to end the session after the result or the error.
    pub close: bool,
    /// The deadline of the whole call.
    pub deadline: Instant,
    /// How much time that is, and what decides it; for errors.
    pub allowed: Option<Allowed>,
}

impl CallOptions {
    /// The defaults, and a deadline.
    pub fn within(deadline: Instant) -> Self {
        Self {
            session: None,
            init: Init::Auto,
            close: false,
            deadline,
            allowed: None,
        }
    }
}
