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
use actix_web::{App, HttpServer, dev::Server, web};

use crate::api::{self, Gateway};
use crate::drain::Drain;
use crate::mcp::client::{Pool, Queue, Shared};
use crate::mcp::sessions::{Keeper, Sessions};
use crate::mcp::transport::{Transport, tls};
use crate::servers::Servers;
use crate::settings::Settings;

/// From the order to stop listening until that is surely done. A connection that is told to end before would come back
/// as a new one, just when new ones are turned away.
const UNTIL_LISTENING_ENDS: Duration = Duration::from_millis(100);

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
        let (sessions, keeper) = Sessions::start(Transport::new(Arc::clone(&tls), settings.limits));
        let queue = Queue {
            length: settings.limits.queued,
            patience: settings.queue,
        };
        let shared = Arc::new(Shared::new(&servers, queue, sessions));
        let settings = Arc::new(settings);
        let servers = Arc::new(servers);
        let drain = Arc::new(Drain::default());
        let workers = settings.workers;
        // actix counts in whole seconds.
        let shutdown_timeout =
            settings.drain.as_secs() + u64::from(settings.drain.subsec_nanos() > 0);
        let told_to_stop = told_to_stop(Arc::clone(&drain), settings.drain_delay)?;

        let factory = move || {
            let transport = Transport::new(Arc::clone(&tls), settings.limits);
            let gateway = Rc::new(Gateway {
                settings: Arc::clone(&settings),
                servers: Arc::clone(&servers),
                pool: Pool::new(transport, Arc::clone(&shared)),
                openapi: openapi.clone(),
                drain: Arc::clone(&drain),
            });
            App::new().default_service(web::to(move |request, payload| {
                api::serve(Rc::clone(&gateway), request, payload)
            }))
        };
        let mut http = HttpServer::new(factory)
            .shutdown_signal(told_to_stop)
            // Without it a streamed answer waits 40 ms for the caller's acknowledgement.
            .tcp_nodelay(true)
            // A caller that goes away ends its handler: what the handler holds is then cancelled and closed.
            .h1_allow_half_closed(false)
            .shutdown_timeout(shutdown_timeout);
        if workers > 0 {
            http = http.workers(workers);
        }
        Ok(Self {
            server: http.listen(listener)?.run(),
            keeper,
        })
    }

    /// Runs until SIGTERM or SIGINT; calls in flight finish, and the sessions still open are ended.
    pub async fn run(self) -> std::io::Result<()> {
        let outcome = self.server.await;
        self.keeper.finish().await;
        outcome
    }
}

/// Resolves when it is time to listen no more: `delay` after SIGTERM, at once after SIGINT, for then somebody waits at a
/// terminal. Signals are listened for from this moment on, not only once the server runs: whoever has read that the service
/// listens may stop it. A second one ends the process then and there.
fn told_to_stop(drain: Arc<Drain>, delay: Duration) -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    Ok(async move {
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
        actix_rt::spawn(async move {
            sleep(UNTIL_LISTENING_ENDS).await;
            drain.close();
        });
    })
}

/// The signals that ask a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
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
