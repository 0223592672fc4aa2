//! The running service: built from a listener, settings and servers; run until it is told to stop, then drained.

use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_rt::signal::unix::{SignalKind, signal};
use actix_web::{App, HttpServer, dev::Server, web};

use futures::future::select;

use crate::api::{self, Gateway};
use crate::mcp::client::{Pool, Shared};
use crate::mcp::closer::Closer;
use crate::mcp::transport::{Transport, tls};
use crate::servers::Servers;
use crate::settings::Settings;

/// The service, ready to run.
pub struct Application {
    server: Server,
    closer: Closer,
}

impl Application {
    /// Builds the service on `listener`. Must be called on an actix runtime, whose thread then ends the sessions.
    pub fn build(
        listener: TcpListener,
        settings: Settings,
        servers: Servers,
    ) -> std::io::Result<Self> {
        let tls = tls().map_err(std::io::Error::other)?;
        let openapi = api::openapi::document().map_err(std::io::Error::other)?;
        let closer = Closer::start(Transport::new(Arc::clone(&tls), settings.limits));
        let shared = Arc::new(Shared::new(closer.clone()));
        let settings = Arc::new(settings);
        let servers = Arc::new(servers);
        let workers = settings.workers;
        let drain = settings.drain;

        let factory = move || {
            let transport = Transport::new(Arc::clone(&tls), settings.limits);
            let gateway = Rc::new(Gateway {
                settings: Arc::clone(&settings),
                servers: Arc::clone(&servers),
                pool: Pool::new(transport, Arc::clone(&shared)),
                openapi: openapi.clone(),
            });
            App::new().default_service(web::to(move |request, payload| {
                api::serve(Rc::clone(&gateway), request, payload)
            }))
        };
        let mut http = HttpServer::new(factory)
            .shutdown_signal(told_to_stop()?)
            // Without it a streamed answer waits 40 ms for the caller's acknowledgement.
            .tcp_nodelay(true)
            // A caller that goes away ends its handler: what the handler holds is then cancelled and closed.
            .h1_allow_half_closed(false)
            .shutdown_timeout(drain.as_secs());
        if workers > 0 {
            http = http.workers(workers);
        }
        Ok(Self {
            server: http.listen(listener)?.run(),
            closer,
        })
    }

    /// Runs until SIGTERM or SIGINT; calls in flight finish, and the sessions still open are ended.
    pub async fn run(self) -> std::io::Result<()> {
        let outcome = self.server.await;
        self.closer.flush().await;
        outcome
    }
}

/// Resolves on SIGTERM or SIGINT. They are listened for from this moment on, not only once the server runs: whoever has
/// read that the service listens may stop it.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        select(pin!(terminate.recv()), pin!(interrupt.recv())).await;
    })
}
