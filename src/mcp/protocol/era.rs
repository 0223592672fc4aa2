//! The era a server speaks.
//!
//! Modern servers (2026-07-28) accept requests without preparation; legacy ones (2025-03-26 to 2025-11-25) want a handshake, many
//! of them a session. How a client negotiates the era is `negotiation`; what a refusal says of it, `refusal`.

use crate::mcp::protocol::versions;

/// The era of one server. Cached: safe to lose, and corrected when it proves wrong.
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

/// What the reply to `server/discover` says of the era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovered {
    /// The server speaks 2026-07-28.
    Modern,
    /// It wants the request once more: -32022 that lists the very version that was sent.
    AskAgain,
    /// It does not, or does not know the method.
    Legacy,
    /// It accepts no POST: a handshake finds out whether it has the transport HTTP+SSE.
    NoPost,
}

impl Era {
    /// Legacy, nothing known about sessions.
    pub const LEGACY: Self = Self::Legacy {
        wants_session: None,
    };
}

impl Discovered {
    /// What a `DiscoverResult` says: that of go-sdk in stateful mode leaves 2026-07-28 out.
    pub fn of_result(result: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct DiscoverResult {
            supported_versions: Vec<String>,
        }
        let is_modern = |version: &String| version == versions::MODERN;
        match serde_json::from_slice::<DiscoverResult>(result) {
            Ok(found) if found.supported_versions.iter().any(is_modern) => Self::Modern,
            _ => Self::Legacy,
        }
    }
}
