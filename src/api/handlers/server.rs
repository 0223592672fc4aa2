//! `GET /api/mcp/{server}`: what a server says of itself, and where its routes are.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::{Error, Task};
use crate::api::offloaded;
use crate::api::openapi::problems::RequestProblems;
use crate::api::paths::server_path;
use crate::api::request::context::Context;
use crate::api::request::forwarded::Base;
use crate::api::request::options;
use crate::api::request::parameters::{Deadline, InServer};
use crate::api::response::json;
use crate::json::named;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::versions;

/// A server: its own description, and links.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerDescription<'a> {
    /// Its name in the configuration.
    name: &'a str,
    /// `modern` without a handshake and sessions (2026-07-28 on), `legacy` with them.
    era: &'static str,
    /// The negotiated protocol version.
    #[schema(value_type = Option<String>)]
    protocol_version: Option<&'a RawValue>,
    /// Its own name and version, as it says; `null` if it does not.
    #[schema(value_type = Option<Object>)]
    server_info: Option<&'a RawValue>,
    /// Its capabilities, as it says.
    #[schema(value_type = Option<Object>)]
    capabilities: Option<&'a RawValue>,
    /// Its instructions for a model; `null` if it has none.
    #[schema(value_type = Option<String>)]
    instructions: Option<&'a RawValue>,
    /// Where to go on.
    links: Links,
}

/// The routes of a server. Without the capability, there is no link to resources and prompts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Links {
    /// Its tools.
    tools: String,
    /// Its resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resources: Option<String>,
    /// The templates of its resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resource_templates: Option<String>,
    /// Its prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompts: Option<String>,
    /// Its tools as an OpenAPI document.
    openapi: String,
    /// Its page for people.
    docs: String,
}

/// Describe a server
///
/// What the server answers to `initialize`, or to `server/discover`, and links to its routes. A session that is opened for this is ended.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}",
    operation_id = "describeServer",
    tag = "servers",
    params(InServer, Deadline),
    responses(
        (status = 200, description = "The server", body = ServerDescription<'_>),
        RequestProblems,
    ),
)]
pub(crate) async fn describe(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = CallOptions {
        init: Init::Always,
        // The session is not the caller's: it ends with this request.
        close: true,
        ..options::within(context, server, None)?
    };
    let mut client = context.state.pool.client(server, options);
    let outcome = client.initialize().await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::Initialize, failure))?;
    let deadline = client.deadline();
    drop(client);
    let own = Base::of(context);
    let base = format!("{}{}", own.link(), server_path(&server.name));
    let (name, budget) = (server.name.clone(), context.state.pool.budget().clone());
    let written = offloaded::if_large(result.len(), deadline, move || {
        description(&name, &base, &result, &budget)
    });
    let pieces = written
        .await?
        .map_err(|NoRoom| Error::NoRoom(Executed::Yes))?;
    let response = json::body_in_pieces(StatusCode::OK, pieces);
    Ok(own.linked_in(response))
}

/// The description, in which the members of the result are the server's own bytes.
fn description(name: &str, base: &str, result: &Bytes, budget: &Budget) -> Result<Pieces, NoRoom> {
    let text = std::str::from_utf8(result).unwrap_or_default();
    let members = named(
        text,
        [
            "protocolVersion",
            "serverInfo",
            "capabilities",
            "instructions",
            "_meta",
        ],
    );
    let [version, info, capabilities, instructions, meta] = members.unwrap_or_default();
    let modern = serde_json::value::to_raw_value(versions::MODERN).ok();
    let has = |capability| {
        let found = capabilities.and_then(|all| named(all.get(), [capability]).ok());
        matches!(found, Some([Some(_)]))
    };
    let path = |rest: &str| format!("{base}/{rest}");
    let described = ServerDescription {
        name,
        era: if version.is_some() {
            "legacy"
        } else {
            "modern"
        },
        protocol_version: version.or(modern.as_deref()),
        server_info: info.or_else(|| info_in_meta(meta?)),
        capabilities,
        instructions,
        links: Links {
            tools: path("tools"),
            resources: has("resources").then(|| path("resources")),
            resource_templates: has("resources").then(|| path("resources/templates")),
            prompts: has("prompts").then(|| path("prompts")),
            openapi: path("openapi.json"),
            docs: path("docs"),
        },
    };
    Pieces::json(&described, std::slice::from_ref(result), budget)
}

/// Where a modern server says its name and version.
fn info_in_meta(meta: &RawValue) -> Option<&RawValue> {
    let [info] = named(meta.get(), ["io.modelcontextprotocol/serverInfo"]).ok()?;
    info
}
