//! Whether a request may have run, after any failure, and may still be running: what a problem's `executed` and sending again rest on.

use awc::http::StatusCode;

use crate::mcp::protocol::codes;
use crate::mcp::protocol::error::{Error, Executed};
use crate::mcp::protocol::message::RpcError;

impl Error {
    /// Whether the operation may have been carried out, given that it was sent.
    pub fn executed(&self) -> Executed {
        match self {
            Self::Unreachable(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::SessionRequired(_)
            | Self::SessionExpired(_)
            | Self::ToolNotFound { .. }
            | Self::PromptNotFound { .. }
            | Self::ResourceNotFound { .. }
            | Self::Overloaded
            | Self::NoDescriptors
            | Self::NoRoom { sent: false }
            | Self::InputRequired(_) => Executed::No,
            // 429 says so itself.
            Self::Busy { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => Executed::No,
            // These ask for the same request elsewhere; any other may be the response to one that was carried out.
            Self::Redirect { status, .. } if matches!(status.as_u16(), 307 | 308) => Executed::No,
            Self::Rpc { status, error } => executed_before(*status, error),
            Self::Lost(_)
            | Self::Deadline
            | Self::ContentType(_)
            | Self::Unframed
            | Self::TooLarge(_)
            | Self::NoRoom { sent: true }
            | Self::NoReply
            | Self::Malformed(_)
            | Self::Busy { .. }
            | Self::Status(_)
            | Self::Redirect { .. }
            | Self::Internal(_) => Executed::Unknown,
        }
    }

    /// Whether the server may still be at work on the request: it was sent, and no final reply came.
    pub fn leaves_it_running(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::NoReply
                | Self::TooLarge(_)
                | Self::NoRoom { sent: true }
                | Self::Malformed(_)
                | Self::ContentType(_)
                | Self::Unframed
                | Self::Deadline
        )
    }

    /// Whether the response got lost on the way, so that the same request may fare better.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lost(_) | Self::NoReply => true,
            Self::Busy { status, .. } | Self::Status(status) => {
                matches!(status.as_u16(), 502..=504)
            }
            _ => false,
        }
    }
}

/// Whether a request was carried out that was replied to with this error. JSON-RPC 2.0 (section 5.1) and 2026-07-28 have codes
/// for requests that are refused as such; an error that is doubtful may be about another request.
fn executed_before(status: StatusCode, error: &RpcError) -> Executed {
    let is_refused = matches!(
        error.code,
        codes::PARSE_ERROR
            | codes::INVALID_REQUEST
            | codes::METHOD_NOT_FOUND
            | codes::INVALID_PARAMS
    );
    let is_modern = codes::MODERN.contains(&error.code);
    // With status 400, and therefore on no stream. Such a server may not have read whose request it is.
    if (is_modern && status == StatusCode::BAD_REQUEST) || (is_refused && !error.is_doubtful) {
        return Executed::No;
    }
    if is_refused || is_modern || error.code == codes::CANCELLED || !status.is_success() {
        Executed::Unknown
    } else {
        Executed::Yes
    }
}
