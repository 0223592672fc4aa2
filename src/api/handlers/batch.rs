//! `POST /api/batch`: several tool calls at once, to any servers, side by side. Each has its own status and body.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::HttpResponse;
use bytes::Bytes;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::invoke::{Invocation, invoke};
use crate::api::openapi::mcp::Arguments;
use crate::api::openapi::problems::{BodyProblems, GatewayProblems};
use crate::api::request::context::Context;
use crate::api::request::parameters::{self, Deadline, OnToolError};
use crate::api::request::{body, options};
use crate::api::response::negotiate::embedded;
use crate::api::side_by_side::{Around, Shared, null};
use crate::config::servers::{ResultForm, ToolErrors};
use crate::json::{empty_object, first_elements};
use crate::mcp::client::operation::{ToolCall, ToolResult};
use crate::mcp::http::pieces::{Builder, Pieces};
use crate::mcp::limits::{NoRoom, SMALL};
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SessionId;

/// The body of the response around its results.
const RESULTS: Around = Around {
    open: "{\"results\":[",
    close: "]}",
};

/// Calls to be made in parallel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Batch<'a> {
    /// The calls.
    #[serde(borrow)]
    #[schema(value_type = Vec<BatchCall<'_>>)]
    calls: &'a RawValue,
    /// A deadline for all of them, in milliseconds, if it is lower than the configured one.
    #[serde(default, deserialize_with = "parameters::milliseconds_in_body")]
    #[schema(schema_with = parameters::milliseconds)]
    timeout_ms: Option<u64>,
}

/// One call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BatchCall<'a> {
    /// The server.
    server: String,
    /// The tool.
    #[serde(alias = "name")]
    tool: String,
    /// Its arguments, an object.
    #[serde(borrow)]
    #[schema(value_type = Option<Arguments>)]
    arguments: Option<&'a RawValue>,
    /// Request metadata, an object.
    #[serde(borrow, rename = "_meta")]
    #[schema(value_type = Option<Object>)]
    meta: Option<&'a RawValue>,
    /// The caller's session.
    session_id: Option<String>,
}

/// The results of the calls.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "it documents a body that is written piece by piece"
)]
pub(crate) struct BatchResults<'a> {
    /// In the order of the calls.
    results: Vec<BatchResult<'a>>,
}

/// The result of one call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResult<'a> {
    /// The status the call would have had by itself.
    status: u16,
    /// Whether the tool reported an error of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    tool_error: bool,
    /// The tool's result in the form that `result` asks for or that is configured (a text is a string, an image or audio
    /// `{"mimeType","data"}`), or a problem.
    #[schema(value_type = Value)]
    body: &'a RawValue,
}

