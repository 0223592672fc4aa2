//! The TCP connections below the HTTP client, which tell two things: whether a request without a response can have reached the
//! server; and whether the bytes that are read can be the response to the request that was written.
//!
//! The first comes up with pooled connections: a server closes one that has been idle, and at the same moment a
//! request is written into it. Sending that request again could run a tool twice, if it had arrived after all; not
//! sending it again would be an error to the caller for nothing. TCP knows. A connection whose end has arrived is not written
//! to at all. Where the two cross, the server replies to the request with a reset, and a reset after an end is reported as
//! `EPIPE`, not as `ECONNRESET` (Linux, `tcp_reset` in the state CLOSE-WAIT). That alone proves nothing: a server may also
//! read, run, end and reset. But whatever a server sends says how much it has received, its end included; so if the kernel has
//! then seen none of the request's bytes acknowledged, the server ended the connection before any of them was there.
//!
//! The second comes up with servers that send more than one response to a request. Bytes that a server had sent before it
//! received the first byte of a request are no response to it, and the same counters tell.
//!
//! A [`Flight`] is one request on its way. It is a task local while the HTTP client works on the request, which is how
//! a connection learns what it carries without the client knowing of either, through TLS as well. A [`Connection`] is what
//! the response leads back to, so that a reader can exclude it from further use.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_rt::time::timeout;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::mcp::http::counts::counts;

/// How long a reset is waited for: a round trip to wherever servers are.
const ROUND_TRIP: Duration = Duration::from_millis(500);
/// The beginning of an alert, of any version of TLS (RFC 8446, section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];

tokio::task_local! {
    static FLIGHT: Rc<Flight>;
}

/// One request on its way to a server.
#[derive(Debug)]
pub(crate) struct Flight {
    /// When it was begun.
    begun: Instant,
    /// When a connection was last used that was to carry this request too, and had been closed by the server.
    found_closed: Cell<Option<Instant>>,
    /// Something of it was written.
    written: Cell<bool>,
    /// And something was read after that which can be a response.
    responded: Cell<bool>,
    /// It begins as a TLS alert does.
    alerted: Cell<bool>,
    /// The first error on its connection.
    broken: Cell<Option<io::ErrorKind>>,
    /// Its connection.
    connection: RefCell<Connection>,
    /// Its connection once the HTTP client has dropped it.
    dropped: RefCell<Option<Dropped>>,
}

/// A connection, for those who read responses from it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    excluded: Rc<Cell<bool>>,
}

/// A connection that the HTTP client has dropped.
#[derive(Debug)]
struct Dropped {
    stream: TcpStream,
    /// The bytes that were written to it before the request.
    before: u64,
}

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Option<TcpStream>,
    connection: Connection,
    flight: Weak<Flight>,
    /// When the last request was begun that it carried.
    used: Option<Instant>,
    /// Bytes written to it, and those of them that came before that request.
    written: u64,
    before: u64,
    /// Bytes read from it.
    read: u64,
    /// None of them since the request was written.
    waiting: bool,
}

// === impl Flight ===

impl Flight {
    /// A request that is about to be sent.
    pub(crate) fn begin(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            begun: now,
            found_closed: Cell::new(None),
            written: Cell::new(false),
            responded: Cell::new(false),
            alerted: Cell::new(false),
            broken: Cell::new(None),
            connection: RefCell::default(),
            dropped: RefCell::new(None),
        })
    }

    /// How long ago a connection was used that turned out to have been closed by the server since, if there was one.
    pub(crate) fn found_closed(&self) -> Option<Duration> {
        let used = self.found_closed.get()?;
        Some(self.begun.saturating_duration_since(used))
    }

    /// Works on `request` with every connection that it uses knowing whose it is.
    pub(crate) async fn carry<F: Future>(self: &Rc<Self>, request: F) -> F::Output {
        FLIGHT.scope(Rc::clone(self), request).await
    }

    /// The connection it was sent over.
    pub(crate) fn connection(&self) -> Connection {
        self.connection.borrow().clone()
    }

    /// Whether a byte was read that can be of a response.
    pub(crate) fn was_answered(&self) -> bool {
        self.responded.get()
    }

    /// Whether the first bytes that were read are a TLS alert. Over a connection that is to speak plain HTTP, they show that the
    /// port speaks TLS.
    pub(crate) fn met_tls(&self) -> bool {
        self.alerted.get()
    }

    /// Whether it is certain that nothing of a request without a response has reached the server.
    pub(crate) async fn never_arrived(&self) -> bool {
        if !self.written.get() {
            return true;
        }
        if self.responded.get() {
            return false;
        }
        let Some(dropped) = self.dropped.take() else {
            return false;
        };
        let kind = if let Some(kind) = self.broken.get() {
            Some(kind)
        } else {
            let reset = timeout(ROUND_TRIP, first_error(&dropped.stream)).await;
            reset.ok().flatten()
        };
        kind == Some(io::ErrorKind::BrokenPipe) && nothing_arrived(&dropped.stream, dropped.before)
    }
}

