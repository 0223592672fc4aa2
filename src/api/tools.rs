//! Tools: list them, find one, call one.

use std::sync::Arc;

use actix_web::HttpResponse;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::call::Call;
use super::error::{Error, Task};
use super::extract;
use super::live::{self, Frame, Job};
use super::openapi::{
    Arguments, BodyProblems, CallProblems, CallToolResult, Deadline, Handshake, InServer,
    ListProblems, ListToolsResult, OfTool, OnToolError, Page, ResultForm, Session, Tool,
    ToolProblems,
};
use super::reply;
use super::results::Wanted;
use crate::mcp::client::ToolCall;
use crate::mcp::lists::Listing;
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
    list_of(call, Listing::Tools, Task::ListTools).await
}

/// One page of a list, or all of it.
pub(super) async fn list_of(
    call: &mut Call<'_>,
    listing: Listing,
    task: Task,
) -> Result<HttpResponse, Error> {
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
        client.list_all(listing).await
    } else {
        client.list(listing, cursor).await
    };
    call.note_timing(&mut client);
    let list = listed.map_err(|failure| Error::upstream(task, failure))?;
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
    params(InServer, OfTool, ResultForm, OnToolError, Session, Handshake, Deadline),
    request_body(content = Option<Arguments>, description = "The arguments; no body means `{}`"),
    responses(
        (status = 200, description = "The server's `result`; or, by `Accept` or `result`, what is in it. As events or lines: what \
                                      the server tells meanwhile (`progress`, `log`), then `result` or `error`", content(
            (CallToolResult = "application/json"),
            (Value = "application/vnd.mcp.structured+json"),
            (String = "text/plain"),
            (Vec<u8> = "image/*"),
            (Vec<u8> = "audio/*"),
            (String = "text/event-stream"),
            (String = "application/x-ndjson"),
        ), headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        CallProblems,
        BodyProblems,
    ),
)]
pub(super) async fn execute(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    // Before the body is read: a request that cannot be served is refused at once.
    let server = call.server()?;
    let wanted = Wanted::of(call)?;
    let body = extract::body(call).await?;
    let arguments = extract::object(&body)?;
    if let Wanted::Live(frame) = wanted {
        return live(call, server, frame, &body, None);
    }
    run(
        call,
        server,
        &wanted,
        &ToolCall::of(call.tool(), arguments),
        None,
    )
    .await
}

/// Call a tool: the body is an envelope with its name, arguments and metadata
///
/// As `execute`, for names that do not go well into a path, for `_meta`, and to answer `input_required`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/call",
    operation_id = "callTool",
    tag = "tools",
    params(InServer, ResultForm, OnToolError, Session, Handshake, Deadline),
    request_body(content = extract::Envelope<'_>, description = "The call"),
    responses(
        (status = 200, description = "The server's `result`; or, by `Accept` or `result`, what is in it. As events or lines: what \
                                      the server tells meanwhile (`progress`, `log`), then `result` or `error`", content(
            (CallToolResult = "application/json"),
            (Value = "application/vnd.mcp.structured+json"),
            (String = "text/plain"),
            (Vec<u8> = "image/*"),
            (Vec<u8> = "audio/*"),
            (String = "text/event-stream"),
            (String = "application/x-ndjson"),
        ), headers(("Mcp-Session-Id"), ("Mcp-Tool-Error"))),
        CallProblems,
        BodyProblems,
    ),
)]
pub(super) async fn call(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let server = call.server()?;
    let wanted = Wanted::of(call)?;
    let body = extract::body(call).await?;
    let envelope = extract::envelope(&body)?;
    call.tool = Some(envelope.name.clone());
    let nothing: &RawValue = extract::object(b"{}")?;
    if let Wanted::Live(frame) = wanted {
        return live(call, server, frame, &body, Some(envelope.timeout_ms));
    }
    let tool_call = envelope.tool_call(nothing);
    run(call, server, &wanted, &tool_call, envelope.timeout_ms).await
}

async fn run(
    call: &Call<'_>,
    server: &Arc<Server>,
    wanted: &Wanted,
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
    if result.is_error && tool_errors == ToolErrors::Status {
        return Err(Error::Tool {
            result: result.bytes,
            session,
        });
    }
    wanted.represent(&result, session.as_ref())
}

/// The same as it happens. `envelope` is the deadline in one, where the body is one.
fn live(
    call: &Call<'_>,
    server: &Arc<Server>,
    frame: Frame,
    body: &Bytes,
    envelope: Option<Option<u64>>,
) -> Result<HttpResponse, Error> {
    let wishes = extract::wishes(call, server, envelope.flatten())?;
    let job = Job::Tool {
        body: body.clone(),
        is_envelope: envelope.is_some(),
        tool_errors: extract::tool_errors(call, server)?,
    };
    Ok(live::stream(call, server, wishes, frame, job))
}
