//! Which era a server speaks: what tells it, and the memory of it.
//!
//! Modern servers (2026-07-28) take requests as they come; legacy ones (2025-03-26 to 2025-11-25) want a handshake,
//! many of them a session. Finding out is `client`'s part; here is only what an answer says.

use awc::http::StatusCode;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::mcp::protocol::codes;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::message::RpcError;
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

/// What a failed `server/discover` says; `None` when it says nothing and stays an error: 401, 403, 407, 429, 5xx,
/// no connection.
pub fn judge_refused_discover(error: &Error) -> Option<Discovered> {
    match error {
        Error::Rpc { error, .. } if error.code == codes::UNSUPPORTED_VERSION => {
            Some(match supported(error) {
                Supported { modern: true, .. } => Discovered::AskAgain,
                _ => Discovered::Legacy,
            })
        }
        Error::Rpc { status, .. } if !status.is_server_error() => Some(Discovered::Legacy),
        Error::Status(StatusCode::METHOD_NOT_ALLOWED) => Some(Discovered::NoMessages),
        Error::Status(status) if status.is_client_error() && status.as_u16() != 407 => {
            Some(Discovered::Legacy)
        }
        // A 2xx that is no JSON-RPC at all comes from something that does not know the question.
        Error::ContentType | Error::Unframed | Error::NoAnswer | Error::Malformed(_) => {
            Some(Discovered::Legacy)
        }
        _ => None,
    }
}

/// What a `DiscoverResult` says: go-sdk in stateful mode answers one that leaves 2026-07-28 out.
pub fn judge_discovered(result: &[u8]) -> Discovered {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DiscoverResult {
        supported_versions: Vec<String>,
    }
    match serde_json::from_slice::<DiscoverResult>(result) {
        Ok(found)
            if found
                .supported_versions
                .iter()
                .any(|v| v == versions::MODERN) =>
        {
            Discovered::Modern
        }
        _ => Discovered::Legacy,
    }
}

/// Which spoken revisions a -32022 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    /// 2026-07-28.
    pub modern: bool,
    /// One of the legacy revisions.
    pub legacy: bool,
}

/// The revisions in `data.supported` of a -32022 that is a refusal; `None` for any other error.
pub fn supported_versions(error: &Error) -> Option<Supported> {
    let (status, error) = match error {
        Error::Rpc { status, error } => (*status, error),
        Error::SessionRequired(Some(refusal)) | Error::SessionExpired(refusal) => {
            (refusal.status, refusal.error.as_ref()?)
        }
        _ => return None,
    };
    (error.code == codes::UNSUPPORTED_VERSION && error.is_refusal_at(status))
        .then(|| supported(error))
}

/// Whether a modern server refused a request because its headers disagree with its body.
pub fn headers_mismatch(error: &Error) -> bool {
    let Error::Rpc { status, error } = error else {
        return false;
    };
    error.code == codes::HEADER_MISMATCH && error.is_refusal_at(*status)
}

fn supported(error: &RpcError) -> Supported {
    #[derive(Default, serde::Deserialize)]
    struct Data {
        supported: Vec<String>,
    }
    let data: Data = error
        .data()
        .map(RawValue::get)
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    Supported {
        modern: data
            .supported
            .iter()
            .any(|version| version == versions::MODERN),
        legacy: data
            .supported
            .iter()
            .any(|version| versions::legacy_version(version).is_some()),
    }
}

/// The statuses by which servers refuse what they do not understand, or want a session for. Any other is an answer.
fn refuses(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 422)
}

/// Whether a modern request was refused in a way no modern server refuses: without a JSON-RPC error that
/// the modern era gives a meaning to. Then the memory may be wrong.
pub fn looks_legacy(error: &Error) -> bool {
    match error {
        Error::Rpc { status, error } => {
            let modern = codes::MODERN.contains(&error.code)
                || codes::ABOUT_THE_REQUEST.contains(&error.code);
            refuses(*status) && !modern
        }
        Error::Status(status) => refuses(*status),
        _ => false,
    }
}

/// Whether a legacy request was refused in a way that a server without legacy support may refuse it.
pub fn looks_modern(error: &Error) -> bool {
    match error {
        Error::Rpc { status, .. } | Error::Status(status) => refuses(*status),
        Error::SessionRequired(_) | Error::SessionExpired(_) => true,
        _ => false,
    }
}

/// Whether `initialize` was refused in the way of a server that speaks HTTP+SSE alone (2025-03-26 and later, "Backwards
/// Compatibility"): it has no POST where its event stream is. Seen: 404 HTML (server-everything), 405 text (Python).
pub fn may_be_http_sse(error: &Error) -> bool {
    let status = match error {
        Error::Status(status) => status,
        Error::Rpc { status, error } if !codes::MODERN.contains(&error.code) => status,
        _ => return false,
    };
    matches!(status.as_u16(), 400 | 404 | 405)
}

/// Whether a legacy server that may want a session refused a request for want of one: with 400, 404 or 422, or a tool request
/// with code 0 (go-sdk, inside a 200). Of a server that has served a request without a session it says nothing.
pub fn wants_session(error: &Error, method: &str) -> bool {
    match error {
        Error::Status(status) => refuses(*status),
        Error::Rpc { status, error } => refuses(*status) || is_uninitialized(error, method),
        _ => false,
    }
}

/// Whether an error may mean anything: Python SDK 1 says code 0 of every failure, go-sdk of a missing session.
pub fn says_nothing(error: &Error) -> bool {
    matches!(error, Error::Rpc { error, .. } if error.code == codes::UNSPECIFIED && !error.is_doubtful)
}

/// Whether a legacy server has looked at a request that was sent without a session. `ping` may be sent before all else.
pub fn served_without_session(outcome: &Result<Bytes, Error>, method: &str) -> bool {
    let is_served = match outcome {
        Ok(_) => true,
        Err(Error::Rpc { status, error }) => {
            status.is_success() && error.code != codes::UNSPECIFIED
        }
        Err(_) => false,
    };
    is_served && method != "ping"
}

/// Whether a legacy server refused a request because it does not know the session it was sent in. Seen: 404 and 400
/// with or without a JSON-RPC error, 401 without a challenge, code 0 inside a 200.
pub fn lost_session(error: &Error, method: &str) -> bool {
    match error {
        Error::Status(status) => matches!(status.as_u16(), 400 | 404),
        Error::Unauthorized { challenges } => challenges.is_empty(),
        Error::Rpc { status, error } => {
            let about_the_request = codes::MODERN.contains(&error.code)
                || codes::ABOUT_THE_REQUEST.contains(&error.code)
                || error.code == codes::PARSE_ERROR;
            (matches!(status.as_u16(), 400 | 404) && !about_the_request)
                || is_uninitialized(error, method)
        }
        _ => false,
    }
}

/// Code 0 means "not initialised" only where nothing else is known to send it: Python SDK 1 uses it for unknown
/// resources and prompts.
fn is_uninitialized(error: &RpcError, method: &str) -> bool {
    error.code == codes::UNSPECIFIED
        && !error.is_doubtful
        && matches!(method, "tools/call" | "tools/list" | "ping")
}
