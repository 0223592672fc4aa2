//! Tools: list them, find one, call one.

use std::sync::Arc;

use actix_web::HttpResponse;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::call::Call;
use super::error::{Error, Task};
use super::extract;
use super::openapi::{
    Arguments, BodyProblems, CallProblems, CallToolResult, Deadline, Handshake, InServer,
    ListProblems, ListToolsResult, OfTool, OnToolError, Page, Session, Tool, ToolProblems,
};
use super::reply;
use crate::mcp::client::ToolCall;
use crate::servers::{Server, ToolErrors};

/// List a server's tools
///
/// One page of the server's `tools/list`, or all of it with `all=true`. Tools that the protocol forbids to use (an
/// invalid `x-mcp-header`) are left out.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/tools",
    operation_id = "listTools",
    tag = "tools",
    params(InServer, Page, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`", body = ListToolsResult, headers(("Mcp-Session-Id"))),
        ListProblems,
    ),
)]
pub(super) async fn list(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let server = call.server()?;
    let wishes = extract::wishes(call, server, None)?;
    let cursor = call.query.get("cursor")?;
    let all = call.query.flag("all")?;
    if all && cursor.is_some() {
        return Err(Error::invalid(
            "'all=true' starts at the first page and takes no 'cursor'",
        ));
    }
    let mut client = call.gateway.pool.client(server, wishes);
    let listed = if all {
        client.list_all_tools().await
    } else {
        client.list_tools(cursor).await
    };
    call.note_timing(&mut client);
    let list = listed.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let session = client.finish();
    Ok(reply::with_session(reply::json(list), session.as_ref()))
}

/// Describe one tool
///
/// Its definition out of the server's `tools/list`, all pages searched.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/tools/{tool}",
    operation_id = "getTool",
    tag = "tools",
    params(InServer, OfTool, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The definition", body = Tool, headers(("Mcp-Session-Id"))),
        ToolProblems,
    ),
)]
pub(super) async fn find(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let server = call.server()?;
    let wishes = extract::wishes(call, server, None)?;
    let mut client = call.gateway.pool.client(server, wishes);
    let found = client.find_tool(call.tool()).await;
    call.note_timing(&mut client);
    let definition = found.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let session = client.finish();
    Ok(reply::with_session(
        reply::json(definition),
        session.as_ref(),
    ))
}

/// Call a tool: the body is the arguments object
///
/// An error that the tool itself reports (`isError`) is a result, marked by `Mcp-Tool-Error`, unless `toolErrors=status`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/tools/{tool}/execute",
    operation_id = "executeTool",
    tag = "tools",
    params(InServer, OfTool, OnToolError, Session, Handshake, Deadline),
    request_body(content = Option<Arguments>, description = "The arguments; no body means `{}`"),
    responses(
        (status = 200, description = "The server's `result`", body = CallToolResult,
            headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        CallProblems,
        BodyProblems,
    ),
)]
pub(super) async fn execute(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    // Before the body is read: a request that cannot be served is refused at once.
    let server = call.server()?;
    let body = extract::body(call).await?;
    let tool_call = ToolCall {
        name: call.tool(),
        arguments: extract::object(&body)?,
        meta: None,
        input_responses: None,
        request_state: None,
    };
    run(call, server, &tool_call, None).await
}

/// Call a tool: the body is an envelope with its name, arguments and metadata
///
/// As `execute`, for names that do not go well into a path, for `_meta`, and to answer `input_required`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/call",
    operation_id = "callTool",
    tag = "tools",
    params(InServer, OnToolError, Session, Handshake, Deadline),
    request_body(content = extract::Envelope<'_>, description = "The call"),
    responses(
        (status = 200, description = "The server's `result`", body = CallToolResult,
            headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        CallProblems,
        BodyProblems,
    ),
)]
pub(super) async fn call(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let server = call.server()?;
    let body = extract::body(call).await?;
    let envelope = extract::envelope(&body)?;
    call.tool = Some(envelope.name);
    let no_arguments: &RawValue = extract::object(b"{}")?;
    let tool_call = ToolCall {
        name: call.tool(),
        arguments: envelope.arguments.unwrap_or(no_arguments),
        meta: envelope.meta,
        input_responses: envelope.input_responses,
        request_state: envelope.request_state,
    };
    run(call, server, &tool_call, envelope.timeout_ms).await
}

async fn run(
    call: &Call<'_>,
    server: &Arc<Server>,
    tool_call: &ToolCall<'_>,
    timeout_ms: Option<u64>,
) -> Result<HttpResponse, Error> {
    let wishes = extract::wishes(call, server, timeout_ms)?;
    let tool_errors = extract::tool_errors(call, server)?;
    let mut client = call.gateway.pool.client(server, wishes);
    let outcome = client.call_tool(tool_call).await;
    call.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::CallTool, failure))?;
    let session = client.finish();
    if !result.is_error {
        return Ok(reply::with_session(
            reply::json(result.bytes),
            session.as_ref(),
        ));
    }
    match tool_errors {
        ToolErrors::Result => Ok(reply::with_tool_error(reply::with_session(
            reply::json(result.bytes),
            session.as_ref(),
        ))),
        ToolErrors::Status => Err(Error::Tool {
            result: Bytes::clone(&result.bytes),
            session,
        }),
    }
}
