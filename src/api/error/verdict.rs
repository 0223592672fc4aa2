//! The table of errors: which code and words each has. They are decided here and nowhere else, from types and
//! numbers alone.

use crate::api::error::code::Code;
use crate::api::error::kinds::{ACCEPTED_ENCODING, About, Error, Task};
use crate::mcp::protocol::codes;
use crate::mcp::protocol::error::{Error as Cause, Failure, Stage};
use crate::mcp::protocol::message::RpcError;

/// What is told of an error by its cause alone.
pub(crate) struct Verdict {
    /// The cause, for programs; status and title follow from it.
    pub(crate) code: Code,
    /// What happened and how to go on, for people.
    pub(crate) detail: String,
}

// === impl Verdict ===

impl Verdict {
    /// Code and words for an error.
    #[expect(clippy::too_many_lines, reason = "one table, one row a cause")]
    pub(crate) fn on(error: &Error, about: About<'_>) -> Self {
        let server = about.server.unwrap_or_default();
        let tool = about.tool.unwrap_or_default();
        let (code, detail) = match error {
            Error::InvalidRequest(detail) => (
                Code::InvalidRequest,
                detail.to_string(),
            ),
            Error::Unauthorized => (
                Code::Unauthorized,
                "This service wants an API key, in 'X-API-Key' or as 'Authorization: Bearer'"
                    .into(),
            ),
            Error::RouteNotFound => (
                Code::NotFound,
                "There is no such route".into(),
            ),
            Error::MethodNotAllowed(_) => (
                Code::MethodNotAllowed,
                "The header 'Allow' names the methods of this route".into(),
            ),
            Error::ServerNotFound => (
                Code::ServerNotFound,
                format!("Server '{server}' is not configured"),
            ),
            Error::RequestTimeout => (
                Code::RequestTimeout,
                "The body had not come when the deadline of the call passed".into(),
            ),
            Error::PayloadTooLarge(cap) => (
                Code::PayloadTooLarge,
                format!("The body is longer than {cap} bytes"),
            ),
            Error::OtherSite => (
                Code::Forbidden,
                "A page of another site has a browser send this, says 'Sec-Fetch-Site': only pages of this service may, \
                 and programs, which send no such header"
                    .into(),
            ),
            Error::OtherOrigin => (
                Code::Forbidden,
                "The page that 'Origin' names is of another site than 'Host': only pages of this service may send this, and \
                 programs, which send no 'Origin'. A proxy before this service must pass on 'Host', or say \
                 'X-Forwarded-Host' and be one of 'gateway.trustedProxies'"
                    .into(),
            ),
            Error::UnsupportedEncoding => (
                Code::UnsupportedMediaType,
                format!(
                    "A body may be compressed with {} alone: send it with 'Content-Encoding: {}', or without",
                    ACCEPTED_ENCODING,
                    ACCEPTED_ENCODING
                ),
            ),
            Error::UnsupportedMediaType => (
                Code::UnsupportedMediaType,
                "The body must be JSON: send it with 'Content-Type: application/json'".into(),
            ),
            Error::Tool { .. } => (
                Code::ToolError,
                format!("Tool '{tool}' on server '{server}' reported an error"),
            ),
            Error::NotAcceptable { .. } => (
                Code::NotAcceptable,
                "Nothing of what there is fits 'Accept': 'available' names what there is".into(),
            ),
            Error::InvalidArguments(_) => (
                Code::InvalidArguments,
                format!(
                    "The arguments do not fit the schema of tool '{tool}' on server '{server}': 'errors' says where"
                ),
            ),
            Error::Late => (
                Code::UpstreamTimeout,
                "The deadline passed before anything was sent to the server".into(),
            ),
            Error::Draining => (
                Code::Overloaded,
                "This service is about to stop: send requests elsewhere".into(),
            ),
            Error::NoRoom(_) => (
                Code::Overloaded,
                "Too much is held in memory at the same time: there was no room for this request or its answer".into(),
            ),
            Error::Scarce => (
                Code::Overloaded,
                "This service has too many connections: it has no file descriptors left".into(),
            ),
            Error::Internal => (
                Code::InternalError,
                "The service has made a mistake; the request id finds it in the log".into(),
            ),
            Error::Upstream(task, failure) => return upstream(*task, failure, about),
        };
        Verdict { code, detail }
    }
}

