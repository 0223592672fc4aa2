//! `GET /api/list-servers`: the configured servers. No request to a server is made.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::openapi::problems::GatewayProblems;
use crate::api::request::context::Context;
use crate::api::response::json;
use crate::config::servers::Server;

/// The configured servers, in file order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerList<'a> {
    /// The servers.
    servers: Vec<ListedServer<'a>>,
    /// How many there are.
    count: usize,
}

/// One configured server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedServer<'a> {
    /// Its name in paths, percent-encoded there.
    name: &'a str,
    /// Its URL without credentials, as far as the configuration shows it.
    url: &'a str,
    /// Its transport.
    #[serde(rename = "type")]
    transport: &'static str,
}

/// List the configured servers
///
/// In the order of the configuration. No request to a server is made.
#[utoipa::path(
    get,
    path = "/api/list-servers",
    operation_id = "listServers",
    tag = "servers",
    responses(
        (status = 200, description = "The servers", body = ServerList<'_>),
        GatewayProblems,
    ),
)]
pub(crate) async fn list_servers(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let servers: Vec<ListedServer<'_>> = context
        .state
        .servers
        .iter()
        .map(|server| ListedServer::of(server))
        .collect();
    Ok(json::value(&ServerList {
        count: servers.len(),
        servers,
    }))
}

impl<'a> ListedServer<'a> {
    fn of(server: &'a Server) -> Self {
        Self {
            name: &server.name,
            url: &server.shown_url,
            transport: server.transport.name(),
        }
    }
}
