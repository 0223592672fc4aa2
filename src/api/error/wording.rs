//! The wording of errors: what happened and how to go on, one sentence a cause.

use crate::api::error::code::Code;
use crate::api::error::kinds::{ACCEPTED_ENCODING, About, Error, Task};
use crate::mcp::protocol::error::Error as Cause;
use crate::mcp::protocol::refusal::{self, Meaning};

const INTERNAL: &str = "Internal error; the request id identifies it in the log";

/// An error in short.
pub(crate) struct Summary {
    /// The cause, for programs.
    pub(crate) code: Code,
    /// What happened and how to go on, for people.
    pub(crate) detail: String,
}

impl Error {
    /// Code and detail. What happened inside goes to the log.
    pub(crate) fn summary(&self, about: About<'_>) -> Summary {
        let code = self.code();
        if let Self::Upstream(_, failure) = self {
            let level = if code.status().is_server_error() {
                log::Level::Warn
            } else {
                log::Level::Debug
            };
            log::log!(
                level,
                request_id = about.request_id,
                server = about.server,
                code = code.name(),
                stage = failure.stage.name();
                "{failure}"
            );
        }
        let detail = self.detail(about);
        Summary { code, detail }
    }

    fn detail(&self, about: About<'_>) -> String {
        let server = about.server.unwrap_or_default();
        let tool = about.tool.unwrap_or_default();
        let detail = match self {
            Self::InvalidRequest(detail) => detail,
            Self::Unauthorized => {
                "API key missing or invalid: send it in 'X-API-Key' or as 'Authorization: Bearer'"
            }
            Self::RouteNotFound => "No route matches this path",
            Self::MethodNotAllowed(_) => {
                "Method not allowed here; 'Allow' lists the methods that are"
            }
            Self::ServerNotFound => return format!("Server '{server}' is not configured"),
            Self::RequestTimeout => "The request body did not arrive before the deadline",
            Self::PayloadTooLarge(cap) => {
                return format!("The request body exceeds the limit of {cap} bytes");
            }
            Self::CrossSite => {
                "Cross-site request refused by 'Sec-Fetch-Site': only pages of this service may \
                 send it, and clients other than browsers, which send no such header"
            }
            Self::CrossOrigin => {
                "Cross-origin request refused: 'Origin' does not match 'Host', and only pages of this service may send it. A reverse proxy \
                 must forward 'Host', or send 'X-Forwarded-Host' and be listed in \
                 'gateway.trustedProxies'. Clients other than browsers send no 'Origin'"
            }
            Self::UnsupportedEncoding => {
                return format!(
                    "Unsupported 'Content-Encoding': send the body with \
                     'Content-Encoding: {ACCEPTED_ENCODING}', or uncompressed"
                );
            }
            Self::UnsupportedMediaType => {
                "The request body must be JSON: send it with 'Content-Type: application/json'"
            }
            Self::Tool { .. } => {
                return format!("Tool '{tool}' on server '{server}' reported an error");
            }
            Self::NotAcceptable { .. } => {
                "No representation matches 'Accept'; 'available' lists the supported media types"
            }
            Self::InvalidArguments(_) => {
                return format!(
                    "The arguments do not match the schema of tool '{tool}' on server '{server}'; \
                     'errors' lists the violations"
                );
            }
            Self::DeadlinePassed => "The deadline passed before anything was sent to the server",
            Self::ShuttingDown => {
                "This service is shutting down; send requests to another instance"
            }
            Self::NoRoom(_) => return no_room("the request or its response"),
            Self::NoDescriptors => {
                "No file descriptor is left: this service has too many open connections"
            }
            Self::Internal => INTERNAL,
            Self::Upstream(task, failure) => return upstream(&failure.error, *task, about),
        };
        detail.to_owned()
    }
}

/// What happened at a server: what the server did, in most cases.
fn upstream(cause: &Cause, task: Task, about: About<'_>) -> String {
    let server = about.server.unwrap_or_default();
    let did = match cause {
        Cause::Unreachable(_) => "is unreachable",
        Cause::Lost(_) => "did not complete its response: the connection was lost",
        // All servers had answered; one document was to be made of what they said.
        Cause::Deadline if server.is_empty() => {
            return "The deadline passed before the response was assembled".into();
        }
        Cause::Deadline => "did not respond before the deadline",
        Cause::Unauthorized { .. } => "rejected the configured credential, or wants one",
        Cause::Forbidden { .. } => "denied access",
        Cause::Busy { status, .. } if status.as_u16() == 429 => "received too many requests",
        Cause::Busy { .. } => "is temporarily unavailable",
        Cause::SessionRequired(_) => {
            "requires a session: send the request with 'init=true', or open one with \
             POST /api/mcp/{server}/initialize and send its id"
        }
        Cause::SessionExpired(_) => "no longer knows this session; open a new one",
        Cause::Rpc { error, .. } => return rpc(cause, error.code, server),
        Cause::Status(status) => {
            return format!(
                "Server '{server}' responded with HTTP status {}",
                status.as_u16()
            );
        }
        Cause::Redirect(_) => "responded with a redirect that is not followed",
        Cause::ContentType => "responded with neither JSON nor an event stream",
        Cause::Unframed => {
            "responded with neither 'Content-Length' nor chunks: the end of the body is unknown"
        }
        Cause::TooLarge(cap) => return format!("Server '{server}' exceeded the limit on {cap}"),
        Cause::NoReply => "ended its response without a reply to the request",
        Cause::Malformed(_) => "sent a response that violates the protocol",
        Cause::InputRequired(_) => {
            let route = if task == Task::CallTool {
                "call"
            } else {
                "rpc"
            };
            return format!(
                "Server '{server}' requires input: repeat the call through \
                 POST /api/mcp/{{server}}/{route} with 'inputResponses' and the same 'requestState'"
            );
        }
        Cause::ToolNotFound { .. } => {
            let tool = about.tool.unwrap_or_default();
            return format!("Tool '{tool}' not found on server '{server}'");
        }
        Cause::PromptNotFound { .. } => {
            let prompt = about.prompt.unwrap_or_default();
            return format!("Prompt '{prompt}' not found on server '{server}'");
        }
        Cause::ResourceNotFound { .. } => "has no resource with this URI",
        Cause::Overloaded => {
            "has as many calls in flight as its limit allows; nothing was sent to it"
        }
        Cause::NoRoom { sent: true } => return no_room("the response"),
        Cause::NoRoom { sent: false } => return no_room("the request; nothing was sent"),
        Cause::NoDescriptors => {
            "could not be connected to: this service has no file descriptor left; nothing was sent"
        }
        Cause::Internal(_) => return INTERNAL.into(),
    };
    format!("Server '{server}' {did}")
}

/// A JSON-RPC error.
fn rpc(cause: &Cause, code: i64, server: &str) -> String {
    match refusal::of_request(cause) {
        Meaning::NotSupported => format!("Server '{server}' does not support this method"),
        Meaning::InvalidParams => {
            format!("Server '{server}' rejected the arguments; 'upstream' holds its error")
        }
        Meaning::MissingCapability => format!(
            "Server '{server}' requires a client capability that was not declared; 'upstream' \
             names it. A client that can answer such requests declares it in '_meta' of \
             POST /api/mcp/{{server}}/call, as 'io.modelcontextprotocol/clientCapabilities'"
        ),
        _ => {
            format!("Server '{server}' returned JSON-RPC error {code}; 'upstream' holds the error")
        }
    }
}

fn no_room(subject: &str) -> String {
    format!(
        "Memory limit for buffered bodies (limits.bufferedBytes) reached: no room for {subject}"
    )
}
