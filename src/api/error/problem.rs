//! What a caller is told when there is no result: one type, one match, one shape.
//!
//! There are two layers. `mcp::error` says what happened between this service and a server, in MCP's words; its text goes
//! to the log, with the request id. Here is what the caller is told: a status, a code that names the cause, and
//! sentences written for it. Nothing from inside (no source error, header, session id or upstream page) reaches a
//! body. What decides a status is a type or a number, never an English text.
//!
//! The body is `application/problem+json` (RFC 9457) and carries `error` and `message` as well, which clients of the
//! service this contract comes from read.

use std::borrow::Cow;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::code::{Code, Origin};
use crate::api::error::verdict::Verdict;
use crate::api::openapi::mcp;
use crate::json::named;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::error::{Error as Cause, Executed, Failure, Refusal};
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::message::RpcError;
use crate::schema::validate::ValidationError;

/// How a body may be compressed.
pub(crate) const ACCEPTED_ENCODING: &str = "gzip";

/// Why a request is not answered with a result.
#[derive(Debug)]
pub(crate) enum Error {
    /// The request itself is wrong; the sentence says how to put it right.
    InvalidRequest(Cow<'static, str>),
    /// No API key, or a wrong one.
    Unauthorized,
    /// No route has this path.
    RouteNotFound,
    /// The route does not take this method, but these.
    MethodNotAllowed(Vec<Method>),
    /// No such server is configured.
    ServerNotFound,
    /// The body is longer than this many bytes.
    PayloadTooLarge(usize),
    /// A browser says that it sends this for a page of another site.
    OtherSite,
    /// The request comes from a page whose origin is not this service's.
    OtherOrigin,
    /// The body had not come when the deadline passed.
    RequestTimeout,
    /// The type that is said is not JSON.
    UnsupportedMediaType,
    /// The body is compressed otherwise than is understood here.
    UnsupportedEncoding,
    /// The tool reported an error, and the caller wants that as a status.
    Tool {
        /// The result, byte for byte.
        result: Bytes,
        /// The session in use.
        session: Option<SessionId>,
    },
    /// Nothing of what there is fits `Accept`.
    NotAcceptable {
        /// The media types there are.
        available: Box<[String]>,
        /// Whether the server was asked before that was known.
        executed: Executed,
        /// What the tool returned, if it was called before that was known.
        result: Option<Bytes>,
        /// The session in use.
        session: Option<SessionId>,
    },
    /// The arguments do not fit the tool's own schema; nothing was sent.
    InvalidArguments(Vec<ValidationError>),
    /// The server gave no result.
    Upstream(Task, Box<Failure>),
    /// Too much is held in memory at the same time for the request or its answer.
    NoRoom(Executed),
    /// The deadline passed before anything was sent.
    Late,
    /// This service is about to stop.
    Draining,
    /// This service has no file descriptors left.
    Scarce,
    /// A fault of ours.
    Internal,
}

/// What was being done for the caller: the title of a failure that has no more exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// `initialize`.
    Initialize,
    /// `tools/list`.
    ListTools,
    /// `tools/call`.
    CallTool,
    /// `resources/list` and `resources/templates/list`.
    ListResources,
    /// `resources/read`.
    ReadResource,
    /// `prompts/list`.
    ListPrompts,
    /// `prompts/get`.
    GetPrompt,
    /// `completion/complete`.
    Complete,
    /// Any other request.
    Request,
    /// `ping`.
    Ping,
    /// DELETE of a session.
    EndSession,
}

