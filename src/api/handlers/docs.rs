//! OpenAPI documents of this service and of servers' tools, and Swagger UI for them. The assets are part of the binary.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::error::kinds::{Error, Task};
use crate::api::fan_out::{self, FanOut};
use crate::api::offloaded;
use crate::api::openapi::problems::{
    AssetProblems, FanOutProblems, ListProblems, PageProblems, ServiceProblems,
};
use crate::api::request::context::Context;
use crate::api::request::forwarded::{self, Base};
use crate::api::request::options;
use crate::api::request::parameters::{Asset, Deadline, Handshake, InServer, Session};
use crate::api::response::conditional::conditional;
use crate::api::response::json;
use crate::api::tool_docs::document::Source;
use crate::config::servers::Server;
use crate::mcp::protocol::lists::Freshness;
use crate::mcp::tools::Tools;

/// The page: `{root}` is the relative path of the root of this service, `{document}` that of the first document.
const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");
/// The files of Swagger UI that the page uses. Its stock page and the rest of its archive are not served.
const ASSETS: [&str; 4] = [
    "swagger-ui-bundle.js",
    "swagger-ui.css",
    "index.css",
    "favicon-32x32.png",
];
/// Nothing from other origins, and nothing inline, so that a document cannot inject a script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

// === documents ===

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

// === pages ===

/// Swagger UI for the tools of a server
///
/// A page for people. The page needs no key; it asks for one to load a document that does.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/docs",
    operation_id = "docsOfServer",
    tag = "servers",
    params(InServer),
    responses(
        (status = 200, description = "The page", content((String = "text/html"))),
        PageProblems,
    ),
)]
pub(crate) async fn page_of_server(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    // Where keys are configured, the names of servers are not public.
    if context.state.settings.keys.is_empty() {
        context.server()?;
    }
    let deeper = if context.request.uri().path().ends_with('/') {
        "../"
    } else {
        ""
    };
    Ok(page(
        &format!("../../../{deeper}"),
        &format!("{deeper}openapi.json"),
    ))
}

/// Swagger UI for this service and for the tools of all servers
///
/// `/swagger-ui/` is the page. Its assets are part of this service: nothing is loaded from other origins.
#[utoipa::path(
    get,
    path = "/swagger-ui/{file}",
    operation_id = "swaggerUi",
    tag = "service",
    params(Asset),
    responses(
        (status = 200, description = "The page or the asset", content(
            (String = "text/html"),
            (String = "text/css"),
            (String = "text/javascript"),
            (Value = "image/png"),
        )),
        (status = 308, description = "`/swagger-ui` is at `/swagger-ui/`", headers(("Location"))),
        AssetProblems,
    ),
)]
pub(crate) async fn swagger_ui(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    // The page refers to its assets by relative paths: without the slash they would be looked up at the root.
    if context.request.uri().path() == "/swagger-ui" {
        return Ok(HttpResponse::PermanentRedirect()
            .insert_header((LOCATION, "swagger-ui/"))
            .finish());
    }
    match context.file {
        "" | "index.html" => Ok(page("../", "../openapi.json")),
        "page.js" => Ok(asset(
            "text/javascript",
            Bytes::from_static(SCRIPT.as_bytes()),
        )),
        file if ASSETS.contains(&file) => vendored(file),
        _ => Err(Error::RouteNotFound),
    }
}

fn page(root: &str, document: &str) -> HttpResponse {
    let html = PAGE.replace("{root}", root).replace("{document}", document);
    let mut response = asset("text/html; charset=utf-8", html.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn vendored(file: &str) -> Result<HttpResponse, Error> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
    match utoipa_swagger_ui::serve(file, config) {
        Ok(Some(found)) => Ok(asset(
            &found.content_type,
            match found.bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            },
        )),
        Ok(None) => Err(Error::RouteNotFound),
        Err(error) => {
            log::error!("an asset of Swagger UI could not be served: {error}");
            Err(Error::Internal)
        }
    }
}

fn asset(media_type: &str, bytes: Bytes) -> HttpResponse {
    let mut response = json::body(bytes);
    if let Ok(media_type) = HeaderValue::from_str(media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}
