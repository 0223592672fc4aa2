//! What can go wrong between this service and an MCP server, in MCP's words.
//!
//! Nothing here knows what a caller of this service is told: no status, code or wording of ours. `Display` is for the
//! log; it holds no header value, no session id, no cursor and nothing of an upstream body.

use awc::http::StatusCode;
use awc::http::header::HeaderValue;
use bytes::Bytes;
use serde::Serialize;

use crate::mcp::limits::NoRoom;
use crate::mcp::protocol::message::{NotAMessage, RpcError};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DNS, connect or TLS failed: nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The connection broke after the request was on its way.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The deadline of the whole call passed.
    #[error("the deadline passed")]
    Deadline,
    /// HTTP 401, with the `WWW-Authenticate` values as they came.
    #[error("the server answered 401")]
    Unauthorized {
        /// `WWW-Authenticate`, in order.
        challenges: Vec<HeaderValue>,
    },
    /// HTTP 403, with the `WWW-Authenticate` values as they came.
    #[error("the server answered 403")]
    Forbidden {
        /// `WWW-Authenticate`, in order.
        challenges: Vec<HeaderValue>,
    },
    /// HTTP 429 or 503.
    #[error("the server answered {status}")]
    Busy {
        /// 429 or 503.
        status: StatusCode,
        /// `Retry-After` as it came.
        retry_after: Option<HeaderValue>,
    },
    /// All places at the server are taken, and so is the queue; nothing was sent.
    #[error("too many calls are in flight")]
    Overloaded,
    /// Too much is held in memory already to take the answer too, or to send the request at all.
    #[error("no room for {}", if *.sent { "the answer" } else { "the request" })]
    NoRoom {
        /// The request was sent.
        sent: bool,
    },
    /// This process has no file descriptor left for a connection; nothing was sent.
    #[error("no file descriptor is left for a connection")]
    NoDescriptors,
    /// A legacy server refuses to work without a session, and the caller forbade a handshake. Without a refusal where the
    /// server need not be asked.
    #[error("the server wants a session")]
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
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// A redirect that is not followed: to another origin, of another kind than 307 and 308, or one too many.
    #[error("the server answered with a redirect that is not followed ({0})")]
    Redirect(StatusCode),
    /// A success that is neither JSON nor an event stream.
    #[error("the answer is neither JSON nor an event stream")]
    ContentType,
    /// A success that does not say where its body ends.
    #[error("the answer has neither a length nor chunks")]
    Unframed,
    /// A cap was passed.
    #[error("the answer is too large: {0}")]
    TooLarge(Cap),
    /// The answer ended without a reply to our id.
    #[error("the answer holds no reply to the request")]
    NoReply,
    /// The answer is not what the protocol says.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// The server wants input from the caller before it goes on (2026-07-28).
    #[error("the server wants input")]
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

/// How a server refused: for the log and for the caller's `upstream` member.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON-RPC error, if the body was one.
    pub error: Option<RpcError>,
}

/// Which cap an answer passed.
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
    /// The server dispatched it and answered.
    Yes,
    /// Sent, and the answer was lost or says nothing about it.
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

/// An [`Error`] with what the caller needs to know to go on.
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
            Self::Busy { status, .. } | Self::Status(status) | Self::Redirect(status) => {
                Some((*status, None))
            }
            _ => None,
        }
    }

    /// A request that cannot be written: a fault of ours, for what callers give is checked before.
    pub fn unwritable(error: &serde_json::Error) -> Self {
        Self::Internal(format!("a request could not be written: {error}"))
    }
}

impl From<NoRoom> for Error {
    /// An answer that cannot be taken.
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom { sent: true }
    }
}

impl From<serde_json::Error> for Error {
    /// An answer that cannot be read.
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
    /// What was asked for was a list, so that nothing has run.
    pub fn of_list(error: Error) -> Self {
        Self {
            error,
            stage: Stage::Preparing,
            executed: Executed::No,
            idempotent: false,
        }
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
    /// What is kept of an error that was a refusal.
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
