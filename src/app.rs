//! The running service: built from a listener, settings and servers; run until it is told to stop, then drained.

use std::future::{poll_fn, ready};
use std::net::TcpListener;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_rt::net::TcpStream;
use actix_rt::signal::unix::{Signal, SignalKind, signal};
use actix_rt::task::JoinHandle;
use actix_rt::time::sleep;
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Extensions, Server, ServerHandle};
use actix_web::{App, Error, web};

use crate::api::document::document;
use crate::api::serve;
use crate::api::state::State;
use crate::api::tool_docs::common::Common;
use crate::caller_connection::{CallerConnection, HEAD};
use crate::config::servers::Servers;
use crate::config::settings::Settings;
use crate::logging;
use crate::mcp::client::pool::Pool;
use crate::mcp::concurrency_limit::Queue;
use crate::mcp::http::connections::tls;
use crate::mcp::http::transport::Transport;
use crate::mcp::limits::Budget;
use crate::mcp::server_state::Upstreams;
use crate::mcp::sessions::{Keeper, Sessions};
use crate::schema::validate::Validators;
use crate::shutdown::{Port, Shutdown};

/// From turning newcomers away until all who were there before are surely accepted.
const UNTIL_ACCEPTED: Duration = Duration::from_millis(20);
/// From the order to accept no more until that is surely obeyed.
const UNTIL_OBEYED: Duration = Duration::from_millis(5);
/// How long connections may take to end with their next answer, before those that have none to come are closed.
const WINDING_DOWN: Duration = Duration::from_millis(500);
/// How long an answer that was sent before its request had come whole stays readable before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// What is kept of the time for leaving to end sessions in; half of it where it is short.
const FOR_SESSIONS: Duration = Duration::from_secs(5);
/// Longer than load balancers keep idle connections (60 s, mostly): whoever closes first must be the one who sends requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The service, ready to run.
pub struct Application {
    server: Server,
    /// Ends with the moment by which the process is to end.
    stopping: JoinHandle<Instant>,
    keeper: Keeper,
}

impl Application {
    /// Builds the service on `listener`. Must be called on an actix runtime, whose thread then keeps the sessions.
    pub fn build(
        listener: TcpListener,
        settings: Settings,
        servers: Servers,
    ) -> std::io::Result<Self> {
        let tls = tls().map_err(std::io::Error::other)?;
        let openapi = document().map_err(std::io::Error::other)?;
        let common = Arc::new(Common::of(&serde_json::from_slice(&openapi)?));
        let budget = Budget::new(settings.limits.buffered_bytes);
        let transport = Transport::new(Arc::clone(&tls), settings.limits, budget.clone());
        let (sessions, keeper) = Sessions::start(transport);
        let queue = Queue {
            length: settings.limits.queued,
            timeout: settings.queue,
        };
        let settings = Arc::new(settings);
        let servers = Arc::new(Upstreams::new(&servers, queue));
        let shutdown = Arc::new(Shutdown::default());
        let validators = Arc::new(Validators::default());
        let workers = settings.workers;
        let time = (settings.drain_delay, settings.drain);
        let longest_stall = settings.stall;
        // From this moment on, not only once the server runs: whoever has read that it listens may stop it.
        let signals = Signals::listen()?;
        let port = Port::of(&listener)?;
        let stopping = Arc::clone(&shutdown);

        let factory = move || {
            let transport = Transport::new(Arc::clone(&tls), settings.limits, budget.clone());
            let state = Rc::new(State {
                settings: Arc::clone(&settings),
                servers: Arc::clone(&servers),
                pool: Pool::new(transport, sessions.clone()),
                openapi: openapi.clone(),
                common: Arc::clone(&common),
                validators: Arc::clone(&validators),
                shutdown: Arc::clone(&shutdown),
            });
            let app = App::new().default_service(web::to(move |request, payload| {
                serve::serve(Rc::clone(&state), request, payload)
            }));
            let app = app
                .into_factory()
                .map_err(|error: Error| error.error_response());
            let idle = Arc::clone(&shutdown);
            let http = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(HEAD)
                .client_disconnect_timeout(LINGER)
                // A caller that goes away ends its handler: what the handler holds is then cancelled and closed.
                .h1_allow_half_closed(false)
                .graceful_shutdown_signal(move || idle.idle_closed())
                .on_connect_ext(|connection: &CallerConnection, to: &mut Extensions| {
                    to.insert(connection.exchange().clone());
                })
                .h1(map_config(app, |()| AppConfig::default()));
            let counting = Arc::clone(&shutdown);
            let accept = move |stream: TcpStream| {
                let caller = stream.peer_addr().ok();
                let connection =
                    CallerConnection::new(stream, longest_stall, counting.count_connection());
                ready(Ok::<_, DispatchError>((connection, caller)))
            };
            fn_service(accept).and_then(http)
        };
        // Not actix-web's own server, which takes no connections but TCP streams as they are.
        let mut server = ServerBuilder::new().disable_signals();
        if workers > 0 {
            server = server.workers(workers);
        }
        let server = server.listen("callers", listener, factory)?.run();
        let stopping = stop_when_told(signals, stopping, port, server.handle(), time);
        let stopping = actix_rt::spawn(stopping);
        Ok(Self {
            server,
            stopping,
            keeper,
        })
    }

