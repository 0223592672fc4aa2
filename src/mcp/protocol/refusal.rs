//! What a refusal means, by its status and its JSON-RPC code: for era, session, name and method. Whether anything has run: `executed`.
//!
//! Servers disagree about nearly all of it, and the specification leaves much of it open. What was measured:
//!
//! | refused | seen at | reply |
//! |---|---|---|
//! | `server/discover` | TypeScript, Python SDK 1 | 400, -32000 or -32600; Python 1.9: -32602 in a 200 |
//! | | rmcp 0.8, supergateway | 415 text; 404, -32601 |
//! | | HTTP+SSE (server-everything, Python) | 404 HTML, 405 text; to `initialize` as well |
//! | a modern request | go-sdk with sessions | 400, -32022 whose `supported` lists legacy versions |
//! | | conformance test | 400, -32022 whose `supported` lists the version that was sent |
//! | | TypeScript SDK 2 | 400, -32020 where a mirrored argument is missing |
//! | | rmcp 0.8, TypeScript and Python SDK 1 | 422 text; 400, -32000 or -32600 |
//! | a legacy request | TypeScript SDK 2 without legacy support | 400, -32022 |
//! | | MCP Toolbox, rmcp without legacy support | 404, -32601; 400, -32602 |
//! | one without a session | TypeScript, Python SDK | 400, -32000 or -32600 |
//! | | rmcp | 400 text, 422 text (0.8) |
//! | | go-sdk | code 0 in a 200 |
//! | one in an unknown session | TypeScript, Python 1.8, others | 400, -32000; 400 text; 404, -32600 or -32001; 404 text |
//! | | rmcp 0.8, go-sdk | 401 without a challenge; code 0 in a 200 |
//! | an unknown tool | all but `FastMCP` for TypeScript | -32602 in a 200, from go-sdk in a 400; `FastMCP`: -32601 |
//! | an unknown prompt | Python SDK 1, 2 | 0, -32603 |
//! | an unknown resource | up to 2025-11-25, later, Python SDK 1 | -32002, -32602, 0 |
//!
//! No text of a server is read. A code alone often fits several causes; such a meaning says `May`, and the client asks the server
//! before it relies on it.

#[cfg(test)]
mod tests;

use awc::http::StatusCode;
use serde_json::value::RawValue;

use crate::mcp::protocol::era::Discovered;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::message::RpcError;
use crate::mcp::protocol::{codes, versions};

/// What the refusal of a request means. Which of these can come is said at each function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The server speaks the very version it has refused: it wants the request once more.
    AskAgain,
    /// The server speaks a version of the other era.
    OtherEra,
    /// The server speaks no version that this client speaks.
    NoCommonVersion,
    /// The server may speak the other era: `server/discover` tells.
    MayBeOtherEra,
    /// The server may have the transport HTTP+SSE: a GET tells.
    MayBeHttpSse,
    /// The headers disagree with the body: the cached list of tools is stale.
    HeaderMismatch,
    /// The server wants a session.
    SessionRequired,
    /// Code 0, which may stand for the want of a session, and for any other failure.
    MaySessionBeRequired,
    /// The server has processed the request without a session, and refused it for another reason.
    ServedWithoutSession,
    /// The server does not know the session.
    SessionExpired,
    /// The server has nothing of this name.
    UnknownName,
    /// The server may have nothing of this name: its own list tells.
    MayBeUnknownName,
    /// The server does not know the method.
    NotSupported,
    /// The server does not accept the parameters.
    InvalidParams,
    /// The server wants a capability that the client has not declared.
    MissingCapability,
    /// None of what the function looks for.
    Other,
}

// === requests of both eras ===

