//! Shutdown without a lost request: how far it has come, which connections are open, and the listening port.
//!
//! Three steps, in this order. First the process is not ready, while everything is still served: load balancers that ask for
//! readiness send requests elsewhere. Then it stops to listen, so that new connections are refused, which a client can tell from a
//! failure: a request that was never sent can be sent to another replica. Only then is every connection closed after its
//! next response, since a client replaces a closed connection by a new one. `stop_on_signal` takes these steps.

use std::future::poll_fn;
use std::net::TcpListener;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_rt::signal::unix::{Signal, SignalKind, signal};
use actix_rt::time::sleep;
use actix_web::dev::ServerHandle;
use socket2::SockRef;
use tokio::sync::watch;

use crate::logging;

/// The time in which all connections that were established before new ones are dropped have been accepted.
const ACCEPT_TIME: Duration = Duration::from_millis(20);
/// The time in which the server has paused, after it was told to accept no more.
const PAUSE_TIME: Duration = Duration::from_millis(5);
/// The time for connections to close after their next response, before idle ones are closed.
const KEEP_ALIVE_TIME: Duration = Duration::from_millis(500);
/// The part of the shutdown in which sessions are ended; half of it where it is short.
const SESSION_TIME: Duration = Duration::from_secs(5);
/// The time in which a repeated signal is the same one.
const REPEAT_TIME: Duration = Duration::from_millis(500);
/// The interval at which the number of open connections is read.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How far the shutdown of this process has come. Shared by all workers.
#[derive(Debug, Default)]
pub struct Shutdown {
    stage: AtomicU8,
    connections: AtomicUsize,
    /// Whether idle connections are closed.
    close_idle: watch::Sender<bool>,
}

const NOT_READY: u8 = 1;
const CLOSING: u8 = 2;

/// An open connection from a client; counted until dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<Shutdown>);

/// A second handle of the listening socket, to stop it from outside its server.
#[derive(Debug)]
pub struct Port(TcpListener);

// === impl Shutdown ===

impl Shutdown {
    /// Makes this process not ready.
    pub fn begin(&self) {
        self.stage.fetch_max(NOT_READY, Ordering::Relaxed);
    }

    /// Ends keep-alive: every connection is closed after its next response.
    pub fn end_keep_alive(&self) {
        self.stage.fetch_max(CLOSING, Ordering::Relaxed);
    }

    /// Whether requests should go to this process.
    pub fn is_ready(&self) -> bool {
        self.stage.load(Ordering::Relaxed) < NOT_READY
    }

    /// Whether connections are closed after their next response.
    pub fn is_closing(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == CLOSING
    }

    /// Closes every idle connection, and every other one after its response.
    pub fn close_idle(&self) {
        self.close_idle.send_replace(true);
    }

    /// Waits for [`Shutdown::close_idle`].
    pub fn idle_closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closed = self.close_idle.subscribe();
        async move {
            // The sender lives as long as connections are counted.
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// Counts a connection until the returned guard is dropped.
    pub fn count_connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// Waits until no connection is open, or until `deadline`.
    pub async fn wait_for_connections(&self, deadline: Instant) {
        while self.connections.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Port ===

impl Port {
    /// The port of a listener that is then given to a server.
    pub fn of(listener: &TcpListener) -> std::io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Drops the packets of new connections: their clients get no answer, try again after a second, and are refused then.
    /// Connections that are established already can still be accepted.
    ///
    /// Without this, a connection made between the last accept and the end of listening would be reset with a request in it.
    pub fn drop_new_connections(&self) {
        #[cfg(target_os = "linux")]
        {
            use socket2::SockFilter;
            // A program for the packet filter: keep no byte of any packet.
            const RETURN: u16 = 0x06;
            let nothing = [SockFilter::new(RETURN, 0, 0, 0)];
            if let Err(error) = SockRef::from(&self.0).attach_filter(&nothing) {
                log::debug!("new connections are still accepted: {error}");
            }
        }
    }

    /// Stops listening: new connections are refused.
    pub fn close(&self) {
        if let Err(error) = SockRef::from(&self.0).shutdown(std::net::Shutdown::Both) {
            log::debug!("the port stays open: {error}");
        }
    }
}

// === Signals ===

/// Waits for a signal and shuts the service down: at once after SIGINT, since somebody waits at a terminal; else after
/// `delay`. From then on all ends within `time`; the moment of that end is returned. A second signal ends the process at once,
/// unless it repeats the first within [`REPEAT_TIME`].
pub(crate) async fn stop_on_signal(
    mut signals: Signals,
    shutdown: Arc<Shutdown>,
    port: Port,
    server: ServerHandle,
    (delay, time): (Duration, Duration),
) -> Instant {
    let first = signals.next().await;
    let told = Instant::now();
    shutdown.begin();
    log::info!("stopping: calls in flight are finished; a second signal stops at once");
    actix_rt::spawn(async move {
        let second = signals.next_after(first, told).await;
        log::warn!("stopped at once; calls and sessions are left as they are");
        logging::finish();
        exit(128 + second.as_raw_value());
    });
    if first != SignalKind::interrupt() {
        sleep(delay).await;
    }
    let now = Instant::now();
    let calls_end = now + time.saturating_sub(SESSION_TIME).max(time / 2);
    port.drop_new_connections();
    sleep(ACCEPT_TIME).await;
    server.pause().await;
    sleep(PAUSE_TIME).await;
    port.close();
    shutdown.end_keep_alive();
    shutdown
        .wait_for_connections(calls_end.min(now + KEEP_ALIVE_TIME))
        .await;
    shutdown.close_idle();
    shutdown.wait_for_connections(calls_end).await;
    // What still runs is dropped, and thereby cancelled.
    server.stop(false).await;
    now + time
}

/// The signals that stop the process.
pub(crate) struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// SIGHUP asks a service to reload its configuration; this one cannot, so it stops and is restarted instead.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
        if !is_hangup_ignored() {
            kinds.push(SignalKind::hangup());
        }
        let listening = kinds.into_iter().map(|kind| Ok((kind, signal(kind)?)));
        listening.collect::<std::io::Result<_>>().map(Self)
    }

    /// The next signal that is meant as one of its own. A terminal that closes may send SIGHUP twice, and Ctrl-C reaches a process from
    /// the terminal and once more from the program that started it (npm, make).
    async fn next_after(&mut self, first: SignalKind, told: Instant) -> SignalKind {
        loop {
            let kind = self.next().await;
            let repeated = kind == first && told.elapsed() < REPEAT_TIME;
            if kind != SignalKind::hangup() && !repeated {
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

/// Whether SIGHUP is ignored, as `nohup` does for a process that shall outlive its terminal.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[actix_rt::test]
    async fn a_port_is_closed_without_its_established_connections() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let port = Port::of(&listener).unwrap();
        let mut early = TcpStream::connect(address).unwrap();
        port.drop_new_connections();
        let (mut accepted, _) = listener.accept().unwrap();
        let waiting = TcpStream::connect_timeout(&address, Duration::from_millis(50));
        if cfg!(target_os = "linux") {
            assert_eq!(waiting.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        port.close();
        let late = TcpStream::connect(address);
        assert_eq!(late.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        early.write_all(b"x").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
    }

    #[actix_rt::test]
    async fn connections_are_waited_for() {
        let shutdown = Arc::new(Shutdown::default());
        let connection = shutdown.count_connection();
        shutdown.wait_for_connections(Instant::now()).await;
        actix_rt::spawn(async move { drop(connection) });
        let later = Instant::now() + Duration::from_secs(3600);
        shutdown.wait_for_connections(later).await;
    }
}
