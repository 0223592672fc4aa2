//! The body of an error: `application/problem+json` (RFC 9457), with `error` and `message` as well, which clients of the
//! service this contract comes from read.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::code::{Code, Origin};
use crate::api::error::kinds::{About, Error};
use crate::api::error::verdict::Verdict;
use crate::api::openapi::mcp;
use crate::json::named;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::error::{Error as Cause, Executed, Refusal};
use crate::mcp::protocol::message::RpcError;
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
    /// Names of tools or prompts close to the one that is not there.
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
    /// The media types there are (`not_acceptable`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    available: Option<&'a [String]>,
    /// What the tool returned (`tool_error`, `not_acceptable`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = mcp::CallToolResult)]
    result: Option<&'a RawValue>,
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

// === impl Error ===

impl Error {
    /// Code and words. What happened inside goes to the log.
    pub(crate) fn verdict(&self, about: About<'_>) -> Verdict {
        let verdict = Verdict::on(self, about);
        if let Self::Upstream(_, failure) = self {
            let level = if verdict.code.status().is_server_error() {
                log::Level::Warn
            } else {
                log::Level::Debug
            };
            log::log!(
                level,
                request_id = about.request_id,
                server = about.server,
                code = verdict.code.name(),
                stage = failure.stage.name();
                "{failure}"
            );
        }
        verdict
    }

    /// Code and words, and the problem as JSON. Where there is no room for what it would hold, it says that.
    pub(crate) fn problem(&self, about: About<'_>, budget: &Budget) -> (Verdict, Pieces) {
        let verdict = self.verdict(about);
        match self.body(about, &verdict, budget) {
            Ok(body) => (verdict, body),
            Err(NoRoom) if matches!(self, Self::NoRoom(_)) => (verdict, Pieces::default()),
            Err(NoRoom) => Self::NoRoom(self.executed()).problem(about, budget),
        }
    }

    /// The problem, as JSON.
    fn body(&self, about: About<'_>, verdict: &Verdict, budget: &Budget) -> Result<Pieces, NoRoom> {
        let wanted = self
            .input_required()
            .map(|result| std::str::from_utf8(result));
        let wanted = wanted.and_then(Result::ok).unwrap_or_default();
        let names = ["inputRequests", "requestState"];
        let [input_requests, request_state] = named(wanted, names).unwrap_or_default();
        let title = match self {
            Self::Upstream(task, failure) => task.title_of(verdict.code, failure.stage),
            _ => verdict.code.title(),
        };
        let problem = Problem {
            r#type: format!("urn:mcp-rest:{}", verdict.code.name()),
            title,
            status: verdict.code.status().as_u16(),
            detail: &verdict.detail,
            error: title,
            message: &verdict.detail,
            code: verdict.code,
            origin: self.origin(),
            executed: self.executed(),
            retryable: self.is_retryable(),
            request_id: about.request_id,
            server: about.server,
            tool: about.tool,
            prompt: about.prompt,
            did_you_mean: self.did_you_mean(),
            upstream: self.said(),
            errors: match self {
                Self::InvalidArguments(errors) => Some(errors),
                _ => None,
            },
            available: match self {
                Self::NotAcceptable { available, .. } => Some(available),
                _ => None,
            },
            result: match self {
                Self::Tool { result, .. }
                | Self::NotAcceptable {
                    result: Some(result),
                    ..
                } => serde_json::from_slice(result).ok(),
                _ => None,
            },
            input_requests,
            request_state,
        };
        Pieces::json(&problem, &self.sources(), budget)
    }

    fn said(&self) -> Option<Upstream<'_>> {
        let Self::Upstream(_, failure) = self else {
            return None;
        };
        let (status, error) = match &failure.error {
            Cause::Rpc { status, error }
            | Cause::ToolNotFound {
                said: Some((status, error)),
                ..
            }
            | Cause::PromptNotFound {
                said: (status, error),
                ..
            }
            | Cause::ResourceNotFound {
                said: (status, error),
            } => (status.as_u16(), Some(error)),
            Cause::SessionRequired(Some(refusal)) | Cause::SessionExpired(refusal) => {
                let Refusal { status, error } = refusal;
                (status.as_u16(), error.as_ref())
            }
            Cause::Unauthorized { .. } => (401, None),
            Cause::Forbidden { .. } => (403, None),
            Cause::Busy { status, .. } | Cause::Status(status) | Cause::Redirect(status) => {
                (status.as_u16(), None)
            }
            _ => return None,
        };
        Some(Upstream {
            status,
            jsonrpc: error.map(JsonRpc::of),
        })
    }
}

// === impl JsonRpc ===

impl<'a> JsonRpc<'a> {
    fn of(error: &'a RpcError) -> Self {
        Self {
            code: error.code,
            message: error.message(),
            data: error.data(),
        }
    }
}
