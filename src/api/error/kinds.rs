//! The errors of the REST side: what happened, and what follows: code (and so status), whether anything ran, whether a retry may help.
//!
//! There are two layers. `mcp::protocol::error` says what happened between this service and a server, in MCP's words; its text goes
//! to the log, with the request id. Here is what the client is told: a code that names the cause and decides the status. Nothing from
//! inside (no source error, header, session id or upstream page) reaches a body. What decides a code is a type or a number, never
//! an English text. The sentences are in `wording`, the body in `problem`.

use std::borrow::Cow;

use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;

use crate::api::error::code::{Code, Origin};
use crate::mcp::protocol::error::{Error as Cause, Executed, Failure, Stage};
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::message::RpcError;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::schema::validate::ValidationError;

/// The one content coding of request bodies.
pub(crate) const ACCEPTED_ENCODING: &str = "gzip";

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Error {
    /// The request itself is wrong; the sentence says how to put it right.
    InvalidRequest(Cow<'static, str>),
    /// No API key, or a wrong one.
    Unauthorized,
    /// No route has this path; those it was probably meant for.
    RouteNotFound(Vec<(Method, &'static str)>),
    /// The route has these methods only.
    MethodNotAllowed(Vec<Method>),
    /// The tool is not read-only, and a GET may run no other.
    NotReadOnly,
    /// No such server is configured; names that are close.
    ServerNotFound(Vec<String>),
    /// The body is longer than this many bytes.
    PayloadTooLarge(usize),
    /// `Sec-Fetch-Site` names another site.
    CrossSite,
    /// `Origin` is not an origin of this service.
    CrossOrigin,
    /// The page that asks is of an origin that is not allowed.
    OriginNotAllowed,
    /// The body did not arrive before the deadline.
    RequestTimeout,
    /// `Content-Type` is not JSON.
    UnsupportedMediaType,
    /// `Content-Encoding` is not supported.
    UnsupportedEncoding,
    /// The tool reported an error, and the client wants that as a status.
    Tool {
        /// The result, byte for byte.
        result: Bytes,
        /// The tool's own first text, on one line.
        said: Option<String>,
        /// The session in use.
        session: Option<SessionId>,
    },
    /// No representation matches `Accept`.
    NotAcceptable {
        /// The media types of the representations.
        available: Box<[String]>,
        /// Whether the server was asked before that was known.
        executed: Executed,
        /// What the tool returned, if it was called before that was known.
        result: Option<Bytes>,
        /// The session in use.
        session: Option<SessionId>,
    },
    /// The arguments do not match the tool's own schema; nothing was sent.
    InvalidArguments(Vec<ValidationError>),
    /// The server gave no result.
    Upstream(Task, Box<Failure>),
    /// The memory limit for buffered bodies leaves no room for the request or its response.
    NoRoom(Executed),
    /// The deadline passed before anything was sent.
    DeadlinePassed,
    /// This service is shutting down.
    ShuttingDown,
    /// This service has no file descriptors left.
    NoDescriptors,
    /// A fault of this service.
    Internal,
}

/// The operation that failed: the title of a problem whose code says nothing more exact.
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

/// What a failed request was about, for the client and the log.
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
    /// What is probably wrong with the request.
    pub(crate) hint: Option<&'static str>,
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

    /// The cause, for programs.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::InvalidRequest(_) => Code::InvalidRequest,
            Self::Unauthorized => Code::Unauthorized,
            Self::RouteNotFound(_) => Code::NotFound,
            Self::MethodNotAllowed(_) | Self::NotReadOnly => Code::MethodNotAllowed,
            Self::ServerNotFound(_) => Code::ServerNotFound,
            Self::PayloadTooLarge(_) => Code::PayloadTooLarge,
            Self::CrossSite | Self::CrossOrigin | Self::OriginNotAllowed => Code::Forbidden,
            Self::RequestTimeout => Code::RequestTimeout,
            Self::UnsupportedMediaType | Self::UnsupportedEncoding => Code::UnsupportedMediaType,
            Self::Tool { .. } => Code::ToolError,
            Self::NotAcceptable { .. } => Code::NotAcceptable,
            Self::InvalidArguments(_) => Code::InvalidArguments,
            Self::Upstream(_, failure) => code_of(&failure.error),
            Self::NoRoom(_) | Self::ShuttingDown | Self::NoDescriptors => Code::Overloaded,
            Self::DeadlinePassed => Code::UpstreamTimeout,
            Self::Internal => Code::InternalError,
        }
    }

    /// What failed, in few words.
    pub(crate) fn title(&self) -> &'static str {
        match (self.code(), self) {
            (
                Code::ToolNotFound
                | Code::PromptNotFound
                | Code::ResourceNotFound
                | Code::Unauthorized
                | Code::InternalError,
                _,
            ) => self.code().title(),
            (_, Self::Upstream(_, failure)) if failure.stage == Stage::Handshake => {
                Task::Initialize.title()
            }
            (_, Self::Upstream(task, _)) => task.title(),
            (code, _) => code.title(),
        }
    }

    /// Who refused: this service, or the server.
    pub(crate) fn origin(&self) -> Origin {
        match self.cause() {
            Some(
                Cause::Overloaded
                | Cause::NoRoom { .. }
                | Cause::NoDescriptors
                | Cause::Internal(_),
            ) => Origin::Gateway,
            Some(_) => Origin::Upstream,
            None if matches!(self, Self::Tool { .. }) => Origin::Upstream,
            None => Origin::Gateway,
        }
    }

    /// Whether the server may have carried out the request.
    pub(crate) fn executed(&self) -> Executed {
        match self {
            Self::Tool { .. } => Executed::Yes,
            Self::NotAcceptable { executed, .. } | Self::NoRoom(executed) => *executed,
            Self::Upstream(_, failure) => failure.executed,
            Self::Internal => Executed::Unknown,
            _ => Executed::No,
        }
    }

    /// Whether the same request may succeed later: the cause may pass, and nothing ran, or running it twice does no harm.
    pub(crate) fn is_retryable(&self) -> bool {
        let may_pass = match self.cause() {
            Some(Cause::Lost(_) | Cause::NoReply) => true,
            // A server that does not know POST will not learn it.
            Some(Cause::Status(StatusCode::NOT_IMPLEMENTED)) => false,
            Some(Cause::Status(status)) => status.is_server_error(),
            Some(Cause::Unreachable(cause)) => cause.may_pass(),
            _ => self.code().may_pass(),
        };
        let is_idempotent = matches!(self, Self::Upstream(_, failure) if failure.idempotent);
        may_pass && (self.executed() == Executed::No || is_idempotent)
    }

    /// What happened at the server, if that is the reason.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Upstream(_, failure) => Some(&failure.error),
            _ => None,
        }
    }

    /// Names close to the one that is not there, where that is the reason.
    pub(crate) fn did_you_mean(&self) -> Option<&[String]> {
        match (self, self.cause()) {
            (Self::ServerNotFound(near), _) => Some(near),
            (
                _,
                Some(
                    Cause::ToolNotFound { did_you_mean, .. }
                    | Cause::PromptNotFound { did_you_mean, .. },
                ),
            ) => Some(did_you_mean),
            _ => None,
        }
    }

    /// The JSON-RPC error of the server, if it gave one.
    pub(crate) fn rpc(&self) -> Option<&RpcError> {
        self.cause()?.reply()?.1
    }

    /// The result of a server that wants input first.
    pub(crate) fn input_required(&self) -> Option<&Bytes> {
        match self.cause()? {
            Cause::InputRequired(result) => Some(result),
            _ => None,
        }
    }

    /// What the tool returned, where that is told with the error.
    pub(crate) fn result(&self) -> Option<&Bytes> {
        match self {
            Self::Tool { result, .. } => Some(result),
            Self::NotAcceptable { result, .. } => result.as_ref(),
            _ => None,
        }
    }

    /// What came from the server and goes into the body as it is.
    pub(crate) fn sources(&self) -> Vec<Bytes> {
        let said = self.rpc().map(RpcError::slices).into_iter().flatten();
        let whole = self.result().or(self.input_required());
        said.chain(whole.cloned()).collect()
    }

    /// The session in use, where the client may go on in it.
    pub(crate) fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Tool { session, .. } | Self::NotAcceptable { session, .. } => session.as_ref(),
            _ => None,
        }
    }

    /// The headers of the response, whose code is `overloaded` also where there is no room for the body of this error.
    pub(crate) fn headers(&self, code: Code) -> Vec<(HeaderName, HeaderValue)> {
        const ONE_SECOND: HeaderValue = HeaderValue::from_static("1");
        const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"mcp-rest\"");
        const GZIP: HeaderValue = HeaderValue::from_static(ACCEPTED_ENCODING);
        match (self, self.cause()) {
            (
                _,
                Some(Cause::Busy {
                    retry_after: Some(value),
                    ..
                }),
            ) => {
                vec![(RETRY_AFTER, value.clone())]
            }
            _ if matches!(code, Code::RateLimited | Code::Overloaded) => {
                vec![(RETRY_AFTER, ONE_SECOND)]
            }
            (_, Some(Cause::Unauthorized { challenges } | Cause::Forbidden { challenges })) => {
                let challenges = challenges.iter().cloned();
                challenges.map(|value| (WWW_AUTHENTICATE, value)).collect()
            }
            (Self::Unauthorized, _) => vec![(WWW_AUTHENTICATE, CHALLENGE)],
            (Self::UnsupportedEncoding, _) => vec![(ACCEPT_ENCODING, GZIP)],
            (Self::NotReadOnly, _) => vec![(ALLOW, HeaderValue::from_static("POST"))],
            (Self::MethodNotAllowed(methods), _) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                let value = HeaderValue::from_str(&names.join(", "));
                value.into_iter().map(|value| (ALLOW, value)).collect()
            }
            _ => vec![],
        }
    }
}

