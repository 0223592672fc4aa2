//! Whose a session is, and who ends it.

use crate::mcp::client::http_sse::Channel;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::sessions::Opened;

/// A session that is the caller's, or will be once it is told so; until then, dropping it ends it.
#[derive(Debug)]
pub enum SessionGuard {
    /// It was the caller's before.
    Callers(SessionId),
    /// It was opened for the caller.
    Opened(Opened),
}

#[derive(Debug)]
pub(super) enum Session {
    None,
    Callers(SessionId),
    Opened(Opened),
    /// The stream of the HTTP+SSE transport.
    Channel(Channel),
}

// === impl SessionGuard ===

impl SessionGuard {
    /// Its id.
    pub fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Callers(session) => Some(session),
            Self::Opened(opened) => opened.id(),
        }
    }

    /// The caller has been told: from now on it is the caller's.
    pub fn release(self) -> Option<SessionId> {
        match self {
            Self::Callers(session) => Some(session),
            Self::Opened(opened) => opened.release(),
        }
    }
}