    /// Runs until it is told to stop; calls in flight finish, and the sessions still open are ended.
    pub async fn run(self) -> std::io::Result<()> {
        self.server.await?;
        // The server ends by being stopped and not otherwise.
        let end = self.stopping.await.map_err(std::io::Error::other)?;
        self.keeper.finish(end).await;
        Ok(())
    }
}

/// Waits for a signal and lets the service leave: at once after SIGINT, for then somebody waits at a terminal; after a
/// `delay` else. From then on, all is over within `drain`: what returns is the moment. A second signal ends the process
/// then and there.
async fn stop_when_told(
    mut signals: Signals,
    shutdown: Arc<Shutdown>,
    port: Port,
    server: ServerHandle,
    (delay, time): (Duration, Duration),
) -> Instant {
    let first = signals.next().await;
    shutdown.begin();
    log::info!("stopping: calls in flight are finished; a second signal stops at once");
    actix_rt::spawn(async move {
        let second = signals.next_but_hangup().await;
        log::warn!("stopped at once; calls and sessions are left as they are");
        logging::finish();
        exit(128 + second.as_raw_value());
    });
    if first != SignalKind::interrupt() {
        sleep(delay).await;
    }
    let now = Instant::now();
    let calls_end = now + time.saturating_sub(FOR_SESSIONS).max(time / 2);
    port.drop_new_connections();
    sleep(UNTIL_ACCEPTED).await;
    server.pause().await;
    sleep(UNTIL_OBEYED).await;
    port.close();
    shutdown.end_keep_alive();
    shutdown
        .wait_for_connections(calls_end.min(now + WINDING_DOWN))
        .await;
    shutdown.close_idle();
    shutdown.wait_for_connections(calls_end).await;
    // What still runs is dropped, and thereby cancelled.
    server.stop(false).await;
    now + time
}

/// The signals that ask a process to stop.
struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// SIGHUP asks services to read their configuration anew; as long as this one cannot, it is started anew instead.
    fn listen() -> std::io::Result<Self> {
        let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
        if !is_hangup_ignored() {
            kinds.push(SignalKind::hangup());
        }
        let listening = kinds.into_iter().map(|kind| Ok((kind, signal(kind)?)));
        listening.collect::<std::io::Result<_>>().map(Self)
    }

    /// A terminal that closes may say so twice.
    async fn next_but_hangup(&mut self) -> SignalKind {
        loop {
            let kind = self.next().await;
            if kind != SignalKind::hangup() {
                return kind;
            }
        }
    }

    async fn next(&mut self) -> SignalKind {
        poll_fn(|context| {
            for (kind, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*kind);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Whether whoever has started this process wants it to outlive its terminal, as `nohup` does: then SIGHUP is ignored.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
