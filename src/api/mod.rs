//! The REST side: every route in one table, and the way of a request through it.
//!
//! Only here is actix-web's server half known. Servers are reached through [`crate::mcp`] alone.

mod argument_check;
pub(crate) mod aside;
pub mod document;
pub(crate) mod error;
mod fan_out;
#[doc(hidden)]
pub mod fuzz;
mod handlers;
mod invoke;
mod openapi;
mod request;
mod response;
mod state;
mod tool_docs;

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::LazyLock;

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::{HttpRequest, HttpResponse, web};
use futures::FutureExt;

use crate::api::error::kinds::Error;
use crate::api::handlers::{
    batch, docs, find_tools, health, list_servers, prompts, resources, rpc, session, tools,
};
use crate::api::request::context::{Captures, Context};
use crate::api::request::{auth, cross_site};
use crate::api::response::{access_log, json};
pub use crate::api::state::State;
pub use crate::api::tool_docs::common::Common;
pub use crate::schema::validate::Validators;

use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SESSION_ID;

/// What answers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Execute,
    ExecuteByQuery,
    CallTool,
    ListTools,
    FindTool,
    FindTools,
    Batch,
    Initialize,
    EndSession,
    Ping,
    ListResources,
    ListTemplates,
    ExpandTemplate,
    ReadResource,
    ListPrompts,
    GetPrompt,
    Complete,
    Rpc,
    ListServers,
    Health,
    Live,
    Ready,
    OpenApi,
    OpenApiOfServer,
    OpenApiOfAll,
    PageOfServer,
    SwaggerUi,
}

/// A route: `{server}`, `{tool}` and `{prompt}` stand for one percent-encoded segment, `{file}` for what is left, be it nothing.
#[derive(Debug)]
struct Route {
    method: Method,
    path: &'static str,
    endpoint: Endpoint,
}

/// Every route. The first that fits counts; those that are asked for most come first.
const ROUTES: &[Route] = &[
    post("/api/mcp/{server}/tools/{tool}/execute", Endpoint::Execute),
    get(
        "/api/mcp/{server}/tools/{tool}/execute",
        Endpoint::ExecuteByQuery,
    ),
    post("/api/mcp/{server}/call", Endpoint::CallTool),
    get("/api/mcp/{server}/tools", Endpoint::ListTools),
    get("/api/mcp/{server}/tools/{tool}", Endpoint::FindTool),
    post("/api/mcp/{server}/initialize", Endpoint::Initialize),
    delete("/api/mcp/{server}/session", Endpoint::EndSession),
    post("/api/mcp/{server}/ping", Endpoint::Ping),
    post("/api/mcp/{server}/rpc", Endpoint::Rpc),
    get("/api/mcp/{server}/resources", Endpoint::ListResources),
    get("/api/mcp/{server}/resources/read", Endpoint::ReadResource),
    get(
        "/api/mcp/{server}/resources/templates",
        Endpoint::ListTemplates,
    ),
    get(
        "/api/mcp/{server}/resources/templates/expand",
        Endpoint::ExpandTemplate,
    ),
    get("/api/mcp/{server}/prompts", Endpoint::ListPrompts),
    post(
        "/api/mcp/{server}/prompts/{prompt}/get",
        Endpoint::GetPrompt,
    ),
    post("/api/mcp/{server}/complete", Endpoint::Complete),
    get("/api/mcp/{server}/openapi.json", Endpoint::OpenApiOfServer),
    get("/api/mcp/{server}/docs", Endpoint::PageOfServer),
    post("/api/batch", Endpoint::Batch),
    get("/api/tools", Endpoint::FindTools),
    get("/api/openapi.json", Endpoint::OpenApiOfAll),
    get("/api/list-servers", Endpoint::ListServers),
    get("/health", Endpoint::Health),
    get("/livez", Endpoint::Live),
    get("/readyz", Endpoint::Ready),
    get("/openapi.json", Endpoint::OpenApi),
    get("/swagger-ui/{file}", Endpoint::SwaggerUi),
];

/// The segments of each route's path, in the same order.
static SEGMENTS: LazyLock<Vec<Vec<&str>>> = LazyLock::new(|| {
    let paths = ROUTES.iter().map(|route| route.path);
    paths.map(|path| path.split('/').collect()).collect()
});

