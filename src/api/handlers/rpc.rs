//! `POST .../rpc`: one JSON-RPC request in, one JSON-RPC response out, for callers who know MCP but not its transport.
//!
//! Results and errors are the server's own. What this service has to say itself is an error of code -32000 whose `data` is the
//! problem that other routes answer with. The HTTP status is the same as there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::error::kinds::{About, Error, Task};
use crate::api::error::verdict::Verdict;
use crate::api::handlers::tools::checked_call;
use crate::api::openapi::mcp::{RpcRequest, RpcResponse};
use crate::api::openapi::parameters::{Deadline, Handshake, InServer, Session};
use crate::api::openapi::problems::RpcProblems;
use crate::api::request::accept::Accept;
use crate::api::request::body;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::response::json;
use crate::api::response::negotiate::{LINES, LIVE};
use crate::api::response::stream;
use crate::api::response::stream::{Frame, Job};
use crate::api::state::State;
use crate::config::servers::Server;
use crate::json::Members;
use crate::mcp::client::operation::{AnyCall, ToolCall};
use crate::mcp::client::pool::Client;
use crate::mcp::http::pieces::{Builder, Pieces};
use crate::mcp::limits::{Budget, NoRoom, SMALL};
use crate::mcp::protocol::codes::{
    IMPLEMENTATION_DEFINED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR,
};
use crate::mcp::protocol::error::Executed;

/// Send any MCP request
///
/// The answer is a JSON-RPC response with the id of the request. Not for notifications, and not for `initialize`, which has
/// a route of its own.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/rpc",
    operation_id = "rpc",
    tag = "servers",
    params(InServer, Session, Handshake, Deadline),
    request_body(content = RpcRequest, description = "The request"),
    responses(
        (status = 200, description = "The response: the server's `result`. As events with `Accept: text/event-stream`, or as lines with \
                                      `application/x-ndjson`: what it tells meanwhile, then the response", content(
            (RpcResponse = "application/json"),
            (Value = "text/event-stream"),
            (Value = "application/x-ndjson"),
        ), headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        RpcProblems,
    ),
)]
pub(crate) async fn rpc(context: &mut Context<'_>) -> HttpResponse {
    let body = match context.server() {
        Ok(_) => body::read(context).await,
        Err(error) => Err(error),
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => return refusal(context, &error, INVALID_REQUEST, None),
    };
    let request = match Request::read(&body) {
        Ok(request) => request,
        Err((code, error, id)) => return refusal(context, &error, code, id),
    };
    let frame = match live_frame(&Accept::of(context.request.headers())) {
        Ok(frame) => frame,
        Err(error) => return refusal(context, &error, INVALID_REQUEST, Some(request.id)),
    };
    if request.method == "tools/call" {
        context.tool = request.name();
    }
    let server = match context.server() {
        Ok(server) => server,
        Err(error) => return refusal(context, &error, INVALID_REQUEST, Some(request.id)),
    };
    let wishes = match options::of(context, server, None) {
        Ok(wishes) => wishes,
        Err(error) => return refusal(context, &error, INVALID_REQUEST, Some(request.id)),
    };
    if let Some(frame) = frame {
        return stream::stream(
            context,
            server,
            wishes,
            frame,
            Job::Rpc {
                request: body.clone(),
            },
        );
    }
    let mut client = context.state.pool.client(server, wishes);
    let outcome = request.send(context.state, server, &mut client).await;
    context.note_timing(&mut client);
    match outcome {
        Ok(result) => {
            let session = client.release_session();
            let written = response_to(&request, &result, context.state.pool.budget());
            let response = if let Ok(body) = written {
                success(body, result.is_error)
            } else {
                let error = Error::NoRoom(Executed::Yes);
                refusal(context, &error, IMPLEMENTATION_DEFINED, Some(request.id))
            };
            json::with_session(response, session.as_ref())
        }
        Err(error) => refusal(context, &error, IMPLEMENTATION_DEFINED, Some(request.id)),
    }
}

/// What came of a request.
pub(crate) struct Outcome {
    bytes: Bytes,
    is_error: bool,
}

/// A JSON-RPC request of a caller.
pub(crate) struct Request<'a> {
    pub(crate) id: &'a RawValue,
    method: String,
    params: Members<'a>,
    meta: Option<&'a RawValue>,
}

/// A code of JSON-RPC, what is wrong, and the id if there is one.
type Refused<'a> = (i64, Error, Option<&'a RawValue>);

