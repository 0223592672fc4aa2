//! The errors of the REST side: one type for all that keeps a request from its result, and what each of them is besides its words.
//!
//! There are two layers. `mcp::protocol::error` says what happened between this service and a server, in MCP's words; its text goes
//! to the log, with the request id. Here is what the caller is told: a code that names the cause and decides the status, and
//! sentences written for it. Nothing from inside (no source error, header, session id or upstream page) reaches a
//! body. What decides a code is a type or a number, never an English text.

use std::borrow::Cow;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use bytes::Bytes;

use crate::api::error::code::Origin;
use crate::mcp::protocol::error::{Error as Cause, Executed, Failure};
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
    pub(crate) fn origin(&self) -> Origin {
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
    pub(crate) fn is_retryable(&self) -> bool {
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
    pub(crate) fn did_you_mean(&self) -> Option<&[String]> {
        match self {
            Self::Upstream(_, failure) => match &failure.error {
                Cause::ToolNotFound { did_you_mean, .. }
                | Cause::PromptNotFound { did_you_mean, .. } => Some(did_you_mean),
                _ => None,
            },
            _ => None,
        }
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
