//! Which era a server speaks: what tells it, and the memory of it.
//!
//! Modern servers (2026-07-28) take requests as they come; legacy ones (2025-03-26 to 2025-11-25) want a handshake,
//! many of them a session. Finding out is `client`'s part; here is only what an answer says.

use crate::mcp::protocol::versions;

/// What is remembered of a server. Safe to lose, and corrected when it proves wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: no handshake, no session.
    Modern,
    /// With a handshake.
    Legacy {
        /// Whether the server wants a session: it has refused a request for want of one, or it has served one without.
        wants_session: Option<bool>,
    },
    /// With a handshake on an event stream of its own: HTTP+SSE, the transport of 2024-11-05.
    HttpSse,
}

/// What the answer to `server/discover` says of the era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovered {
    /// The server speaks 2026-07-28.
    Modern,
    /// It wants to be asked once more: -32022 that names the very version that was sent.
    AskAgain,
    /// It does not, or does not know the question.
    Legacy,
    /// It takes no messages there: a handshake finds out whether it speaks HTTP+SSE.
    NoMessages,
}

impl Era {
    /// Legacy, nothing known about sessions.
    pub const LEGACY: Self = Self::Legacy {
        wants_session: None,
    };
}

/// What a `DiscoverResult` says: go-sdk in stateful mode answers one that leaves 2026-07-28 out.
pub fn judge_discovered(result: &[u8]) -> Discovered {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DiscoverResult {
        supported_versions: Vec<String>,
    }
    let is_modern = |version: &String| version == versions::MODERN;
    match serde_json::from_slice::<DiscoverResult>(result) {
        Ok(found) if found.supported_versions.iter().any(is_modern) => Discovered::Modern,
        _ => Discovered::Legacy,
    }
}
