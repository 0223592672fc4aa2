//! The errors of the MCP client: what happened between this service and a server.
//!
//! Status, code and wording of the REST side are decided in `api::error`. `Display` is for the log; it holds no header value, no
//! session id, no cursor and nothing of an upstream body.

use std::sync::Arc;
use std::time::Duration;

use awc::http::StatusCode;
use awc::http::header::HeaderValue;
use bytes::Bytes;
use serde::Serialize;

use crate::config::servers::Server;
use crate::mcp::limits::NoRoom;
use crate::mcp::protocol::message::{NotAMessage, RpcError};
use crate::mcp::protocol::unreachable::Unreachable;

/// The cause of a missing result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DNS, connect or TLS failed: nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(Unreachable),
    /// The connection broke after the request was on its way.
    #[error("the connection was lost: {0}")]
    Lost(Lost),
    /// The deadline of the whole call passed.
    #[error("the deadline passed")]
    Deadline,
    /// HTTP 401, with the `WWW-Authenticate` values as they came.
    #[error("HTTP status 401")]
    Unauthorized {
        /// `WWW-Authenticate`, in order.
        challenges: Vec<HeaderValue>,
    },
    /// HTTP 403, with the `WWW-Authenticate` values as they came.
    #[error("HTTP status 403")]
    Forbidden {
        /// `WWW-Authenticate`, in order.
        challenges: Vec<HeaderValue>,
    },
    /// HTTP 429 or 503.
    #[error("HTTP status {status}")]
    Busy {
        /// 429 or 503.
        status: StatusCode,
        /// `Retry-After` as it came.
        retry_after: Option<HeaderValue>,
    },
    /// The concurrency limit of the server is reached, and its queue is full; nothing was sent.
    #[error("too many calls are in flight")]
    Overloaded,
    /// The memory limit for bodies is reached: there is no room for the response, or for the request.
    #[error("no room for {}", if *.sent { "the response" } else { "the request" })]
    NoRoom {
        /// The request was sent.
        sent: bool,
    },
    /// This process has no file descriptor left for a connection; nothing was sent.
    #[error("no file descriptor is left for a connection")]
    NoDescriptors,
    /// A legacy server requires a session, and the caller forbade a handshake. Without a refusal where the server is known to
    /// require one.
    #[error("the server requires a session")]
    SessionRequired(Option<Refusal>),
    /// The server does not know the caller's session any more.
    #[error("the server does not know the session")]
    SessionExpired(Refusal),
    /// A JSON-RPC error, at whatever status.
    #[error("JSON-RPC error {} at HTTP status {status}", error.code)]
    Rpc {
        /// The HTTP status it came with.
        status: StatusCode,
        /// The error object.
        error: RpcError,
    },
    /// A status that is no success, without a JSON-RPC error in the body.
    #[error("HTTP status {0}")]
    Status(StatusCode),
    /// A redirect that is not followed: to another origin, of another kind than 307 and 308, or one too many.
    #[error("a redirect that is not followed ({status})")]
    Redirect {
        /// The HTTP status.
        status: StatusCode,
        /// Where it leads.
        to: Elsewhere,
    },
    /// A success that is neither JSON nor an event stream, with its media type (`text/html`) if that is one.
    #[error("the response is neither JSON nor an event stream")]
    ContentType(Option<String>),
    /// A success that does not say where its body ends.
    #[error("the response has neither a length nor chunks")]
    Unframed,
    /// A limit was exceeded.
    #[error("the response is too large: {0}")]
    TooLarge(Cap),
    /// The response ended without a reply to the id of the request.
    #[error("the response holds no reply to the request")]
    NoReply,
    /// The response does not follow the protocol.
    #[error("the response is malformed: {0}")]
    Malformed(String),
    /// `input_required`: the server requires input from the caller (2026-07-28).
    #[error("the server requires input")]
    InputRequired(Bytes),
    /// The server's own tool list does not have the tool.
    #[error("the server has no such tool")]
    ToolNotFound {
        /// Names in the list that are close to the one asked for.
        did_you_mean: Vec<String>,
        /// How the server refused to run the tool, if it was asked to.
        refusal: Option<Refusal>,
    },
    /// The server's own list does not have the prompt.
    #[error("the server has no such prompt")]
    PromptNotFound {
        /// Names in the list that are close to the one asked for.
        did_you_mean: Vec<String>,
        /// How the server refused.
        refusal: Refusal,
    },
    /// The server does not have the resource.
    #[error("the server has no such resource")]
    ResourceNotFound {
        /// How the server refused.
        refusal: Refusal,
    },
    /// A fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How a connection was lost.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The server closed it without a byte of a response.
    #[error("closed without a response")]
    Unanswered,
    /// It broke before the end of the response. The text is for the log.
    #[error("{0}")]
    Incomplete(String),
}

/// Where a redirect leads that is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// From `http://` to `https://`.
    Https,
    /// To another path of the same origin.
    Path,
    /// To another host or port, or nowhere that can be told.
    Other,
}

/// How a server refused: for the log and for the caller's `upstream` member.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON-RPC error, if the body was one.
    pub error: Option<RpcError>,
}

