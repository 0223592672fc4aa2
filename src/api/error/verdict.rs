//! The table of errors: which status, code and words each has. They are decided here and nowhere else, from types and
//! numbers alone.

use actix_web::http::StatusCode;

use crate::api::error::problem::{About, Error, Task};
use crate::api::request::encoding;
use crate::mcp::protocol::error::{Error as Cause, Failure, Stage};
use crate::mcp::protocol::message::RpcError;

/// The parts of an answer that depend on the cause alone.
pub(crate) struct Verdict {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The cause, for programs.
    pub(crate) code: &'static str,
    /// What failed, in few words.
    pub(crate) title: &'static str,
    /// What happened and how to go on, for people.
    pub(crate) detail: String,
}

// === impl Verdict ===

impl Verdict {
    /// Status, code and words for an error.
    #[expect(clippy::too_many_lines, reason = "one table, one row a cause")]
    pub(crate) fn on(error: &Error, about: About<'_>) -> Self {
        let server = about.server.unwrap_or_default();
        let tool = about.tool.unwrap_or_default();
        let (status, code, title, detail) = match error {
            Error::InvalidRequest(detail) => (
                400,
                "invalid_request",
                "Invalid request",
                detail.to_string(),
            ),
            Error::Unauthorized => (
                401,
                "unauthorized",
                "Authentication failed",
                "This service wants an API key, in 'X-API-Key' or as 'Authorization: Bearer'"
                    .into(),
            ),
            Error::RouteNotFound => (
                404,
                "not_found",
                "Not found",
                "There is no such route".into(),
            ),
            Error::MethodNotAllowed(_) => (
                405,
                "method_not_allowed",
                "Method not allowed",
                "The header 'Allow' names the methods of this route".into(),
            ),
            Error::ServerNotFound => (
                404,
                "server_not_found",
                "Server not found",
                format!("Server '{server}' is not configured"),
            ),
            Error::RequestTimeout => (
                408,
                "request_timeout",
                "Request timeout",
                "The body had not come when the deadline of the call passed".into(),
            ),
            Error::PayloadTooLarge(cap) => (
                413,
                "payload_too_large",
                "Payload too large",
                format!("The body is longer than {cap} bytes"),
            ),
            Error::OtherSite => (
                403,
                "forbidden",
                "Forbidden",
                "A page of another site has a browser send this, says 'Sec-Fetch-Site': only pages of this service may, \
                 and programs, which send no such header"
                    .into(),
            ),
            Error::OtherOrigin => (
                403,
                "forbidden",
                "Forbidden",
                "The page that 'Origin' names is of another site than 'Host': only pages of this service may send this, and \
                 programs, which send no 'Origin'. A proxy before this service must pass on 'Host', or say \
                 'X-Forwarded-Host' and be one of 'gateway.trustedProxies'"
                    .into(),
            ),
            Error::UnsupportedEncoding => (
                415,
                "unsupported_media_type",
                "Unsupported media type",
                format!(
                    "A body may be compressed with {} alone: send it with 'Content-Encoding: {}', or without",
                    encoding::ACCEPTED,
                    encoding::ACCEPTED
                ),
            ),
            Error::UnsupportedMediaType => (
                415,
                "unsupported_media_type",
                "Unsupported media type",
                "The body must be JSON: send it with 'Content-Type: application/json'".into(),
            ),
            Error::Tool { .. } => (
                422,
                "tool_error",
                "Tool execution failed",
                format!("Tool '{tool}' on server '{server}' reported an error"),
            ),
            Error::NotAcceptable { .. } => (
                406,
                "not_acceptable",
                "Not acceptable",
                "Nothing of what there is fits 'Accept': 'available' names what there is".into(),
            ),
            Error::InvalidArguments(_) => (
                422,
                "invalid_arguments",
                "Invalid arguments",
                format!(
                    "The arguments do not fit the schema of tool '{tool}' on server '{server}': 'errors' says where"
                ),
            ),
            Error::Late => (
                504,
                "upstream_timeout",
                "Too late",
                "The deadline passed before anything was sent to the server".into(),
            ),
            Error::Draining => (
                503,
                "overloaded",
                "Not ready",
                "This service is about to stop: send requests elsewhere".into(),
            ),
            Error::NoRoom(_) => (
                503,
                "overloaded",
                "Not enough room",
                "Too much is held in memory at the same time: there was no room for this request or its answer".into(),
            ),
            Error::Scarce => (
                503,
                "overloaded",
                "Overloaded",
                "This service has too many connections: it has no file descriptors left".into(),
            ),
            Error::Internal => (
                500,
                "internal_error",
                "Internal server error",
                "The service has made a mistake; the request id finds it in the log".into(),
            ),
            Error::Upstream(task, failure) => return upstream(*task, failure, about),
        };
        Verdict {
            status: status_of(status),
            code,
            title,
            detail,
        }
    }
}