/// The code of what happened at a server.
fn code_of(cause: &Cause) -> Code {
    match cause {
        Cause::Unreachable(_) => Code::UpstreamUnreachable,
        Cause::Deadline => Code::UpstreamTimeout,
        Cause::Lost(_)
        | Cause::ContentType(_)
        | Cause::Unframed
        | Cause::TooLarge(_)
        | Cause::NoReply
        | Cause::Malformed(_) => Code::UpstreamInvalidResponse,
        Cause::Unauthorized { .. } => Code::Unauthorized,
        Cause::Forbidden { .. } => Code::Forbidden,
        Cause::Busy { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        Cause::Busy { .. } | Cause::Overloaded | Cause::NoRoom { .. } | Cause::NoDescriptors => {
            Code::Overloaded
        }
        Cause::SessionRequired(_) => Code::SessionRequired,
        Cause::SessionExpired(_) => Code::SessionExpired,
        // Unknown tools, sessions and eras are told apart in `mcp`.
        Cause::Rpc { .. } => match refusal::of_request(cause) {
            Meaning::NotSupported => Code::NotSupported,
            Meaning::InvalidParams => Code::InvalidArguments,
            _ => Code::UpstreamError,
        },
        Cause::Status(_) | Cause::Redirect { .. } => Code::UpstreamError,
        Cause::InputRequired(_) => Code::InputRequired,
        Cause::ToolNotFound { .. } => Code::ToolNotFound,
        Cause::PromptNotFound { .. } => Code::PromptNotFound,
        Cause::ResourceNotFound { .. } => Code::ResourceNotFound,
        Cause::Internal(_) => Code::InternalError,
    }
}

// === impl Task ===

impl Task {
    const fn title(self) -> &'static str {
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
