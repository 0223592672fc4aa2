//! The codes of problems, each with its status and title, and the other members that take a few values only.
//!
//! Which error has which code is decided in [`crate::api::error::kinds`].

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::mcp::protocol::error::Executed;

/// One row a code: variant, text, status, title.
macro_rules! codes {
    ($($code:ident = $name:tt, $status:ident, $title:literal;)+) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        pub(crate) enum Code {
            $(#[serde(rename = $name)] $code,)+
        }

        impl Code {
            /// The text, the status and the title of a problem with this code.
            const fn row(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$code => ($name, StatusCode::$status, $title),)+
                }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "Invalid request";
    SessionRequired = "session_required", BAD_REQUEST, "Session required";
    Unauthorized = "unauthorized", UNAUTHORIZED, "Authentication failed";
    Forbidden = "forbidden", FORBIDDEN, "Forbidden";
    ServerNotFound = "server_not_found", NOT_FOUND, "Server not found";
    ToolNotFound = "tool_not_found", NOT_FOUND, "Tool not found";
    PromptNotFound = "prompt_not_found", NOT_FOUND, "Prompt not found";
    ResourceNotFound = "resource_not_found", NOT_FOUND, "Resource not found";
    NotFound = "not_found", NOT_FOUND, "Not found";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    NotAcceptable = "not_acceptable", NOT_ACCEPTABLE, "Not acceptable";
    InputRequired = "input_required", CONFLICT, "Input required";
    SessionExpired = "session_expired", GONE, "Session expired";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "Request timeout";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "Payload too large";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    InvalidArguments = "invalid_arguments", UNPROCESSABLE_ENTITY, "Invalid arguments";
    ToolError = "tool_error", UNPROCESSABLE_ENTITY, "Tool execution failed";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Rate limited";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded";
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, "Internal server error";
    NotSupported = "not_supported", NOT_IMPLEMENTED, "Not supported";
    UpstreamError = "upstream_error", BAD_GATEWAY, "Upstream error";
    UpstreamInvalidResponse = "upstream_invalid_response", BAD_GATEWAY, "Invalid upstream response";
    UpstreamUnreachable = "upstream_unreachable", BAD_GATEWAY, "Upstream unreachable";
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, "Deadline exceeded";
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
                "Whether the server may have carried out the request: no, yes, or nobody can tell.",
            ))
            .enum_values(Some(values));
        schema.into()
    }
}

impl ToSchema for Executed {}