/// Status, code and words for what happened at a server.
#[expect(clippy::too_many_lines, reason = "one table, one row a cause")]
fn upstream(task: Task, failure: &Failure, about: About<'_>) -> Verdict {
    let server = about.server.unwrap_or_default();
    let tool = about.tool.unwrap_or_default();
    let (status, code, detail) = match &failure.error {
        Cause::Unreachable(_) => (
            502,
            "upstream_unreachable",
            format!("Server '{server}' cannot be reached"),
        ),
        Cause::Lost(_) => (
            502,
            "upstream_invalid_response",
            format!("The connection to server '{server}' was lost before its answer was complete"),
        ),
        // What servers have said was there; it was to be put together.
        Cause::Deadline if server.is_empty() => (
            504,
            "upstream_timeout",
            "The deadline passed before the answer was put together".into(),
        ),
        Cause::Deadline => (
            504,
            "upstream_timeout",
            format!("Server '{server}' did not answer in time"),
        ),
        Cause::Unauthorized { .. } => (
            401,
            "unauthorized",
            format!("Server '{server}' refused the credential it was sent"),
        ),
        Cause::Forbidden { .. } => (
            403,
            "forbidden",
            format!("Server '{server}' forbids this request"),
        ),
        Cause::Busy { status, .. } if status.as_u16() == 429 => (
            429,
            "rate_limited",
            format!("Server '{server}' is asked too often"),
        ),
        Cause::Busy { .. } => (
            503,
            "overloaded",
            format!("Server '{server}' is not ready to answer"),
        ),
        Cause::SessionRequired(_) => (
            400,
            "session_required",
            format!(
                "Server '{server}' wants a session: send the request with 'init=true', or open one with \
                 POST /api/mcp/{{server}}/initialize and send its id"
            ),
        ),
        Cause::SessionExpired(_) => (
            410,
            "session_expired",
            format!("Server '{server}' does not know this session any more: open a new one"),
        ),
        Cause::Rpc { error, .. } => rpc(error, server),
        Cause::Status(status) => (
            502,
            "upstream_error",
            format!(
                "Server '{server}' answered with HTTP status {}",
                status.as_u16()
            ),
        ),
        Cause::Redirect(_) => (
            502,
            "upstream_error",
            format!("Server '{server}' answered with a redirect that is not followed"),
        ),
        Cause::ContentType => (
            502,
            "upstream_invalid_response",
            format!("Server '{server}' answered with neither JSON nor an event stream"),
        ),
        Cause::Unframed => (
            502,
            "upstream_invalid_response",
            format!(
                "Server '{server}' answered with neither 'Content-Length' nor chunks, which this service cannot read"
            ),
        ),
        Cause::TooLarge(cap) => (
            502,
            "upstream_invalid_response",
            format!("The answer of server '{server}' goes over the limit of {cap}"),
        ),
        Cause::NoAnswer => (
            502,
            "upstream_invalid_response",
            format!("The answer of server '{server}' holds no reply to the request"),
        ),
        Cause::Malformed(_) => (
            502,
            "upstream_invalid_response",
            format!("The answer of server '{server}' is not what the protocol says"),
        ),
        Cause::InputRequired(_) => (
            409,
            "input_required",
            format!(
                "Server '{server}' wants input: repeat the call through POST /api/mcp/{{server}}/{} with \
                 'inputResponses' and the same 'requestState'",
                if task == Task::CallTool {
                    "call"
                } else {
                    "rpc"
                }
            ),
        ),
        Cause::ToolNotFound { .. } => (
            404,
            "tool_not_found",
            format!("Tool '{tool}' not found on server '{server}'"),
        ),
        Cause::PromptNotFound { .. } => (
            404,
            "prompt_not_found",
            format!(
                "Prompt '{}' not found on server '{server}'",
                about.prompt.unwrap_or_default()
            ),
        ),
        Cause::ResourceNotFound { .. } => (
            404,
            "resource_not_found",
            format!("Server '{server}' has no resource of this URI"),
        ),
        Cause::Overloaded => (
            503,
            "overloaded",
            format!("Too many calls to server '{server}' are in flight; nothing was sent to it"),
        ),
        Cause::NoRoom { sent } => (
            503,
            "overloaded",
            format!(
                "Too much is held in memory at the same time: there was no room for {}",
                if *sent {
                    "this answer"
                } else {
                    "this request, and nothing was sent"
                }
            ),
        ),
        Cause::NoDescriptors => (
            503,
            "overloaded",
            format!(
                "There are too many connections to make one to server '{server}'; nothing was sent to it"
            ),
        ),
        Cause::Internal(_) => (
            500,
            "internal_error",
            "The service has made a mistake; the request id finds it in the log".into(),
        ),
    };
    let title = match (&failure.error, failure.stage) {
        (Cause::ToolNotFound { .. }, _) => "Tool not found",
        (Cause::PromptNotFound { .. }, _) => "Prompt not found",
        (Cause::ResourceNotFound { .. }, _) => "Resource not found",
        (Cause::Unauthorized { .. }, _) => "Authentication failed",
        (Cause::Internal(_), _) => "Internal server error",
        (_, Stage::Handshake) => "Initialization failed",
        _ => task.title(),
    };
    Verdict {
        status: status_of(status),
        code,
        title,
        detail,
    }
}

