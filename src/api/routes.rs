//! Every route: method, path, access and handler, one row each, from which the dispatch and the OpenAPI paths are made.
//!
//! Routing is by hand: it sees the raw path, knows 405 with `Allow`, and costs less than a router of regular expressions.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::Method;

use crate::api::error::kinds::Error;
use crate::api::handlers::{
    batch, call_tools, docs, find_tools, health, list_servers, pages, prompts, resources, rpc,
    server, session, tools,
};
use crate::api::near_routes::near;
use crate::api::request::context::{Captures, Context};
use crate::api::request::cors::is_preflight;
use crate::api::request::{auth, cross_site};
use crate::api::response::cors;

/// Who may use a route, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Callers with an API key, where keys are configured.
    Key,
    /// Everyone, though the route is among those for keys: a browser opens a page without one, and the page asks for the key.
    Page,
    /// Everyone.
    Public,
    /// Everyone, and also while file descriptors are scarce.
    Liveness,
}

/// A route: `{server}`, `{tool}` and `{prompt}` stand for one percent-encoded segment, `{file}` for the rest, which may be empty.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    endpoint: Endpoint,
}

/// Makes the table, the dispatch and the OpenAPI paths of the rows. A future of its own for each handler, boxed or nested,
/// would cost every call.
macro_rules! routes {
    ($($endpoint:ident: $method:ident $path:literal, $access:ident => $family:ident::$handler:ident;)+) => {
        /// The handler of a route.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Endpoint {
            $($endpoint),+
        }

        /// The rows, in the order of the OpenAPI document.
        pub(crate) static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: Access::$access,
            endpoint: Endpoint::$endpoint,
        }),+];

        /// The handlers' own descriptions (`#[utoipa::path]`).
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($family::$handler),+))]
        pub(crate) struct Operations;

        /// Finds the route, checks access and calls the handler.
        pub(crate) async fn answer(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
            if *context.request.method() == Method::OPTIONS && is_preflight(context) {
                return preflight(context);
            }
            match admit(context)? {
                $(Endpoint::$endpoint => $family::$handler(context).await,)+
            }
        }
    };
}

routes! {
    ListServers: GET "/api/list-servers", Key => list_servers::list_servers;
    DescribeServer: GET "/api/mcp/{server}", Key => server::describe;
    ListTools: GET "/api/mcp/{server}/tools", Key => tools::list;
    FindTool: GET "/api/mcp/{server}/tools/{tool}", Key => tools::find;
    Execute: POST "/api/mcp/{server}/tools/{tool}/execute", Key => tools::execute;
    ExecuteByQuery: GET "/api/mcp/{server}/tools/{tool}/execute", Key => tools::execute_by_query;
    CallTool: POST "/api/mcp/{server}/call", Key => tools::call;
    FindTools: GET "/api/tools", Key => find_tools::find;
    Batch: POST "/api/batch", Key => batch::batch;
    CallTools: POST "/api/call-tools", Key => call_tools::call_tools;
    Initialize: POST "/api/mcp/{server}/initialize", Key => session::initialize;
    EndSession: DELETE "/api/mcp/{server}/session", Key => session::end;
    Ping: POST "/api/mcp/{server}/ping", Key => session::ping;
    Rpc: POST "/api/mcp/{server}/rpc", Key => rpc::rpc;
    ListResources: GET "/api/mcp/{server}/resources", Key => resources::list;
    ListTemplates: GET "/api/mcp/{server}/resources/templates", Key => resources::list_templates;
    ExpandTemplate: GET "/api/mcp/{server}/resources/templates/expand", Key => resources::expand;
    ReadResource: GET "/api/mcp/{server}/resources/read", Key => resources::read;
    ListPrompts: GET "/api/mcp/{server}/prompts", Key => prompts::list;
    GetPrompt: POST "/api/mcp/{server}/prompts/{prompt}/get", Key => prompts::get;
    Complete: POST "/api/mcp/{server}/complete", Key => prompts::complete;
    Health: GET "/health", Public => health::health;
    Live: GET "/livez", Liveness => health::live;
    Ready: GET "/readyz", Public => health::ready;
    Home: GET "/", Public => pages::home;
    Docs: GET "/docs", Public => pages::docs;
    OpenApi: GET "/openapi.json", Public => docs::openapi;
    OpenApiYaml: GET "/openapi.yaml", Public => docs::openapi_yaml;
    OpenApiOfAll: GET "/api/openapi.json", Key => docs::openapi_of_all;
    OpenApiOfAllYaml: GET "/api/openapi.yaml", Key => docs::openapi_of_all_yaml;
    OpenApiOfServer: GET "/api/mcp/{server}/openapi.json", Key => docs::openapi_of_server;
    OpenApiOfServerYaml: GET "/api/mcp/{server}/openapi.yaml", Key => docs::openapi_of_server_yaml;
    PageOfServer: GET "/api/mcp/{server}/docs", Page => pages::page_of_server;
    SwaggerUi: GET "/swagger-ui/{file}", Public => pages::swagger_ui;
}

