//! The running service: built from a listener, settings and servers; run until it is told to stop, then drained.

use std::future::poll_fn;
use std::net::TcpListener;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_rt::signal::unix::{Signal, SignalKind, signal};
use actix_rt::time::sleep;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};

use crate::api::{self, Common, Gateway, Validators};
use crate::drain::{Drain, Port};
use crate::mcp::budget::Budget;
use crate::mcp::client::{Pool, Queue, Shared};
use crate::mcp::connections::tls;
use crate::mcp::sessions::{Keeper, Sessions};
use crate::mcp::transport::Transport;
use crate::servers::Servers;
use crate::settings::Settings;

/// From turning newcomers away until all who were there before are surely accepted.
const UNTIL_ACCEPTED: Duration = Duration::from_millis(20);
/// From the order to accept no more until that is surely obeyed.
const UNTIL_OBEYED: Duration = Duration::from_millis(5);
/// How long connections may take to end with their next answer, before those that have none to come are closed.
const WINDING_DOWN: Duration = Duration::from_millis(500);
/// Longer than load balancers keep idle connections (60 s, mostly): whoever closes first must be the one who sends requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The service, ready to run.
pub struct Application {
    server: Server,
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
        let openapi = api::openapi::document().map_err(std::io::Error::other)?;
        let common = Arc::new(Common::of(&serde_json::from_slice(&openapi)?));
        let budget = Budget::new(settings.limits.buffered_bytes);
        let (sessions, keeper) = Sessions::start(Transport::new(
            Arc::clone(&tls),
            settings.limits,
            budget.clone(),
        ));
        let queue = Queue {
            length: settings.limits.queued,
            patience: settings.queue,
        };
        let shared = Arc::new(Shared::new(&servers, queue, sessions));
        let settings = Arc::new(settings);
        let servers = Arc::new(servers);
        let drain = Arc::new(Drain::default());
        let validators = Arc::new(Validators::default());
        let workers = settings.workers;
        // actix counts in whole seconds.
        let shutdown_timeout =
            settings.drain.as_secs() + u64::from(settings.drain.subsec_nanos() > 0);
        let delay = settings.drain_delay;
        // From this moment on, not only once the server runs: whoever has read that it listens may stop it.
        let signals = Signals::listen()?;
        let port = Port::of(&listener)?;
        let draining = Arc::clone(&drain);
        let counting = Arc::clone(&drain);

        let factory = move || {
            let transport = Transport::new(Arc::clone(&tls), settings.limits, budget.clone());
            let gateway = Rc::new(Gateway {
                settings: Arc::clone(&settings),
                servers: Arc::clone(&servers),
                pool: Pool::new(transport, Arc::clone(&shared)),
                openapi: openapi.clone(),
                common: Arc::clone(&common),
                validators: Arc::clone(&validators),
                drain: Arc::clone(&drain),
            });
            App::new().default_service(web::to(move |request, payload| {
                api::serve(Rc::clone(&gateway), request, payload)
            }))
        };
        let mut http = HttpServer::new(factory)
            .disable_signals()
            .keep_alive(KEEP_ALIVE)
            .on_connect(move |_, connection| {
                connection.insert(counting.admit());
            })
            // Without it a streamed answer waits 40 ms for the caller's acknowledgement.
            .tcp_nodelay(true)
            // A caller that goes away ends its handler: what the handler holds is then cancelled and closed.
            .h1_allow_half_closed(false)
            .shutdown_timeout(shutdown_timeout);
        if workers > 0 {
            http = http.workers(workers);
        }
        let server = http.listen(listener)?.run();
        let stopping = stop_when_told(signals, draining, port, server.handle(), delay);
        actix_rt::spawn(stopping);
        Ok(Self { server, keeper })
    }

    /// Runs until SIGTERM or SIGINT; calls in flight finish, and the sessions still open are ended.
    pub async fn run(self) -> std::io::Result<()> {
        let outcome = self.server.await;
        self.keeper.finish().await;
        outcome
    }
}

/// Waits for SIGTERM or SIGINT and lets the service leave: at once after SIGINT, for then somebody waits at a terminal. A
/// second signal ends the process then and there.
async fn stop_when_told(
    mut signals: Signals,
    drain: Arc<Drain>,
    port: Port,
    server: ServerHandle,
    delay: Duration,
) {
    let first = signals.next().await;
    drain.leave();
    log::info!("stopping: calls in flight are finished; a second signal stops at once");
    actix_rt::spawn(async move {
        let second = signals.next().await;
        log::warn!("stopped at once; calls and sessions are left as they are");
        exit(128 + second.as_raw_value());
    });
    if first == SignalKind::terminate() {
        sleep(delay).await;
    }
    port.turn_away();
    sleep(UNTIL_ACCEPTED).await;
    server.pause().await;
    sleep(UNTIL_OBEYED).await;
    port.close();
    drain.close();
    drain.connections_end(WINDING_DOWN).await;
    server.stop(true).await;
}

/// The signals that ask a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> SignalKind {
        poll_fn(|context| {
            if self.terminate.poll_recv(context).is_ready() {
                return Poll::Ready(SignalKind::terminate());
            }
            self.interrupt
                .poll_recv(context)
                .map(|_| SignalKind::interrupt())
        })
        .await
    }
}
