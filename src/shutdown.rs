//! How this process leaves without a request being lost on the way, and how far it has come.
//!
//! First it is not ready any more, while everything is still served: load balancers that ask go elsewhere. Then it listens
//! no more, so that the others are refused, which they can tell from a failure: a request that was never sent can be sent
//! to another replica. Only then does every connection end with its next answer, for what ends comes back as a new one.

use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use socket2::SockRef;
use tokio::sync::watch;

/// How often it is looked whether connections are left.
const GLANCE: Duration = Duration::from_millis(10);

/// How far this process is on its way out. Shared by all workers.
#[derive(Debug, Default)]
pub struct Drain {
    stage: AtomicU8,
    connections: AtomicUsize,
    /// Whether connections on which nothing is under way are closed.
    idle_end: watch::Sender<bool>,
}

const LEAVING: u8 = 1;
const CLOSING: u8 = 2;

/// A connection from a caller, as long as it is open.
#[derive(Debug)]
pub struct Admitted(Arc<Drain>);

/// The port that is listened on, to take it away from whoever listens.
#[derive(Debug)]
pub struct Port(TcpListener);

// === impl Drain ===

impl Drain {
    /// From now on this process is not ready.
    pub fn leave(&self) {
        self.stage.fetch_max(LEAVING, Ordering::Relaxed);
    }

    /// From now on connections end with their next answer.
    pub fn close(&self) {
        self.stage.fetch_max(CLOSING, Ordering::Relaxed);
    }

    /// Whether requests should go to this process.
    pub fn is_ready(&self) -> bool {
        self.stage.load(Ordering::Relaxed) < LEAVING
    }

    /// Whether connections end with their next answer.
    pub fn is_closing(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == CLOSING
    }

    /// Closes every connection on which nothing is under way, and every other one after its answer.
    pub fn end_idle(&self) {
        self.idle_end.send_replace(true);
    }

    /// Waits for [`Drain::end_idle`].
    pub fn idle_ends(&self) -> impl Future<Output = ()> + use<> {
        let mut told = self.idle_end.subscribe();
        async move {
            // It is told as long as connections are counted.
            let _ = told.wait_for(|ends| *ends).await;
        }
    }

    /// Counts a connection until what is returned is dropped.
    pub fn admit(self: &Arc<Self>) -> Admitted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Admitted(Arc::clone(self))
    }

    /// Waits until no connection is left, or until `deadline`.
    pub async fn connections_end(&self, deadline: Instant) {
        while self.connections.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            sleep(GLANCE).await;
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Port ===

impl Port {
    /// The port of a listener that goes on to somebody else.
    pub fn of(listener: &TcpListener) -> std::io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Lets nobody new begin to connect. Whoever does is not answered, tries again in a second, and is refused then.
    /// Connections that are already made are still there to be accepted.
    ///
    /// Without this, whatever is made between the last look and the end of listening would be reset with a request in it.
    pub fn turn_away(&self) {
        #[cfg(target_os = "linux")]
        {
            use socket2::SockFilter;
            // A program for the packet filter: keep no byte of any packet.
            const RETURN: u16 = 0x06;
            let nothing = [SockFilter::new(RETURN, 0, 0, 0)];
            if let Err(error) = SockRef::from(&self.0).attach_filter(&nothing) {
                log::debug!("newcomers are not turned away: {error}");
            }
        }
    }

    /// Ends listening: whoever connects is refused.
    pub fn close(&self) {
        if let Err(error) = SockRef::from(&self.0).shutdown(Shutdown::Both) {
            log::debug!("listening does not end: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[actix_rt::test]
    async fn a_port_is_taken_away_without_what_is_connected() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let port = Port::of(&listener).unwrap();
        let mut early = TcpStream::connect(address).unwrap();
        port.turn_away();
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
        let drain = Arc::new(Drain::default());
        let connection = drain.admit();
        drain.connections_end(Instant::now()).await;
        actix_rt::spawn(async move { drop(connection) });
        let later = Instant::now() + Duration::from_secs(3600);
        drain.connections_end(later).await;
    }
}
