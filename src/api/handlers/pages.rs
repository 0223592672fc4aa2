//! Pages for people: the front page, and Swagger UI over the documents. What they consist of is part of the binary: nothing is loaded from other origins.

mod assets;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, LOCATION,
    TryIntoHeaderValue as _, VARY,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::handlers::pages::assets::{Asset, VERSION};
use crate::api::openapi::problems::{AssetProblems, PageProblems, ServiceProblems};
use crate::api::request::accept::Accept;
use crate::api::request::context::Context;
use crate::api::request::forwarded::Base;
use crate::api::request::parameters::{InServer, OfAsset};
use crate::api::response::conditional::{entity_tag, not_modified};
use crate::api::response::json;

const VERSION_OF_SERVICE: &str = env!("CARGO_PKG_VERSION");
/// The front page; its placeholders are those of the other, and `{version}`.
const HOME: &str = include_str!("pages/home.html");
/// Swagger UI: `{root}` is the relative path of the root of this service, `{assets}` the beginning of those of the assets, `{document}` that of the
/// first document.
const DOCS: &str = include_str!("pages/docs.html");
/// Nothing from other origins, and nothing inline, so that a document cannot inject a script. What a tool returns is shown as `blob:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

// === the front page ===

/// This service, for programs: a browser gets a page instead.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Home {
    /// Always `mcp-rest`.
    #[schema(pattern = "^mcp-rest$")]
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Where to go on.
    links: HomeLinks,
}

/// The entries of this service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HomeLinks {
    /// The configured servers.
    servers: String,
    /// The tools of all servers.
    tools: String,
    /// The OpenAPI document of this service.
    openapi: String,
    /// The tools of all servers as an OpenAPI document.
    openapi_of_servers: String,
    /// The page for people.
    docs: String,
    /// Whether this service is up.
    health: String,
}

/// The front page
///
/// A page for browsers (`Accept: text/html`), links for programs. Neither needs a key, and neither names a server.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "home",
    tag = "service",
    responses(
        (status = 200, description = "The page, or links", content((Home = "application/json"), (String = "text/html")),
            headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ServiceProblems,
    ),
)]
pub(crate) async fn home(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let forms = ["application/json", "text/html"];
    let accept = Accept::of(context.request.headers());
    if accept.best(forms.into_iter()) == Some("text/html") {
        let mut page = page(context, HOME, "./", &[("{version}", VERSION_OF_SERVICE)]);
        page.headers_mut()
            .insert(VARY, HeaderValue::from_static("Accept"));
        return Ok(page);
    }
    let own = Base::of(context);
    let base = own.link();
    let path = |rest: &str| format!("{base}/{rest}");
    let mut response = json::value(&Home {
        name: env!("CARGO_PKG_NAME"),
        version: VERSION_OF_SERVICE,
        links: HomeLinks {
            servers: path("api/list-servers"),
            tools: path("api/tools"),
            openapi: path("openapi.json"),
            openapi_of_servers: path("api/openapi.json"),
            docs: path("swagger-ui/"),
            health: path("health"),
        },
    });
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept"));
    Ok(own.linked_in(response))
}

/// The way to the documentation
///
/// Where people look for it.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "service",
    responses(
        (status = 307, description = "The page is at `/swagger-ui/`", headers(("Location"))),
        ServiceProblems,
    ),
)]
pub(crate) async fn docs(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let deeper = context.request.uri().path().ends_with('/');
    let place = if deeper {
        "../swagger-ui/"
    } else {
        "swagger-ui/"
    };
    Ok(HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, place))
        .finish())
}

// === Swagger UI ===

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
        (status = 200, description = "The page", content((String = "text/html")), headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
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
    let document = format!("{deeper}openapi.json");
    Ok(page(
        context,
        DOCS,
        &format!("../../../{deeper}"),
        &[("{document}", &document)],
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
    params(OfAsset),
    responses(
        (status = 200, description = "The page or the asset", content(
            (String = "text/html"),
            (String = "text/css"),
            (String = "text/javascript"),
            (String = "image/svg+xml"),
        ), headers(("ETag"), ("Cache-Control"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
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
    if matches!(context.file, "" | "index.html") {
        return Ok(page(
            context,
            DOCS,
            "../",
            &[("{document}", "../openapi.json")],
        ));
    }
    // A page refers to `VERSION.NAME`. Of another version, an asset is served all the same, but not for keeping.
    let (version, name) = match context.file.split_once('.') {
        Some((version, name)) if Asset::named(context.file).is_none() => (version, name),
        _ => ("", context.file),
    };
    let asset = Asset::named(name).ok_or(Error::RouteNotFound(Vec::new()))?;
    asset.response(context, version == *VERSION).await
}

/// A page, which caches ask for again each time: it names the version of its assets.
fn page(context: &Context<'_>, text: &str, root: &str, values: &[(&str, &str)]) -> HttpResponse {
    let assets = format!("{root}swagger-ui/{}.", *VERSION);
    let mut html = text.replace("{root}", root).replace("{assets}", &assets);
    for (name, value) in values {
        html = html.replace(name, value);
    }
    let tag = entity_tag(html.as_bytes());
    let mut response = json::body(html.into());
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = tag.clone().try_into_value() {
        headers.insert(ETAG, tag);
    }
    not_modified(context.request, &tag, response)
}