/// What a failed request was about, for the caller and the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// The server.
    pub(crate) server: Option<&'a str>,
    /// The tool.
    pub(crate) tool: Option<&'a str>,
    /// The prompt.
    pub(crate) prompt: Option<&'a str>,
}

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
    /// The request is wrong; `detail` says how to put it right.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidRequest(detail.into())
    }

    /// The server gave no result.
    pub(crate) fn upstream(task: Task, failure: Failure) -> Self {
        Self::Upstream(task, Box::new(failure))
    }

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

    /// What came from the server and goes into the problem as it is.
    pub(crate) fn sources(&self) -> Vec<Bytes> {
        match self {
            Self::Tool { result, .. }
            | Self::NotAcceptable {
                result: Some(result),
                ..
            } => vec![result.clone()],
            _ => {
                let said = self.rpc().map(RpcError::slices).into_iter().flatten();
                said.chain(self.input_required().cloned()).collect()
            }
        }
    }

    /// Who refused: this service, or the server.
    fn origin(&self) -> Origin {
        match self {
            Self::Tool { .. } => Origin::Upstream,
            Self::Upstream(_, failure) => match failure.error {
                Cause::Overloaded
                | Cause::NoRoom { .. }
                | Cause::NoDescriptors
                | Cause::Internal(_) => Origin::Gateway,
                _ => Origin::Upstream,
            },
            _ => Origin::Gateway,
        }
    }

    pub(crate) fn executed(&self) -> Executed {
        match self {
            Self::Tool { .. } => Executed::Yes,
            Self::NotAcceptable { executed, .. } | Self::NoRoom(executed) => *executed,
            Self::Upstream(_, failure) => failure.executed,
            Self::Internal => Executed::Unknown,
            _ => Executed::No,
        }
    }

    /// Whether the same request may help later: the cause may pass, and nothing ran, or running it twice does no harm.
    fn is_retryable(&self) -> bool {
        let Self::Upstream(_, failure) = self else {
            return matches!(
                self,
                Self::Draining
                    | Self::Scarce
                    | Self::RequestTimeout
                    | Self::Late
                    | Self::NoRoom(Executed::No)
            );
        };
        let may_pass = match &failure.error {
            Cause::Unreachable(_)
            | Cause::Overloaded
            | Cause::NoRoom { .. }
            | Cause::NoDescriptors
            | Cause::Lost(_)
            | Cause::Deadline
            | Cause::Busy { .. }
            | Cause::NoAnswer => true,
            Cause::Status(status) => status.is_server_error(),
            _ => false,
        };
        may_pass && (failure.executed == Executed::No || failure.idempotent)
    }

    /// Names close to that of a tool there is not; perhaps none.
    fn did_you_mean(&self) -> Option<&[String]> {
        match self {
            Self::Upstream(_, failure) => match &failure.error {
                Cause::ToolNotFound { did_you_mean, .. }
                | Cause::PromptNotFound { did_you_mean, .. } => Some(did_you_mean),
                _ => None,
            },
            _ => None,
        }
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

    /// The JSON-RPC error of the server, if it gave one.
    pub(crate) fn rpc(&self) -> Option<&RpcError> {
        let Self::Upstream(_, failure) = self else {
            return None;
        };
        match &failure.error {
            Cause::Rpc { error, .. }
            | Cause::ToolNotFound {
                said: Some((_, error)),
                ..
            }
            | Cause::PromptNotFound {
                said: (_, error), ..
            }
            | Cause::ResourceNotFound { said: (_, error) } => Some(error),
            Cause::SessionRequired(Some(refusal)) | Cause::SessionExpired(refusal) => {
                refusal.error.as_ref()
            }
            _ => None,
        }
    }

    /// The result of a server that wants input first.
    pub(crate) fn input_required(&self) -> Option<&Bytes> {
        match self {
            Self::Upstream(_, failure) => match &failure.error {
                Cause::InputRequired(result) => Some(result),
                _ => None,
            },
            _ => None,
        }
    }

    /// The session in use, where the caller may go on in it.
    pub(crate) fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Tool { session, .. } | Self::NotAcceptable { session, .. } => session.as_ref(),
            _ => None,
        }
    }

    /// The headers that belong to the error.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => vec![(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"mcp-rest\""),
            )],
            Self::UnsupportedEncoding => {
                vec![(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_ENCODING))]
            }
            Self::Draining | Self::Scarce | Self::NoRoom(_) => {
                vec![(RETRY_AFTER, HeaderValue::from_static("1"))]
            }
            Self::MethodNotAllowed(methods) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                HeaderValue::from_str(&names.join(", "))
                    .map(|value| vec![(ALLOW, value)])
                    .unwrap_or_default()
            }
            Self::Upstream(_, failure) => match &failure.error {
                Cause::Unauthorized { challenges } | Cause::Forbidden { challenges } => challenges
                    .iter()
                    .map(|value| (WWW_AUTHENTICATE, value.clone()))
                    .collect(),
                Cause::Overloaded | Cause::NoRoom { .. } | Cause::NoDescriptors => {
                    vec![(RETRY_AFTER, HeaderValue::from_static("1"))]
                }
                Cause::Busy { retry_after, .. } => {
                    let value = retry_after.clone();
                    vec![(RETRY_AFTER, value.unwrap_or(HeaderValue::from_static("1")))]
                }
                _ => vec![],
            },
            _ => vec![],
        }
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