impl<'a> Request<'a> {
    /// The request in a body, if it is one that may be sent.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Refused<'a>> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let wrong = |text: &'static str| (INVALID_REQUEST, Error::invalid(text), None);
        if text.trim_ascii_start().starts_with('[') {
            return Err(wrong(
                "One request at a time: several calls go through POST /api/batch",
            ));
        }
        let value: &RawValue = serde_json::from_str(text)
            .map_err(|error| (PARSE_ERROR, body::not_json(&error), None))?;
        let Ok(members) = Members::of(value.get()) else {
            return Err(wrong("The body must be a JSON-RPC request, an object"));
        };
        if members.get("jsonrpc").map(RawValue::get) != Some("\"2.0\"") {
            return Err(wrong("The body must hold \"jsonrpc\": \"2.0\""));
        }
        let method = members.get("method");
        let method: Option<String> =
            method.and_then(|method| serde_json::from_str(method.get()).ok());
        let Some(method) = method else {
            return Err(wrong(
                "The body must be a request with a 'method': responses are for servers to send",
            ));
        };
        let id = members.get("id").filter(|id| {
            id.get()
                .starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
        });
        let refuse = |code, text: &'static str| Err((code, Error::invalid(text), id));
        if method.starts_with("notifications/") {
            return refuse(INVALID_REQUEST, about_notification(&method));
        }
        let Some(id) = id else {
            return refuse(
                INVALID_REQUEST,
                "A request needs an 'id', a text or a number; notifications are not sent through this route",
            );
        };
        if method == "initialize" {
            return refuse(
                METHOD_NOT_FOUND,
                "A session is opened with POST /api/mcp/{server}/initialize, or by any request with 'init=true'",
            );
        }
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse(INVALID_REQUEST, "'method' must be visible ASCII");
        }
        let params = match members.get("params") {
            None => Members(Vec::new()),
            Some(params) => match body::members(params, "'params'") {
                Ok(params) => params,
                Err(error) => return Err((INVALID_PARAMS, error, Some(id))),
            },
        };
        let meta = params.get("_meta");
        if meta.is_some_and(|meta| !meta.get().starts_with('{')) {
            return refuse(INVALID_PARAMS, "'_meta' must be an object");
        }
        let request = Self {
            id,
            method,
            params,
            meta,
        };
        if request.method == "tools/call" {
            let arguments = request.params.get("arguments");
            if request.name().is_none()
                || arguments.is_some_and(|arguments| !arguments.get().starts_with('{'))
            {
                return refuse(
                    INVALID_PARAMS,
                    "'tools/call' needs a 'name', and 'arguments' must be an object",
                );
            }
        }
        Ok(request)
    }

    /// The tool or prompt that is meant.
    fn name(&self) -> Option<String> {
        self.text("name")
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.params.get(name)?.get()).ok()
    }

    /// Sends it and waits for its result.
    pub(crate) async fn send(
        &self,
        state: &State,
        server: &Server,
        client: &mut Client<'_>,
    ) -> Result<Outcome, Error> {
        match self.method.as_str() {
            "tools/call" => self.call_tool(state, server, client).await,
            "ping" => match client.ping().await {
                Ok(()) => Ok(Outcome {
                    bytes: Bytes::from_static(b"{}"),
                    is_error: false,
                }),
                Err(failure) => Err(Error::upstream(Task::Ping, failure)),
            },
            _ => self.any(client).await,
        }
    }

    async fn call_tool(
        &self,
        state: &State,
        server: &Server,
        client: &mut Client<'_>,
    ) -> Result<Outcome, Error> {
        let name = self.name().unwrap_or_default();
        let nothing = body::object(b"{}")?;
        let known = [
            "name",
            "arguments",
            "_meta",
            "inputResponses",
            "requestState",
        ];
        let others = self.params.without(|member| known.contains(&member));
        let tool_call = ToolCall {
            name: &name,
            arguments: self.params.get("arguments").unwrap_or(nothing),
            meta: self.meta,
            input_responses: self.params.get("inputResponses"),
            request_state: self.params.get("requestState"),
            others: (!others.0.is_empty()).then_some(&others),
        };
        match checked_call(state, server, client, &tool_call).await {
            Ok(result) => Ok(Outcome {
                bytes: result.bytes,
                is_error: result.is_error,
            }),
            // In JSON-RPC that is a result like any other.
            Err(error) => match error.input_required() {
                Some(bytes) => Ok(Outcome {
                    bytes: bytes.clone(),
                    is_error: false,
                }),
                None => Err(error),
            },
        }
    }

    async fn any(&self, client: &mut Client<'_>) -> Result<Outcome, Error> {
        // A header says it as well.
        let name = if self.method.starts_with("tasks/") {
            self.text("taskId")
        } else {
            self.name().or_else(|| self.text("uri"))
        };
        let call = AnyCall {
            method: &self.method,
            params: &self.params.without(|member| member == "_meta"),
            name: name.as_deref(),
            meta: self.meta,
        };
        match client.any(&call).await {
            Ok(bytes) => Ok(Outcome {
                bytes,
                is_error: false,
            }),
            Err(failure) => Err(Error::upstream(Task::Request, failure)),
        }
    }
}