/// `server/discover`: the era it shows. `None` where it shows none and stays an error: 401, 403, 407, 429, 5xx, no connection.
pub fn of_discover(error: &Error) -> Option<Discovered> {
    match error {
        Error::Rpc { error, .. } if error.code == codes::UNSUPPORTED_VERSION => {
            let (modern, _) = supported(error);
            Some(if modern {
                Discovered::AskAgain
            } else {
                Discovered::Legacy
            })
        }
        Error::Rpc { status, .. } if !status.is_server_error() => Some(Discovered::Legacy),
        Error::Status(StatusCode::METHOD_NOT_ALLOWED) => Some(Discovered::NoPost),
        Error::Status(status) if status.is_client_error() && status.as_u16() != 407 => {
            Some(Discovered::Legacy)
        }
        // A 2xx that is no JSON-RPC at all comes from something that does not know the method.
        Error::ContentType(_) | Error::Unframed | Error::NoReply | Error::Malformed(_) => {
            Some(Discovered::Legacy)
        }
        _ => None,
    }
}

/// A modern request: `AskAgain`, `OtherEra`, `NoCommonVersion`, `HeaderMismatch` or `MayBeOtherEra`.
pub fn of_modern(error: &Error) -> Meaning {
    match refused(error) {
        Some((400, Some(error))) if error.code == codes::UNSUPPORTED_VERSION => {
            match supported(error) {
                (true, _) => Meaning::AskAgain,
                (false, true) => Meaning::OtherEra,
                (false, false) => Meaning::NoCommonVersion,
            }
        }
        Some((400, Some(error))) if error.code == codes::HEADER_MISMATCH => Meaning::HeaderMismatch,
        Some((400 | 404 | 422, error)) if !error.is_some_and(is_modern) => Meaning::MayBeOtherEra,
        _ => Meaning::Other,
    }
}

/// A legacy request: `OtherEra`, `NoCommonVersion` or `MayBeOtherEra`.
pub fn of_legacy(error: &Error) -> Meaning {
    let refusal = match error {
        Error::SessionRequired(Some(refusal)) | Error::SessionExpired(refusal) => {
            Some((refusal.status.as_u16(), refusal.error.as_ref()))
        }
        _ => refused(error),
    };
    match refusal {
        Some((400, Some(error))) if error.code == codes::UNSUPPORTED_VERSION => {
            match supported(error) {
                (true, _) => Meaning::OtherEra,
                (false, _) => Meaning::NoCommonVersion,
            }
        }
        Some((400 | 404 | 422, _)) => Meaning::MayBeOtherEra,
        _ if matches!(error, Error::SessionRequired(_) | Error::SessionExpired(_)) => {
            Meaning::MayBeOtherEra
        }
        _ => Meaning::Other,
    }
}

/// `initialize`: `MayBeHttpSse` (2025-03-26 and later, "Backwards Compatibility").
pub fn of_initialize(error: &Error) -> Meaning {
    match refused(error) {
        Some((400 | 404 | 405, error))
            if !error.is_some_and(|error| codes::MODERN.contains(&error.code)) =>
        {
            Meaning::MayBeHttpSse
        }
        _ => Meaning::Other,
    }
}

// === sessions ===

/// A legacy request without a session, to a server that may want one: `SessionRequired`, `MaySessionBeRequired` or
/// `ServedWithoutSession`.
pub fn without_session(error: &Error, method: &str) -> Meaning {
    match refused(error) {
        Some((400 | 404 | 422, _)) => Meaning::SessionRequired,
        Some((_, Some(error))) if is_uninitialized(error, method) => Meaning::SessionRequired,
        Some((_, Some(error))) if is_unspecified(error) => Meaning::MaySessionBeRequired,
        // `ping` may be sent before all else.
        Some((200..=299, Some(error))) if error.code != codes::UNSPECIFIED && method != "ping" => {
            Meaning::ServedWithoutSession
        }
        _ => Meaning::Other,
    }
}

/// `tools/list` without a session, sent only to learn whether the server wants one: `SessionRequired`. A server without tools
/// says so in a way that says nothing of sessions.
pub fn of_probe_without_session(error: &Error) -> Meaning {
    match refused(error) {
        Some((
            _,
            Some(RpcError {
                code: codes::METHOD_NOT_FOUND | codes::INVALID_PARAMS,
                ..
            }),
        )) => Meaning::Other,
        _ => without_session(error, "tools/list"),
    }
}

