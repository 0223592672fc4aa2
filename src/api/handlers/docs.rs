//! OpenAPI documents of this service and of servers' tools. The pages that show them are in `pages`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::error::kinds::{Error, Task};
use crate::api::fan_out::{self, FanOut};
use crate::api::offloaded;
use crate::api::openapi::problems::{FanOutProblems, ListProblems, ServiceProblems};
use crate::api::request::context::Context;
use crate::api::request::forwarded::{self, Base};
use crate::api::request::options;
use crate::api::request::parameters::{Deadline, Handshake, InServer, Session};
use crate::api::response::conditional::conditional;
use crate::api::response::json;
use crate::api::tool_docs::document::Source;
use crate::config::servers::Server;
use crate::mcp::protocol::lists::Freshness;
use crate::mcp::tools::Tools;

/// The OpenAPI document of this service
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "service",
    responses(
        (status = 200, description = "This document", body = Object),
        ServiceProblems,
    ),
)]
pub(crate) async fn openapi(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let url = Base::of(context).url();
    let committed = Bytes::clone(&context.state.openapi);
    if url == "/" {
        return Ok(json::verbatim(committed));
    }
    let mut document: Value = serde_json::from_slice(&committed).map_err(|error| {
        log::error!("the OpenAPI document of this service cannot be read: {error}");
        Error::Internal
    })?;
    if let Some(servers) = document.get_mut("servers") {
        *servers = json!([{"url": url, "description": "This service"}]);
    }
    Ok(forwarded::varying_by_proxy(context, json::value(&document)))
}

/// The tools of a server as an OpenAPI document
///
/// One operation per tool, with its own schemas, made from the server's current list. For client generators and for people.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/openapi.json",
    operation_id = "openapiOfServer",
    tag = "servers",
    params(InServer, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The document (OpenAPI 3.1)", body = Object,
            headers(("Mcp-Session-Id"), ("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ListProblems,
    ),
)]
pub(crate) async fn openapi_of_server(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    let mut client = context.state.pool.client(server, options);
    let listed = client.list_tools().await;
    context.note_timing(&mut client);
    let tools = listed.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let deadline = client.deadline();
    let session = client.release_session();
    let freshness = tools.freshness();
    let source = Source {
        common: Arc::clone(&context.state.common),
        about: Some(server.name.clone()),
        servers: vec![(server.name.clone(), tools)],
        failed: Vec::new(),
        url: Base::of(context).url(),
        key_wanted: !context.state.settings.keys.is_empty(),
        validators: Arc::clone(&context.state.validators),
    };
    let response = document(context, source, freshness, deadline).await?;
    Ok(json::with_session(response, session.as_ref()))
}

/// The tools of all servers as one OpenAPI document
///
/// Servers that do not list their tools are named in it (`info.x-mcp-failed-servers`).
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "openapiOfAll",
    tag = "servers",
    params(Deadline),
    responses(
        (status = 200, description = "The document (OpenAPI 3.1)", body = Object, headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        FanOutProblems,
    ),
)]
pub(crate) async fn openapi_of_all(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let timeout = options::asked_timeout(context, None)?;
    let deadline = context.started + timeout.unwrap_or(context.state.settings.timeout);
    let fan_out = fan_out::tools(context, context.state.servers.iter(), timeout, true).await;
    let fan_out = fan_out.within_one_list(context);
    let FanOut { listed, failed } = fan_out;
    let freshness = listed.iter().map(|(_, tools)| tools.freshness());
    let freshness = freshness.reduce(Freshness::and).unwrap_or_default();
    // A server that failed may be back at any time.
    let freshness = if failed.is_empty() {
        freshness
    } else {
        Freshness::default()
    };
    let named = |(server, tools): (&Server, Arc<Tools>)| (server.name.clone(), tools);
    let source = Source {
        common: Arc::clone(&context.state.common),
        about: None,
        servers: listed.into_iter().map(named).collect(),
        failed,
        url: Base::of(context).url(),
        key_wanted: !context.state.settings.keys.is_empty(),
        validators: Arc::clone(&context.state.validators),
    };
    document(context, source, freshness, deadline).await
}

/// The document, written off the worker: with thousands of tools that takes longer than other callers should wait.
async fn document(
    context: &Context<'_>,
    source: Source,
    freshness: Freshness,
    deadline: Instant,
) -> Result<HttpResponse, Error> {
    let written = offloaded::run(deadline, || move || source.document()).await?;
    let document = written.map_err(|error| {
        log::error!("a document could not be written: {error}");
        Error::Internal
    })?;
    let response = forwarded::varying_by_proxy(context, json::body(document));
    Ok(conditional(context, response, freshness, deadline).await)
}
