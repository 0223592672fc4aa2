//! Prompts: list prompts, get one; and completion of arguments of prompts and of variables of resource templates.

use actix_web::HttpResponse;

use crate::api::error::kinds::{Error, Task};
use crate::api::handlers::tools::list_of;
use crate::api::openapi::mcp::{
    CompleteRequest, CompleteResult, GetPromptResult, ListPromptsResult, PromptArguments,
};
use crate::api::openapi::problems::{BodyProblems, ListProblems, PromptProblems};
use crate::api::request::context::Context;
use crate::api::request::parameters::{Deadline, Handshake, InServer, OfPrompt, Page, Session};
use crate::api::request::{body, options};
use crate::api::response::json;
use crate::mcp::client::operation::PromptCall;
use crate::mcp::protocol::lists::Listing;

/// List a server's prompts
///
/// One page of the server's `prompts/list`, or all of it with `all=true`.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/prompts",
    operation_id = "listPrompts",
    tag = "prompts",
    params(InServer, Page, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`", body = ListPromptsResult, headers(("Mcp-Session-Id"))),
        ListProblems,
    ),
)]
pub(crate) async fn list(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    list_of(context, Listing::Prompts, Task::ListPrompts).await
}

/// Get a prompt: the body is the arguments object
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/prompts/{prompt}/get",
    operation_id = "getPrompt",
    tag = "prompts",
    params(InServer, OfPrompt, Session, Handshake, Deadline),
    request_body(content = Option<PromptArguments>, description = "The arguments; no body means `{}`"),
    responses(
        (status = 200, description = "The server's `result`", body = GetPromptResult, headers(("Mcp-Session-Id"))),
        PromptProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn get(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let body = body::read(context).await?;
    let options = options::of(context, server, None)?;
    let prompt = PromptCall {
        name: context.prompt.as_deref().unwrap_or_default(),
        arguments: body::object(&body)?,
    };
    let mut client = context.state.pool.client(server, options);
    let outcome = client.get_prompt(&prompt).await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::GetPrompt, failure))?;
    let session = client.release_session();
    Ok(json::with_session(json::verbatim(result), session.as_ref()))
}

/// Complete an argument of a prompt or a variable of a resource template
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/complete",
    operation_id = "complete",
    tag = "prompts",
    params(InServer, Session, Handshake, Deadline),
    request_body(content = CompleteRequest, description = "The reference and the argument to complete"),
    responses(
        (status = 200, description = "The server's `result`", body = CompleteResult, headers(("Mcp-Session-Id"))),
        ListProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn complete(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let body = body::read(context).await?;
    let params = body::object_members(&body)?;
    let options = options::of(context, server, None)?;
    for name in ["ref", "argument"] {
        if !params
            .get(name)
            .is_some_and(|raw| raw.get().starts_with('{'))
        {
            return Err(Error::invalid(format!(
                "The body must hold 'ref' and 'argument', both objects; '{name}' is not"
            )));
        }
    }
    if params.get("_meta").is_some() {
        return Err(Error::invalid(
            "'_meta' goes through POST /api/mcp/{server}/rpc",
        ));
    }
    let mut client = context.state.pool.client(server, options);
    let outcome = client.complete(&params).await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::Complete, failure))?;
    let session = client.release_session();
    Ok(json::with_session(json::verbatim(result), session.as_ref()))
}