/// Waits for an error on a connection that is no longer used.
async fn first_error(stream: &TcpStream) -> Option<io::ErrorKind> {
    loop {
        match stream.take_error() {
            Ok(Some(error)) | Err(error) => return Some(error.kind()),
            Ok(None) => stream.ready(Interest::ERROR).await.ok()?,
        };
    }
}

/// Whether the server has certainly acknowledged nothing of what was written after the first `before` bytes.
fn nothing_arrived(stream: &TcpStream, before: u64) -> bool {
    // The beginning of the connection counts as one.
    counts(stream).is_some_and(|counts| counts.acknowledged <= before + 1)
}

// === impl Connection ===

impl Connection {
    /// Excludes it from further use: what else comes over it may belong to another request.
    pub(crate) fn exclude(&self) {
        self.excluded.set(true);
    }
}

// === impl Socket ===

impl Socket {
    /// Takes over a connection.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Some(stream),
            connection: Connection::default(),
            flight: Weak::new(),
            used: None,
            written: 0,
            before: 0,
            read: 0,
            waiting: false,
        }
    }

    /// Takes over a connection to a proxy that has become a tunnel, after so many bytes were written and read.
    pub(crate) fn tunnel(stream: TcpStream, written: usize, read: usize) -> Self {
        let mut socket = Self::new(stream);
        socket.written = as_count(written);
        socket.before = socket.written;
        socket.read = as_count(read);
        socket
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let stream = self.stream.as_mut().map(Pin::new);
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Notes that something is about to be written for the current request. With its first byte, a connection is excluded that has
    /// ended, or on which bytes have arrived that no request asked for.
    fn attach(&mut self) {
        // Outside of any request only a goodbye is written.
        let _ = FLIGHT.try_with(|flight| {
            if self.carries(flight) {
                return;
            }
            self.flight = Rc::downgrade(flight);
            self.used = Some(flight.begun);
            self.before = self.written;
            self.waiting = true;
            flight.connection.replace(self.connection.clone());
            let counts = self.stream.as_ref().and_then(counts);
            if counts.is_some_and(|counts| counts.received > self.read) {
                self.connection.exclude();
            }
        });
    }

    fn carries(&self, flight: &Rc<Flight>) -> bool {
        std::ptr::eq(self.flight.as_ptr(), Rc::as_ptr(flight))
    }

    /// Notes that the other side has closed, if this connection was just looked at to see whether it can be used again.
    fn note_end(&self) {
        // Outside of any request it does not matter.
        let _ = FLIGHT.try_with(|flight| {
            if !self.carries(flight) {
                flight.found_closed.set(self.used);
            }
        });
    }

    fn note_written(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(as_count(bytes));
        if let Some(flight) = self.flight.upgrade() {
            flight.written.set(true);
        }
    }

    /// Notes that something was read; `false` if it cannot be the response, and must not be parsed.
    fn note_read(&mut self, bytes: &[u8]) -> bool {
        self.read = self.read.saturating_add(as_count(bytes.len()));
        if !std::mem::take(&mut self.waiting) {
            return true;
        }
        let stream = self.stream.as_ref();
        if stream.is_some_and(|stream| nothing_arrived(stream, self.before)) {
            self.connection.exclude();
            return false;
        }
        if let Some(flight) = self.flight.upgrade() {
            flight.responded.set(true);
            flight.alerted.set(bytes.starts_with(TLS_ALERT));
        }
        true
    }

    fn note(&self, error: &io::Error) {
        if let Some(flight) = self.flight.upgrade() {
            let first = flight.broken.get().unwrap_or(error.kind());
            flight.broken.set(Some(first));
        }
    }

    fn is_excluded(&self) -> bool {
        self.connection.excluded.get()
    }
}

/// No machine has more bytes to write at once than this can count.
fn as_count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.upgrade() {
            let before = self.before;
            let dropped = self.stream.take().map(|stream| Dropped { stream, before });
            flight.dropped.replace(dropped);
        }
    }
}

impl AsyncRead for Socket {
    /// A connection that is excluded has ended for its readers.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_excluded() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = self.stream()?.poll_read(context, buffer);
        match &read {
            Poll::Ready(Err(error)) => {
                self.note(error);
                self.note_end();
            }
            Poll::Ready(Ok(())) if buffer.filled().len() == before => self.note_end(),
            Poll::Ready(Ok(())) => {
                if !self.note_read(buffer.filled().get(before..).unwrap_or_default()) {
                    buffer.set_filled(before);
                }
            }
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for Socket {
    /// A write that fails is noted and reported as done: a server may have responded before it had read everything, and
    /// then closed (seen: 413 of TypeScript SDK 2). Reading finds that response, or the end.
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.attach();
        if self.is_excluded() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = self.stream()?.poll_write(context, bytes);
        match &written {
            Poll::Ready(Ok(written)) => self.note_written(*written),
            Poll::Ready(Err(error)) => {
                self.note(error);
                return Poll::Ready(Ok(bytes.len()));
            }
            Poll::Pending => {}
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

impl ActixStream for Socket {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.stream {
            Some(stream) => stream.poll_read_ready(context).map_ok(|()| Ready::READABLE),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.stream {
            Some(stream) => stream
                .poll_write_ready(context)
                .map_ok(|()| Ready::WRITABLE),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
