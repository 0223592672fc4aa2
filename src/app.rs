//! The running service: built from a listener, settings and servers, run until a signal stops it. How it shuts down is in `shutdown`.

use std::future::ready;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_rt::net::TcpStream;
use actix_rt::task::JoinHandle;
use actix_server::ServerBuilder;
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::dev::{AppConfig, Extensions, Server};
use actix_web::{App, Error, web};
use bytes::Bytes;

use crate::api::openapi::common::Common;
use crate::api::serve;
use crate::api::state::State;
use crate::caller_connection::{CallerConnection, HEAD_TIMEOUT};
use crate::config::outbound::Outbound;
use crate::config::servers::Servers;
use crate::config::settings::Settings;
use crate::mcp::client::pool::Pool;
use crate::mcp::concurrency_limit::Queue;
use crate::mcp::http::connections::Way;
use crate::mcp::http::transport::Transport;
use crate::mcp::limits::Budget;
use crate::mcp::server_state::Upstreams;
use crate::mcp::sessions::{self, SessionTask};
use crate::schema::validate::Validators;
use crate::shutdown::{Port, Shutdown, Signals, stop_on_signal};

/// How long a response that was sent before its request was complete stays readable before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// Longer than load balancers keep idle connections (60 s, mostly): the side that sends requests must be the one that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The OpenAPI document of this service. A test makes it anew from the routes (`api::document`) and compares; to do so in every process
/// would take two megabytes of code.
const OPENAPI: &[u8] = include_bytes!("../openapi/openapi.json");

/// The service, ready to run.
pub struct Application {
    server: Server,
    /// Ends with the moment by which the process has to end.
    stopping: JoinHandle<Instant>,
    session_task: SessionTask,
}

impl Application {
    /// Builds the service on `listener`. Must be called on an actix runtime, whose thread then keeps the sessions.
    pub fn build(
        listener: TcpListener,
        settings: Settings,
        servers: &Servers,
        outbound: &Outbound,
    ) -> std::io::Result<Self> {
        // From here on, not only once the server runs: a process that has printed its address may be stopped.
        let signals = Signals::listen()?;
        let port = Port::of(&listener)?;

        let way = Way::of(outbound).map_err(std::io::Error::other)?;
        let openapi = Bytes::from_static(OPENAPI);
        let common = Arc::new(Common::of(&serde_json::from_slice(&openapi)?));
        let limits = settings.limits;
        let budget = Budget::new(limits.buffered_bytes);
        let transport = move || Transport::new(way.clone(), limits, budget.clone());
        let (sessions, session_task) = sessions::start(transport());
        let queue = Queue {
            length: limits.queued,
            timeout: settings.queue,
        };
        let servers = Arc::new(Upstreams::new(servers, queue));
        let validators = Arc::new(Validators::default());
        let shutdown = Arc::new(Shutdown::default());
        let settings = Arc::new(settings);

        // Not actix-web's own server, which accepts plain TCP streams only.
        let mut server = ServerBuilder::new().disable_signals();
        if settings.workers > 0 {
            server = server.workers(settings.workers);
        }
        let times = (settings.drain_delay, settings.drain);
        let stopped = Arc::clone(&shutdown);
        let worker = move || {
            serve_connections(Rc::new(State {
                settings: Arc::clone(&settings),
                servers: Arc::clone(&servers),
                pool: Pool::new(transport(), sessions.clone()),
                openapi: openapi.clone(),
                common: Arc::clone(&common),
                validators: Arc::clone(&validators),
                shutdown: Arc::clone(&shutdown),
            }))
        };
        let server = server.listen("callers", listener, worker)?.run();
        let stopping = stop_on_signal(signals, stopped, port, server.handle(), times);
        Ok(Self {
            server,
            stopping: actix_rt::spawn(stopping),
            session_task,
        })
    }

    /// Runs until a signal stops it; calls in flight finish, and the sessions still open are ended.
    pub async fn run(self) -> std::io::Result<()> {
        self.server.await?;
        // The server ends only when it is stopped.
        let end = self.stopping.await.map_err(std::io::Error::other)?;
        self.session_task.finish(end).await;
        Ok(())
    }
}

/// The service of one worker: HTTP on every connection it accepts.
fn serve_connections(
    state: Rc<State>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let shutdown = Arc::clone(&state.shutdown);
    let idle = Arc::clone(&state.shutdown);
    let stall = state.settings.stall;
    let app = App::new().default_service(web::to(move |request, payload| {
        serve::serve(Rc::clone(&state), request, payload)
    }));
    let app = app
        .into_factory()
        .map_err(|error: Error| error.error_response());
    let http = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER)
        // A disconnect of the client ends the handler, and what the handler holds is cancelled and closed.
        .h1_allow_half_closed(false)
        .graceful_shutdown_signal(move || idle.idle_closed())
        .on_connect_ext(|connection: &CallerConnection, to: &mut Extensions| {
            to.insert(connection.exchange().clone());
        })
        .h1(map_config(app, |()| AppConfig::default()));
    let accept = move |stream: TcpStream| {
        let peer = stream.peer_addr().ok();
        let connection = CallerConnection::new(stream, stall, shutdown.count_connection());
        ready(Ok::<_, DispatchError>((connection, peer)))
    };
    fn_service(accept).and_then(http)
}