/// A JSON-RPC error that is not about an unknown tool, a session or an era: those were told apart before.
fn rpc(error: &RpcError, server: &str) -> (u16, &'static str, String) {
    match error.code {
        -32601 => (
            501,
            "not_supported",
            format!("Server '{server}' does not support this method"),
        ),
        -32602 => (
            422,
            "invalid_arguments",
            format!("Server '{server}' refused the arguments; 'upstream' holds what it said"),
        ),
        -32021 => (
            502,
            "upstream_error",
            format!(
                "Server '{server}' wants a client capability that was not declared; 'upstream' names it. A caller \
                 that can answer such requests declares it in '_meta' of POST /api/mcp/{{server}}/call, as \
                 'io.modelcontextprotocol/clientCapabilities'"
            ),
        ),
        code => (
            502,
            "upstream_error",
            format!(
                "Server '{server}' answered with JSON-RPC error {code}; 'upstream' holds what it said"
            ),
        ),
    }
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

// === impl Task ===

impl Task {
    fn title(self) -> &'static str {
        match self {
            Self::Initialize => "Initialization failed",
            Self::ListTools => "Failed to list tools",
            Self::CallTool => "Tool execution failed",
            Self::ListResources => "Failed to list resources",
            Self::ReadResource => "Failed to read the resource",
            Self::ListPrompts => "Failed to list prompts",
            Self::GetPrompt => "Failed to get the prompt",
            Self::Complete => "Completion failed",
            Self::Request => "Request failed",
            Self::Ping => "Ping failed",
            Self::EndSession => "Failed to end the session",
        }
    }
}