/// Status, code and words for what happened at a server.
#[expect(clippy::too_many_lines, reason = "one table, one row a cause")]
fn upstream(task: Task, failure: &Failure, about: About<'_>) -> Verdict {
    let server = about.server.unwrap_or_default();
    let tool = about.tool.unwrap_or_default();
    let (code, detail) = match &failure.error {
        Cause::Unreachable(_) => (
            Code::UpstreamUnreachable,
            format!("Server '{server}' cannot be reached"),
        ),
        Cause::Lost(_) => (
            Code::UpstreamInvalidResponse,
            format!("The connection to server '{server}' was lost before its answer was complete"),
        ),
        // What servers have said was there; it was to be put together.
        Cause::Deadline if server.is_empty() => (
            Code::UpstreamTimeout,
            "The deadline passed before the answer was put together".into(),
        ),
        Cause::Deadline => (
            Code::UpstreamTimeout,
            format!("Server '{server}' did not answer in time"),
        ),
        Cause::Unauthorized { .. } => (
            Code::Unauthorized,
            format!("Server '{server}' refused the credential it was sent"),
        ),
        Cause::Forbidden { .. } => (
            Code::Forbidden,
            format!("Server '{server}' forbids this request"),
        ),
        Cause::Busy { status, .. } if status.as_u16() == 429 => (
            Code::RateLimited,
            format!("Server '{server}' is asked too often"),
        ),
        Cause::Busy { .. } => (
            Code::Overloaded,
            format!("Server '{server}' is not ready to answer"),
        ),
        Cause::SessionRequired(_) => (
            Code::SessionRequired,
            format!(
                "Server '{server}' wants a session: send the request with 'init=true', or open one with \
                 POST /api/mcp/{{server}}/initialize and send its id"
            ),
        ),
        Cause::SessionExpired(_) => (
            Code::SessionExpired,
            format!("Server '{server}' does not know this session any more: open a new one"),
        ),
        Cause::Rpc { error, .. } => rpc(error, server),
        Cause::Status(status) => (
            Code::UpstreamError,
            format!(
                "Server '{server}' answered with HTTP status {}",
                status.as_u16()
            ),
        ),
        Cause::Redirect(_) => (
            Code::UpstreamError,
            format!("Server '{server}' answered with a redirect that is not followed"),
        ),
        Cause::ContentType => (
            Code::UpstreamInvalidResponse,
            format!("Server '{server}' answered with neither JSON nor an event stream"),
        ),
        Cause::Unframed => (
            Code::UpstreamInvalidResponse,
            format!(
                "Server '{server}' answered with neither 'Content-Length' nor chunks, which this service cannot read"
            ),
        ),
        Cause::TooLarge(cap) => (
            Code::UpstreamInvalidResponse,
            format!("The answer of server '{server}' goes over the limit of {cap}"),
        ),
        Cause::NoAnswer => (
            Code::UpstreamInvalidResponse,
            format!("The answer of server '{server}' holds no reply to the request"),
        ),
        Cause::Malformed(_) => (
            Code::UpstreamInvalidResponse,
            format!("The answer of server '{server}' is not what the protocol says"),
        ),
        Cause::InputRequired(_) => (
            Code::InputRequired,
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
            Code::ToolNotFound,
            format!("Tool '{tool}' not found on server '{server}'"),
        ),
        Cause::PromptNotFound { .. } => (
            Code::PromptNotFound,
            format!(
                "Prompt '{}' not found on server '{server}'",
                about.prompt.unwrap_or_default()
            ),
        ),
        Cause::ResourceNotFound { .. } => (
            Code::ResourceNotFound,
            format!("Server '{server}' has no resource of this URI"),
        ),
        Cause::Overloaded => (
            Code::Overloaded,
            format!("Too many calls to server '{server}' are in flight; nothing was sent to it"),
        ),
        Cause::NoRoom { sent } => (
            Code::Overloaded,
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
            Code::Overloaded,
            format!(
                "There are too many connections to make one to server '{server}'; nothing was sent to it"
            ),
        ),
        Cause::Internal(_) => (
            Code::InternalError,
            "The service has made a mistake; the request id finds it in the log".into(),
        ),
    };
    Verdict { code, detail }
}

/// A JSON-RPC error that is not about an unknown tool, a session or an era: those were told apart before.
fn rpc(error: &RpcError, server: &str) -> (Code, String) {
    match error.code {
        codes::METHOD_NOT_FOUND => (
            Code::NotSupported,
            format!("Server '{server}' does not support this method"),
        ),
        codes::INVALID_PARAMS => (
            Code::InvalidArguments,
            format!("Server '{server}' refused the arguments; 'upstream' holds what it said"),
        ),
        codes::MISSING_CAPABILITY => (
            Code::UpstreamError,
            format!(
                "Server '{server}' wants a client capability that was not declared; 'upstream' names it. A caller \
                 that can answer such requests declares it in '_meta' of POST /api/mcp/{{server}}/call, as \
                 'io.modelcontextprotocol/clientCapabilities'"
            ),
        ),
        code => (
            Code::UpstreamError,
            format!(
                "Server '{server}' answered with JSON-RPC error {code}; 'upstream' holds what it said"
            ),
        ),
    }
}

// === impl Task ===

impl Task {
    /// What of the request failed; a few codes say it more exactly.
    pub(crate) fn title_of(self, code: Code, stage: Stage) -> &'static str {
        match code {
            Code::ToolNotFound
            | Code::PromptNotFound
            | Code::ResourceNotFound
            | Code::Unauthorized
            | Code::InternalError => code.title(),
            _ if stage == Stage::Handshake => Self::Initialize.title(),
            _ => self.title(),
        }
    }

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