/// A legacy request in a session of the caller's: `SessionExpired`.
pub fn in_session(error: &Error, method: &str) -> Meaning {
    let is_expired = match error {
        Error::Unauthorized { challenges } => challenges.is_empty(),
        _ => match refused(error) {
            Some((400 | 404, None)) => true,
            Some((400 | 404, Some(error)))
                if !is_modern(error) && error.code != codes::PARSE_ERROR =>
            {
                true
            }
            Some((_, Some(error))) => is_uninitialized(error, method),
            _ => false,
        },
    };
    if is_expired {
        Meaning::SessionExpired
    } else {
        Meaning::Other
    }
}

// === names, methods, parameters ===

/// A request for something by its name: `UnknownName` or `MayBeUnknownName`. With a `resources/read` that holds nothing but a
/// URI there is little else that can be invalid.
pub fn of_name(error: &Error, method: &str) -> Meaning {
    let Error::Rpc { error, .. } = error else {
        return Meaning::Other;
    };
    match (method, error.code) {
        ("tools/call", codes::INVALID_PARAMS | codes::METHOD_NOT_FOUND)
        | (
            "prompts/get",
            codes::INVALID_PARAMS
            | codes::METHOD_NOT_FOUND
            | codes::INTERNAL_ERROR
            | codes::UNSPECIFIED,
        )
        | ("resources/read", codes::UNSPECIFIED) => Meaning::MayBeUnknownName,
        ("resources/read", codes::RESOURCE_NOT_FOUND | codes::INVALID_PARAMS) => {
            Meaning::UnknownName
        }
        _ => Meaning::Other,
    }
}

/// What the status of a DELETE of a session refuses; `None` where the session is gone or will expire.
pub fn of_session_end(status: StatusCode) -> Option<Error> {
    match status.as_u16() {
        403 => Some(Error::Forbidden { challenges: vec![] }),
        429 | 503 => Some(Error::Busy {
            status,
            retry_after: None,
        }),
        500.. => Some(Error::Status(status)),
        _ => None,
    }
}

/// Any request, once names, sessions and eras are ruled out: `NotSupported`, `InvalidParams` or `MissingCapability`.
pub fn of_request(error: &Error) -> Meaning {
    let Error::Rpc { error, .. } = error else {
        return Meaning::Other;
    };
    match error.code {
        codes::METHOD_NOT_FOUND => Meaning::NotSupported,
        codes::INVALID_PARAMS => Meaning::InvalidParams,
        codes::MISSING_CAPABILITY => Meaning::MissingCapability,
        _ => Meaning::Other,
    }
}

// === parts of refusals ===

/// Status and JSON-RPC error of a reply that is one of the two; `None` for any other failure.
fn refused(error: &Error) -> Option<(u16, Option<&RpcError>)> {
    match error {
        Error::Rpc { status, error } => Some((status.as_u16(), Some(error))),
        Error::Status(status) => Some((status.as_u16(), None)),
        _ => None,
    }
}

/// Whether the code is one that a modern server refuses a request with, or is about the request itself: not about era or session.
fn is_modern(error: &RpcError) -> bool {
    codes::MODERN.contains(&error.code) || codes::ABOUT_THE_REQUEST.contains(&error.code)
}

/// Code 0: Python SDK 1 for every failure, go-sdk for the want of a session.
fn is_unspecified(error: &RpcError) -> bool {
    error.code == codes::UNSPECIFIED && !error.is_doubtful
}

/// Code 0 means "not initialized" only where nothing else is known to send it: Python SDK 1 uses it for unknown resources and
/// prompts.
fn is_uninitialized(error: &RpcError, method: &str) -> bool {
    is_unspecified(error) && matches!(method, "tools/call" | "tools/list" | "ping")
}

/// Whether `data.supported` of a -32022 lists the modern version, and whether it lists a legacy one that this client speaks.
fn supported(error: &RpcError) -> (bool, bool) {
    #[derive(Default, serde::Deserialize)]
    struct Data {
        supported: Vec<String>,
    }
    let data = error.data().map(RawValue::get);
    let data: Data = data
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    let is_legacy = |version: &String| versions::legacy_version(version).is_some();
    (
        data.supported
            .iter()
            .any(|version| version == versions::MODERN),
        data.supported.iter().any(is_legacy),
    )
}
