//! OpenAPI documents of this service and of servers' tools. The pages that show them are in `pages`.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use bytes::Bytes;

use crate::api::doc_formats::format::Format;
use crate::api::error::kinds::{Error, Task};
use crate::api::fan_out::{self, FanOut};
use crate::api::openapi::problems::{DocumentProblems, FanOutProblems, ListProblems};
use crate::api::paths::server_path;
use crate::api::request::context::Context;
use crate::api::request::forwarded::Base;
use crate::api::request::options;
use crate::api::request::parameters::{
    Deadline, DocumentVersion, Handshake, InDocument, InServer, Session, View,
};
use crate::api::response::conditional::conditional;
use crate::api::response::json;
use crate::api::tool_docs::document::{self as tool_docs, About, Source};
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::lists::Freshness;
use crate::mcp::protocol::server_info::ServerInfo;
use crate::mcp::server_state::Upstream;
use crate::mcp::tools::Tools;

/// The URL of this service in its committed document, as JSON.
const EXAMPLE_URL: &str = "\"http://127.0.0.1:8080\"";

/// The OpenAPI document of this service
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "service",
    params(DocumentVersion),
    responses(
        (status = 200, description = "This document", body = Object, headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        DocumentProblems,
    ),
)]
pub(crate) async fn openapi(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let format = Format::of(context)?;
    let base = Base::of(context);
    let committed = &context.state.openapi;
    let document = match std::str::from_utf8(committed).map(|it| it.split_once(EXAMPLE_URL)) {
        Ok(Some((before, after))) => {
            let url = format!("\"{}\"", base.url());
            [before, &url, after].concat().into()
        }
        _ => Bytes::clone(committed),
    };
    let deadline = context.started + context.state.settings.timeout;
    let response = if format.is_as_made() {
        json::verbatim(document)
    } else {
        format.respond(deadline, move || Ok(document)).await?
    };
    let response = base.shown_in(response);
    let freshness = base.freshness(Freshness::default());
    Ok(conditional(context, response, freshness, deadline).await)
}

/// The OpenAPI document of this service as YAML
#[utoipa::path(
    get,
    path = "/openapi.yaml",
    operation_id = "openapiYaml",
    tag = "service",
    params(DocumentVersion),
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/yaml",
            headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        DocumentProblems,
    ),
)]
pub(crate) async fn openapi_yaml(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    openapi(context).await
}

/// The tools of a server as an OpenAPI document
///
/// One operation per tool, with its own schemas, made from the server's current list. Paths are relative to where the document is.
/// For client generators, programs that offer tools to models, and people.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/openapi.json",
    operation_id = "openapiOfServer",
    tag = "servers",
    params(InServer, InDocument, DocumentVersion, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The document", body = Object,
            headers(("Mcp-Session-Id"), ("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ListProblems,
    ),
)]
pub(crate) async fn openapi_of_server(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let format = Format::of(context)?;
    let server = context.server()?;
    let view = InDocument::of(&context.query)?.view;
    let options = options::of(context, server, None)?;
    let mut client = context.state.pool.client(server, options);
    let listed = client.list_tools().await;
    context.note_timing(&mut client);
    let tools = listed.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let deadline = client.deadline();
    let session = client.release_session();
    let freshness = tools.freshness();
    let path = server_path(&server.name);
    let info = context.state.pool.describe(server, deadline).await;
    let servers = vec![described(server, tools, info)];
    let source = source(context, view, About::Server, servers, &path);
    let response = document(context, format, source, freshness, deadline).await?;
    Ok(json::with_session(response, session.as_ref()))
}

/// The tools of a server as an OpenAPI document in YAML
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/openapi.yaml",
    operation_id = "openapiOfServerYaml",
    tag = "servers",
    params(InServer, InDocument, DocumentVersion, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/yaml",
            headers(("Mcp-Session-Id"), ("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ListProblems,
    ),
)]
pub(crate) async fn openapi_of_server_yaml(
    context: &mut Context<'_>,
) -> Result<HttpResponse, Error> {
    openapi_of_server(context).await
}

/// The tools of all servers as one OpenAPI document
///
/// Servers that do not list their tools are named in it (`info.x-mcp-failed-servers`).
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "openapiOfAll",
    tag = "servers",
    params(InDocument, DocumentVersion, Deadline),
    responses(
        (status = 200, description = "The document", body = Object, headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        FanOutProblems,
    ),
)]
pub(crate) async fn openapi_of_all(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let format = Format::of(context)?;
    let view = InDocument::of(&context.query)?.view;
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
    let servers = listed.into_iter();
    let servers = servers.map(|(server, tools)| described(server, tools, None));
    let source = source(context, view, About::All(failed), servers.collect(), "/api");
    document(context, format, source, freshness, deadline).await
}

/// The tools of all servers as one OpenAPI document in YAML
#[utoipa::path(
    get,
    path = "/api/openapi.yaml",
    operation_id = "openapiOfAllYaml",
    tag = "servers",
    params(InDocument, DocumentVersion, Deadline),
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/yaml",
            headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        FanOutProblems,
    ),
)]
pub(crate) async fn openapi_of_all_yaml(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    openapi_of_all(context).await
}

/// The document of servers' tools.
async fn document(
    context: &Context<'_>,
    format: Format,
    source: Source,
    freshness: Freshness,
    deadline: Instant,
) -> Result<HttpResponse, Error> {
    let base = Base::of(context);
    let response = format.respond(deadline, move || source.document()).await?;
    let response = base.shown_in(response);
    Ok(conditional(context, response, base.freshness(freshness), deadline).await)
}

/// What a document is made from. `path` is where it is, below the base of this service.
fn source(
    context: &Context<'_>,
    view: Option<View>,
    about: About,
    servers: Vec<tool_docs::Server>,
    path: &str,
) -> Source {
    Source {
        common: Arc::clone(&context.state.common),
        about,
        servers,
        url: format!("{}{path}", Base::of(context).url()),
        key_wanted: !context.state.settings.keys.is_empty(),
        validators: Arc::clone(&context.state.validators),
        view: view.unwrap_or(View::Lean),
    }
}

/// A server for a document of its tools.
fn described(
    server: &Upstream,
    tools: Arc<Tools>,
    info: Option<Arc<ServerInfo>>,
) -> tool_docs::Server {
    let may_have_sessions = matches!(server.state.era(), None | Some(Era::Legacy { .. }));
    tool_docs::Server {
        name: server.name.clone(),
        tools,
        has_sessions: info
            .as_ref()
            .map_or(may_have_sessions, |info| info.has_sessions),
        info,
        form: server.result,
        tool_errors: server.tool_errors,
        checks: server.argument_checks,
    }
}
