//! The codes of problems, each with its status, title and meaning, and the problem members with a fixed set of values (`origin`,
//! `executed`). A new code is one row here; the OpenAPI document takes its wording and headers from here.
//!
//! Which error has which code is decided in [`crate::api::error::kinds`].

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::mcp::protocol::error::Executed;

/// One row a code: variant, text, status, title, and when a problem has it.
macro_rules! codes {
    ($($code:ident = $name:tt, $status:ident, $title:literal, $when:literal;)+) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        pub(crate) enum Code {
            $(
                #[doc = $when]
                #[serde(rename = $name)]
                $code,
            )+
        }

        impl Code {
            const fn row(self) -> (&'static str, StatusCode, &'static str, &'static str) {
                match self {
                    $(Self::$code => ($name, StatusCode::$status, $title, $when),)+
                }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "Invalid request",
        "the request is malformed; nothing was sent to a server";
    SessionRequired = "session_required", BAD_REQUEST, "Session required",
        "the server requires a session, and `init=false` forbids opening one";
    Unauthorized = "unauthorized", UNAUTHORIZED, "Authentication failed",
        "the API key is missing or invalid (`origin: gateway`), or the server rejects the configured credential, or wants one \
         (`origin: upstream`)";
    Forbidden = "forbidden", FORBIDDEN, "Forbidden",
        "a browser sends the request for a page of another site that is not allowed (`origin: gateway`), or the server denies access \
         (`origin: upstream`)";
    ServerNotFound = "server_not_found", NOT_FOUND, "Server not found",
        "no server of this name is configured";
    ToolNotFound = "tool_not_found", NOT_FOUND, "Tool not found",
        "the server's own list has no tool of this name";
    PromptNotFound = "prompt_not_found", NOT_FOUND, "Prompt not found",
        "the server's own list has no prompt of this name";
    ResourceNotFound = "resource_not_found", NOT_FOUND, "Resource not found",
        "the server has no resource with this URI";
    NotFound = "not_found", NOT_FOUND, "Not found",
        "no route matches the path, as for every path that is not in this document";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "the route does not support the method; `Allow` lists those it does";
    NotAcceptable = "not_acceptable", NOT_ACCEPTABLE, "Not acceptable",
        "no representation matches `Accept`; `available` lists the supported media types. If that is known only after a call, \
         `executed` is `yes` and `result` holds what the tool returned; `result=value` fits every result";
    InputRequired = "input_required", CONFLICT, "Input required",
        "the server requires input first: repeat the call through `/call`, with `inputResponses` and the same `requestState`";
    SessionExpired = "session_expired", GONE, "Session expired",
        "the server no longer knows the client's session";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "Request timeout",
        "the request body did not arrive before the deadline; the connection is closed";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "Payload too large",
        "the request body exceeds the configured limit";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "`Content-Type`, with a body or without, is neither `application/json` nor a `+json` type (none at all is accepted), or \
         `Content-Encoding` is not gzip";
    InvalidArguments = "invalid_arguments", UNPROCESSABLE_ENTITY, "Invalid arguments",
        "the server rejects the arguments or parameters, a cursor for example; with `argumentChecks`, this service rejects \
         the arguments of a call, and `errors` lists the violations";
    ToolError = "tool_error", UNPROCESSABLE_ENTITY, "Tool execution failed",
        "the tool reported an error, and `toolErrors=status` asks for a status; `detail` begins with the tool's own first text, \
         `result` is what it returned";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Rate limited",
        "the server received too many requests";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded",
        "the server is temporarily unavailable (`origin: upstream`), or this service has too many calls to it in flight, or no \
         memory for bodies or file descriptors left (`origin: gateway`)";
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, "Internal server error",
        "an error in this service; the request id identifies it in the log";
    NotSupported = "not_supported", NOT_IMPLEMENTED, "Not supported",
        "the server does not support the method";
    UpstreamError = "upstream_error", BAD_GATEWAY, "Upstream error",
        "the server returned any other error";
    UpstreamInvalidResponse = "upstream_invalid_response", BAD_GATEWAY, "Invalid upstream response",
        "the server's response is not MCP, exceeds a limit, or is incomplete";
    UpstreamUnreachable = "upstream_unreachable", BAD_GATEWAY, "Upstream unreachable",
        "the server is unreachable; nothing was sent";
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, "Deadline exceeded",
        "the deadline passed before the server responded, or before anything was sent";
}

impl Code {
    /// The code as it is written.
    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of every problem with this code.
    pub(crate) const fn status(self) -> StatusCode {
        self.row().1
    }

    /// Whether the cause of most such problems may pass by itself.
    pub(crate) const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::RequestTimeout
                | Self::RateLimited
                | Self::Overloaded
                | Self::UpstreamUnreachable
                | Self::UpstreamTimeout
        )
    }

    /// What failed, in few words, where the operation says nothing more exact.
    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }

    /// When a problem has this code, for the documentation.
    pub(crate) const fn when(self) -> &'static str {
        self.row().3
    }

    /// Headers that a response with this code may have, besides those of every response.
    pub(crate) const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Unauthorized | Self::Forbidden => &["WWW-Authenticate"],
            Self::MethodNotAllowed => &["Allow"],
            Self::NotAcceptable | Self::ToolError => &["Mcp-Session-Id"],
            Self::UnsupportedMediaType => &["Accept-Encoding"],
            Self::RateLimited | Self::Overloaded => &["Retry-After"],
            _ => &[],
        }
    }
}

/// Who refused: this service, or the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Gateway,
    Upstream,
}

/// `mcp/` knows nothing of OpenAPI, so the schema of its type is here.
impl PartialSchema for Executed {
    fn schema() -> RefOr<Schema> {
        let values = [Self::No, Self::Yes, Self::Unknown].map(|value| json!(value));
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Whether the server may have carried out the request: no, yes or unknown.",
            ))
            .enum_values(Some(values));
        schema.into()
    }
}

impl ToSchema for Executed {}
