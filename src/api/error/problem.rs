//! The body of an error: `application/problem+json` (RFC 9457), with `error` and `message` as well, which clients of the
//! service this contract comes from read.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::Ref;

use crate::api::error::code::{Code, Origin};
use crate::api::error::kinds::{About, Error};
use crate::api::error::wording::Summary;
use crate::json::named;
use crate::mcp::http::pieces::{Builder, Pieces};
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::error::{Error as Cause, Executed};
use crate::schema::validate::ValidationError;

/// The body of every error: RFC 9457, and the members this service adds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem<'a> {
    /// `urn:mcp-rest:` and the code.
    r#type: String,
    /// What failed, in few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and how to go on, for people.
    detail: &'a str,
    /// The same as `title`.
    error: &'static str,
    /// The same as `detail`.
    message: &'a str,
    code: Code,
    origin: Origin,
    executed: Executed,
    /// Whether the same request may succeed later and does no harm if it has run already.
    retryable: bool,
    /// The id of the request, in the log as well.
    request_id: &'a str,
    /// The server the path names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    server: Option<&'a str>,
    /// The tool the request is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tool: Option<&'a str>,
    /// The prompt the request is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt: Option<&'a str>,
    /// Names of servers, tools or prompts close to the one that is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    did_you_mean: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    upstream: Option<Upstream<'a>>,
    /// What is wrong with the arguments, where they were checked here (`invalid_arguments`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<&'a [ValidationError]>,
    /// The supported media types (`not_acceptable`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    available: Option<&'a [String]>,
    /// What the tool returned (`tool_error`, `not_acceptable`).
    #[serde(skip_serializing_if = "is_written_apart")]
    #[schema(schema_with = call_tool_result)]
    result: Option<&'a [u8]>,
    /// What the server wants to know (`input_required`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    input_requests: Option<&'a RawValue>,
    /// What is to be sent back unchanged (`input_required`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    request_state: Option<&'a RawValue>,
}

/// What the server itself said.
#[derive(Debug, Serialize, ToSchema)]
struct Upstream<'a> {
    /// The HTTP status of its answer.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jsonrpc: Option<JsonRpc<'a>>,
}

/// The JSON-RPC error in its answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JsonRpcError)]
struct JsonRpc<'a> {
    /// The error code.
    code: i64,
    /// What the server says.
    #[schema(value_type = String)]
    message: &'a RawValue,
    /// What it adds; `null` if nothing.
    #[schema(value_type = Value)]
    data: Option<&'a RawValue>,
}

/// A result is JSON that was checked when it was read: as a `RawValue`, a large one would be checked again, on the worker.
fn is_written_apart<T>(_: &T) -> bool {
    true
}

/// By name, so that errors need not know the schemas of MCP.
fn call_tool_result() -> Ref {
    Ref::from_schema_name("CallToolResult")
}

// === impl Error ===

impl Error {
    /// Code and detail, and the problem as JSON. Where there is no room for what it would hold, it says that.
    pub(crate) fn problem(&self, about: About<'_>, budget: &Budget) -> (Summary, Pieces) {
        let summary = self.summary(about);
        match self.body(about, &summary, budget) {
            Ok(body) => (summary, body),
            Err(NoRoom) if matches!(self, Self::NoRoom(_)) => (summary, Pieces::default()),
            Err(NoRoom) => Self::NoRoom(self.executed()).problem(about, budget),
        }
    }

    fn body(&self, about: About<'_>, summary: &Summary, budget: &Budget) -> Result<Pieces, NoRoom> {
        let Summary { code, detail } = summary;
        let wanted = self.input_required().map_or(&b""[..], |wanted| wanted);
        let wanted = std::str::from_utf8(wanted).unwrap_or_default();
        let names = ["inputRequests", "requestState"];
        let [input_requests, request_state] = named(wanted, names).unwrap_or_default();
        let problem = Problem {
            r#type: format!("urn:mcp-rest:{}", code.name()),
            title: self.title(),
            status: code.status().as_u16(),
            detail,
            error: self.title(),
            message: detail,
            code: *code,
            origin: self.origin(),
            executed: self.executed(),
            retryable: self.is_retryable(),
            request_id: about.request_id,
            server: about.server,
            tool: about.tool,
            prompt: about.prompt,
            did_you_mean: self.did_you_mean(),
            upstream: self.cause().and_then(Upstream::of),
            errors: match self {
                Self::InvalidArguments(errors) => Some(errors),
                _ => None,
            },
            available: match self {
                Self::NotAcceptable { available, .. } => Some(available),
                _ => None,
            },
            result: self.result().map(|result| &**result),
            input_requests,
            request_state,
        };
        let Some(result) = self.result() else {
            return Pieces::json(&problem, &self.sources(), budget);
        };
        // What is left is our own and small. The result becomes its last member.
        let text = Pieces::json(&problem, &[], budget)?.into_bytes();
        let mut builder = Builder::new(&[], budget);
        builder.text(text.strip_suffix(b"}").unwrap_or_default());
        builder.text(b",\"result\":");
        builder.slice(result.clone());
        builder.text(b"}");
        builder.finish()
    }
}

// === impl Upstream ===

impl<'a> Upstream<'a> {
    fn of(cause: &'a Cause) -> Option<Self> {
        let (status, error) = cause.reply()?;
        Some(Self {
            status: status.as_u16(),
            jsonrpc: error.map(|error| JsonRpc {
                code: error.code,
                message: error.message(),
                data: error.data(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::Bytes;

    use super::*;

    fn written(result: &'static [u8]) -> Bytes {
        let error = Error::Tool {
            result: Bytes::from_static(result),
            said: None,
            session: None,
        };
        let about = About {
            request_id: "1",
            server: None,
            tool: None,
            prompt: None,
            hint: None,
        };
        let (_, body) = error.problem(about, &Budget::new(1 << 20));
        body.into_bytes()
    }

    #[test]
    fn a_result_is_the_last_member() {
        let body: serde_json::Value =
            serde_json::from_slice(&written(b"{\"isError\":true}")).unwrap();
        assert_eq!(body["result"]["isError"], true);
        assert_eq!(body["code"], "tool_error");
    }

    #[test]
    fn a_result_is_not_read_again() {
        let body = written(b"what is no JSON, and would be refused");
        assert!(body.ends_with(b",\"result\":what is no JSON, and would be refused}"));
    }
}
