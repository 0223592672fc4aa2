//! `POST .../rpc`: one JSON-RPC request in, one JSON-RPC response out, for callers who know MCP but not its transport.
//!
//! Results and errors are the server's own. An error of this service has code -32000, and its `data` is the problem that other routes
//! answer with. The HTTP status is the same as there.

use std::borrow::Cow;
use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::error::kinds::{About, Error, Task};
use crate::api::error::wording::Summary;
use crate::api::invoke::{self, Invocation, Invoked, invoke};
use crate::api::openapi::mcp::{RpcRequest, RpcResponse};
use crate::api::openapi::problems::RpcProblems;
use crate::api::request::context::Context;
use crate::api::request::owned::OwnedMembers;
use crate::api::request::parameters::{Deadline, Handshake, InServer, Session};
use crate::api::request::{body, options};
use crate::api::response::json;
use crate::api::response::negotiate::Representation;
use crate::api::response::stream::{self, Ending, Frame};
use crate::config::servers::ToolErrors;
use crate::json::{Members, is_array};
use crate::mcp::client::operation::{AnyCall, ToolCall, ToolResult};
use crate::mcp::client::pool::Client;
use crate::mcp::http::pieces::{Builder, Pieces};
use crate::mcp::limits::{Budget, NoRoom, SMALL};
use crate::mcp::protocol::codes::{
    IMPLEMENTATION_DEFINED, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR,
};
use crate::mcp::protocol::error::Executed;

/// Send any MCP request
///
/// The body of the response is a JSON-RPC response with the id of the request. Not for notifications, and not for `initialize`, which
/// has a route of its own.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/rpc",
    operation_id = "rpc",
    tag = "servers",
    params(InServer, Session, Handshake, Deadline),
    request_body(content = RpcRequest, description = "The request"),
    responses(
        (status = 200, description = "The response with the server's `result`. With `Accept: text/event-stream` or `application/x-ndjson`, a stream: notifications \
                                      as they arrive, then the response", content(
            (RpcResponse = "application/json"),
            (Value = "text/event-stream"),
            (Value = "application/x-ndjson"),
        ), headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        RpcProblems,
    ),
)]
pub(crate) async fn rpc(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let responded = respond(context).await;
    Ok(responded.unwrap_or_else(|refused| refused.into_response(context)))
}

async fn respond(context: &mut Context<'_>) -> Result<HttpResponse, Refused> {
    // A request that cannot be served is refused before its body is read.
    let server = context.server().map_err(Refused::unread)?;
    let body = body::read(context).await.map_err(Refused::unread)?;
    let request = Request::read(&body)?;
    let refuse = |error| Refused::new(INVALID_REQUEST, error, Some(request.id));
    let frame = Representation::frame(context).map_err(refuse)?;
    if request.method == "tools/call" {
        context.tool = request.name().map(Cow::Owned);
    }
    let invocation = Invocation {
        state: context.state,
        server,
        options: options::of(context, server, None).map_err(refuse)?,
        tool_errors: ToolErrors::Result,
        watch: None,
    };
    let fail = |error| Refused::new(IMPLEMENTATION_DEFINED, error, Some(request.id));
    if let Some(frame) = frame {
        return streamed(context, frame, invocation, &request).map_err(fail);
    }
    let invoked = request.send(invocation).await;
    context.timing.set(invoked.timing);
    let (result, session) = invoked.release().map_err(fail)?;
    let response = match response_to(request.id, &result, context.state.pool.budget()) {
        Ok(body) => success(body, result.is_error),
        // The session is released nevertheless.
        Err(error) => fail(error).into_response(context),
    };
    Ok(json::with_session(response, session.as_ref()))
}

