//! Tools: list them, find one, call one.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use serde_json::value::RawValue;

use crate::api::error::kinds::{About, Error, Task};
use crate::api::handlers::model_tools::{self, ListedTools};
use crate::api::invoke::{self, Invocation, Invoked, invoke};
use crate::api::offloaded;
use crate::api::openapi::mcp::{Arguments, DescribedTool, ToolAnswer};
use crate::api::openapi::problems::{BodyProblems, CallProblems, ListProblems, ToolProblems};
use crate::api::paths::execute_path;
use crate::api::request::context::Context;
use crate::api::request::forwarded::Base;
use crate::api::request::owned::OwnedMembers;
use crate::api::request::parameters::{
    self, ArgumentsInQuery, Deadline, DeadlineInQuery, ForModel, Handshake, InServer, OfTool,
    OnToolError, Page, Session, SessionInQuery,
};
use crate::api::request::{body, options};
use crate::api::response::conditional::conditional;
use crate::api::response::negotiate::{Representation, embedded};
use crate::api::response::stream::{self, Ending, Frame};
use crate::api::response::{content, json};
use crate::api::state::State;
use crate::api::tool_docs::call_example::CallExample;
use crate::config::servers::ResultForm;
use crate::mcp::client::operation::{ToolCall, ToolResult};
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::client::pool::Client;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::lists::Listing;
use crate::mcp::server_state::Upstream;
use crate::schema::from_query;

