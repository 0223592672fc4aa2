//! The messages of the demo server: requests, results and errors of JSON-RPC.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::mcp::protocol::codes;

pub(crate) const MODERN: &str = "2026-07-28";
pub(crate) const NEWEST_LEGACY: &str = "2025-11-25";
/// The version of a request that names none, by the specification.
pub(crate) const ASSUMED: &str = "2025-03-26";
pub(crate) const VERSIONS: [&str; 4] = [MODERN, NEWEST_LEGACY, "2025-06-18", ASSUMED];

pub(crate) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const LISTS_LIVE_MS: u32 = 300_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

#[derive(Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow)]
    pub(crate) jsonrpc: Cow<'a, str>,
    /// `None` makes it a notification.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) params: Option<&'a RawValue>,
}

/// The members of `params` that this server reads, of all methods.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    pub(crate) meta: Meta<'a>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) cursor: Option<IgnoredAny>,
    pub(crate) name: Option<String>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) input_responses: Option<&'a RawValue>,
    pub(crate) request_state: Option<String>,
    pub(crate) uri: Option<String>,
    #[serde(rename = "ref")]
    pub(crate) reference: Option<Reference>,
    pub(crate) argument: Option<Argument>,
}

/// What is to be completed: an argument of a prompt, or a variable of a template.
#[derive(Deserialize)]
pub(crate) struct Reference {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) uri: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Default, Deserialize)]
pub(crate) struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    pub(crate) protocol_version: Option<String>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(crate) client_capabilities: Option<&'a RawValue>,
    #[serde(borrow, rename = "progressToken")]
    pub(crate) progress_token: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        let json: &RawValue =
            serde_json::from_slice(body).map_err(|error| Refusal::BrokenJson(error.to_string()))?;
        let message: Self = from_object(json.get()).map_err(Refusal::NotOneMessage)?;
        if message.jsonrpc != "2.0" || !message.id.is_none_or(is_id) {
            let text = "jsonrpc must be \"2.0\" and id a string or a number";
            return Err(Refusal::NotOneMessage(text.into()));
        }
        Ok(message)
    }
}

/// Keeps `null` apart from an absent member: a request with a null id is an error, not a notification.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether this is a string or a number, as ids and progress tokens are.
pub(crate) fn is_id(json: &RawValue) -> bool {
    json.get()
        .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// serde takes a struct from an array too; JSON-RPC and MCP mean objects.
pub(crate) fn from_object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.starts_with('{') {
        return Err("expected an object".into());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[derive(Serialize)]
pub(crate) struct Reply<'a, R> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: Tagged<R>,
}

/// A result with the discriminator that the modern era adds.
#[derive(Serialize)]
struct Tagged<R> {
    #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(flatten)]
    result: R,
}

impl<'a, R: Serialize> Reply<'a, R> {
    pub(crate) fn new(era: Era, id: &'a RawValue, result: R) -> Self {
        let result_type = (era == Era::Modern).then_some("complete");
        Self::tagged(result_type, id, result)
    }

    /// Not the result yet, but a question that the client must answer first (2026-07-28).
    pub(crate) fn input_required(id: &'a RawValue, result: R) -> Self {
        Self::tagged(Some("input_required"), id, result)
    }

    fn tagged(result_type: Option<&'static str>, id: &'a RawValue, result: R) -> Self {
        Self {
            jsonrpc: "2.0",
            id,
            result: Tagged {
                result_type,
                result,
            },
        }
    }
}

/// Every error, with its HTTP status and JSON-RPC code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Host, and Origin if there is one, must be a loopback name")]
    ForeignName,
    #[error("Accept must list both application/json and text/event-stream")]
    NotAcceptable,
    #[error("Content-Type must be application/json")]
    MediaType,
    #[error("The body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error("The body is not JSON: {0}")]
    BrokenJson(String),
    #[error("The body must be one JSON-RPC request or notification: {0}")]
    NotOneMessage(String),
    #[error("Malformed params: {0}")]
    MalformedParams(String),
    #[error("{0}")]
    InvalidParams(String),
    #[error("{0} is missing or disagrees with the body")]
    HeaderMismatch(&'static str),
    #[error("The client must be able to answer: {0}")]
    MissingCapability(&'static str),
    #[error("Unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    #[error("Resource not found")]
    UnknownResource(Era, String),
    #[error("Method not found: {1}")]
    UnknownMethod(Era, String),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, i64) {
        match self {
            Self::ForeignName => (StatusCode::FORBIDDEN, codes::IMPLEMENTATION_DEFINED),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, codes::IMPLEMENTATION_DEFINED),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                codes::IMPLEMENTATION_DEFINED,
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, codes::IMPLEMENTATION_DEFINED),
            Self::BrokenJson(_) => (StatusCode::BAD_REQUEST, codes::PARSE_ERROR),
            Self::NotOneMessage(_) => (StatusCode::BAD_REQUEST, codes::INVALID_REQUEST),
            Self::MalformedParams(_) => (StatusCode::BAD_REQUEST, codes::INVALID_PARAMS),
            Self::InvalidParams(_) | Self::UnknownResource(Era::Modern, _) => {
                (StatusCode::OK, codes::INVALID_PARAMS)
            }
            Self::HeaderMismatch(_) => (StatusCode::BAD_REQUEST, codes::HEADER_MISMATCH),
            Self::MissingCapability(_) => (StatusCode::BAD_REQUEST, codes::MISSING_CAPABILITY),
            Self::UnsupportedVersion(_) => (StatusCode::BAD_REQUEST, codes::UNSUPPORTED_VERSION),
            Self::UnknownResource(Era::Legacy, _) => (StatusCode::OK, codes::RESOURCE_NOT_FOUND),
            Self::UnknownMethod(Era::Modern, _) => (StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND),
            Self::UnknownMethod(Era::Legacy, _) => (StatusCode::OK, codes::METHOD_NOT_FOUND),
        }
    }

    pub(crate) fn reply(&self, id: Option<&RawValue>) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let id = id.unwrap_or(RawValue::NULL);
        let message = self.to_string();
        let error = match self {
            Self::UnsupportedVersion(requested) => {
                let data = json!({"supported": VERSIONS, "requested": requested});
                json!({"code": code, "message": message, "data": data})
            }
            Self::UnknownResource(_, uri) => {
                json!({"code": code, "message": message, "data": {"uri": uri}})
            }
            Self::MissingCapability(capability) => {
                let data = json!({"requiredCapabilities": {*capability: {}}});
                json!({"code": code, "message": message, "data": data})
            }
            _ => json!({"code": code, "message": message}),
        };
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
        HttpResponse::build(status)
            .content_type("application/json")
            .body(body)
    }
}