/// The limit that a response exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cap {
    /// `limits.responseBytes`.
    #[error("response bytes (limits.responseBytes)")]
    ResponseBytes,
    /// `limits.eventBytes`.
    #[error("event bytes (limits.eventBytes)")]
    EventBytes,
    /// `limits.events`.
    #[error("events per stream (limits.events)")]
    Events,
    /// `limits.depth`.
    #[error("nesting depth (limits.depth)")]
    Depth,
    /// `limits.responseBytes`, for all calls of a batch together.
    #[error("response bytes per batch (limits.responseBytes)")]
    BatchBytes,
    /// `limits.listBytes`.
    #[error("list bytes (limits.listBytes)")]
    ListBytes,
    /// Pages of one list.
    #[error("pages per list")]
    Pages,
}

/// Whether the operation may have been carried out by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Executed {
    /// Refused before dispatch, or never sent.
    No,
    /// The server dispatched it and replied.
    Yes,
    /// Sent; the reply was lost, or does not tell.
    Unknown,
}

/// How far a client had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding out what the server speaks, or which tools it has.
    Preparing,
    /// `initialize` and `notifications/initialized`.
    Handshake,
    /// The operation itself is on its way.
    Operation,
}

/// An [`Error`] with what decides whether a request may be repeated.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What happened.
    #[source]
    pub error: Error,
    /// How far the client had come.
    pub stage: Stage,
    /// Whether the operation may have been carried out.
    pub executed: Executed,
    /// The tool is known to be annotated `readOnlyHint` or `idempotentHint`: running it twice does no harm.
    pub idempotent: bool,
    /// The server that was asked.
    pub server: Option<Arc<Server>>,
    /// How much time the call had, where that is known.
    pub allowed: Option<Allowed>,
}

/// The time that a call has, and what decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// From the arrival of the request to its deadline.
    pub time: Duration,
    /// What decides it.
    pub by: SetBy,
}

/// What decides how much time a call has: the lowest of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// `timeoutMs` of the request.
    Caller,
    /// `Prefer: wait` of the request.
    Prefer,
    /// `timeoutMs` of the server in the configuration.
    Server,
    /// `gateway.timeoutMs`.
    Gateway,
}

// === impl Error ===

impl Error {
    /// Status and JSON-RPC error that the server replied with, as far as there are any.
    pub fn reply(&self) -> Option<(StatusCode, Option<&RpcError>)> {
        match self {
            Self::Rpc { status, error } => Some((*status, Some(error))),
            Self::SessionRequired(Some(refusal))
            | Self::SessionExpired(refusal)
            | Self::ToolNotFound {
                refusal: Some(refusal),
                ..
            }
            | Self::PromptNotFound { refusal, .. }
            | Self::ResourceNotFound { refusal } => Some((refusal.status, refusal.error.as_ref())),
            Self::Unauthorized { .. } => Some((StatusCode::UNAUTHORIZED, None)),
            Self::Forbidden { .. } => Some((StatusCode::FORBIDDEN, None)),
            Self::Busy { status, .. } | Self::Status(status) | Self::Redirect { status, .. } => {
                Some((*status, None))
            }
            _ => None,
        }
    }

    /// The refusal as it came, where it was taken for one about a session.
    #[must_use]
    pub fn not_of_sessions(self) -> Self {
        match self {
            Self::SessionRequired(Some(Refusal { status, error }))
            | Self::SessionExpired(Refusal { status, error }) => match error {
                Some(error) => Self::Rpc { status, error },
                None => Self::Status(status),
            },
            other => other,
        }
    }

    /// A request that cannot be serialized: an internal error, for its parts are checked before.
    pub fn unwritable(error: &serde_json::Error) -> Self {
        Self::Internal(format!("a request could not be written: {error}"))
    }
}

impl From<NoRoom> for Error {
    /// No room for a response.
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom { sent: true }
    }
}

impl From<serde_json::Error> for Error {
    /// A response that cannot be parsed.
    fn from(error: serde_json::Error) -> Self {
        NotAMessage::from(error).into()
    }
}

impl From<NotAMessage> for Error {
    fn from(error: NotAMessage) -> Self {
        Self::Malformed(error.to_string())
    }
}

// === impl Failure ===

impl Failure {
    /// The failure of an operation that is not known to be idempotent, at no server in particular.
    pub fn new(error: Error, stage: Stage, executed: Executed) -> Self {
        Self {
            error,
            stage,
            executed,
            idempotent: false,
            server: None,
            allowed: None,
        }
    }

    /// What a list shows before anything is run.
    pub fn of_list(error: Error) -> Self {
        Self::new(error, Stage::Preparing, Executed::No)
    }
}

// === impl Stage ===

impl Stage {
    /// For the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Handshake => "handshake",
            Self::Operation => "operation",
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Status and JSON-RPC error of a refusal.
    pub fn of(error: Error) -> Self {
        match error {
            Error::Rpc { status, error } => Self {
                status,
                error: Some(error),
            },
            Error::Status(status) => Self {
                status,
                error: None,
            },
            _ => Self {
                status: StatusCode::UNAUTHORIZED,
                error: None,
            },
        }
    }
}