/// List a server's tools
///
/// One page of the server's `tools/list`, or all of it with `all=true`. Tools that the protocol forbids to use (an
/// invalid `x-mcp-header`) are left out.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/tools",
    operation_id = "listTools",
    tag = "tools",
    params(InServer, Page, ForModel, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`", body = inline(ListedTools), headers(("Mcp-Session-Id"))),
        ListProblems,
    ),
)]
pub(crate) async fn list(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    if let Some(api) = ForModel::of(&context.query)?.format {
        return model_tools::of_server(context, api).await;
    }
    list_of(context, Listing::Tools, Task::ListTools).await
}

/// One page of a list, or all of it.
pub(crate) async fn list_of(
    context: &mut Context<'_>,
    listing: Listing,
    task: Task,
) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    let Page { cursor, all } = Page::of(&context.query)?;
    let all = all == Some(true);
    if all && cursor.is_some() {
        return Err(Error::invalid(
            "'all=true' starts at the first page and takes no 'cursor'",
        ));
    }
    let mut client = context.state.pool.client(server, options);
    let listed = if all {
        client.list_all(listing).await
    } else {
        client.list(listing, cursor).await
    };
    context.note_timing(&mut client);
    let list = listed.map_err(|failure| Error::upstream(task, failure))?;
    let session = client.release_session();
    Ok(json::with_session(json::verbatim(list), session.as_ref()))
}

/// Describe one tool
///
/// Its definition out of the server's `tools/list`, all pages searched, and an `example` of how to call it: arguments made up from its
/// schema, if that is possible, and the same as a line for a shell.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/tools/{tool}",
    operation_id = "getTool",
    tag = "tools",
    params(InServer, OfTool, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The definition", body = DescribedTool,
            headers(("Mcp-Session-Id"), ("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ToolProblems,
    ),
)]
pub(crate) async fn find(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    let deadline = options.deadline;
    let mut client = context.state.pool.client(server, options);
    let found = client.find_tool(context.tool()).await;
    context.note_timing(&mut client);
    let (definition, freshness) =
        found.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let validators = &context.state.validators;
    let base = Base::of(context);
    let prepare = || {
        let path = execute_path(&server.name, context.tool());
        let example = CallExample {
            url: format!("{}{path}", base.url()),
            key_wanted: !context.state.settings.keys.is_empty(),
        };
        let validators = Arc::clone(validators);
        move || example.added_to(definition, &validators)
    };
    let described = match offloaded::run(deadline, prepare).await {
        Ok(described) => json::body(described),
        Err(error) => {
            client.fail();
            return Err(error);
        }
    };
    let session = client.release_session();
    let described = base.shown_in(described);
    let response = conditional(context, described, base.freshness(freshness), deadline).await;
    Ok(json::with_session(response, session.as_ref()))
}

/// Call a tool: the body is the arguments object
///
/// An error that the tool itself reports (`isError`) is a result, marked by `Mcp-Tool-Error`, unless `toolErrors=status`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/tools/{tool}/execute",
    operation_id = "executeTool",
    tag = "tools",
    params(InServer, OfTool, parameters::ResultForm, OnToolError, Session, Handshake, Deadline),
    request_body(content = Option<Arguments>, description = "The arguments; no body means `{}`"),
    responses(
        ToolAnswer,
        CallProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn execute(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    // A request that cannot be served is refused before its body is read.
    let server = context.server()?;
    let representation = Representation::of(context, server)?;
    let body = body::read(context).await?;
    let arguments = body::object(&body)?;
    let tool_call = ToolCall::of(context.tool(), arguments);
    let invocation = invocation(context, server, None)?;
    if let Representation::Stream(frame, form) = representation {
        return streamed(context, (frame, form), invocation, &tool_call);
    }
    let invoked = invoke(invocation, &tool_call).await;
    let (result, session) = released(context, invoked)?;
    let session = session.as_ref();
    representation.response(context, &result, session).await
}

/// Call a tool that changes nothing: its arguments are in the query
///
/// Only for tools whose own definition says `readOnlyHint: true`; all others have POST alone. Every parameter that is not
/// one of these is an argument, typed by the tool's schema; several of one name are a list. `arg.NAME` is the argument NAME, also
/// where NAME is one of these.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/tools/{tool}/execute",
    operation_id = "executeReadOnlyTool",
    tag = "tools",
    params(
        InServer,
        OfTool,
        ArgumentsInQuery,
        parameters::ResultForm,
        OnToolError,
        Session,
        Handshake,
        Deadline
    ),
    responses(ToolAnswer, CallProblems,)
)]
pub(crate) async fn execute_by_query(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let representation = Representation::of(context, server)?;
    let arguments = arguments_in_query(context, server).await?;
    let tool_call = ToolCall::of(context.tool(), &arguments);
    let invocation = invocation(context, server, None)?;
    if let Representation::Stream(frame, form) = representation {
        return streamed(context, (frame, form), invocation, &tool_call).map(json::not_stored);
    }
    let invoked = invoke(invocation, &tool_call).await;
    let (result, session) = released(context, invoked)?;
    representation
        .response(context, &result, session.as_ref())
        .await
        .map(json::not_stored)
}

/// Query parameters that are not arguments.
const CALL_PARAMETERS: &[&[&str]] = &[
    parameters::ResultForm::NAMES,
    OnToolError::NAMES,
    SessionInQuery::NAMES,
    Handshake::NAMES,
    DeadlineInQuery::NAMES,
];

/// The arguments of a read-only tool, as its own definition says it is. No other tool may be called by following a link.
async fn arguments_in_query(
    context: &Context<'_>,
    server: &Upstream,
) -> Result<Box<RawValue>, Error> {
    let options = options::of(context, server, None)?;
    // A session to be opened, and the end of one, are for the call.
    let options = match options.init {
        Init::Always => CallOptions::within(options.deadline),
        _ => CallOptions {
            close: false,
            ..options
        },
    };
    let mut client = context.state.pool.client(server, options);
    let tools = client.tools().await;
    let tools = tools.map_err(|failure| Error::upstream(Task::CallTool, failure))?;
    match tools.get(context.tool()) {
        Some(tool) if tool.is_read_only() => {
            let query = &context.query;
            let schema = tool.input_schema().map(RawValue::get);
            let arguments = if from_query::is_quick(schema) {
                from_query::arguments(schema, &query.others(CALL_PARAMETERS))
            } else {
                let prepare = || {
                    let (schema, query) = (schema.map(ToOwned::to_owned), query.clone());
                    move || {
                        let parameters = query.others(CALL_PARAMETERS);
                        from_query::arguments(schema.as_deref(), &parameters)
                    }
                };
                offloaded::run(client.deadline(), prepare).await?
            }?;
            body::not_too_deep(context, arguments.get().as_bytes(), "The query")?;
            Ok(arguments)
        }
        None if tools.is_complete() => Err(Error::upstream(
            Task::CallTool,
            Client::no_such_tool(tools, context.tool()).await,
        )),
        _ => Err(Error::NotReadOnly),
    }
}

/// Call a tool: the body is an envelope with its name, arguments and metadata
///
/// As `execute`, for names that do not fit into a path, for `_meta`, and to answer `input_required`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/call",
    operation_id = "callTool",
    tag = "tools",
    params(InServer, parameters::ResultForm, OnToolError, Session, Handshake, Deadline),
    request_body(content = body::Envelope<'_>, description = "The call"),
    responses(
        ToolAnswer,
        CallProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn call(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let representation = Representation::of(context, server)?;
    let body = body::read(context).await?;
    let envelope = body::envelope(&body)?;
    context.tool = Some(envelope.name.clone().into());
    let tool_call = envelope.tool_call();
    let invocation = invocation(context, server, envelope.timeout_ms)?;
    if let Representation::Stream(frame, form) = representation {
        return streamed(context, (frame, form), invocation, &tool_call);
    }
    let invoked = invoke(invocation, &tool_call).await;
    let (result, session) = released(context, invoked)?;
    let session = session.as_ref();
    representation.response(context, &result, session).await
}

/// Where a tool call goes, and how the caller wants it made; `timeout_ms` is from the body.
fn invocation<'a>(
    context: &Context<'a>,
    server: &'a Upstream,
    timeout_ms: Option<u64>,
) -> Result<Invocation<'a>, Error> {
    Ok(Invocation {
        state: context.state,
        server,
        options: options::of(context, server, timeout_ms)?,
        tool_errors: options::tool_errors(context, server)?,
        watch: None,
    })
}

/// The result of a call and its session. Notes its timing.
fn released(
    context: &Context<'_>,
    invoked: Invoked,
) -> Result<(ToolResult, Option<SessionId>), Error> {
    context.timing.set(invoked.timing);
    context.hint.set(invoked.hint);
    invoked.release()
}

/// The result as the last event. In a form that does not say so, an error of the tool itself is an error: a stream has no header for it.
async fn in_stream(form: ResultForm, state: &State, result: &ToolResult) -> Result<Pieces, Error> {
    if result.is_error && form != ResultForm::Mcp {
        return Err(content::tool_error(result, None).await);
    }
    embedded(form, state, result).await
}

/// A streaming response to a tool call.
fn streamed(
    context: &Context<'_>,
    (frame, form): (Frame, ResultForm),
    invocation: Invocation<'_>,
    tool_call: &ToolCall<'_>,
) -> Result<HttpResponse, Error> {
    let state = Rc::clone(context.state);
    let server = invocation.server.clone();
    let (options, tool_errors) = (invocation.options, invocation.tool_errors);
    let name = tool_call.name.to_owned();
    let params = OwnedMembers::of(&invoke::params(tool_call), state.pool.budget())?;
    Ok(stream::stream(context, frame, async move |watch, about| {
        let invocation = Invocation {
            state: &state,
            server: &server,
            options,
            tool_errors,
            watch: Some(watch),
        };
        let params = params.borrowed();
        let invoked = invoke(invocation, &invoke::tool_call(&name, &params)).await;
        let outcome = match invoked.outcome {
            Ok(result) => in_stream(form, &state, &result).await,
            Err(error) => Err(error),
        };
        let about = About {
            hint: invoked.hint,
            ..about
        };
        Ending {
            session: invoked.session,
            outcome: outcome.map_err(|error| error.problem(about, state.pool.budget())),
        }
    }))
}