fn about_notification(method: &str) -> &'static str {
    match method {
        "notifications/initialized" => {
            "The service sends this itself: POST /api/mcp/{server}/initialize does the whole handshake"
        }
        "notifications/cancelled" => "To cancel a request, close the connection it was sent on",
        _ => "Notifications are not sent through this route, which answers requests",
    }
}

/// The result as a JSON-RPC response.
pub(crate) fn response_to(
    request: &Request<'_>,
    outcome: &Outcome,
    budget: &Budget,
) -> Result<Pieces, NoRoom> {
    let mut body = Builder::new(&[], budget);
    body.text(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.text(request.id.get().as_bytes());
    body.text(b",\"result\":");
    body.slice(outcome.bytes.clone());
    body.text(b"}");
    body.finish()
}

fn success(body: Pieces, is_error: bool) -> HttpResponse {
    let response = json::json_in_pieces(StatusCode::OK, body);
    if is_error {
        return json::with_tool_error(response);
    }
    response
}

/// An error as a JSON-RPC response: the server's own where it gave one. `code` is for what this service refuses.
pub(crate) fn error_response(
    error: &Error,
    about: About<'_>,
    code: i64,
    id: Option<&RawValue>,
    budget: &Budget,
) -> (Verdict, Pieces) {
    #[derive(Serialize)]
    struct Response<'a> {
        jsonrpc: &'static str,
        id: Option<&'a RawValue>,
        error: Object<'a>,
    }
    #[derive(Serialize)]
    struct Object<'a> {
        code: i64,
        message: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
    }
    let (verdict, problem) = error.problem(about, budget);
    let message = serde_json::value::to_raw_value(&verdict.detail).unwrap_or_default();
    let problem = match error.rpc() {
        Some(_) => Bytes::new(),
        None => problem.into_bytes(),
    };
    let object = match error.rpc() {
        Some(said) => Object {
            code: said.code,
            message: said.message(),
            data: said.data(),
        },
        None => Object {
            code,
            message: &message,
            data: serde_json::from_slice(&problem).ok(),
        },
    };
    let response = Response {
        jsonrpc: "2.0",
        id,
        error: object,
    };
    if let Ok(body) = Pieces::json(&response, &error.sources(), budget) {
        return (verdict, body);
    }
    let no_room = Error::NoRoom(error.executed());
    // Without an id there is always room for that.
    let id = id.filter(|id| id.get().len() <= SMALL / 2);
    error_response(&no_room, about, code, id, budget)
}

fn refusal(
    context: &mut Context<'_>,
    error: &Error,
    code: i64,
    id: Option<&RawValue>,
) -> HttpResponse {
    let budget = context.state.pool.budget();
    let (verdict, body) = error_response(error, context.about(), code, id, budget);
    context.code = Some(verdict.code);
    let mut response = json::json_in_pieces(verdict.code.status(), body);
    for (name, value) in error.headers() {
        response.headers_mut().append(name, value);
    }
    response
}

/// Whether the caller wants to be told what happens, and how; an error if nothing there is fits.
fn live_frame(accept: &Accept) -> Result<Option<Frame>, Error> {
    let offers = ["application/json", LIVE, LINES];
    match accept.best(offers.into_iter()) {
        Some(LIVE) => Ok(Some(Frame::Events)),
        Some(LINES) => Ok(Some(Frame::Lines)),
        Some(_) => Ok(None),
        None => Err(Error::NotAcceptable {
            available: offers.map(Into::into).into(),
            executed: Executed::No,
            result: None,
            session: None,
        }),
    }
}