/// Call several tools at once
///
/// The calls run in parallel. Whether one of them fails or not, the others are made and the response is 200.
#[utoipa::path(
    post,
    path = "/api/batch",
    operation_id = "batch",
    tag = "tools",
    params(parameters::ResultForm, OnToolError, Deadline),
    request_body(content = Batch<'_>, description = "The calls"),
    responses(
        (status = 200, description = "The results, in the order of the calls", body = BatchResults<'_>),
        GatewayProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn batch(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let body = body::read(context).await?;
    let batch: Batch<'_> = body::shaped(&body, "a batch")?;
    let limits = context.state.settings.limits;
    let most = limits.batch;
    let calls = first_elements(batch.calls, most.saturating_add(1))
        .ok_or_else(|| Error::invalid("'calls' must be an array"))?;
    if calls.len() > most {
        return Err(Error::invalid(format!(
            "A batch holds {most} calls at most, this one has more"
        )));
    }
    let tool_errors = options::tool_errors_asked(context)?;
    let asked = options::asked_timeout(context, batch.timeout_ms)?;
    let shared = Rc::new(Calls {
        shared: Shared::of(context, asked),
        form: options::result_form(context)?,
        tool_errors,
    });
    let calls = calls.into_iter().map(|written| {
        let written = body.slice_ref(written.get().as_bytes());
        Rc::clone(&shared).run(written)
    });
    Ok(shared.shared.response(calls, RESULTS))
}

/// What the calls have in common, for tasks that outlive the handler.
struct Calls {
    shared: Rc<Shared>,
    form: Option<ResultForm>,
    tool_errors: Option<ToolErrors>,
}

impl Calls {
    /// Makes one call and writes its result.
    async fn run(self: Rc<Self>, written: Bytes) -> Pieces {
        let item = match read(&written) {
            Ok(item) => item,
            Err(error) => return self.problem(&error, None),
        };
        let made = AssertUnwindSafe(self.call(&item)).catch_unwind().await;
        let made = made.unwrap_or(Err(Error::Internal));
        let written = match made {
            Ok(result) => self.written(&item, &result).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => written,
            Err(error) => self.problem(&error, Some(&item)),
        }
    }

    async fn call(&self, item: &BatchCall<'_>) -> Result<ToolResult, Error> {
        let state = &self.shared.state;
        let server = state.server(&item.server)?;
        let mut options = self.shared.options(server);
        options.session = session(item.session_id.as_deref())?;
        let tool_call = ToolCall {
            meta: item.meta,
            ..ToolCall::of(&item.tool, item.arguments.unwrap_or_else(empty_object))
        };
        let invocation = Invocation {
            state,
            server,
            options,
            tool_errors: self.tool_errors.unwrap_or(server.tool_errors),
            watch: None,
        };
        let (result, _) = invoke(invocation, &tool_call).await.release()?;
        Ok(result)
    }

    async fn written(&self, item: &BatchCall<'_>, result: &ToolResult) -> Result<Pieces, Error> {
        self.shared.take(result.bytes.len(), Executed::Yes)?;
        let state = &self.shared.state;
        let server = state.servers.get(&item.server);
        let configured = server.map_or(ResultForm::Mcp, |server| server.result);
        let form = self.form.unwrap_or(configured);
        let body = embedded(form, state, result).await?;
        self.item(200, result.is_error, body)
            .map_err(|NoRoom| Error::NoRoom(Executed::Yes))
    }

    /// A [`BatchResult`], its body as it is.
    fn item(&self, status: u16, tool_error: bool, body: Pieces) -> Result<Pieces, NoRoom> {
        let mut written = Builder::new(&[], self.shared.state.pool.budget());
        written.text(format!("{{\"status\":{status}").as_bytes());
        if tool_error {
            written.text(b",\"toolError\":true");
        }
        written.text(b",\"body\":");
        written.pieces(body);
        written.text(b"}");
        written.finish()
    }

    /// The problem as a result. It names the server and the tool as far as they are known.
    fn problem(&self, error: &Error, item: Option<&BatchCall<'_>>) -> Pieces {
        let server = item.map(|item| item.server.as_str());
        let tool = item.map(|item| item.tool.as_str());
        let about = self.shared.about(server, tool);
        let budget = self.shared.state.pool.budget();
        let (summary, problem) = error.problem(about, budget);
        // A problem that says so is small.
        if problem.len() > SMALL
            && let Err(too_large) = self.shared.take(problem.len(), error.executed())
        {
            return self.problem(&too_large, item);
        }
        let is_tools = matches!(error, Error::Tool { .. });
        self.item(summary.code.status().as_u16(), is_tools, problem)
            .unwrap_or_else(|NoRoom| null())
    }
}

fn read(written: &[u8]) -> Result<BatchCall<'_>, Error> {
    let item: BatchCall<'_> = serde_json::from_slice(written)
        .map_err(|error| Error::invalid(format!("This is not a call: {error}")))?;
    for (name, value) in [("arguments", item.arguments), ("_meta", item.meta)] {
        if let Some(value) = value {
            body::require_object(value, &format!("'{name}'"))?;
        }
    }
    Ok(item)
}

fn session(written: Option<&str>) -> Result<Option<SessionId>, Error> {
    parameters::session_id(written.unwrap_or_default().as_bytes())
}