/// Every route's method and path.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES
        .iter()
        .map(|route| (route.method.as_str(), route.path))
}

const fn get(path: &'static str, endpoint: Endpoint) -> Route {
    route(Method::GET, path, endpoint)
}

const fn post(path: &'static str, endpoint: Endpoint) -> Route {
    route(Method::POST, path, endpoint)
}

const fn delete(path: &'static str, endpoint: Endpoint) -> Route {
    route(Method::DELETE, path, endpoint)
}

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        method,
        path,
        endpoint,
    }
}

/// Answers every request there is: with what its endpoint says, or with the problem that kept it from that.
pub async fn serve(state: Rc<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mut context = Context::new(&state, &request, payload);
    let under_way = context.exchange.begin();
    let outcome = AssertUnwindSafe(answer(&mut context)).catch_unwind().await;
    let response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => problem(&mut context, &error),
        // The panic hook has written what happened; without this the caller would see a dropped connection.
        Err(_) => problem(&mut context, &Error::Internal),
    };
    let response = in_pieces(&mut context, response);
    let mut response = access_log::finish(&context, response);
    // HTTP/1.0 knows no chunks: there, the end of the connection is the end of what comes piece by piece.
    let ends_with_connection =
        request.head().version == Version::HTTP_10 && response.body().size() == BodySize::Stream;
    // Whoever offers another protocol (Java's client: h2c) is not told otherwise that the connection is not kept.
    let is_last = state.shutdown.is_closing()
        || context.exchange.is_scarce()
        || request.head().upgrade()
        || ends_with_connection;
    if is_last {
        let head = response.head_mut();
        head.set_connection_type(ConnectionType::Close);
        head.no_chunking(ends_with_connection);
    }
    if let Some(unread) = context.payload.take() {
        context.exchange.leave_unread(unread);
    }
    under_way.until_sent(response)
}

/// The response that tells an error; its code is noted for the log.
fn problem(context: &mut Context<'_>, error: &Error) -> HttpResponse {
    let (response, code) = json::problem(error, context.about(), context.state.pool.budget());
    context.code = Some(code);
    response
}

/// A large answer is written in pieces, and counts until the caller has taken them all.
fn in_pieces(context: &mut Context<'_>, response: HttpResponse) -> HttpResponse {
    let head = match json::in_pieces(context.state.pool.budget(), response) {
        Ok(response) => return response,
        Err(head) => head,
    };
    // There is an answer: whoever was asked for it has given it.
    let executed = if context.has_asked() {
        Executed::Yes
    } else {
        Executed::No
    };
    let mut response = problem(context, &Error::NoRoom(executed));
    // The session is the caller's all the same.
    if let Some(session) = head.headers().get(SESSION_ID) {
        let session = session.clone();
        response.headers_mut().insert(SESSION_ID, session);
    }
    response
}

async fn answer(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let (route, captures) = find(context.request.method(), context.request.uri().path())?;
    context.route = route.path;
    if context.exchange.is_scarce() && route.endpoint != Endpoint::Live {
        return Err(Error::Scarce);
    }
    cross_site::check(context)?;
    // A browser that opens a page sends no key; what the page shows, it asks for with one.
    if route.path.starts_with("/api/") && route.endpoint != Endpoint::PageOfServer {
        auth::check_key(&context.state.settings.keys, context.request.headers())?;
    }
    context.read_target(captures)?;
    match route.endpoint {
        Endpoint::Execute => tools::execute(context).await,
        Endpoint::ExecuteByQuery => tools::execute_by_query(context).await,
        Endpoint::CallTool => tools::call(context).await,
        Endpoint::ListTools => tools::list(context).await,
        Endpoint::FindTool => tools::find(context).await,
        Endpoint::FindTools => find_tools::find(context).await,
        Endpoint::Batch => batch::batch(context).await,
        Endpoint::Initialize => session::initialize(context).await,
        Endpoint::EndSession => session::end(context).await,
        Endpoint::Ping => session::ping(context).await,
        Endpoint::Rpc => Ok(rpc::rpc(context).await),
        Endpoint::ListResources => resources::list(context).await,
        Endpoint::ListTemplates => resources::list_templates(context).await,
        Endpoint::ExpandTemplate => resources::expand(context),
        Endpoint::ReadResource => resources::read(context).await,
        Endpoint::ListPrompts => prompts::list(context).await,
        Endpoint::GetPrompt => prompts::get(context).await,
        Endpoint::Complete => prompts::complete(context).await,
        Endpoint::ListServers => Ok(list_servers::list_servers(context)),
        Endpoint::Health => Ok(health::health(context)),
        Endpoint::Live => Ok(health::live()),
        Endpoint::Ready => health::ready(context),
        Endpoint::OpenApi => docs::openapi(context),
        Endpoint::OpenApiOfServer => docs::openapi_of_server(context).await,
        Endpoint::OpenApiOfAll => docs::openapi_of_all(context).await,
        Endpoint::PageOfServer => docs::page_of_server(context),
        Endpoint::SwaggerUi => docs::swagger_ui(context),
    }
}

