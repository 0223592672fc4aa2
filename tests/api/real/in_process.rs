//! A server made with rmcp, the official Rust SDK, in this process: the tools that the servers in `tests/real` have.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::routing::get;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::schemars::{self, JsonSchema};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Json, ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How it treats legacy requests; modern ones never have a session.
#[derive(Clone, Copy)]
pub enum Mode {
    /// In sessions, answered as SSE. Modern ones are answered as SSE too.
    Sessions,
    /// As SSE, as are modern ones.
    StatelessSse,
    /// As JSON, as are modern ones.
    StatelessJson,
}

/// A running server; stopped when dropped.
pub struct InProcess {
    /// Where it listens.
    pub address: SocketAddr,
    _runtime: Runtime,
}

impl InProcess {
    /// Serves MCP at `/mcp`, and `{"live":N}` at `/sessions`.
    pub fn start(mode: Mode) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(axum::serve(listener, router(mode)).into_future());
        Self {
            address,
            _runtime: runtime,
        }
    }
}

fn router(mode: Mode) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(matches!(mode, Mode::Sessions))
        .with_json_response(matches!(mode, Mode::StatelessJson));
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Tools::default()), sessions.clone(), config);
    let count_sessions =
        || async move { json!({"live": sessions.sessions.read().await.len()}).to_string() };
    Router::new()
        .route_service("/mcp", service)
        .route("/sessions", get(count_sessions))
}

// === The tools ===

/// One for each session, and one for each request without a session.
#[derive(Default)]
struct Tools {
    calls: AtomicU32,
}

#[derive(Deserialize, JsonSchema)]
struct Echo {
    message: String,
}

#[derive(Deserialize, JsonSchema)]
struct Add {
    a: f64,
    b: f64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Greet {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct HeaderRegion {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[tool_router]
impl Tools {
    #[tool(description = "Returns the message unchanged")]
    async fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
        message
    }

    #[tool(description = "Adds two numbers")]
    async fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(description = "Always fails")]
    async fn fail(&self) -> Result<String, String> {
        Err("it failed".to_owned())
    }

    #[tool(name = "grüße", description = "Grüßt – 挨拶 👋")]
    async fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> String {
        format!("Grüße, {name}! 👋")
    }

    #[tool(description = "How often this session has called it")]
    async fn count(&self) -> String {
        (self.calls.fetch_add(1, Ordering::Relaxed) + 1).to_string()
    }

    #[tool(
        description = "Returns the region, which a modern client must repeat in the header Mcp-Param-Region"
    )]
    async fn header_region(
        &self,
        Parameters(HeaderRegion { region }): Parameters<HeaderRegion>,
    ) -> String {
        region
    }
}

#[tool_handler]
impl ServerHandler for Tools {}