/// A streaming response to a request.
fn streamed(
    context: &Context<'_>,
    frame: Frame,
    invocation: Invocation<'_>,
    request: &Request<'_>,
) -> Result<HttpResponse, Error> {
    let state = Rc::clone(context.state);
    let server = invocation.server.clone();
    let (options, tool_errors) = (invocation.options, invocation.tool_errors);
    let (id, method) = (request.id.to_owned(), request.method.to_string());
    let params = OwnedMembers::of(&request.params, state.pool.budget())?;
    Ok(stream::stream(context, frame, async move |watch, about| {
        let invocation = Invocation {
            state: &state,
            server: &server,
            options,
            tool_errors,
            watch: Some(watch),
        };
        let request = Request {
            id: &id,
            method: method.into(),
            params: params.borrowed(),
        };
        let budget = state.pool.budget();
        let invoked = request.send(invocation).await;
        let written = invoked.outcome;
        let written = written.and_then(|result| response_to(&id, &result, budget));
        let outcome = written.map_err(|error| {
            error_response(&error, about, IMPLEMENTATION_DEFINED, Some(&id), budget)
        });
        Ending {
            session: invoked.session.filter(|_| outcome.is_ok()),
            outcome,
        }
    }))
}

/// A JSON-RPC request of a caller.
struct Request<'a> {
    id: &'a RawValue,
    method: Cow<'a, str>,
    params: Members<'a>,
}

/// Why there is no result: a JSON-RPC code, the error, and the id of the request if it has one.
struct Refused {
    code: i64,
    error: Box<Error>,
    id: Option<Box<RawValue>>,
}

impl Refused {
    fn new(code: i64, error: Error, id: Option<&RawValue>) -> Self {
        let id = id.map(ToOwned::to_owned);
        let error = Box::new(error);
        Self { code, error, id }
    }

    /// For a body in which no id is known.
    fn unread(error: Error) -> Self {
        Self::new(INVALID_REQUEST, error, None)
    }

    fn into_response(self, context: &mut Context<'_>) -> HttpResponse {
        let Self { code, error, id } = self;
        let budget = context.state.pool.budget();
        let (summary, body) = error_response(&error, context.about(), code, id.as_deref(), budget);
        context.code = Some(summary.code);
        let mut response = json::body_in_pieces(summary.code.status(), body);
        for (name, value) in error.headers(summary.code) {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl<'a> Request<'a> {
    /// The request in a body, if it is one that may be sent.
    fn read(body: &'a [u8]) -> Result<Self, Refused> {
        let message = message(body)?;
        let method = message.get("method");
        let method: Option<String> =
            method.and_then(|method| serde_json::from_str(method.get()).ok());
        let method = method.ok_or_else(|| {
            Refused::unread(Error::invalid(
                "The body must be a request with a 'method': responses are for servers to send",
            ))
        })?;
        let id = message.get("id").filter(|id| {
            id.get()
                .starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
        });
        let refuse = |code, text: &'static str| Refused::new(code, Error::invalid(text), id);
        if method.starts_with("notifications/") {
            return Err(refuse(INVALID_REQUEST, about_notification(&method)));
        }
        let id = id.ok_or_else(|| {
            let text = "A request needs an 'id', a text or a number; notifications are not sent through this route";
            refuse(INVALID_REQUEST, text)
        })?;
        if method == "initialize" {
            let text = "A session is opened with POST /api/mcp/{server}/initialize, or by any request with 'init=true'";
            return Err(refuse(METHOD_NOT_FOUND, text));
        }
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refuse(INVALID_REQUEST, "'method' must be visible ASCII"));
        }
        let params = match message.get("params") {
            None => Members(Vec::new()),
            Some(params) => body::members(params, "'params'")
                .map_err(|error| Refused::new(INVALID_PARAMS, error, Some(id)))?,
        };
        let request = Self {
            id,
            method: method.into(),
            params,
        };
        match request.objection() {
            Some(text) => Err(refuse(INVALID_PARAMS, text)),
            None => Ok(request),
        }
    }

    /// Why the parameters are invalid, if they are.
    fn objection(&self) -> Option<&'static str> {
        let is_other = |name| {
            let value = self.params.get(name);
            value.is_some_and(|value| !value.get().starts_with('{'))
        };
        if is_other("_meta") {
            return Some("'_meta' must be an object");
        }
        let is_call = self.method == "tools/call";
        (is_call && (self.name().is_none() || is_other("arguments")))
            .then_some("'tools/call' needs a 'name', and 'arguments' must be an object")
    }