/// The route for a request. HEAD is answered like GET; the body is left out on the wire.
fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Route, Captures<'p>), Error> {
    let wanted = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let path = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path,
    };
    let mut allowed = Vec::new();
    for (route, pattern) in ROUTES.iter().zip(SEGMENTS.iter()) {
        if let Some(captures) = captures(pattern, path) {
            if route.method == *wanted {
                return Ok((route, captures));
            }
            allowed.push(route.method.clone());
        }
    }
    if allowed.is_empty() {
        return Err(Error::RouteNotFound);
    }
    if allowed.contains(&Method::GET) {
        allowed.push(Method::HEAD);
    }
    Err(Error::MethodNotAllowed(allowed))
}

/// The segments of `path` that stand for something, if it fits `pattern`.
fn captures<'p>(pattern: &[&str], path: &'p str) -> Option<Captures<'p>> {
    let mut captures = Captures::default();
    let mut rest = Some(path);
    for expected in pattern {
        if *expected == "{file}" {
            captures.file = Some(rest.unwrap_or_default());
            return Some(captures);
        }
        let left = rest?;
        let (segment, after) = match memchr::memchr(b'/', left.as_bytes()) {
            Some(end) => (left.get(..end)?, left.get(end + 1..)),
            None => (left, None),
        };
        rest = after;
        match *expected {
            "{server}" => captures.server = Some(segment),
            "{tool}" => captures.tool = Some(segment),
            "{prompt}" => captures.prompt = Some(segment),
            _ if *expected == segment => {}
            _ => return None,
        }
    }
    rest.is_none().then_some(captures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(method: &Method, path: &str) -> Option<Endpoint> {
        find(method, path).ok().map(|(route, _)| route.endpoint)
    }

    #[test]
    fn paths_lead_to_endpoints() {
        let found = |path| endpoint(&Method::GET, path);
        assert_eq!(found("/api/mcp/a/tools"), Some(Endpoint::ListTools));
        assert_eq!(found("/api/mcp/a/tools/"), Some(Endpoint::ListTools));
        assert_eq!(found("/api/mcp/a/tools/b%2Fc"), Some(Endpoint::FindTool));
        assert_eq!(found("/swagger-ui"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/swagger-ui/"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/swagger-ui/index.css"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/health"), Some(Endpoint::Health));
        for nowhere in [
            "/",
            "",
            "//",
            "/api",
            "/api/mcp/a",
            "/api/mcp/a/tools/b/c",
            "/health/x/y",
            "/healthx",
        ] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
        assert_eq!(endpoint(&Method::HEAD, "/health"), Some(Endpoint::Health));
    }

    #[test]
    fn captures_are_raw_segments() {
        let path = "/api/mcp/My%20Server/tools/a%2Fb/execute";
        let (_, captures) = find(&Method::POST, path).unwrap();
        assert_eq!(captures.server, Some("My%20Server"));
        assert_eq!(captures.tool, Some("a%2Fb"));
        let (_, captures) = find(&Method::GET, "/swagger-ui/a/b.js").unwrap();
        assert_eq!(captures.file, Some("a/b.js"));
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let Err(Error::MethodNotAllowed(allowed)) = find(&Method::PUT, "/health") else {
            unreachable!("PUT is not allowed there");
        };
        assert_eq!(allowed, [Method::GET, Method::HEAD]);
    }
}
