//! `POST /api/batch`: several calls at once, to any servers, side by side, within one deadline. Each has its own status and body.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::call::Call;
use super::error::{About, Error};
use super::openapi::{self, Arguments, BodyProblems, Deadline, GatewayProblems, OnToolError};
use super::tools::checked_call;
use super::{extract, reply};
use crate::mcp::client::{ToolCall, Wishes};
use crate::mcp::header::SessionId;
use crate::servers::{Server, ToolErrors};

/// Calls to be made side by side.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Batch<'a> {
    /// The calls.
    #[serde(borrow)]
    #[schema(value_type = Vec<BatchCall<'_>>)]
    calls: Vec<&'a RawValue>,
    /// A deadline for all of them, in milliseconds, if it is lower than the configured one.
    #[serde(default, deserialize_with = "extract::milliseconds")]
    #[schema(schema_with = openapi::milliseconds)]
    timeout_ms: Option<u64>,
}

/// One call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BatchCall<'a> {
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

/// What the calls came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchResults {
    /// In the order of the calls.
    results: Vec<BatchResult>,
}

/// What one call came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchResult {
    /// The status the call would have had by itself.
    status: u16,
    /// Whether the tool reported an error of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    tool_error: bool,
    /// The tool's result, or a problem.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

/// Call several tools at once
///
/// The calls run side by side. Whatever becomes of one of them, the others are made and the answer is 200.
#[utoipa::path(
    post,
    path = "/api/batch",
    operation_id = "batch",
    tag = "tools",
    params(OnToolError, Deadline),
    request_body(content = Batch<'_>, description = "The calls"),
    responses(
        (status = 200, description = "What the calls came to, in their order", body = BatchResults),
        GatewayProblems,
        BodyProblems,
    ),
)]
pub(super) async fn batch(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let body = extract::body(call).await?;
    let object = extract::object(&body)?;
    let batch: Batch<'_> = serde_json::from_str(object.get())
        .map_err(|error| Error::invalid(format!("The body is no batch: {error}")))?;
    let most = call.gateway.settings.limits.batch;
    if batch.calls.len() > most {
        return Err(Error::invalid(format!(
            "A batch holds {most} calls at most, this one {}",
            batch.calls.len()
        )));
    }
    let tool_errors = extract::tool_errors_asked(call)?;
    let configured = call.gateway.settings.timeout;
    let asked = extract::asked_timeout(call, batch.timeout_ms)?;
    let deadline = call.started + asked.map_or(configured, |asked| asked.min(configured));
    let call = &*call;
    let made = batch
        .calls
        .iter()
        .map(|written| run(call, written, deadline, tool_errors));
    let results = join_all(made).await;
    Ok(reply::of(&BatchResults { results }))
}

/// Makes one call. What it is about, as far as that is known, goes into its problem.
async fn run(
    call: &Call<'_>,
    written: &RawValue,
    deadline: Instant,
    tool_errors: Option<ToolErrors>,
) -> BatchResult {
    let item = match read(written) {
        Ok(item) => item,
        Err(error) => return problem(call, &error, None),
    };
    match made(call, &item, deadline, tool_errors).await {
        Ok(result) => result,
        Err(error) => problem(call, &error, Some(&item)),
    }
}

fn read(written: &RawValue) -> Result<BatchCall<'_>, Error> {
    let item: BatchCall<'_> = serde_json::from_str(written.get())
        .map_err(|error| Error::invalid(format!("This is no call: {error}")))?;
    for (name, value) in [("arguments", item.arguments), ("_meta", item.meta)] {
        if let Some(value) = value {
            extract::require_object(value, &format!("'{name}'"))?;
        }
    }
    Ok(item)
}

async fn made(
    call: &Call<'_>,
    item: &BatchCall<'_>,
    deadline: Instant,
    tool_errors: Option<ToolErrors>,
) -> Result<BatchResult, Error> {
    let gateway = call.gateway;
    let server: &Arc<Server> = gateway
        .servers
        .get(&item.server)
        .ok_or(Error::ServerNotFound)?;
    let own = server.timeout.map(|timeout| call.started + timeout);
    let mut wishes = Wishes::within(own.map_or(deadline, |own| own.min(deadline)));
    wishes.session = session(item.session_id.as_deref())?;
    let nothing = extract::object(b"{}")?;
    let tool_call = ToolCall {
        meta: item.meta,
        ..ToolCall::of(&item.tool, item.arguments.unwrap_or(nothing))
    };
    let mut client = gateway.pool.client(server, wishes);
    let result = checked_call(gateway, server, &mut client, &tool_call).await?;
    client.finish();
    if result.is_error && tool_errors.unwrap_or(server.tool_errors) == ToolErrors::Status {
        return Err(Error::Tool {
            result: result.bytes,
            session: None,
        });
    }
    let body = serde_json::from_slice(&result.bytes).map_err(|error| {
        log::error!("a result is no JSON: {error}");
        Error::Internal
    })?;
    Ok(BatchResult {
        status: 200,
        tool_error: result.is_error,
        body,
    })
}

fn session(written: Option<&str>) -> Result<Option<SessionId>, Error> {
    extract::session_id(written.unwrap_or_default().as_bytes())
}

fn problem(call: &Call<'_>, error: &Error, item: Option<&BatchCall<'_>>) -> BatchResult {
    let about = About {
        server: item.map(|item| item.server.as_str()),
        tool: item.map(|item| item.tool.as_str()),
        ..call.about()
    };
    let verdict = error.verdict(about);
    let body = error.body(about, &verdict);
    BatchResult {
        status: verdict.status.as_u16(),
        tool_error: matches!(error, Error::Tool { .. }),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}