    /// The tool or prompt it names.
    fn name(&self) -> Option<String> {
        self.text("name")
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.params.get(name)?.get()).ok()
    }

    /// Sends the request.
    async fn send(&self, invocation: Invocation<'_>) -> Invoked {
        if self.method == "tools/call" {
            return self.tools_call(invocation).await;
        }
        let mut client = invocation.client();
        let result = if self.method == "ping" {
            let ping = client.ping().await;
            ping.map(|()| Bytes::from_static(b"{}"))
                .map_err(|failure| Error::upstream(Task::Ping, failure))
        } else {
            self.any(&mut client).await
        };
        let is_error = false;
        Invoked::of(client, result.map(|bytes| ToolResult { bytes, is_error }))
    }

    async fn tools_call(&self, invocation: Invocation<'_>) -> Invoked {
        let name = self.name().unwrap_or_default();
        let known = [
            "name",
            "arguments",
            "_meta",
            "inputResponses",
            "requestState",
        ];
        let others = self.params.without(|member| known.contains(&member));
        let tool_call = ToolCall {
            others: (!others.0.is_empty()).then_some(&others),
            ..invoke::tool_call(&name, &self.params)
        };
        let mut invoked = invoke(invocation, &tool_call).await;
        // In JSON-RPC, `input_required` is a result like any other.
        if let Err(error) = &invoked.outcome
            && let Some(bytes) = error.input_required().cloned()
        {
            let is_error = false;
            invoked.outcome = Ok(ToolResult { bytes, is_error });
        }
        invoked
    }

    async fn any(&self, client: &mut Client<'_>) -> Result<Bytes, Error> {
        // For the header `Mcp-Name`.
        let name = if self.method.starts_with("tasks/") {
            self.text("taskId")
        } else {
            self.name().or_else(|| self.text("uri"))
        };
        let call = AnyCall {
            method: &self.method,
            params: &self.params.without(|member| member == "_meta"),
            name: name.as_deref(),
            meta: self.params.get("_meta"),
        };
        let result = client.any(&call).await;
        result.map_err(|failure| Error::upstream(Task::Request, failure))
    }
}

/// The JSON-RPC 2.0 message in a body: its members.
fn message(body: &[u8]) -> Result<Members<'_>, Refused> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let wrong = |text: &'static str| Refused::unread(Error::invalid(text));
    if is_array(text.as_bytes()) {
        return Err(wrong(
            "One request at a time: several calls go through POST /api/batch",
        ));
    }
    let Ok(members) = Members::of(text) else {
        return Err(match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => wrong("The body must be a JSON-RPC request, an object"),
            Err(error) => Refused::new(PARSE_ERROR, body::not_json(&error), None),
        });
    };
    if members.get("jsonrpc").map(RawValue::get) != Some("\"2.0\"") {
        return Err(wrong("The body must hold \"jsonrpc\": \"2.0\""));
    }
    Ok(members)
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
fn response_to(id: &RawValue, result: &ToolResult, budget: &Budget) -> Result<Pieces, Error> {
    let mut body = Builder::new(&[], budget);
    body.text(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.text(id.get().as_bytes());
    body.text(b",\"result\":");
    body.slice(result.bytes.clone());
    body.text(b"}");
    body.finish().map_err(|NoRoom| Error::NoRoom(Executed::Yes))
}

fn success(body: Pieces, is_error: bool) -> HttpResponse {
    let response = json::body_in_pieces(StatusCode::OK, body);
    if is_error {
        return json::with_tool_error(response);
    }
    response
}

/// An error as a JSON-RPC response: the server's own error if there is one, else the problem with this `code`.
fn error_response(
    error: &Error,
    about: About<'_>,
    code: i64,
    id: Option<&RawValue>,
    budget: &Budget,
) -> (Summary, Pieces) {
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
    let (summary, problem) = error.problem(about, budget);
    let message = serde_json::value::to_raw_value(&summary.detail).unwrap_or_default();
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
        return (summary, body);
    }
    let no_room = Error::NoRoom(error.executed());
    // Such an error without an id is small.
    let id = id.filter(|id| id.get().len() <= SMALL / 2);
    error_response(&no_room, about, code, id, budget)
}