/// Every route's method and path.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES
        .iter()
        .map(|route| (route.method.as_str(), route.path))
}

/// Checks a request before its handler reads it: the route, free descriptors, no cross-site request, the key, and a path and a query
/// that can be decoded.
fn admit(context: &mut Context<'_>) -> Result<Endpoint, Error> {
    let (route, captures) = find(context.request.method(), context.request.uri().path())?;
    context.route = route.path;
    if context.exchange.is_scarce() && route.access != Access::Liveness {
        return Err(Error::NoDescriptors);
    }
    cross_site::check(context)?;
    if route.access == Access::Key {
        auth::check_key(&context.state.settings.keys, context.request.headers())?;
    }
    context.read_target(captures)?;
    Ok(route.endpoint)
}

/// Answers what a browser asks before it sends a request of another site's page. It needs no key, for it runs nothing.
fn preflight(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    match find(context.request.method(), context.request.uri().path()) {
        Err(Error::MethodNotAllowed(methods)) => cors::preflight(context, &methods),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Internal),
    }
}

// === finding a route ===

/// The path of a route, taken apart.
struct Pattern {
    /// How many slashes it has; `None` where it ends with `{file}`.
    slashes: Option<usize>,
    /// The text before the first variable.
    start: &'static str,
    /// Each variable, and the text that follows it.
    variables: Vec<(&'static str, &'static str)>,
}

static PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| ROUTES.iter().map(|route| Pattern::of(route.path)).collect());

/// The route for a request. HEAD is answered like GET; the body is left out on the wire.
fn find<'p>(method: &Method, path: &'p str) -> Result<(&'static Route, Captures<'p>), Error> {
    let wanted = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let path = match path.strip_suffix('/') {
        Some(shorter) if shorter.len() > 1 => shorter,
        _ => path,
    };
    let slashes = memchr::memchr_iter(b'/', path.as_bytes()).count();
    let mut allowed = Vec::new();
    for (route, pattern) in ROUTES.iter().zip(PATTERNS.iter()) {
        if pattern.slashes.is_some_and(|expected| expected != slashes) {
            continue;
        }
        if let Some(captures) = pattern.captures(path) {
            if route.method == *wanted {
                return Ok((route, captures));
            }
            allowed.push(route.method.clone());
        }
    }
    if allowed.is_empty() {
        let rows = ROUTES.iter().map(|route| (&route.method, route.path));
        return Err(Error::RouteNotFound(near(rows, wanted, path)));
    }
    if allowed.contains(&Method::GET) {
        allowed.push(Method::HEAD);
    }
    Err(Error::MethodNotAllowed(allowed))
}

impl Pattern {
    fn of(path: &'static str) -> Self {
        let (fixed, takes_rest) = match path.strip_suffix("/{file}") {
            Some(root) => (root, true),
            None => (path, false),
        };
        let mut parts = fixed.split('{');
        let start = parts.next().unwrap_or_default();
        Self {
            slashes: (!takes_rest).then(|| path.matches('/').count()),
            start,
            variables: parts.filter_map(|part| part.split_once('}')).collect(),
        }
    }

    /// The variables of `path`, if it matches this pattern.
    fn captures<'p>(&self, path: &'p str) -> Option<Captures<'p>> {
        let mut captures = Captures::default();
        let mut rest = path.strip_prefix(self.start)?;
        for (name, after) in &self.variables {
            let end = memchr::memchr(b'/', rest.as_bytes()).unwrap_or(rest.len());
            let (segment, left) = rest.split_at_checked(end)?;
            rest = left.strip_prefix(after)?;
            match *name {
                "server" => captures.server = Some(segment),
                "tool" => captures.tool = Some(segment),
                _ => captures.prompt = Some(segment),
            }
        }
        if self.slashes.is_none() && !rest.is_empty() {
            captures.file = Some(rest.strip_prefix('/')?);
            return Some(captures);
        }
        rest.is_empty().then_some(captures)
    }
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
        assert_eq!(found("/api/mcp/a"), Some(Endpoint::DescribeServer));
        assert_eq!(found("/"), Some(Endpoint::Home));
        assert_eq!(found("/swagger-ui"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/swagger-ui/"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/swagger-ui/index.css"), Some(Endpoint::SwaggerUi));
        assert_eq!(found("/health"), Some(Endpoint::Health));
        for nowhere in [
            "",
            "//",
            "/api",
            "/api/mcp/",
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
